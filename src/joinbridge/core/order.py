"""Which came first at the device: findings against commands, findings against each other.

Two things tell. A device accepts only rising counters from each originator, so the counters on the wire order two commands of one
originator, and only those. Otherwise time tells: what a finding says was true at some moment from its `earliest` to its `at`, and a
command may be carried out from its submission until `Policy.carried_out_by`. Where two such ranges overlap the order is unknown, and each
function here then answers with what infers nothing (docs/domain.md, "Counters and retries" and "Evidence").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from joinbridge.core.attempt import AttemptKey, AttemptState, JoinAttempt
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.policy import Policy
from joinbridge.core.rules import PairContext
from joinbridge.core.vocabulary import Intent, UnjoinCode


def is_after(evidence: Evidence, attempt: JoinAttempt, policy: Policy) -> bool:
    """Whether `evidence` shows the device as it was after it had, or could have had, the command of `attempt`.

    Counters decide where they can; otherwise time does: with `queue_skew` in favour of a positive finding, which waits in the ledger when
    it overtakes its request, and by the earliest possible moment for a negative one.
    """
    if evidence.answer and evidence.attempt == attempt.request_id:
        return True
    by_counter = _after_by_counter(evidence, attempt)
    if by_counter is not None:
        return by_counter
    if evidence.polarity is Polarity.NOT_JOINED:
        since = attempt.outstanding_from
        return since is not None and _as_of(evidence, policy) >= since
    return evidence.at >= attempt.asked_at - policy.queue_skew


def closes(evidence: Evidence, join: JoinAttempt, context: PairContext) -> bool:
    """Whether a negative finding shows that `join` was not carried out, as well as that there was no entry.

    A report that the device makes by itself may just precede the command, so that only one from after the time for an answer counts.
    """
    if evidence.order is not None or evidence.answer:
        return is_after(evidence, join, context.policy)
    since = join.outstanding_from or join.asked_at
    return evidence.earliest >= since + context.policy.answer_due(join, context.type_of(join.target))


def shows_removal(evidence: Evidence, unjoin: JoinAttempt) -> bool:
    """Whether a negative finding certainly shows the device as it was after it had, or could have had, the command of `unjoin`."""
    if evidence.answer and evidence.attempt == unjoin.request_id:
        return True
    by_counter = None if evidence.order is None or unjoin.retries else evidence.order.is_after(unjoin.wire)
    if by_counter is None:
        return evidence.earliest >= unjoin.asked_at
    return by_counter and evidence.at >= unjoin.asked_at  # what is older shows that it cannot be carried out any more, and nothing else


def may_come_after(evidence: Evidence, join: JoinAttempt, policy: Policy) -> bool:
    """Whether `join`, of which nothing was heard, may still be carried out after the moment that `evidence` speaks of."""
    heard = join.state in (AttemptState.NOT_SENT, AttemptState.INFERRED_SUCCESS) or (join.answered_at is not None and not join.retries)
    if join.outstanding_from is None or heard:
        return False
    if evidence.order is not None and not join.retries and evidence.order.is_after(join.wire):
        return False  # the device has accepted a higher counter
    carried_out_by = policy.carried_out_by(join)
    return carried_out_by is None or carried_out_by > evidence.earliest


def newer(evidence: Evidence, than: Evidence) -> bool:
    """Whether `evidence` is certainly the newer of two that contradict each other. Ties and unknown orders are not.

    A device's answer gives way only to a log that was certainly read after it: without an Unjoin, which counts by itself, a log that lacks
    the entry is from before the join's answer (a gas meter carries out all that waits for it at one waking), and one that has it from
    before the removal.
    """
    by_counter = _by_counter(evidence, than)
    if by_counter is not None:
        return by_counter
    if evidence.answer and than.answer and not evidence.by_person:
        return evidence.earliest > than.at
    if evidence.settles and not than.answer:
        return than.earliest <= evidence.at
    if evidence.settles or (evidence.by_device_clock and than.by_device_clock):
        return evidence.at > than.at
    return evidence.earliest > than.at


def contradicts(evidence: Evidence, than: Evidence) -> bool:
    """Whether `evidence` may be the newer of two that contradict each other: as the bus has it, where nothing better tells."""
    by_counter = _by_counter(evidence, than)
    if by_counter is not None:
        return by_counter
    if than.settles and not evidence.answer:
        return evidence.earliest > than.at
    return evidence.at > than.at


def may_have_removed(attempt: JoinAttempt) -> bool:
    """Whether an Unjoin was sent and may have removed the entry."""
    if attempt.intent is not Intent.UNJOIN or attempt.submitted_at is None:
        return False
    if attempt.state is AttemptState.REJECTED:
        return attempt.response_code != UnjoinCode.NOT_IN_DEVICE_LOG
    return attempt.state not in (AttemptState.NOT_SENT, AttemptState.DISPROVED)


def removers(context: PairContext) -> tuple[JoinAttempt, ...]:
    """Return the Unjoins that may have removed the pair's entry, or may yet."""
    return tuple(a for a in context.on_pair(Intent.UNJOIN) if may_have_removed(a))


