"""What came first: by counters where they tell, by time where it tells, otherwise nobody knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt, LossTrigger
from joinbridge.core.evidence import CommandOrder, Polarity
from joinbridge.core.ids import CommandKey
from joinbridge.core.order import closes, contradicts, is_after, may_have_removed, newer, removals, removers, shows_removal, survives
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import SRV_JOIN_CRITICAL, SRV_UNJOIN_CRITICAL, Intent
from support.findings import absence, answer_to, context, finding, ordered, sent, word
from support.home import ACB, ESME, OTHER_SUPPLIER, after, milliseconds

POLICY = Policy()


def test_an_answer_is_from_after_the_request_that_it_answers() -> None:
    join = sent(10, at=after(hours=1))

    answer = answer_to(join, Polarity.JOINED, at=after(minutes=10))

    assert is_after(answer, join, POLICY)


@pytest.mark.parametrize(("counter", "expected"), [(11, True), (9, False)])
def test_counters_on_the_wire_order_two_commands_of_one_originator(counter: int, expected: bool) -> None:
    join = replace(sent(10), srv=SRV_JOIN_CRITICAL)

    read = finding(at=after(hours=1) if not expected else after(days=-1), order=ordered(counter))

    assert is_after(read, join, POLICY) is expected


@pytest.mark.parametrize(("counter", "expected"), [(11, True), (9, False)])
def test_a_users_own_counters_order_commands_whose_wire_keys_are_not_known(counter: int, expected: bool) -> None:
    join = sent(10)

    read = finding(at=after(hours=1) if not expected else after(days=-1), order=ordered(counter))

    assert is_after(read, join, POLICY) is expected


@pytest.mark.parametrize("order", [ordered(10), ordered(9, by=OTHER_SUPPLIER)], ids=["the same counter", "another originator"])
def test_where_counters_do_not_tell_the_time_does(order: CommandOrder) -> None:
    join = sent(10)

    read = finding(at=after(hours=1), order=order)
    early_read = finding(at=after(hours=-1), order=order)

    assert is_after(read, join, POLICY)
    assert not is_after(early_read, join, POLICY)


def test_counters_do_not_order_a_command_that_was_issued_twice() -> None:
    join = replace(sent(10), retries=1)

    read = finding(at=after(hours=1), order=ordered(9))

    assert is_after(read, join, POLICY)


def test_a_command_that_another_originator_fronted_is_ordered_by_time() -> None:
    join = replace(sent(10), wire_key=CommandKey(ACB, ESME, 500))

    read = finding(at=after(hours=1), order=ordered(9))

    assert is_after(read, join, POLICY)


def test_a_positive_finding_may_overtake_its_request_by_the_skew_of_the_queues() -> None:
    join = sent(10)

    just = finding(at=join.asked_at - POLICY.queue_skew)
    too_early = finding(at=join.asked_at - 2 * POLICY.queue_skew)

    assert is_after(just, join, POLICY)
    assert not is_after(too_early, join, POLICY)


def test_a_negative_report_counts_from_its_earliest_moment() -> None:
    join = sent(10)

    after_it = absence(at=after(minutes=5), earliest=after())
    perhaps_before_it = absence(at=after(minutes=5), earliest=after(seconds=-1))

    assert is_after(after_it, join, POLICY)
    assert not is_after(perhaps_before_it, join, POLICY)


def test_nothing_negative_is_from_after_a_request_that_was_never_sent() -> None:
    transform = replace(sent(10), submitted_at=None)

    later = absence(at=after(hours=1))

    assert not is_after(later, transform, POLICY)


def test_a_negative_finding_must_follow_the_dropped_answer() -> None:
    join = replace(sent(10), lost_because=LossTrigger.DISCARDED, lost_at=after(hours=1))

    before_the_drop = absence(at=after(minutes=30))
    after_the_drop = absence(at=after(hours=1))

    assert not is_after(before_the_drop, join, POLICY)
    assert is_after(after_the_drop, join, POLICY)


def test_a_negative_read_of_ours_counts_from_when_it_was_made() -> None:
    join = sent(10)
    made_before, made_after = milliseconds(after(minutes=-5)), milliseconds(after(minutes=5))

    early = absence(at=after(hours=1), order=ordered(made_before, by=ACB))
    late = absence(at=after(hours=1), order=ordered(made_after, by=ACB))

    assert not is_after(early, join, POLICY)
    assert is_after(late, join, POLICY)


def test_a_negative_read_of_somebody_else_counts_from_when_the_bus_showed_it() -> None:
    join = sent(10)

    read = absence(at=after(minutes=1), earliest=after(days=-2), order=ordered(1, by=OTHER_SUPPLIER))

    assert is_after(read, join, POLICY)


def test_the_negative_answer_to_another_command_counts_from_its_earliest_moment() -> None:
    join = sent(10)
    unjoin = replace(sent(1, Intent.UNJOIN, at=after(hours=-1)), request_id=CommandKey(OTHER_SUPPLIER, ESME, 1))

    gone = answer_to(unjoin, Polarity.NOT_JOINED, at=after(minutes=5), order=ordered(1, by=OTHER_SUPPLIER))

    assert not is_after(gone, join, POLICY)


def test_a_read_closes_a_join_that_its_counter_follows() -> None:
    join = sent(10)

    read = absence(at=after(seconds=1), order=ordered(11))

    assert closes(read, join, context(join))


def test_an_unasked_report_closes_a_join_only_after_the_time_for_its_answer() -> None:
    join = sent(10)

    too_soon = absence(at=after(minutes=9))
    in_time = absence(at=after(minutes=10))

    assert not closes(too_soon, join, context(join))
    assert closes(in_time, join, context(join))


def test_the_answer_to_an_unjoin_shows_its_removal() -> None:
    unjoin = sent(10, Intent.UNJOIN)

    answer = answer_to(unjoin, Polarity.NOT_JOINED, at=after(minutes=-1))

    assert shows_removal(answer, unjoin)


@pytest.mark.parametrize(("counter", "expected"), [(11, True), (9, False)])
def test_a_read_shows_a_removal_by_its_counter(counter: int, expected: bool) -> None:
    unjoin = replace(sent(10, Intent.UNJOIN), srv=SRV_UNJOIN_CRITICAL)

    read = absence(at=after(hours=1), order=ordered(counter))

    assert shows_removal(read, unjoin) is expected


def test_a_removal_is_shown_by_time_where_counters_do_not_tell() -> None:
    unjoin = sent(10, Intent.UNJOIN)
    issued_twice = replace(unjoin, srv=SRV_UNJOIN_CRITICAL, retries=1)

    report = absence(at=after(minutes=1))
    early_report = absence(at=after(minutes=-1))
    read = absence(at=after(minutes=1), order=ordered(9))

    assert shows_removal(report, unjoin)
    assert not shows_removal(early_report, unjoin)
    assert shows_removal(read, issued_twice)


def test_of_two_reads_of_one_originator_the_higher_counter_is_newer() -> None:
    first = finding(at=after(hours=1), order=ordered(1))
    second = absence(at=after(), order=ordered(2))

    assert newer(second, first)
    assert not newer(first, second)
    assert contradicts(second, first)
    assert not contradicts(first, second)


def test_of_two_answers_one_must_be_asked_for_after_the_other_was_given() -> None:
    join = sent(1)
    unjoin = sent(2, Intent.UNJOIN, at=after(hours=1))

    joined = answer_to(join, Polarity.JOINED, at=after(minutes=5))
    late = answer_to(join, Polarity.JOINED, at=after(hours=2))
    gone = answer_to(unjoin, Polarity.NOT_JOINED, at=after(hours=1, minutes=5))

    assert newer(gone, joined)
    assert not newer(gone, late)


def test_a_persons_word_is_newer_than_an_answer_that_was_published_before_it() -> None:
    answer = answer_to(sent(1), Polarity.JOINED, at=after(minutes=5))

    said = word(Polarity.NOT_JOINED, at=after(minutes=6))

    assert newer(said, answer)
    assert not newer(answer, said)


def test_an_answer_is_from_when_it_was_published_when_a_log_contradicts_it() -> None:
    answer = answer_to(sent(1), Polarity.JOINED, at=after(minutes=5))

    report = absence(at=after(minutes=4))

    assert newer(answer, report)


def test_reports_with_the_devices_own_time_are_ordered_by_it() -> None:
    first = finding(at=after(), earliest=after(minutes=-1), by_device_clock=True)

    second = absence(at=after(seconds=1), earliest=after(seconds=-59), by_device_clock=True)

    assert newer(second, first)


def test_ranges_of_time_that_overlap_are_in_no_order() -> None:
    first = finding(at=after(minutes=10), earliest=after())

    second = absence(at=after(minutes=15), earliest=after(minutes=5))

    assert not newer(second, first)
    assert not newer(first, second)
    assert contradicts(second, first)
    assert not contradicts(first, second)


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (sent(1), False),
        (replace(sent(1, Intent.UNJOIN), submitted_at=None), False),
        (sent(1, Intent.UNJOIN, state=AttemptState.NOT_SENT), False),
        (sent(1, Intent.UNJOIN, state=AttemptState.DISPROVED), False),
        (replace(sent(1, Intent.UNJOIN, state=AttemptState.REJECTED), response_code=1), False),
        (replace(sent(1, Intent.UNJOIN, state=AttemptState.REJECTED), response_code=2), True),
        (sent(1, Intent.UNJOIN, state=AttemptState.UNRESOLVED), True),
    ],
    ids=["join", "only transformed", "refused", "disproved", "not in the log", "failed otherwise", "unresolved"],
)
def test_an_unjoin_may_have_removed_the_entry_unless_it_is_known_not_to_have(attempt: JoinAttempt, expected: bool) -> None:
    assert may_have_removed(attempt) is expected
    assert removers(context(attempt)) == ((attempt,) if expected else ())


def test_a_persons_word_survives_an_unjoin_that_they_could_see() -> None:
    unjoin = sent(10, Intent.UNJOIN)

    assert survives(word(Polarity.JOINED, at=after(seconds=1)), unjoin, context(unjoin))
    assert not survives(word(Polarity.JOINED, at=after()), unjoin, context(unjoin))


@pytest.mark.parametrize(("counter", "expected"), [(11, True), (9, False)])
def test_a_read_survives_an_unjoin_by_its_counter(counter: int, expected: bool) -> None:
    unjoin = replace(sent(10, Intent.UNJOIN), srv=SRV_UNJOIN_CRITICAL)

    read = finding(at=after(hours=1), order=ordered(counter))

    assert survives(read, unjoin, context(unjoin)) is expected


def test_a_finding_survives_an_unanswered_unjoin_once_it_cannot_be_carried_out_any_more() -> None:
    unjoin = sent(10, Intent.UNJOIN)

    soon = finding(at=after(days=1), order=ordered(9, by=OTHER_SUPPLIER))
    later = finding(at=after(days=3))

    assert not survives(soon, unjoin, context(unjoin))
    assert survives(later, unjoin, context(unjoin))


def test_nothing_survives_an_unjoin_that_may_be_delivered_by_hand_at_any_time() -> None:
    unjoin = replace(sent(10, Intent.UNJOIN), local_only=True)

    much_later = finding(at=after(days=300))

    assert not survives(much_later, unjoin, context(unjoin))


def test_a_finding_survives_an_unjoin_that_is_known_to_have_been_carried_out_before() -> None:
    unjoin = sent(10, Intent.UNJOIN)
    removed = context(unjoin, removed_by={unjoin.key: after(hours=1)})

    assert survives(finding(at=after(hours=2)), unjoin, removed)
    assert not survives(finding(at=after(minutes=30)), unjoin, removed)


def test_without_an_unjoin_nothing_was_removed() -> None:
    there, gone = finding(at=after()), absence(at=after(hours=1))

    assert removals([there, gone], context(sent(1))) == {}


def test_an_entry_that_was_there_and_is_gone_was_removed_by_the_only_unjoin_between() -> None:
    unjoin = sent(10, Intent.UNJOIN, at=after(minutes=30))

    there, gone, still_gone = finding(at=after()), absence(at=after(hours=1)), absence(at=after(hours=2))

    assert removals([there, gone, still_gone], context(unjoin)) == {unjoin.key: after(hours=1)}


def test_an_entry_that_was_there_by_its_counter_and_is_gone_was_removed() -> None:
    unjoin = sent(10, Intent.UNJOIN, at=after(minutes=30))

    there, gone = finding(at=after(), order=ordered(1)), absence(at=after(hours=1), earliest=after(hours=-1), order=ordered(2))

    assert removals([there, gone], context(unjoin)) == {unjoin.key: after(hours=1)}


def test_nobody_knows_which_of_two_unjoins_removed_the_entry() -> None:
    first, second = sent(10, Intent.UNJOIN, at=after(minutes=30)), sent(11, Intent.UNJOIN, at=after(minutes=31))

    there, gone = finding(at=after()), absence(at=after(hours=1))

    assert removals([there, gone], context(first, second)) == {}


def test_an_entry_that_was_missing_before_it_was_there_shows_no_removal() -> None:
    unjoin = sent(10, Intent.UNJOIN, at=after(minutes=30))

    missing, there = absence(at=after()), finding(at=after(hours=1))

    assert removals([missing, there], context(unjoin)) == {}


@pytest.mark.parametrize(("read_from", "certain"), [(1, False), (21, True)], ids=["asked before the answer", "asked after it"])
def test_only_a_log_that_was_certainly_read_after_an_answer_contradicts_it(read_from: float, certain: bool) -> None:
    answer = answer_to(sent(1), Polarity.JOINED, at=after(minutes=20))

    lacking = absence(at=after(minutes=30), earliest=after(minutes=read_from))

    assert contradicts(lacking, answer) is certain
    assert newer(answer, lacking) is not certain
