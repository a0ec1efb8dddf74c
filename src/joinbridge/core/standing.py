"""Where a pair stands after a verdict: the table that turns (state, verdict) into the next state.

A verdict looks only at evidence; this looks at what we have said before. What we said and newer proof contradicts is `disputed`, never
quietly overwritten (docs/transitions.md is generated from this module).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from joinbridge.core.attempt import UNPROVEN, AttemptState
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.rules import PairContext
from joinbridge.core.verdict import Verdict, may_have_removed, survives
from joinbridge.core.vocabulary import Intent, JoinCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The next state and the evidence it rests on; `contradicted` when it goes against what we had recorded."""

    state: PairState
    basis: tuple[Evidence, ...] = ()
    contradicted: bool = False


def stand(record: PairRecord, verdict: Verdict, evidence: Sequence[Evidence], context: PairContext) -> Standing:
    """Return where the pair of `record` stands under `verdict`. Total."""
    if verdict.joined:
        return _proven_joined(record, verdict, context)
    if verdict.joined is False:
        return _proven_not_joined(record, verdict, context)
    return _unproven(record, evidence, context)


def _proven_joined(record: PairRecord, verdict: Verdict, context: PairContext) -> Standing:
    if record.state is PairState.DISPUTED and not _settles(record, verdict, context):
        return Standing(state=PairState.DISPUTED, basis=record.basis)
    if verdict.by_answer:
        return Standing(state=PairState.JOINED, basis=verdict.basis)
    if record.state is PairState.JOINED:
        return Standing(state=PairState.JOINED, basis=record.basis)  # the answer it rests on is worth more
    return Standing(state=PairState.INFERRED_SUCCESS, basis=verdict.basis)


def _proven_not_joined(record: PairRecord, verdict: Verdict, context: PairContext) -> Standing:
    if record.state in HELD_JOINED and not _explained(record, context):
        return Standing(state=PairState.DISPUTED, basis=verdict.basis, contradicted=True)
    if record.state is PairState.DISPUTED and not _settles(record, verdict, context):
        return Standing(state=PairState.DISPUTED, basis=record.basis)
    return Standing(state=PairState.NOT_JOINED, basis=verdict.basis)


def _unproven(record: PairRecord, evidence: Sequence[Evidence], context: PairContext) -> Standing:
    removal_possible = any(may_have_removed(a) for a in context.on_pair(Intent.UNJOIN))
    if record.state in HELD_JOINED and not removal_possible and record.expired_at is None:
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
    """Whether an Unjoin accounts for the pair being gone: it answered success, or it may have been carried out since."""
    removals = [a for a in context.on_pair(Intent.UNJOIN) if may_have_removed(a)]
    return any(not all(survives(e, u, context) for e in record.basis) for u in removals)


def _settles(record: PairRecord, verdict: Verdict, context: PairContext) -> bool:
    """Whether a verdict ends a dispute: a device's answer or a person's word from after it, or proof of a join asked for after it."""
    disputed_at, newest = record.disputed_at, verdict.at
    if disputed_at is None or newest is None or newest <= disputed_at:
        return False
    if verdict.by_answer:
        return True
    return any(a.submitted_at is not None and a.submitted_at > disputed_at for a in context.on_pair(Intent.JOIN))
