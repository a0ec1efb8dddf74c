"""Judge one pair: weigh its evidence, move the pair and the attempts that the verdict settles, and owe what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from joinbridge.core import attempt as attempts
from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.draft import Draft
from joinbridge.core.effects import NoticeKind, PublishEvent, UpdateInventory
from joinbridge.core.evidence import Evidence
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.pursuit import notice
from joinbridge.core.rules import PairContext
from joinbridge.core.standing import Standing, stand
from joinbridge.core.verdict import Verdict, collect, is_after, may_have_removed, reach, survives
from joinbridge.core.vocabulary import Intent


def judge(draft: Draft, record: PairRecord) -> None:
    """Bring the pair of `record`, and the attempts on it, up to what the evidence proves now."""
    context = draft.context(record.pair)
    evidence = collect(draft.ledger(record.pair.target), context)
    draft.found(record.pair, evidence)
    verdict = reach(evidence, context, record)
    for attempt in context.on_pair():
        settled = _settled(attempt, verdict, context)
        if settled != attempt:
            draft.put(settled)
    context = draft.context(record.pair)
    standing = stand(record, verdict, evidence, context)
    if standing.contradicted:
        draft.contradict(record.pair, _why(standing.basis) or "the evidence it rested on no longer stands")
    if (standing.state, standing.basis) != (record.state, record.basis):
        _move(draft, record, standing, context)
    if standing.state in HELD_JOINED | {PairState.NOT_JOINED}:
        _close_cases(draft, record, standing)


def _settled(attempt: JoinAttempt, verdict: Verdict, context: PairContext) -> JoinAttempt:
    """Return the attempt as the verdict leaves it."""
    if verdict.joined is None or attempt.state not in attempts.UNPROVEN:
        return attempt
    if attempt.intent is Intent.UNJOIN:
        return _settled_unjoin(attempt, verdict, context)
    if not all(is_after(e, attempt, context.policy) for e in verdict.basis):
        return attempt
    if verdict.joined:
        return attempts.proven(attempt)
    if any(may_have_removed(u) and _asked(u) >= _asked(attempt) for u in context.on_pair(Intent.UNJOIN)):
        return attempts.given_up(attempt)  # it may have been there and be gone again: the question is moot
    return attempts.disproved(attempt)


def _settled_unjoin(unjoin: JoinAttempt, verdict: Verdict, context: PairContext) -> JoinAttempt:
    if unjoin.submitted_at is None:
        return unjoin
    if verdict.joined:
        later = all(survives(e, unjoin, context) for e in verdict.basis)
        return attempts.disproved(unjoin) if later else unjoin
    return attempts.proven(unjoin) if all(is_after(e, unjoin, context.policy) for e in verdict.basis) else unjoin


def _asked(attempt: JoinAttempt) -> tuple[object, ...]:
    return (attempt.submitted_at or attempt.requested_at, attempt.request_id.counter)


def _move(draft: Draft, record: PairRecord, standing: Standing, context: PairContext) -> None:
    changed = standing.state is not record.state
    moved = replace(
        record,
        state=standing.state,
        basis=standing.basis,
        since=draft.now if changed else record.since,
        disputed_at=_disputed_at(draft, record, standing),
        held=_held(record, standing),
    )
    draft.put_pair(moved)
    if not changed:
        return
    update = _correction(record, standing, context)
    if update is not None:
        draft.effect(update)
    if standing.state is PairState.DISPUTED:
        _dispute(draft, record, standing, context)


def _disputed_at(draft: Draft, record: PairRecord, standing: Standing) -> datetime | None:
    if standing.state is not PairState.DISPUTED:
        return None
    return record.disputed_at or draft.now


def _held(record: PairRecord, standing: Standing) -> bool | None:
    """Return what the inventory holds once the answer, or our correction, has reached it."""
    match standing.state:
        case PairState.JOINED | PairState.INFERRED_SUCCESS:
            return True
        case PairState.NOT_JOINED | PairState.DISPUTED:
            return False
        case _:
            return record.held


def _correction(record: PairRecord, standing: Standing, context: PairContext) -> UpdateInventory | None:
    """Return the update that makes the inventory true, where nobody else will make it.

    The DSP itself acts on an answer that reaches it; what was inferred is ours to write, and so is the taking back of it.
    """
    by_answer = any(e.answer for e in standing.basis)
    match standing.state:
        case PairState.INFERRED_SUCCESS:
            joined = True
        case PairState.JOINED if record.held is False:
            joined = True
        case PairState.DISPUTED:
            joined = False
        case PairState.NOT_JOINED if not by_answer and (record.held or _unjoin_inferred(context)):
            joined = False
        case _:
            return None
    if record.held is joined and record.state in HELD_JOINED:
        return None
    cause = standing.basis[-1].message if standing.basis else "unproven"
    return UpdateInventory(
        key=f"smi:{record.pair.target}:{record.pair.other}:{'joined' if joined else 'gone'}:{record.version}:{cause}",
        pair=record.pair,
        joined=joined,
        expected=not joined,
        reason=_why(standing.basis),
    )


def _unjoin_inferred(context: PairContext) -> bool:
    return any(a.state is AttemptState.INFERRED_SUCCESS for a in context.on_pair(Intent.UNJOIN))


def _dispute(draft: Draft, record: PairRecord, standing: Standing, context: PairContext) -> None:
    for attempt in context.on_pair(Intent.JOIN):
        draft.put(attempts.reopened(attempt))
    draft.effect(
        PublishEvent(
            key=f"event:{record.pair.target}:{record.pair.other}:disputed:{record.version}",
            at=draft.now,
            state=PairState.DISPUTED,
            pair=record.pair,
            rules=tuple(sorted({e.rule for e in standing.basis})),
        )
    )


def _close_cases(draft: Draft, record: PairRecord, standing: Standing) -> None:
    """End the cases that a refused or failed Unjoin opened; a refused one can be sent again once the inventory is right."""
    for unjoin in draft.context(record.pair).on_pair(Intent.UNJOIN):
        if unjoin.is_open or not unjoin.deadlines:
            continue
        draft.put(replace(unjoin, deadlines=()))
        if standing.state in HELD_JOINED:
            draft.effect(notice(unjoin, NoticeKind.UNJOIN_AGAIN))


def _why(basis: tuple[Evidence, ...]) -> str:
    return "; ".join(e.says for e in basis)
