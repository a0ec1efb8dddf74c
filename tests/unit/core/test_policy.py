"""Waiting times, bounds and trust, as the policy gives them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joinbridge.core.attempt import AttemptState, JoinAttempt, LossTrigger, opened
from joinbridge.core.facts import Authenticity, Sighting
from joinbridge.core.ids import COUNTER_MAX, CommandKey, MessageKey
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import DeviceType
from support.findings import sent
from support.home import ACB, ESME, START, SUPPLIER, after, answered, join, milliseconds, transform

POLICY = Policy()


def an_attempt(counter: int = 1, *, retries: int = 0) -> JoinAttempt:
    return replace(opened(join(counter), START), retries=retries)


@pytest.mark.parametrize(
    ("target_type", "wait"),
    [
        (DeviceType.GSME, timedelta(minutes=90)),
        (DeviceType.ESME, timedelta(minutes=10)),
        (DeviceType.TYPE2, POLICY.answer_wait_unknown),
        (None, POLICY.answer_wait_unknown),
    ],
)
def test_how_long_an_answer_may_take_depends_on_the_target(target_type: DeviceType | None, wait: timedelta) -> None:
    assert POLICY.answer_due(an_attempt(), target_type) == wait


@pytest.mark.parametrize("target_type", [None, DeviceType.ESME])
def test_a_command_that_is_carried_by_hand_is_given_days(target_type: DeviceType | None) -> None:
    assert POLICY.answer_due(replace(an_attempt(), local_only=True), target_type) == POLICY.answer_wait_local


@pytest.mark.parametrize(
    ("attempt", "ends_at"),
    [
        (an_attempt(), START + POLICY.max_transit),
        (opened(transform(1), START), START + POLICY.max_transit),
        (replace(an_attempt(), answered_at=after(minutes=3)), after(minutes=3)),
        (replace(an_attempt(), lost_because=LossTrigger.DISCARDED, lost_at=after(minutes=4)), after(minutes=4)),
        (replace(an_attempt(), lost_because=LossTrigger.E21, lost_at=after(minutes=4)), START + POLICY.max_transit),
        (replace(an_attempt(), local_only=True), None),
        (replace(an_attempt(), local_only=True, answered_at=after(minutes=3)), after(minutes=3)),
        (replace(an_attempt(retries=1), answered_at=after(minutes=3)), None),
    ],
    ids=["sent", "not sent", "answered", "answer dropped", "no answer", "by hand", "by hand and answered", "issued twice"],
)
def test_after_when_a_command_cannot_be_carried_out_any_more(attempt: JoinAttempt, ends_at: datetime | None) -> None:
    assert POLICY.carried_out_by(attempt) == ends_at


def test_the_counter_of_a_probe_is_the_moment_it_is_made() -> None:
    assert POLICY.probe_key(ESME, after(seconds=1.5)) == CommandKey(ACB, ESME, milliseconds(START) + 1500)


def test_a_probe_is_made_in_the_name_that_is_configured() -> None:
    assert replace(POLICY, probe_originator=SUPPLIER).probe_key(ESME, START).remote == SUPPLIER


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=3), POLICY.max_transit, -POLICY.clock_skew])
def test_the_answer_to_a_probe_tells_when_the_probe_was_made_at_the_earliest(late: timedelta) -> None:
    key = POLICY.probe_key(ESME, START)

    assert POLICY.probe_made_at(key, START + late) == START - POLICY.clock_skew


@pytest.mark.parametrize(
    ("key", "answered_at"),
    [
        (CommandKey(SUPPLIER, ESME, milliseconds(START)), START),
        (CommandKey(ACB, ESME, 1000), START),
        (CommandKey(ACB, ESME, milliseconds(START)), START + POLICY.max_transit + timedelta(milliseconds=1)),
        (CommandKey(ACB, ESME, milliseconds(START)), START - POLICY.clock_skew - timedelta(milliseconds=1)),
        (CommandKey(ACB, ESME, COUNTER_MAX), START),
    ],
    ids=["not ours", "no moment", "too old", "from the future", "beyond all time"],
)
def test_a_read_that_is_no_believable_probe_of_ours_tells_nothing(key: CommandKey, answered_at: datetime) -> None:
    assert POLICY.probe_made_at(key, answered_at) is None


@pytest.mark.parametrize(
    ("authenticity", "source", "trusted"),
    [
        (Authenticity.VERIFIED, "anywhere", True),
        (Authenticity.CHANNEL, "csp.alert", True),
        (Authenticity.CHANNEL, "anywhere", False),
        (Authenticity.USER_SUPPLIED, "csp.alert", False),
    ],
)
def test_a_message_counts_in_full_when_it_is_signed_or_its_producer_trusted(authenticity: Authenticity, source: str, trusted: bool) -> None:
    sighting = Sighting(fact=answered(1), key=MessageKey("m"), at=START, source=source, authenticity=authenticity)

    assert POLICY.trusts(sighting) is trusted


@given(counter=st.integers(min_value=0, max_value=COUNTER_MAX), retries=st.integers(min_value=0, max_value=5000))
def test_the_wait_before_a_re_issue_doubles_up_to_its_bound_and_strays_by_a_quarter_at_most(counter: int, retries: int) -> None:
    nominal = min(POLICY.retry_wait * 2 ** min(retries, 20), POLICY.retry_wait_max)

    wait = POLICY.backoff(an_attempt(counter, retries=retries))

    assert 0.75 * nominal - timedelta(milliseconds=1) <= wait <= 1.25 * nominal + timedelta(milliseconds=1)


def test_the_wait_before_a_re_issue_depends_on_the_request_and_the_number_of_the_try_alone() -> None:
    told_more = replace(an_attempt(), state=AttemptState.RETRIED, lost_at=after(hours=1), version=7, probes=2)

    assert POLICY.backoff(told_more) == POLICY.backoff(an_attempt())


def test_answers_that_were_lost_in_one_outage_are_not_asked_for_in_one_moment() -> None:
    waits = {POLICY.backoff(an_attempt(counter)) for counter in range(1000)}

    assert len(waits) > 900
    assert max(waits) - min(waits) > POLICY.retry_wait * 0.45


def test_the_wait_before_a_re_issue_is_the_same_in_every_version() -> None:
    # The same history gives the same deadlines, whoever decides it again.
    assert [POLICY.backoff(sent(counter)).total_seconds() for counter in (1, 5, 8)] == [343.865, 360.839, 239.756]
