"""Each invariant holds of a history that was lived through, and says so when something in it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.case import Case, Contradiction, DeadlinePassed, Decision
from joinbridge.core.effects import ReissueJoin, UpdateInventory
from joinbridge.core.evidence import Grade
from joinbridge.core.facts import Sighting
from joinbridge.core.ids import DeviceId, JoinPair, message_key
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.relevance import DECISIVE
from joinbridge.core.vocabulary import Intent
from joinbridge.observing import Committed, Decided
from joinbridge.ports import AuditRecord, Publication
from joinbridge.proving.history import History, Stored
from joinbridge.proving.invariants import INVARIANTS, violations
from joinbridge.proving.ledger import Acknowledged, Commit, InventoryChange, Ledger, Written
from joinbridge.service.reading import read
from joinbridge.wire.facts import Reading
from support.simulated import outcome

SEED = 0  # it has inferences, corrections, deadlines and dead letters

Break = Callable[[History], History]


def whole() -> History:
    return outcome(SEED).history


def with_ledger(history: History, **changed: Any) -> History:  # Any: the fields of a ledger
    return replace(history, ledger=replace(history.ledger, **changed))


def with_stored(history: History, **changed: Any) -> History:  # Any: the fields of what is stored
    return replace(history, stored=replace(history.stored, **changed))


def with_commit(history: History, commit: Commit) -> History:
    return with_ledger(history, commits=[*history.ledger.commits, commit])


def committing(history: History, **changed: Any) -> History:  # Any: the fields of changes
    last = next(commit.changes for commit in history.ledger.commits if commit.changes is not None)
    nothing: dict[str, Any] = dict.fromkeys(("attempts", "pairs", "kept", "evidence", "effects", "audit", "dead_letters"), ())
    return with_commit(history, Commit(at=history.ledger.commits[-1].at, changes=replace(last, **(nothing | changed))))


def decisive(history: History) -> Acknowledged:
    """Return a settled delivery that had to be recorded."""
    return next(
        one
        for one in history.ledger.settled
        if message_key(one.delivery.body) in history.stored.inbox
        and any(isinstance(fact, DECISIVE) for fact in read(one.delivery, Reading()).facts)
    )


def inferred(history: History) -> PairRecord:
    return next(record for record in history.pairs.values() if record.state is PairState.INFERRED_SUCCESS)


def an_attempt(history: History) -> JoinAttempt:
    return next(iter(history.attempts.values()))


def never_at_rest(history: History) -> History:
    return replace(history, rested=False)


def never_settled(history: History) -> History:
    return with_ledger(history, settled=[one for one in history.ledger.settled if one.delivery.key != decisive(history).delivery.key])


def not_in_the_inbox(history: History) -> History:
    return with_stored(history, inbox=history.stored.inbox - {message_key(decisive(history).delivery.body)})


def not_among_the_dead(history: History) -> History:
    return with_stored(history, dead={})


def alerted_and_passed_by(history: History) -> History:
    """Return it with an alert that was acknowledged unrecorded, about a device on which an attempt is open for ever."""
    alert = next(
        one
        for one in history.ledger.settled
        if message_key(one.delivery.body) not in history.stored.inbox and not one.rejected and any(about(one))
    )
    attempt = replace(an_attempt(history), state=AttemptState.PROBED)
    attempt = replace(attempt, request_id=replace(attempt.request_id, device=next(about(alert))))
    lived = committing(history, attempts=[attempt])
    number = len(lived.ledger.commits)
    return with_ledger(lived, settled=[replace(one, since=number, commits=number) if one is alert else one for one in lived.ledger.settled])


def about(one: Acknowledged) -> Iterator[DeviceId]:
    return (fact.device for fact in read(one.delivery, Reading()).facts if fact.device is not None)


def judged_twice(history: History) -> History:
    first = next(told for told in history.ledger.told if any(isinstance(decided.event, Sighting) for decided in told.decisions))
    return with_ledger(history, told=[*history.ledger.told, first])


def published_twice(history: History) -> History:
    command = next(one for one in history.ledger.published if not one.body.startswith(b"{"))
    return with_ledger(history, published=[*history.ledger.published, replace(command, body=command.body + b" ")])


def published_out_of_nothing(history: History) -> History:
    stranger = Publication(key="stranger", exchange="x", route="x", body=b"x", content_type="")
    return with_ledger(history, published=[*history.ledger.published, stranger])


def done_and_never_sent(history: History) -> History:
    return with_ledger(history, published=[])


def corrected_and_never_set(history: History) -> History:
    return with_ledger(history, written=[])


def sent_out_of_order(history: History) -> History:
    return with_ledger(history, published=history.ledger.published[::-1])


def acted_in_shadow(history: History) -> History:
    return replace(history, live=False)


def still_owed(history: History) -> History:
    return with_stored(history, outbox=dict.fromkeys(history.stored.outbox, "owed"))


def set_without_being_owed(history: History) -> History:
    call = Written(
        pair=JoinPair(an_attempt(history).target, an_attempt(history).target),
        joined=True,
        expected=False,
        before=False,
        after=True,
        conflict=False,
        change=10_000,
    )
    return with_ledger(history, written=[*history.ledger.written, call])


def acknowledged_too_early(history: History) -> History:
    early = decisive(history)
    return with_ledger(history, settled=[replace(one, commits=0) if one is early else one for one in history.ledger.settled])


def overwritten_blindly(history: History) -> History:
    call = replace(history.ledger.written[0], expected=True, before=False, joined=False, after=True)
    return with_ledger(history, written=[*history.ledger.written, call])


def overwritten_whatever_it_held(history: History) -> History:
    call = next(call for call in history.ledger.written if call.expected is not None and not call.conflict)
    return with_ledger(history, written=[*history.ledger.written, replace(call, expected=None)])


def lost_in_the_inventory(history: History) -> History:
    return replace(history, inventory={pair: not joined for pair, joined in history.inventory.items()})


def settled_and_not_done(history: History) -> History:
    done = next(e for e in reversed(history.effects) if isinstance(e, UpdateInventory) and history.stored.outbox[e.key] == "done")
    changes = [each for each in history.ledger.inventory if each.pair != done.pair]
    changes.append(InventoryChange(pair=done.pair, joined=not done.joined, ours=True))
    return with_ledger(replace(history, inventory={**history.inventory, done.pair: not done.joined}), inventory=changes)


def inferred_from_too_little(history: History) -> History:
    record = inferred(history)
    return committing(history, pairs=[replace(record, basis=tuple(replace(e, grade=Grade.CORROBORATING) for e in record.basis))])


def inferred_from_nothing_kept(history: History) -> History:
    return with_stored(history, evidence=frozenset())


def contradicted_and_still_inferred(history: History) -> History:
    record = inferred(history)
    contradiction = Contradiction(rule=record.basis[0].rule, pair=record.pair, at=record.since, says="")
    return deciding(history, Case(pairs={record.pair: record}), contradictions=(contradiction,))


def answered_after_its_proof(history: History, by: timedelta = timedelta(seconds=1)) -> History:
    """Return it with an Unjoin that was disproved and then answered with success, while its pair stays inferred from what is older."""
    record = inferred(history)
    unjoin = replace(an_attempt(history), intent=Intent.UNJOIN, other=record.pair.other, state=AttemptState.DISPROVED, rival=None)
    unjoin = replace(unjoin, request_id=replace(unjoin.request_id, device=record.pair.target))
    answered = replace(unjoin, state=AttemptState.CONFIRMED_LATE, answered_at=max(e.earliest for e in record.basis) + by)
    contradiction = Contradiction(rule=record.basis[0].rule, pair=record.pair, at=record.since, says="")
    return deciding(
        history, Case(pairs={record.pair: record}, attempts={unjoin.key: unjoin}), attempts=(answered,), contradictions=(contradiction,)
    )


def disputed_and_not_taken_back(history: History) -> History:
    record = replace(inferred(history), held=True)
    contradiction = Contradiction(rule=record.basis[0].rule, pair=record.pair, at=record.since, says="")
    return deciding(
        history, Case(pairs={record.pair: record}), pairs=(replace(record, state=PairState.DISPUTED),), contradictions=(contradiction,)
    )


def deciding(history: History, case: Case, **decision: Any) -> History:  # Any: the fields of a decision
    decided = Decided(event=a_deadline(history), case=case, decision=Decision(**decision))
    at = history.ledger.commits[-1].at
    return with_ledger(history, told=[*history.ledger.told, Committed(at=at, decisions=[decided], withheld=False, took_s=0)])


def disputed_and_not_counted(history: History) -> History:
    record = replace(inferred(history), held=None)
    return deciding(history, Case(pairs={record.pair: record}), pairs=(replace(record, state=PairState.DISPUTED),))


def quietly_replaced(history: History) -> History:
    record = inferred(history)
    return deciding(history, Case(pairs={record.pair: record}), pairs=(replace(record, state=PairState.NOT_JOINED, basis=()),))


def a_deadline(history: History) -> DeadlinePassed:
    return next(passed for commit in history.ledger.commits for passed in commit.due)


def fired_early(history: History) -> History:
    early = next(commit for commit in history.ledger.commits if commit.due)
    changed = replace(early, at=early.at - timedelta(days=1))
    return with_ledger(history, commits=[changed if commit is early else commit for commit in history.ledger.commits])


def fired_twice(history: History) -> History:
    fired = next(commit for commit in history.ledger.commits if commit.due)
    return with_ledger(history, commits=[*history.ledger.commits, Commit(at=fired.at, due=fired.due)])


def fired_and_void(history: History) -> History:
    return deciding(history, Case(), effects=history.effects[:1])


def open_without_a_deadline(history: History) -> History:
    return committing(history, attempts=[replace(an_attempt(history), state=AttemptState.PROBED)])


def changed(history: History, before: AttemptState, after: AttemptState) -> History:
    record = AuditRecord(
        at=history.ledger.commits[0].at, kind="attempt.changed", subject=str(an_attempt(history).key), body={"from": before, "to": after}
    )
    return committing(history, audit=[record])


def no_longer_final(history: History) -> History:
    return changed(history, AttemptState.SUCCEEDED, AttemptState.DISPROVED)


def reopened(history: History) -> History:
    return changed(history, AttemptState.REJECTED, AttemptState.PROBED)


def not_documented(history: History) -> History:
    return changed(history, AttemptState.REQUESTED, AttemptState.REQUESTED)


def answered_and_not_recorded(history: History) -> History:
    answered = next(a for a in history.attempts.values() if a.state in (AttemptState.SUCCEEDED, AttemptState.CONFIRMED_LATE))
    return committing(history, attempts=[replace(answered, state=AttemptState.UNRESOLVED)])


def retried_without_end(history: History) -> History:
    return committing(history, attempts=[replace(an_attempt(history), retries=9)])


def issued_again_after_an_unjoin(history: History) -> History:
    join = replace(an_attempt(history), intent=Intent.JOIN, state=AttemptState.RETRIED)
    later = replace(join.request_id, counter=join.request_id.counter + 1)
    unjoin = replace(join, request_id=later, intent=Intent.UNJOIN, submitted_at=join.asked_at + timedelta(seconds=1))
    effect = ReissueJoin(key="retry:1", request_id=join.request_id, other=DeviceId("00-DB-12-34-56-78-90-A0"), number=1)
    return deciding(history, Case(attempts={join.key: join, unjoin.key: unjoin}), effects=(effect,))


def dead_for_no_reason(history: History) -> History:
    return with_stored(history, dead={key: ("", *rest) for key, (_, *rest) in history.stored.dead.items()})


def altered_in_the_chain(history: History) -> History:
    first, *others = history.stored.audit
    return with_stored(history, audit=[replace(first, subject="altered"), *others])


def missing_in_the_chain(history: History) -> History:
    return committing(history, audit=[AuditRecord(at=history.ledger.commits[0].at, kind="surprise", subject="", body={"says": ""})])


def not_stored(history: History) -> History:
    return with_stored(history, attempts={})


def recorded_by_nobody(history: History) -> History:
    return with_stored(history, inbox=history.stored.inbox | {"stranger"})


def new_twice(history: History) -> History:
    first = next(commit for commit in history.ledger.commits if any(commit.fresh.values()))
    return with_commit(history, Commit(at=first.at, fresh=first.fresh))


def not_counted(history: History) -> History:
    return with_ledger(history, taken=[])


def said_and_not_so(history: History) -> History:
    assert history.score is not None
    return replace(history, score=replace(history.score, false_inferences=1))


def inferred_and_not_so(history: History) -> History:
    itself = an_attempt(history).target
    return committing(history, pairs=[replace(inferred(history), pair=JoinPair(itself, itself))])


BREAKS: dict[int, tuple[Break, ...]] = {
    1: (never_at_rest, never_settled, not_in_the_inbox, not_among_the_dead, alerted_and_passed_by, judged_twice),
    2: (
        published_twice,
        published_out_of_nothing,
        done_and_never_sent,
        corrected_and_never_set,
        sent_out_of_order,
        acted_in_shadow,
        still_owed,
        set_without_being_owed,
    ),
    3: (acknowledged_too_early,),
    4: (overwritten_blindly, overwritten_whatever_it_held, lost_in_the_inventory, settled_and_not_done),
    5: (inferred_from_too_little, inferred_from_nothing_kept),
    6: (
        contradicted_and_still_inferred,
        answered_after_its_proof,
        disputed_and_not_taken_back,
        disputed_and_not_counted,
        quietly_replaced,
    ),
    7: (fired_early, fired_twice, fired_and_void, open_without_a_deadline),
    8: (no_longer_final, reopened, not_documented, answered_and_not_recorded),
    9: (retried_without_end, issued_again_after_an_unjoin),
    10: (dead_for_no_reason,),
    11: (altered_in_the_chain, missing_in_the_chain),
    12: (not_stored, recorded_by_nobody, new_twice, not_counted),
    13: (said_and_not_so, inferred_and_not_so),
}


def test_a_history_that_was_lived_through_breaks_none() -> None:
    assert violations(whole()) == []


def test_there_is_a_break_for_each() -> None:
    assert BREAKS.keys() == INVARIANTS.keys() == set(range(1, 14))


@pytest.mark.parametrize(
    ("number", "broken"),
    [(number, each) for number, breaks in BREAKS.items() for each in breaks],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_it_fires_when_something_is(number: int, broken: Break) -> None:
    assert list(INVARIANTS[number](broken(whole())))


def test_a_pair_may_rest_on_what_is_from_after_the_answer_that_contradicts() -> None:
    assert list(INVARIANTS[6](answered_after_its_proof(whole(), by=timedelta(days=-1)))) == []


def test_an_unexpected_error_of_a_turn_is_one_too() -> None:
    assert violations(with_ledger(whole(), errors=["relay: TypeError"])) == ["12: relay: TypeError"]


def test_an_empty_history_breaks_none() -> None:
    assert violations(History(ledger=Ledger(), stored=Stored())) == []
