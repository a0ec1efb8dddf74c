"""Judge one pair: weigh its evidence, move the pair and the attempts that the verdict settles, and owe what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from joinbridge.core import attempt as attempts
from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.correction import correction
from joinbridge.core.draft import Draft
from joinbridge.core.effects import NoticeKind, PublishEvent, UpdateInventory
from joinbridge.core.evidence import Evidence, Grade, Polarity, rules_of, window_of
from joinbridge.core.order import closes, is_after, may_come_after, may_have_removed, removals, shows_removal, survives
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
        if removed_by := removals(evidence, context):
            context = replace(context, removed_by=removed_by)
        verdict = reach(evidence, context, record)
        standing = stand(record, verdict, found, context)
        changed = [] if standing.state is PairState.DISPUTED else _settle(verdict, evidence, context)
        if not changed:
            break
        # What became of an attempt bears on what the evidence means. An attempt settles but a few times, so this ends.
        settled += changed
        for attempt in changed:
            draft.put(attempt, _grounds(attempt, verdict, context))
    draft.found(record.pair, found)
    if standing.contradicted:
        draft.contradict(record.pair, "; ".join(e.says for e in standing.basis))
    if standing.explained:
        draft.explain(record)
    update = correction(record, standing, context)
    if update is not None or (standing.state, standing.basis) != (record.state, record.basis):
        _move(draft, record, standing, update)
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
        if not _grounds(attempt, verdict, context):
            return attempt
        late = attempt.state is AttemptState.DISPROVED and _may_be_late(attempt, evidence, context)
        return attempts.carried_out_late(attempt) if late else attempts.proven(attempt)
    if not all(closes(e, attempt, context) for e in verdict.basis):
        return attempt
    if any(may_have_removed(u) and _asked(u) >= _asked(attempt) for u in context.on_pair(Intent.UNJOIN)):
        return attempts.given_up(attempt)  # it may have been there and be gone again: the question is moot
    return attempts.disproved(attempt)


def _grounds(attempt: JoinAttempt, verdict: Verdict, context: PairContext) -> tuple[Evidence, ...]:
    """Return what of the verdict speaks of the attempt: of a Join that was carried out, the best proof from after it."""
    if attempt.intent is Intent.UNJOIN or not verdict.joined:
        return verdict.basis
    proofs = (verdict.basis, *verdict.proofs)
    return next((proof for proof in proofs if all(is_after(e, attempt, context.policy) for e in proof)), ())


def _may_be_late(join: JoinAttempt, evidence: Sequence[Evidence], context: PairContext) -> bool:
    """Whether a join that was disproved can be what made the entry: it was delivered as far as is known, and none came after it."""
    failed = any(e.attempt == join.request_id and e.polarity is Polarity.ATTEMPT_FAILED and e.grade is Grade.CONCLUSIVE for e in evidence)
    return not failed and join.key == max(context.on_pair(Intent.JOIN), key=_asked).key


def _settled_unjoin(unjoin: JoinAttempt, verdict: Verdict, context: PairContext) -> JoinAttempt:
    if not verdict.joined:
        pending = any(may_come_after(e, join, context.policy) for e in verdict.basis for join in context.on_pair(Intent.JOIN))
        proof = not pending and all(shows_removal(e, unjoin) for e in verdict.basis)
        return attempts.proven(unjoin) if proof else unjoin
    if not all(survives(e, unjoin, context) for e in verdict.basis):
        return unjoin
    if any(_asked(join) >= _asked(unjoin) for join in context.on_pair(Intent.JOIN) if join.submitted_at is not None):
        return attempts.given_up(unjoin)  # it may have been carried out, and the pair joined again
    return attempts.disproved(unjoin)


def _asked(attempt: JoinAttempt) -> tuple[datetime, int]:
    return attempt.asked_at, attempt.request_id.counter


def _move(draft: Draft, record: PairRecord, standing: Standing, update: UpdateInventory | None) -> None:
    changed = standing.state is not record.state
    if update is not None:
        draft.effect(update)
    draft.put_pair(
        replace(
            record,
            state=standing.state,
            basis=standing.basis,
            since=draft.now if changed else record.since,
            disputed_at=_disputed_at(draft, record, standing),
            held=record.held if update is None else update.joined,
            # By our own clock: an answer that the bus dates a little earlier may be the newer word.
            held_at=record.held_at if update is None else draft.now - draft.policy.clock_skew,
            corrected=record.corrected or update is not None,
        )
    )
    if changed and standing.state is PairState.DISPUTED:
        for attempt in draft.context(record.pair).on_pair(Intent.JOIN):
            draft.put(attempts.reopened(attempt))


def _disputed_at(draft: Draft, record: PairRecord, standing: Standing) -> datetime | None:
    if standing.state is not PairState.DISPUTED:
        return None
    return record.disputed_at or draft.now


def _event(draft: Draft, record: PairRecord, standing: Standing) -> PublishEvent:
    return PublishEvent(
        key=f"event:{record.pair.target}:{record.pair.other}:{standing.state}:{record.version}",
        at=draft.now,
        state=standing.state,
        pair=record.pair,
        rules=rules_of(standing.basis),
        proven_between=None if standing.state is PairState.DISPUTED else window_of(standing.basis, draft.policy.clock_skew),
    )


def _close_cases(draft: Draft, record: PairRecord, standing: Standing) -> None:
    """End the cases that a refused or failed Unjoin opened; a refused one can be sent again once the inventory is right."""
    for unjoin in draft.context(record.pair).on_pair(Intent.UNJOIN):
        if unjoin.is_open or not unjoin.deadlines:
            continue
        draft.put(replace(unjoin, deadlines=()))
        if standing.state in HELD_JOINED:
            draft.effect(notice(unjoin, NoticeKind.UNJOIN_AGAIN))
