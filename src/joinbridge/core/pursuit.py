"""What to do about an answer that is lost: wait, have the command issued again, ask the device, and in the end ask a person.

Who owns the counter decides (docs/domain.md, "Counters and retries"): a GPF reports its log by itself; a command that the ACB fronts can
be issued again by the DSP; a counter that a Supplier owns is never faked, so the target's Device Log is read and the Supplier told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from joinbridge.core.attempt import AttemptState, JoinAttempt, LossTrigger, Purpose, armed
from joinbridge.core.effects import Effect, NoticeKind, NotifySupplier, ProbeDeviceLog, ReissueJoin
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import SRV_JOIN_NON_CRITICAL, DeviceType, Intent

Step = tuple[JoinAttempt, tuple[Effect, ...]]


def await_answer(attempt: JoinAttempt, target_type: DeviceType | None, policy: Policy, now: datetime) -> JoinAttempt:
    """Arm the deadline for the answer of a submitted attempt.

    It runs from the submission's bus time; a backlog still leaves the answer `backlog_grace` to be read from the same backlog.
    """
    submitted_at = attempt.submitted_at or attempt.requested_at
    due_at = max(submitted_at + policy.answer_due(attempt, target_type), now + policy.backlog_grace)
    return armed(attempt, Purpose.ANSWER, due_at)


def search(attempt: JoinAttempt, target_type: DeviceType | None, others: Iterable[JoinAttempt], policy: Policy, now: datetime) -> Step:
    """Start looking for the outcome of an attempt whose answer was just lost; `others` are the attempts on the same target."""
    attempt = armed(attempt, Purpose.FINAL, max((attempt.submitted_at or now) + policy.final_wait, now + policy.backlog_grace))
    if attempt.intent is Intent.JOIN and attempt.lost_because is not LossTrigger.DISCARDED:
        if target_type is DeviceType.GPF:
            return armed(attempt, Purpose.PROBE, now + policy.gpf_patience), ()
        if fronted_by_acb(attempt, target_type) and policy.max_retries > 0:
            return armed(attempt, Purpose.RETRY, now + policy.backoff(attempt)), ()
    probed, effects = probe(attempt, others, policy, now)
    return probed, (*effects, notice(attempt, NoticeKind.ANSWER_LOST))


def investigate(attempt: JoinAttempt, others: Iterable[JoinAttempt], policy: Policy, now: datetime) -> Step:
    """Open a case for an attempt that is over but left the pair in doubt: an Unjoin refused with E080801, or failed with code 2."""
    attempt = armed(attempt, Purpose.FINAL, now + policy.final_wait)
    return probe(attempt, others, policy, now)


def fronted_by_acb(attempt: JoinAttempt, target_type: DeviceType | None) -> bool:
    """Whether the DSP can issue the command again by itself: non-critical, and sent in the ACB's name with the ACB's counter.

    Known when the command itself was seen; otherwise a PPMID or hub holds no Supplier's credentials. In doubt, no.
    """
    if attempt.srv != SRV_JOIN_NON_CRITICAL:
        return False
    if attempt.wire_key is not None:
        return attempt.wire_key.remote != attempt.request_id.remote
    return target_type in (DeviceType.PPMID, DeviceType.CHF)


def reissue(attempt: JoinAttempt, target_type: DeviceType | None, others: Iterable[JoinAttempt], policy: Policy, now: datetime) -> Step:
    """Ask the DSP to issue the command again; when the last try is used up, the probe is next.

    Never once somebody has asked for something else: it would undo an Unjoin. `others` are the attempts on the same target.
    """
    other, others = attempt.other, tuple(others)
    if other is None or attempt.rival is not None or attempt.retries >= policy.max_retries or _superseded(attempt, others):
        return probe(attempt, others, policy, now)
    number = attempt.retries + 1
    attempt = replace(attempt, state=AttemptState.RETRIED, retries=number, reissued_at=now)
    wait = policy.answer_due(attempt, target_type)
    if number < policy.max_retries:
        attempt = armed(attempt, Purpose.RETRY, now + wait + policy.backoff(attempt))
    else:
        attempt = armed(attempt, Purpose.PROBE, now + wait)
    effect = ReissueJoin(key=f"retry:{attempt.request_id}:{number}", request_id=attempt.request_id, other=other, number=number)
    return attempt, (effect,)


def probe(attempt: JoinAttempt, others: Iterable[JoinAttempt], policy: Policy, now: datetime) -> Step:
    """Ask for the target's Device Log, unless a probe for another attempt on the same target is already out that answers this one too."""
    if attempt.probes >= policy.max_probes:
        return attempt, ()
    others = tuple(others)
    shared = _shared_probe(attempt, others, policy, now)
    state = AttemptState.PROBED if attempt.is_open else attempt.state
    attempt = replace(attempt, state=state, probes=attempt.probes + 1, probed_at=shared or now)
    if attempt.probes < policy.max_probes:
        next_at = now + policy.probe_wait
        if attempt.probes * 2 >= policy.max_probes:
            next_at = max(next_at, _quiet_at(attempt, others, policy))
        attempt = armed(attempt, Purpose.PROBE, next_at)
    if shared is not None:
        return attempt, ()
    request_id = policy.probe_key(attempt.target, now)
    return attempt, (ProbeDeviceLog(key=f"probe:{request_id}", request_id=request_id),)


def notice(attempt: JoinAttempt, kind: NoticeKind) -> NotifySupplier:
    """Tell the originator of the request, once for each kind."""
    return NotifySupplier(
        key=f"notice:{attempt.key}:{kind}:{attempt.version}", request_id=attempt.request_id, intent=attempt.intent, kind=kind
    )


def _shared_probe(attempt: JoinAttempt, others: Iterable[JoinAttempt], policy: Policy, now: datetime) -> datetime | None:
    asked_at = attempt.submitted_at or attempt.requested_at
    recent = (
        o.probed_at
        for o in others
        if o.key != attempt.key and o.probed_at is not None and asked_at <= o.probed_at and now < o.probed_at + policy.probe_wait
    )
    return max(recent, default=None)


def _superseded(attempt: JoinAttempt, others: Iterable[JoinAttempt]) -> bool:
    """Whether someone has asked for another Join or Unjoin of the pair since."""
    return any(
        o.key != attempt.key and o.pair == attempt.pair and o.asked_at >= attempt.asked_at and o.state is not AttemptState.NOT_SENT
        for o in others
    )


def _quiet_at(attempt: JoinAttempt, others: Iterable[JoinAttempt], policy: Policy) -> datetime:
    """Return from when on a probe can show that the entry has outlived every unanswered Unjoin of the pair: half the probes wait for it."""
    unjoins = (o for o in (attempt, *others) if o.pair == attempt.pair and o.intent is Intent.UNJOIN and o.answered_at is None)
    ends = (policy.carried_out_by(u) for u in unjoins if u.state not in (AttemptState.NOT_SENT, AttemptState.DISPROVED))
    return max((at + 2 * policy.clock_skew for at in ends if at is not None), default=attempt.asked_at)
