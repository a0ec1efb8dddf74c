"""Explain an attempt: the evidence in order, what decided, what was missing, and what would change the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from joinbridge.core.attempt import AttemptKey, AttemptState, Deadline, JoinAttempt
from joinbridge.core.case import Case
from joinbridge.core.draft import Draft
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.order import is_after, newer, removers, survives
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.rules import PairContext
from joinbridge.core.verdict import collect, counted
from joinbridge.core.vocabulary import Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an attempt and its pair stand where they stand. `decided_by` is what the pair's state rests on; empty when nothing does."""

    attempt: JoinAttempt
    record: PairRecord | None
    evidence: tuple[Evidence, ...]
    decided_by: tuple[Evidence, ...]
    missing: tuple[str, ...]
    would_change: tuple[str, ...]
    next_deadline: Deadline | None


def explain(case: Case, key: AttemptKey, policy: Policy) -> Explanation | None:
    """Return the explanation of the attempt `key`, None when there is none. `case` must be whole for its target."""
    attempt = case.attempts.get(key)
    if attempt is None:
        return None
    record = None if attempt.pair is None else case.pairs.get(attempt.pair)
    next_deadline = min(attempt.deadlines, default=None)
    if record is None:
        missing = ("the other device: no message that was seen names it",)
        return Explanation(
            attempt=attempt, record=None, evidence=(), decided_by=(), missing=missing, would_change=(), next_deadline=next_deadline
        )
    context = Draft(case, policy, record.since).context(record.pair)
    found = collect(case.ledger.get(attempt.target, ()), context)
    evidence = counted(found, record)
    return Explanation(
        attempt=attempt,
        record=record,
        evidence=found,
        decided_by=record.basis,
        missing=() if record.basis else tuple(_missing(evidence, context)),
        would_change=tuple(_would_change(attempt, record, evidence)),
        next_deadline=next_deadline,
    )


def _missing(evidence: Sequence[Evidence], context: PairContext) -> Iterator[str]:
    """Return, in words, why the evidence there is proves nothing."""
    target = context.pair.target
    positive = [e for e in evidence if e.polarity is Polarity.JOINED]
    conclusive = [e for e in positive if e.grade is Grade.CONCLUSIVE]
    strong = [e for e in positive if e.grade is Grade.STRONG]
    negatives = [e for e in evidence if e.polarity is Polarity.NOT_JOINED and e.grade is Grade.CONCLUSIVE]
    for one in conclusive:
        yield from _why_not(one, negatives, context)
    if strong and not conclusive:
        yield f"{_name(strong[0])} is strong but not enough alone: a second, independent finding, or a conclusive one"
    if not strong and not conclusive:
        yield f"proof: a read of the Device Log of {target} (CS07), the GPF's own 8071 if it is one, or the answer itself"


def _why_not(positive: Evidence, negatives: Sequence[Evidence], context: PairContext) -> Iterator[str]:
    joins = context.on_pair(Intent.JOIN)
    if positive.unchecked:
        yield f"{_name(positive)} counts when the type of {context.pair.other} is known: the entry may be of another one"
    if not positive.answer and not any(is_after(positive, a, context.policy) for a in joins):
        yield f"{_name(positive)} is older than every request for this join"
    for negative in negatives:
        if not newer(positive, negative):
            yield f"{_name(positive)} is not certainly newer than {_name(negative)}, which says the opposite"
    for unjoin in removers(context):
        if not survives(positive, unjoin, context):
            yield f"{_name(positive)} is not certainly from after the Unjoin {unjoin.request_id}, which may have been carried out"


def _would_change(attempt: JoinAttempt, record: PairRecord, evidence: Sequence[Evidence]) -> Iterator[str]:
    target, other = record.pair.target, record.pair.other
    if record.state in HELD_JOINED:
        yield "an Unjoin that is carried out makes the pair not joined"
        yield "a newer CS07 read or 8071 without the other device, with no Unjoin to account for it, makes the pair disputed"
    elif record.state is PairState.DISPUTED:
        yield "a person's decision, or proof from after a Join that is asked for from now on"
    elif record.state is PairState.NOT_JOINED:
        yield "a newer answer, CS07 read or 8071 that shows the entry"
    elif any(e.unchecked for e in evidence):
        yield f"the type of {other}, from an answer to a Read Inventory (SRV 8.2) or from the table of devices"
        yield f"a CS07 read of {target} that does not list {other}"
    else:
        yield f"a CS07 read of {target} that lists {other}, or does not"
    if attempt.state is AttemptState.INFERRED_SUCCESS:
        yield "the answer itself, if it still comes, turns the inference into a confirmation"


def _name(evidence: Evidence) -> str:
    return f"row {evidence.row} ({evidence.rule}, {evidence.at:%Y-%m-%d %H:%M:%S}Z)"
