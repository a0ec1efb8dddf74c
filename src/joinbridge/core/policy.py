"""The policy: every waiting time, bound and mode that a decision depends on. Values come from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b

import tenacity

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import Authenticity, Sighting
from joinbridge.core.ids import Eui64
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
