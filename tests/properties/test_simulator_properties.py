"""Whatever goes wrong in the estate, its truth is consistent, and the bus carries nothing that it should not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joinbridge.core.facts import JoinAnswered
from joinbridge.core.ids import CommandKey
from joinbridge.core.vocabulary import Intent
from joinbridge.errors import DecodeError
from joinbridge.ports import Publication
from joinbridge.simulator.estate import Estate, Pace
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.parties import MAKES
from joinbridge.simulator.scenario import START
from joinbridge.wire.facts import Reading, Told, facts_of
from joinbridge.wire.message import decode_message

RATES = [each.name for each in fields(Faults) if isinstance(each.default, float)]
FIRMWARE = sorted({make.firmware for makes in MAKES.values() for make in makes})
PACE = Pace(installing=timedelta(days=1), active=timedelta(days=3), duration=timedelta(days=5), noise_per_home=3)


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    """An estate of a few homes with any mixture of faults."""
    # Any: fields of several types are chosen by name, and mypy cannot tell that these are all numbers.
    rates: dict[str, Any] = draw(st.fixed_dictionaries({}, optional={name: st.floats(0, 0.5) for name in RATES}))
    firmware = draw(st.frozensets(st.sampled_from(FIRMWARE)))
    faults = Faults(**rates, repeat_refusing_firmware=firmware)
    return Estate(draw(st.integers(0, 2**32)), draw(st.integers(1, 4)), faults, START, PACE)


def is_damaged(publication: Publication) -> bool:
    return publication.key.endswith("-damaged")


def told(publication: Publication) -> Iterator[Told]:
    yield from facts_of(decode_message(publication.body), Reading())


# Each example is the life of some homes, hundreds of messages long.
few = settings(max_examples=40 if settings.get_current_profile_name() == "ci" else 10)


@few
@given(estates())
def test_a_device_that_says_success_did_what_it_was_asked(estate: Estate) -> None:
    estate.advance(estate.ends_at)

    for attempt in estate.truth.attempts.values():
        for execution in attempt.executions:
            if execution.code == 0:
                assert estate.truth.joined_at(attempt.pair, execution.at) is (attempt.intent is Intent.JOIN)


@few
@given(estates())
def test_the_truth_is_what_the_device_logs_hold_in_the_end(estate: Estate) -> None:
    estate.advance(estate.ends_at)

    for home in estate.homes:
        held = {
            (device.device_id, other)
            for device in home.devices.values()
            for other, kind in device.log.items()
            if home.devices[other].device_type == kind
        }
        ours = {(pair.target, pair.other) for pair, timeline in estate.truth.joins.items() if timeline.last and pair.target in home.devices}
        assert held == ours


@few
@given(estates())
def test_an_unjoin_is_refused_only_when_the_inventory_says_not_joined(estate: Estate) -> None:
    estate.advance(estate.ends_at)

    for attempt in estate.truth.attempts.values():
        if attempt.refused == "E080801":
            smi = estate.truth.smi.get(attempt.pair)
            # The check is made at the transform request, or once more a few seconds later when the signed one comes.
            moments = (attempt.asked_at, attempt.asked_at + timedelta(seconds=3))
            assert smi is None or not all(smi.value_at(moment) for moment in moments)
            assert attempt.executions == []


@few
@given(estates())
def test_no_device_accepts_a_counter_that_is_not_above_the_last_of_its_originator(estate: Estate) -> None:
    estate.advance(estate.ends_at)

    for home in estate.homes:
        for device in home.devices.values():
            counters = defaultdict(list)
            for originator, counter in device.accepted_history:
                counters[originator].append(counter)
            assert all(each == sorted(set(each)) for each in counters.values())


@few
@given(estates())
def test_a_lost_answer_is_not_on_the_bus_and_one_that_was_delivered_is(estate: Estate) -> None:
    publications = estate.advance(estate.ends_at)

    answered = set[CommandKey]()
    for publication in publications:
        if not is_damaged(publication):
            answered |= {each.fact.business_key for each in told(publication) if isinstance(each.fact, JoinAnswered)}
    for attempt in estate.truth.attempts.values():
        on_bus = attempt.request_id in answered
        assert on_bus is (attempt.answered_at is not None)
        if attempt.lost_on is not None:
            assert attempt.executions
            assert not on_bus


@few
@given(estates())
def test_every_message_decodes_unless_it_is_damaged_and_then_it_does_not(estate: Estate) -> None:
    for publication in estate.advance(estate.ends_at):
        if is_damaged(publication):
            with pytest.raises(DecodeError):
                list(told(publication))
        else:
            list(told(publication))


@few
@given(estates(), st.lists(st.integers(1, 86_400), min_size=1, max_size=20))
def test_nothing_is_delivered_before_it_was_published_or_after_its_time(estate: Estate, steps_s: list[int]) -> None:
    at = START
    for step_s in steps_s:
        at += timedelta(seconds=step_s)

        delivered = estate.advance(at)

        assert all(each.at is not None and each.at <= at for each in delivered)
        next_at = estate.next_at()
        assert next_at is None or next_at > at


@few
@given(estates())
def test_a_proof_is_true(estate: Estate) -> None:
    estate.advance(estate.ends_at)

    for attempt in estate.truth.attempts.values():
        for proof in estate.truth.proofs(attempt, estate.ends_at):
            assert estate.truth.joined_at(attempt.pair, proof.at)
