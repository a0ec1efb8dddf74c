"""What a verdict does to the attempts on its pair, to the inventory, and to who is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.case import Case
from joinbridge.core.correction import correction, inventory_word
from joinbridge.core.draft import Draft
from joinbridge.core.effects import NoticeKind, NotifySupplier, PublishEvent, UpdateInventory
from joinbridge.core.evidence import Evidence, Polarity
from joinbridge.core.facts import Fact, Sighting
from joinbridge.core.ids import CommandKey, MessageKey
from joinbridge.core.judgement import _grounds, _settle, judge
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.standing import Standing
from joinbridge.core.verdict import Verdict
from joinbridge.core.vocabulary import Cra, Intent, MessageCode
from support.findings import absence, answer_to, context, finding, sent, word
from support.home import (
    ACB,
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


def test_a_correction_says_which_pair_what_it_expects_and_why_and_has_a_name_of_its_own() -> None:
    inferred = Standing(state=PairState.INFERRED_SUCCESS, basis=(LISTED,))
    disputed = Standing(state=PairState.DISPUTED, basis=(LISTED, GONE))

    assert correction(replace(UNKNOWN, version=7), inferred, context(JOIN)) == UpdateInventory(
        key=f"smi:{ESME}:{CAD}:joined:7:message",
        pair=pair(),
        joined=True,
        expected=False,
        reason="device-log-lists says joined",
    )
    assert correction(replace(UNKNOWN, held=True), disputed, context(JOIN)) == UpdateInventory(
        key=f"smi:{ESME}:{CAD}:gone:0:absence",
        pair=pair(),
        joined=False,
        expected=True,
        reason="device-log-lists says joined; device-log-lacks says not_joined",
    )


def test_a_correction_without_any_basis_is_named_so() -> None:
    update = correction(replace(UNKNOWN, held=True), Standing(state=PairState.DISPUTED), context(JOIN))

    assert update is not None
    assert (update.key, update.reason) == (f"smi:{ESME}:{CAD}:gone:0:unproven", "")


@pytest.mark.parametrize(("business", "wire", "told"), [(9, 500, True), (1, 501, True), (9, 501, None)])
def test_an_answer_tells_what_the_inventory_holds_by_either_of_its_keys(business: int, wire: int, told: bool | None) -> None:
    fronted = replace(JOIN, wire_key=CommandKey(ACB, ESME, 500))
    fact = replace(answered(business), wire_key=CommandKey(ACB, ESME, wire))

    assert inventory_word(fronted, seen(fact)) is told


def test_what_was_concluded_is_written_even_where_nothing_told_what_is_held() -> None:
    inferred = replace(UNJOIN, state=AttemptState.INFERRED_SUCCESS)
    said = word(Polarity.NOT_JOINED, at=after(hours=1))

    assert corrected(UNKNOWN, PairState.NOT_JOINED, GONE, attempts=(inferred,)) is False
    assert corrected(UNKNOWN, PairState.NOT_JOINED, said) is False
    assert corrected(UNKNOWN, PairState.NOT_JOINED, GONE, attempts=(replace(JOIN, state=AttemptState.INFERRED_SUCCESS),)) is None


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


def settled(*attempts: JoinAttempt, verdict: Verdict, evidence: Sequence[Evidence]) -> list[AttemptState]:
    """Return the states of the attempts that a verdict changes."""
    return [attempt.state for attempt in _settle(verdict, evidence, context(*attempts))]


def test_only_the_last_of_two_disproved_joins_can_have_been_carried_out_late() -> None:
    first, second = (sent(counter, at=after(minutes=counter), state=AttemptState.DISPROVED) for counter in (1, 2))
    listed = finding(at=after(hours=1))

    changed = _settle(Verdict(joined=True, basis=(listed,), proofs=((listed,),)), [listed], context(first, second))

    assert [(attempt.key, attempt.state) for attempt in changed] == [(second.key, AttemptState.INFERRED_SUCCESS)]


def test_an_unjoin_that_came_after_a_disproved_join_does_not_keep_it_from_having_been_late() -> None:
    disproved, unjoin = sent(1, state=AttemptState.DISPROVED), sent(2, Intent.UNJOIN, at=after(minutes=1), state=AttemptState.SUCCEEDED)
    listed = finding(at=after(hours=1))

    verdict = Verdict(joined=True, basis=(listed,), proofs=((listed,),))

    assert settled(disproved, unjoin, verdict=verdict, evidence=[listed]) == [AttemptState.INFERRED_SUCCESS]


def test_a_finding_about_a_disproved_join_that_is_no_failure_does_not_keep_it_from_having_been_late() -> None:
    disproved = sent(1, state=AttemptState.DISPROVED)
    logged = replace(finding(at=after(hours=1)), attempt=disproved.request_id)

    verdict = Verdict(joined=True, basis=(logged,), proofs=((logged,),))

    assert settled(disproved, verdict=verdict, evidence=[logged]) == [AttemptState.INFERRED_SUCCESS]


@pytest.mark.parametrize(
    ("unjoin", "state"),
    [
        (sent(1, Intent.UNJOIN), AttemptState.UNRESOLVED),  # of the very moment
        (sent(2, Intent.UNJOIN, at=after(minutes=1), state=AttemptState.NOT_SENT), AttemptState.DISPROVED),
    ],
)
def test_a_join_is_disproved_unless_an_unjoin_may_have_undone_it(unjoin: JoinAttempt, state: AttemptState) -> None:
    gone = absence(at=after(days=3))

    states = settled(sent(1), unjoin, verdict=Verdict(joined=False, basis=(gone,)), evidence=[gone])

    assert states[0] is state


def test_an_unjoin_that_is_joined_again_in_the_same_moment_is_a_persons_to_judge() -> None:
    join, unjoin = sent(2, state=AttemptState.SUCCEEDED), sent(2, Intent.UNJOIN)
    listed = finding(at=after(days=3))

    verdict = Verdict(joined=True, basis=(listed,), proofs=((listed,),))

    assert settled(join, unjoin, verdict=verdict, evidence=[listed]) == [AttemptState.UNRESOLVED]


def test_a_dispute_does_not_reopen_an_unjoin_that_was_proven_before_the_pair_was_joined_again() -> None:
    world = World()
    world.see(join(1, target=GPF))
    world.see(gpf_log(after(minutes=5), CAD), at=after(minutes=6))
    world.see(unjoin(2, target=GPF), at=after(hours=1))
    world.see(gpf_log(after(hours=2)), at=after(hours=2, minutes=1))
    world.see(join(3, target=GPF), at=after(hours=3))
    world.see(gpf_log(after(hours=4), CAD), at=after(hours=4, minutes=1))

    world.see(gpf_log(after(hours=5)), at=after(hours=5, minutes=1))

    assert world.state(GPF_CAD) is PairState.DISPUTED
    assert world.attempt(request_id(2, target=GPF), Intent.UNJOIN).state is AttemptState.INFERRED_SUCCESS
    assert world.attempt(request_id(3, target=GPF)).state is AttemptState.UNRESOLVED


def test_what_settles_an_unjoin_is_the_whole_verdict_and_what_settles_a_join_is_proof_from_after_it() -> None:
    before, later = finding(at=after(minutes=10)), finding(at=after(hours=1))
    join, unjoin = sent(1, at=after(minutes=30)), sent(2, Intent.UNJOIN, at=after(minutes=30))
    there = Verdict(joined=True, basis=(before,), proofs=((before,), (later,)))
    gone = Verdict(joined=False, basis=(absence(at=after(minutes=10)),))

    assert _grounds(join, there, context(join, unjoin)) == (later,)
    assert _grounds(unjoin, there, context(join, unjoin)) == (before,)
    assert _grounds(join, gone, context(join, unjoin)) == gone.basis
    assert _grounds(unjoin, gone, context(join, unjoin)) == gone.basis


def test_a_pair_says_since_when_it_stands_as_it_does_and_since_when_the_inventory_holds_it() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(2, CAD), at=after(hours=1))
    world.see(log_read(3, CAD), at=after(hours=2))

    record = world.pairs[pair()]

    assert (record.since, record.held, record.held_at) == (after(hours=1), True, after(minutes=59))
    assert [e.at for e in record.basis] == [after(hours=2)]


def test_a_contradiction_says_what_each_side_says() -> None:
    world = World()
    world.see(join(1, target=GPF))
    world.see(gpf_log(after(minutes=1), CAD), at=after(minutes=1))
    world.see(gpf_log(after(hours=1)), at=after(hours=1))

    (contradiction,) = world.contradictions
    assert (contradiction.rule, contradiction.pair, contradiction.at) == ("gpf-log-lists", GPF_CAD, after(hours=1))
    assert contradiction.says == (
        "the Gas Proxy Function reported the other device in its Device Log; "
        "the Gas Proxy Function reported its Device Log without the other device"
    )


# Who is told.


def test_a_pair_that_is_inferred_by_itself_is_told_once() -> None:
    world = World()
    world.see(unjoin(1))
    world.see(acknowledged(1, "E080801"), at=after(seconds=1))

    world.see(log_read(2, CAD), at=after(hours=1))

    told = [e for e in world.owed(PublishEvent) if e.state is PairState.INFERRED_SUCCESS]
    assert [(e.pair, e.rules, e.at) for e in told] == [(pair(), ("device-log-lists",), after(hours=1))]
    assert told[0].key.startswith(f"event:{ESME}:{CAD}:inferred_success:")
    assert told[0].proven_between is not None
    assert told[0].proven_between[1] == after(hours=1)


def test_a_pair_that_is_inferred_by_a_device_s_own_clock_is_told_with_its_skew() -> None:
    world = World()
    world.see(unjoin(1, target=GPF))
    world.see(acknowledged(1, "E080801", target=GPF), at=after(seconds=1))

    world.see(gpf_log(after(minutes=9), CAD), at=after(minutes=10))

    told = [e for e in world.owed(PublishEvent) if e.state is PairState.INFERRED_SUCCESS]
    assert [e.proven_between for e in told] == [(after(minutes=8), after(minutes=10))]


def test_an_inference_of_an_attempt_is_not_told_twice() -> None:
    world = World()
    world.see(join(1))

    world.see(log_read(2, CAD), at=after(hours=1))

    assert [e.state for e in world.owed(PublishEvent)] == [AttemptState.INFERRED_SUCCESS]


def test_an_inference_of_an_attempt_names_its_rules_and_between_which_moments_it_was_proven() -> None:
    world = World()
    world.see(join(1))

    world.see(log_read(2, CAD), at=after(hours=1))

    (told,) = world.owed(PublishEvent)
    assert told.rules == ("device-log-lists",)
    assert told.proven_between is not None
    assert told.proven_between[0] < told.proven_between[1] == after(hours=1)


def test_what_was_proven_by_a_device_s_own_clock_may_be_so_a_minute_later() -> None:
    world = World()
    world.see(join(1, target=GPF))

    world.see(gpf_log(after(minutes=9), CAD), at=after(minutes=10))

    (told,) = world.owed(PublishEvent)
    assert told.proven_between == (after(minutes=8), after(minutes=10))


def test_an_answer_rests_on_no_evidence_but_itself() -> None:
    world = World()
    world.see(join(1))
    world.see(answered(1), at=after(seconds=5))

    (told,) = world.owed(PublishEvent)
    assert (told.rules, told.proven_between) == ((), None)


def test_a_dispute_is_told_with_the_rules_of_both_sides() -> None:
    world = World()
    world.see(join(1, target=GPF))
    world.see(gpf_log(after(minutes=1), CAD), at=after(minutes=1))

    decision = world.see(gpf_log(after(hours=1)), at=after(hours=1))

    events = {e.state: (e.rules, e.proven_between) for e in decision.effects if isinstance(e, PublishEvent)}
    assert events == {PairState.DISPUTED: (("gpf-log-lacks", "gpf-log-lists"), None), AttemptState.UNRESOLVED: ((), None)}


def test_an_unjoin_that_was_refused_can_be_sent_again_once_a_person_says_that_the_pair_is_joined() -> None:
    world = World()
    world.see(unjoin(1))
    world.see(acknowledged(1, "E080801"), at=after(seconds=1))

    world.see(decided(True), at=after(hours=1))

    assert world.state(pair()) is PairState.JOINED
    assert [n.kind for n in world.owed(NotifySupplier)] == [NoticeKind.UNJOIN_AGAIN]
    assert [u.joined for u in world.owed(UpdateInventory)] == [True]


def test_an_unjoin_that_is_over_does_not_hide_a_refused_one_that_can_be_sent_again() -> None:
    world = World()
    world.see(unjoin(1))
    world.see(acknowledged(1, "E5"), at=after(minutes=1))
    world.see(unjoin(2), at=after(minutes=10))
    world.see(acknowledged(2, "E080801"), at=after(minutes=11))

    world.see(decided(True), at=after(hours=1))

    again = [notice.request_id for notice in world.owed(NotifySupplier) if notice.kind is NoticeKind.UNJOIN_AGAIN]
    assert again == [request_id(2)]


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
