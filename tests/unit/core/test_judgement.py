"""What a verdict does to the attempts on its pair, to the inventory, and to who is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.case import Case
from joinbridge.core.correction import correction, inventory_word
from joinbridge.core.draft import Draft
from joinbridge.core.effects import NoticeKind, NotifySupplier, PublishEvent, UpdateInventory
from joinbridge.core.evidence import Evidence, Polarity
from joinbridge.core.facts import Fact, Sighting
from joinbridge.core.ids import MessageKey
from joinbridge.core.judgement import judge
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.standing import Standing
from joinbridge.core.vocabulary import Cra, Intent, MessageCode
from support.findings import absence, answer_to, context, finding, sent, word
from support.home import (
    CAD,
    ESME,
    GPF,
    OTHER_SUPPLIER,
    PPMID,
    START,
    acknowledged,
    after,
    answered,
    decided,
    described,
    discarded,
    gpf_log,
    join,
    log_read,
    pair,
    request_id,
    unjoin,
    unjoin_answered,
)
from support.world import World

GPF_CAD = pair(GPF, CAD)
JOIN = sent(1)
UNJOIN = sent(2, Intent.UNJOIN)


def seen(fact: Fact) -> Sighting:
    return Sighting(fact=fact, key=MessageKey("message"), at=after(minutes=1), source="sr.response")


def corrected(record: PairRecord, state: PairState, *basis: Evidence, attempts: tuple[JoinAttempt, ...] = (JOIN,)) -> bool | None:
    """Return what the inventory is told, None when nothing is."""
    update = correction(record, Standing(state=state, basis=basis), context(*attempts))
    return None if update is None else update.joined


UNKNOWN = PairRecord(pair=pair(), since=START)
LISTED = finding(at=after(minutes=10))
GONE = absence(at=after(minutes=20))
ANSWER = answer_to(JOIN, Polarity.JOINED, at=after(minutes=5))


def test_an_answer_tells_what_the_inventory_holds() -> None:
    assert inventory_word(JOIN, seen(answered(1))) is True
    assert inventory_word(UNJOIN, seen(unjoin_answered(2))) is False


@pytest.mark.parametrize("fact", [answered(1, 3), answered(9), unjoin_answered(1), log_read(1, CAD)])
def test_nothing_else_tells_what_the_inventory_holds(fact: Fact) -> None:
    assert inventory_word(JOIN, seen(fact)) is None


def test_a_refused_unjoin_tells_that_the_inventory_lacks_the_pair() -> None:
    refusal = seen(acknowledged(2, "E080801"))

    assert inventory_word(UNJOIN, refusal) is False
    assert inventory_word(replace(UNJOIN, rival=PPMID), refusal) is None
    assert inventory_word(JOIN, refusal) is None
    assert inventory_word(UNJOIN, seen(acknowledged(2, "E5"))) is None


def test_an_answer_to_a_request_for_two_devices_tells_nothing_of_the_inventory() -> None:
    assert inventory_word(replace(JOIN, rival=PPMID), seen(answered(1))) is None


def test_an_inventory_that_is_true_or_of_which_nothing_is_known_is_left_alone() -> None:
    assert corrected(UNKNOWN, PairState.PENDING) is None
    assert corrected(UNKNOWN, PairState.UNKNOWN) is None
    assert corrected(replace(UNKNOWN, held=True), PairState.INFERRED_SUCCESS, LISTED) is None
    assert corrected(replace(UNKNOWN, held=False), PairState.NOT_JOINED, GONE) is None
    assert corrected(UNKNOWN, PairState.NOT_JOINED, GONE) is None


def test_an_inventory_that_is_wrong_is_corrected() -> None:
    assert corrected(UNKNOWN, PairState.INFERRED_SUCCESS, LISTED) is True
    assert corrected(replace(UNKNOWN, held=False), PairState.JOINED, ANSWER) is True
    assert corrected(replace(UNKNOWN, held=True), PairState.NOT_JOINED, GONE) is False
    assert corrected(replace(UNKNOWN, held=True), PairState.DISPUTED) is False


def test_what_was_concluded_is_written_even_where_nothing_told_what_is_held() -> None:
    inferred = replace(UNJOIN, state=AttemptState.INFERRED_SUCCESS)
    said = word(Polarity.NOT_JOINED, at=after(hours=1))

    assert corrected(UNKNOWN, PairState.NOT_JOINED, GONE, attempts=(inferred,)) is False
    assert corrected(UNKNOWN, PairState.NOT_JOINED, said) is False


def test_what_an_answer_did_is_written_again_where_an_earlier_write_of_ours_may_overtake_it() -> None:
    written = replace(UNKNOWN, held=True, corrected=True)

    assert corrected(written, PairState.JOINED, ANSWER) is True
    assert corrected(replace(written, state=PairState.JOINED), PairState.JOINED, ANSWER) is None
    assert corrected(written, PairState.INFERRED_SUCCESS, LISTED) is None


# What becomes of the attempts.


def test_a_report_from_before_the_answer_was_due_does_not_disprove_the_join() -> None:
    world = World()
    world.see(described(GPF, CAD))
    world.see(join(1, target=GPF))

    world.see(gpf_log(after(minutes=2)), at=after(minutes=2))

    assert world.attempt(request_id(1, target=GPF)).is_open
    assert world.state(GPF_CAD) is PairState.NOT_JOINED


def test_a_join_that_waits_for_its_answer_is_not_settled_by_what_proved_an_older_one() -> None:
    world = World()
    world.see(join(1))
    world.see(answered(1), at=after(minutes=1))

    world.see(join(2), at=after(hours=1))

    assert world.attempt(request_id(2)).state is AttemptState.REQUESTED
    assert world.state(pair()) is PairState.JOINED


def test_a_transformed_request_is_not_settled() -> None:
    world = World()
    world.see(join(1, submitted=False))
    world.see(join(2), at=after(minutes=1))

    world.see(log_read(3, CAD), at=after(hours=1))

    assert world.attempt(request_id(1)).state is AttemptState.REQUESTED
    assert world.attempt(request_id(2)).state is AttemptState.INFERRED_SUCCESS


def test_a_request_for_two_devices_is_not_settled_by_proof_of_one() -> None:
    world = World()
    world.see(join(1, other=CAD))
    world.see(join(1, other=PPMID), at=after(seconds=1))

    world.see(log_read(2, CAD), at=after(hours=1))

    assert world.state(pair()) is PairState.INFERRED_SUCCESS
    assert world.attempt(request_id(1)).is_open


def test_a_join_whose_command_was_dropped_is_not_what_made_the_entry() -> None:
    world = World()
    world.see(join(1))
    world.see(discarded(1, Cra.COMMAND), at=after(minutes=1), source="csp.alert")

    world.see(log_read(2, CAD), at=after(hours=1))

    assert world.attempt(request_id(1)).state is AttemptState.DISPROVED
    assert world.state(pair()) is PairState.INFERRED_SUCCESS


def test_an_unanswered_unjoin_is_not_settled_by_an_absence_from_before_it() -> None:
    world = World()
    world.see(join(1))
    world.see(unjoin(3), at=after(hours=3))

    world.see(log_read(2, by=OTHER_SUPPLIER), at=after(hours=3, minutes=1))

    assert world.attempt(request_id(3), Intent.UNJOIN).is_open


# Who is told.


def test_a_pair_that_is_inferred_by_itself_is_told_once() -> None:
    world = World()
    world.see(unjoin(1))
    world.see(acknowledged(1, "E080801"), at=after(seconds=1))

    world.see(log_read(2, CAD), at=after(hours=1))

    told = [e for e in world.owed(PublishEvent) if e.state is PairState.INFERRED_SUCCESS]
    assert [(e.pair, e.rules) for e in told] == [(pair(), ("device-log-lists",))]


def test_an_inference_of_an_attempt_is_not_told_twice() -> None:
    world = World()
    world.see(join(1))

    world.see(log_read(2, CAD), at=after(hours=1))

    assert [e.state for e in world.owed(PublishEvent)] == [AttemptState.INFERRED_SUCCESS]


def test_a_dispute_is_told_with_the_rules_of_both_sides() -> None:
    world = World()
    world.see(join(1, target=GPF))
    world.see(gpf_log(after(minutes=1), CAD), at=after(minutes=1))

    decision = world.see(gpf_log(after(hours=1)), at=after(hours=1))

    events = {e.state: e.rules for e in decision.effects if isinstance(e, PublishEvent)}
    assert events == {PairState.DISPUTED: ("gpf-log-lacks", "gpf-log-lists"), AttemptState.UNRESOLVED: ()}


def test_an_unjoin_that_was_refused_can_be_sent_again_once_a_person_says_that_the_pair_is_joined() -> None:
    world = World()
    world.see(unjoin(1))
    world.see(acknowledged(1, "E080801"), at=after(seconds=1))

    world.see(decided(True), at=after(hours=1))

    assert world.state(pair()) is PairState.JOINED
    assert [n.kind for n in world.owed(NotifySupplier)] == [NoticeKind.UNJOIN_AGAIN]
    assert [u.joined for u in world.owed(UpdateInventory)] == [True]


def test_judging_a_pair_of_which_nothing_is_known_changes_nothing() -> None:
    draft = Draft(Case(pairs={pair(): UNKNOWN}), Policy(), START)

    judge(draft, UNKNOWN)

    assert draft.decision().pairs == ()
    assert draft.decision().effects == ()


def test_a_contradiction_of_a_pair_without_a_record_counts_against_no_rule() -> None:
    draft = Draft(Case(), Policy(), START)

    draft.contradict(pair(), "nobody said so")

    assert draft.decision().contradictions == ()


def test_only_answers_to_known_pairs_tell_what_the_inventory_holds() -> None:
    draft = Draft(Case(pairs={pair(): replace(UNKNOWN, held=False, held_at=after(hours=1))}), Policy(), START)
    message = replace(seen(answered(1, message_code=MessageCode.CS03B)), at=after(hours=2))

    draft.inventory_holds(replace(JOIN, other=None), message)
    draft.inventory_holds(replace(JOIN, other=PPMID), message)
    draft.inventory_holds(JOIN, replace(message, at=after()))
    draft.inventory_holds(JOIN, replace(message, source="somewhere"))
    before = draft.pairs[pair()].held
    draft.inventory_holds(JOIN, message)

    assert before is False
    assert (draft.pairs[pair()].held, draft.pairs[pair()].held_at) == (True, after(hours=2))
    assert draft.type_of(ESME) is None
