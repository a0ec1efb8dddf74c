"""Where a pair stands after a verdict: the table that turns (state, verdict) into the next state.

A verdict looks only at evidence; this looks at what we have said before. What we said and newer proof contradicts is `disputed`, never
quietly overwritten (docs/transitions.md is generated from this module).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from joinbridge.core.attempt import UNPROVEN, AttemptState
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.order import contradicts, removers, survives
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.rules import PairContext
from joinbridge.core.verdict import Verdict, counted
from joinbridge.core.vocabulary import Intent, JoinCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The next state and the evidence it rests on.

    `contradicted` when it goes against what we had recorded; `explained` when what went against it before turns out to have had a cause.
    """

    state: PairState
    basis: tuple[Evidence, ...] = ()
    contradicted: bool = False
    explained: bool = False


def stand(record: PairRecord, verdict: Verdict, found: Sequence[Evidence], context: PairContext) -> Standing:
    """Return where the pair of `record` stands under `verdict`, which came from what the rules `found`. Total."""
    if record.state is PairState.DISPUTED and _explained(record, context):
        # What looked like a contradiction was an Unjoin whose messages came later than what they explain.
        record = replace(record, state=PairState.UNKNOWN, disputed_at=None)
        return replace(_stand(record, verdict, found, context), explained=True)
    return _stand(record, verdict, found, context)


def _stand(record: PairRecord, verdict: Verdict, found: Sequence[Evidence], context: PairContext) -> Standing:
    if verdict.joined:
        return _proven_joined(record, verdict, context)
    if verdict.joined is False:
        return _proven_not_joined(record, verdict, context)
    return _unproven(record, found, context)


def _proven_joined(record: PairRecord, verdict: Verdict, context: PairContext) -> Standing:
    if record.state is PairState.DISPUTED and not _settles(record, verdict, context):
        return Standing(state=PairState.DISPUTED, basis=record.basis)
    state = PairState.JOINED if verdict.by_answer else PairState.INFERRED_SUCCESS
    return Standing(state=state, basis=verdict.basis)


def _proven_not_joined(record: PairRecord, verdict: Verdict, context: PairContext) -> Standing:
    if record.state in HELD_JOINED and any(e.by_person for e in verdict.basis):
        return Standing(state=PairState.NOT_JOINED, basis=verdict.basis, contradicted=True)
    if record.state in HELD_JOINED and not _explained(record, context):
        # Both sides are kept: what we had said it on, and what speaks against it.
        return Standing(state=PairState.DISPUTED, basis=(*record.basis, *verdict.basis), contradicted=True)
    if record.state is PairState.DISPUTED and not _settles(record, verdict, context):
        return Standing(state=PairState.DISPUTED, basis=record.basis)
    return Standing(state=PairState.NOT_JOINED, basis=verdict.basis)


def _unproven(record: PairRecord, found: Sequence[Evidence], context: PairContext) -> Standing:
    evidence = counted(found, record)
    if record.state in HELD_JOINED and not removers(context) and record.expired_at is None:
        if _unshaken(record, found, evidence):
            return Standing(state=record.state, basis=record.basis)
        # What we inferred from no longer proves it, and nobody has asked for a change: say so.
        return Standing(state=PairState.DISPUTED, basis=record.basis, contradicted=True)
    if record.state is PairState.DISPUTED:
        return Standing(state=PairState.DISPUTED, basis=record.basis)
    if any(a.is_open or a.deadlines for a in context.on_pair()):
        return Standing(state=PairState.PENDING)
    failed = _failures(evidence, context)
    if failed:
        return Standing(state=PairState.NOT_JOINED, basis=failed)
    return Standing(state=PairState.UNKNOWN)


def _unshaken(record: PairRecord, found: Sequence[Evidence], evidence: Sequence[Evidence]) -> bool:
    """Whether all that the record rests on is still found, and nothing that counts against it may be newer.

    What came late and cannot be ordered would have kept us from inferring, but is no contradiction. Nor is it one that a rule was returned
    to shadow since, and would not decide any more.
    """
    still_found = {(e.rule, e.message, e.grade) for e in found}
    enough = Grade.CONCLUSIVE if len(record.basis) == 1 else Grade.STRONG
    against = [e for e in evidence if e.polarity is Polarity.NOT_JOINED and e.grade >= enough]
    return all((e.rule, e.message, e.grade) in still_found and not any(contradicts(n, e) for n in against) for e in record.basis)


def _failures(evidence: Sequence[Evidence], context: PairContext) -> tuple[Evidence, ...]:
    """Return the findings that leave nothing on the pair: every join that was sent is known to have failed, without an entry there."""
    sent = [a for a in context.on_pair() if a.submitted_at is not None and a.state is not AttemptState.NOT_SENT]
    if not sent or any(a.state in UNPROVEN or a.intent is Intent.UNJOIN for a in sent):
        return ()
    if any(a.response_code == JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY for a in sent):
        return ()  # some entry for the other device is there
    refusals = (Polarity.ATTEMPT_FAILED, Polarity.NOT_JOINED)
    return tuple(e for e in evidence if e.polarity in refusals and e.grade >= Grade.STRONG and e.attempt is not None)


def _explained(record: PairRecord, context: PairContext) -> bool:
    """Whether an Unjoin accounts for the pair being gone: it answered success, or it may have been carried out since.

    A dispute is explained only by one that was asked for before it arose.
    """
    ours = [e for e in record.basis if e.polarity is Polarity.JOINED]
    removals = (u for u in removers(context) if record.disputed_at is None or u.asked_at <= record.disputed_at)
    return any(not all(survives(e, u, context) for e in ours) for u in removals)


def _settles(record: PairRecord, verdict: Verdict, context: PairContext) -> bool:
    """Whether a verdict ends a dispute: an answer or a person's word from after it, or proof from after it where a Join was sent since.

    An Unjoin since then ends it by its answer alone: what was in dispute may be all that a log shows to be gone.
    """
    disputed_at, earliest = record.disputed_at, verdict.earliest
    if disputed_at is None or earliest is None or earliest <= disputed_at:
        return False
    return verdict.by_answer or any(a.submitted_at is not None and a.submitted_at > disputed_at for a in context.on_pair(Intent.JOIN))