def survives(evidence: Evidence, unjoin: JoinAttempt, context: PairContext) -> bool:
    """Whether a positive finding is certainly from after `unjoin` was carried out, if it ever is."""
    if evidence.by_person:
        return evidence.at > unjoin.asked_at  # they could see it
    if evidence.order is not None and not unjoin.retries:
        by_counter = evidence.order.is_after(unjoin.wire)
        if by_counter is not None:
            return by_counter
    carried_out_by = context.removed_by.get(unjoin.key) or context.policy.carried_out_by(unjoin)
    return carried_out_by is not None and evidence.earliest > carried_out_by


def removals(counted: Sequence[Evidence], context: PairContext) -> Mapping[AttemptKey, datetime]:
    """Return the Unjoins that must have been carried out, and by when, whether or not they were answered.

    That is so where the entry was there, then it was not, and only one Unjoin can have removed it.
    """
    candidates = removers(context)
    if not candidates:
        return {}
    found: dict[AttemptKey, datetime] = {}
    proofs = [e for e in counted if e.grade is Grade.CONCLUSIVE]
    present = [e for e in proofs if e.polarity is Polarity.JOINED]
    for gone in (e for e in proofs if e.polarity is Polarity.NOT_JOINED):
        for there in present:
            by_counter = _by_counter(gone, there)
            if not (gone.earliest > there.at if by_counter is None else by_counter):
                continue
            between = [u for u in candidates if u.asked_at < gone.at and not survives(there, u, context)]
            if len(between) == 1:
                key = between[0].key
                found[key] = min(gone.at, found.get(key, gone.at))
    return found


def _by_counter(evidence: Evidence, than: Evidence) -> bool | None:
    """Compare the commands that gave two findings; None when counters do not tell."""
    return None if evidence.order is None or than.order is None else evidence.order.is_after(than.order.wire)


def _as_of(negative: Evidence, policy: Policy) -> datetime:
    """Return as of when a negative finding counts against a command: for a log read that is not ours, the order is that of the bus."""
    if negative.order is None or negative.answer:
        return negative.earliest
    return policy.probe_made_at(negative.order.business, negative.at) or negative.at


def _after_by_counter(evidence: Evidence, attempt: JoinAttempt) -> bool | None:
    """Compare the command that gave `evidence` with that of `attempt`; None when counters do not tell.

    Where the wire key of the attempt is not known, a User's own commands are taken to have gone the same way.
    """
    order = evidence.order
    if order is None or attempt.retries:
        return None
    if attempt.wire is not None:
        return order.is_after(attempt.wire)
    if order.business.remote != attempt.request_id.remote or order.business.counter == attempt.request_id.counter:
        return None
    return order.business.counter > attempt.request_id.counter
