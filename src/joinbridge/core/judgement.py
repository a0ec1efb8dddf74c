"""Judge one pair: weigh its evidence, move the pair and the attempts that the verdict settles, and owe what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from joinbridge.core import attempt as attempts
from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.draft import Draft
from joinbridge.core.effects import NoticeKind, PublishEvent, UpdateInventory
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.order import closes, is_after, may_have_removed, removals, shows_removal, survives
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.pursuit import notice
from joinbridge.core.rules import PairContext
from joinbridge.core.standing import Standing, stand
from joinbridge.core.verdict import Verdict, collect, counted, reach
from joinbridge.core.vocabulary import Intent


def judge(draft: Draft, record: PairRecord) -> None:
    """Bring the pair of `record`, and the attempts on it, up to what the evidence proves now."""
    settled: list[JoinAttempt] = []
    while True:
        context = draft.context(record.pair)
        found = collect(draft.ledger(record.pair.target), context)
        evidence = counted(found, record)
        context = replace(context, removed_by=removals(evidence, context))
        verdict = reach(evidence, context, record)
        standing = stand(record, verdict, found, context)
        changed = [] if standing.state is PairState.DISPUTED else _settle(verdict, evidence, context)
        if not changed:
            break
        # What became of an attempt bears on what the evidence means. An attempt settles but a few times, so this ends.
        settled += changed
        for attempt in changed:
            draft.put(attempt)
    draft.found(record.pair, found)
    if standing.contradicted:
        draft.contradict(record.pair, _why(standing.basis) or "the evidence it rested on no longer stands")
    overdue = standing.state in HELD_JOINED and record.held is False  # the inventory lost it, or never had it
    if overdue or (standing.state, standing.basis) != (record.state, record.basis):
        _move(draft, record, standing, context)
    if standing.state is not record.state:
        told = any(a.state is AttemptState.INFERRED_SUCCESS for a in settled)
        if standing.state is PairState.DISPUTED or (standing.state is PairState.INFERRED_SUCCESS and not told):
            draft.effect(_event(draft, record, standing))
    if standing.state in HELD_JOINED | {PairState.NOT_JOINED}:
        _close_cases(draft, record, standing)


def _settle(verdict: Verdict, evidence: Sequence[Evidence], context: PairContext) -> list[JoinAttempt]:
    """Return the attempts on the pair that the verdict changes, as it leaves them."""
    settled = ((attempt, _settled(attempt, verdict, evidence, context)) for attempt in context.on_pair())
    return [new for old, new in settled if new != old]


def _settled(attempt: JoinAttempt, verdict: Verdict, evidence: Sequence[Evidence], context: PairContext) -> JoinAttempt:
    """Return the attempt as the verdict leaves it."""
    # Of what was never sent there is nothing to prove; of a request for two devices nobody knows which was meant.
    if verdict.joined is None or attempt.submitted_at is None or attempt.rival is not None:
        return attempt
    if attempt.state not in attempts.UNPROVEN | {AttemptState.DISPROVED}:
        return attempt
    if attempt.intent is Intent.UNJOIN:
        return _settled_unjoin(attempt, verdict, context)
    if verdict.joined:
        if not any(all(is_after(e, attempt, context.policy) for e in proof) for proof in verdict.proofs):
            return attempt
        late = attempt.state is AttemptState.DISPROVED and _may_be_late(attempt, evidence, context)
        return attempts.carried_out_late(attempt) if late else attempts.proven(attempt)
    if not all(closes(e, attempt, context) for e in verdict.basis):
        return attempt
    if any(may_have_removed(u) and _asked(u) >= _asked(attempt) for u in context.on_pair(Intent.UNJOIN)):
        return attempts.given_up(attempt)  # it may have been there and be gone again: the question is moot
    return attempts.disproved(attempt)


def _may_be_late(join: JoinAttempt, evidence: Sequence[Evidence], context: PairContext) -> bool:
    """Whether a join that was disproved can be what made the entry: it was delivered as far as is known, and none came after it."""
    failed = any(e.attempt == join.request_id and e.polarity is Polarity.ATTEMPT_FAILED and e.grade is Grade.CONCLUSIVE for e in evidence)
    return not failed and join.key == max(context.on_pair(Intent.JOIN), key=_asked).key


def _settled_unjoin(unjoin: JoinAttempt, verdict: Verdict, context: PairContext) -> JoinAttempt:
    if not verdict.joined:
        return attempts.proven(unjoin) if all(shows_removal(e, unjoin) for e in verdict.basis) else unjoin
    if not all(survives(e, unjoin, context) for e in verdict.basis):
        return unjoin
    if any(_asked(join) >= _asked(unjoin) for join in context.on_pair(Intent.JOIN) if join.submitted_at is not None):
        return attempts.given_up(unjoin)  # it may have been carried out, and the pair joined again
    return attempts.disproved(unjoin)


def _asked(attempt: JoinAttempt) -> tuple[datetime, int]:
    return attempt.asked_at, attempt.request_id.counter


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
    update = _correction(record, standing, context)
    if update is not None:
        draft.effect(update)
    if changed and standing.state is PairState.DISPUTED:
        for attempt in context.on_pair(Intent.JOIN):
            draft.put(attempts.reopened(attempt))


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
    ours = not any(e.reached_inventory for e in standing.basis)
    changed = standing.state is not record.state
    match standing.state:
        case PairState.INFERRED_SUCCESS | PairState.JOINED if record.held is False or (ours and changed):
            joined = True
        case PairState.DISPUTED if changed:
            joined = False
        case PairState.NOT_JOINED if changed and ours and (record.held or _concluded(standing, context)):
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


def _concluded(standing: Standing, context: PairContext) -> bool:
    """Whether it took an inferred Unjoin, or a person, to know that the pair is not joined."""
    inferred = any(a.state is AttemptState.INFERRED_SUCCESS for a in context.on_pair(Intent.UNJOIN))
    return inferred or any(e.settles for e in standing.basis)


def _event(draft: Draft, record: PairRecord, standing: Standing) -> PublishEvent:
    return PublishEvent(
        key=f"event:{record.pair.target}:{record.pair.other}:{standing.state}:{record.version}",
        at=draft.now,
        state=standing.state,
        pair=record.pair,
        rules=tuple(sorted({e.rule for e in standing.basis})),
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
