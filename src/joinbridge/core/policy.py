"""The policy: every waiting time, bound and mode that a decision depends on. Values come from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b

import tenacity

from joinbridge.core.attempt import JoinAttempt, LossTrigger
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import Authenticity, Sighting
from joinbridge.core.ids import BusinessKey, DeviceId, Eui64, RequestId
from joinbridge.core.vocabulary import DeviceType

ACB = Eui64("90-B3-D5-1F-30-00-00-02")
"""The Access Control Broker's identity in the reference test data; the live one is configuration."""

_DEFAULT_ANSWER_WAIT: Mapping[DeviceType, timedelta] = {
    # A GSME sleeps and collects its messages from the hub about every half hour; the others are always on (docs/domain.md, "Install and
    # commission flow").
    DeviceType.GSME: timedelta(minutes=90),
    DeviceType.ESME: timedelta(minutes=10),
    DeviceType.GPF: timedelta(minutes=10),
    DeviceType.CHF: timedelta(minutes=10),
    DeviceType.PPMID: timedelta(minutes=10),
    DeviceType.HCALCS: timedelta(minutes=10),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long to wait, how often to try, whom to trust, which rules count."""

    answer_wait: Mapping[DeviceType, timedelta] = field(default_factory=lambda: dict(_DEFAULT_ANSWER_WAIT))
    answer_wait_unknown: timedelta = timedelta(minutes=90)  # an unknown target may be a GSME
    answer_wait_local: timedelta = timedelta(days=3)  # a command carried by hand-held terminal comes back when the installer does
    backlog_grace: timedelta = timedelta(minutes=1)  # an answer may be in the same backlog as its request
    gpf_patience: timedelta = timedelta(hours=1)  # the automatic 8071 normally comes within seconds
    max_retries: int = 2
    retry_wait: timedelta = timedelta(minutes=5)
    retry_wait_max: timedelta = timedelta(hours=4)
    max_probes: int = 4
    probe_wait: timedelta = timedelta(hours=2)  # before a probe is repeated; a GSME needs up to an hour to answer one
    final_wait: timedelta = timedelta(days=7)
    clock_skew: timedelta = timedelta(minutes=1)  # between a device's clock and the bus
    queue_skew: timedelta = timedelta(minutes=5)  # between two queues or brokers
    max_transit: timedelta = timedelta(days=2)  # the DCC keeps an undelivered Device Alert that long
    needs_type: bool = False  # an entry of a Device Log proves nothing before the type of its device is known
    contradictions_to_shadow: int = 3
    contradiction_window: timedelta = timedelta(days=7)
    probe_originator: Eui64 = ACB
    trusted_sources: frozenset[str] = frozenset({"sr.request", "sr.response", "csp.alert"})
    rule_modes: Mapping[str, Mode] = field(default_factory=dict)

    def answer_due(self, attempt: JoinAttempt, target_type: DeviceType | None) -> timedelta:
        """Return how long an answer to `attempt` may take before it counts as lost."""
        if attempt.local_only:
            return self.answer_wait_local
        if target_type is None:
            return self.answer_wait_unknown
        return self.answer_wait.get(target_type, self.answer_wait_unknown)

    def carried_out_by(self, attempt: JoinAttempt) -> datetime | None:
        """Return the moment after which `attempt` cannot be carried out any more; None when there is none.

        An answer, or the word that an answer was dropped, shows that it has been carried out. A command without either may lie at a hub
        until the network has forgotten it. One that was handed to somebody may be delivered at any time, and of one that was issued twice
        nobody knows which issue was answered.
        """
        if attempt.retries:
            return None
        if attempt.answered_at is not None:
            return attempt.answered_at
        if attempt.lost_because is LossTrigger.DISCARDED:
            return attempt.lost_at
        return None if attempt.local_only else attempt.asked_at + self.max_transit

    def probe_key(self, target: DeviceId, now: datetime) -> RequestId:
        """Return the RequestID of a probe of `target`: the moment it is made, in milliseconds since 1970, is its counter."""
        return RequestId(self.probe_originator, target, (now - _EPOCH) // timedelta(milliseconds=1))

    def probe_made_at(self, key: BusinessKey, answered_at: datetime) -> datetime | None:
        """Return the earliest moment at which the read `key` was made, if it was a probe of ours and its counter can be that moment."""
        if key.remote != self.probe_originator or key.counter > _LAST_MS:
            return None
        made_at = _EPOCH + timedelta(milliseconds=key.counter)
        believable = answered_at - self.max_transit <= made_at <= answered_at + self.clock_skew
        return made_at - self.clock_skew if believable else None

    def trusts(self, sighting: Sighting) -> bool:
        """Whether what `sighting` says counts in full: its signature was verified, or its producer is trusted."""
        if sighting.authenticity is Authenticity.VERIFIED:
            return True
        return sighting.authenticity is Authenticity.CHANNEL and sighting.source in self.trusted_sources

    def backoff(self, attempt: JoinAttempt) -> timedelta:
        """Return the wait before the next re-issue: exponential in the number of retries, spread by ±25 % from the attempt's identity.

        A pure function of (attempt, number), so that the same history always gives the same deadlines, and a thousand answers lost in
        one outage are not retried in one second.
        """
        state = tenacity.RetryCallState(retry_object=_NO_RETRYING, fn=None, args=(), kwargs={})
        state.attempt_number = attempt.retries + 1
        wait_s = tenacity.wait_exponential(multiplier=self.retry_wait.total_seconds(), max=self.retry_wait_max.total_seconds())(state)
        digest = blake2b(f"{attempt.request_id}#{attempt.retries}".encode(), digest_size=2).digest()
        spread = 0.75 + 0.5 * int.from_bytes(digest, "big") / 0xFFFF
        return timedelta(seconds=round(wait_s * spread, 3))


_NO_RETRYING = tenacity.Retrying()
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LAST_MS = 253_402_300_799_000  # 9999-12-31T23:59:59Z, the last moment that a datetime holds
