"""Virtual time: it jumps to the next timer when nothing can run, and every run is the same run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from joinbridge.proving.clock import SimulatedClock
from joinbridge.proving.loop import StuckError, VirtualLoop
from joinbridge.service.runtime import IDLE_WAIT

T = TypeVar("T")

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY_S = 86_400.0


class Nobody:
    def next_at(self) -> float | None:
        return None

    def wake(self, now: float) -> None:
        raise AssertionError(now)


def test_a_year_passes_at_once_and_sleepers_wake_in_order() -> None:
    woken: list[tuple[float, int]] = []

    async def sleeper(number: int, days: float) -> None:
        await asyncio.sleep(days * DAY_S)
        woken.append((asyncio.get_running_loop().time() / DAY_S, number))

    async def all_of_them() -> None:
        await asyncio.gather(sleeper(1, 365), sleeper(2, 1), sleeper(3, 30))

    run_on(VirtualLoop(Nobody()), all_of_them())

    assert woken == [(1, 2), (30, 3), (365, 1)]


def test_whoever_waits_for_nothing_is_told_so() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StuckError):
        run_on(VirtualLoop(Nobody()), wait())


class TestTheClock:
    def test_who_idles_sleeps_until_there_is_something_to_do(self) -> None:
        due = START + timedelta(days=3)
        clock = SimulatedClock(START, lambda _: due)

        async def idle() -> datetime:
            await clock.sleep(IDLE_WAIT)
            return clock.now()

        assert run_on(VirtualLoop(clock), idle()) == due

    def test_who_idles_sleeps_a_second_even_if_something_is_overdue(self) -> None:
        clock = SimulatedClock(START, lambda _: START)

        async def idle() -> datetime:
            await clock.sleep(IDLE_WAIT)
            return clock.now()

        assert run_on(VirtualLoop(clock), idle()) == START + IDLE_WAIT

    def test_any_other_sleep_takes_its_time(self) -> None:
        clock = SimulatedClock(START, lambda _: START)

        async def sleep() -> datetime:
            await clock.sleep(timedelta(seconds=7))
            return clock.now()

        assert run_on(VirtualLoop(clock), sleep()) == START + timedelta(seconds=7)

    def test_one_that_was_ahead_stands_still_until_time_has_caught_up(self) -> None:
        clock = SimulatedClock(START, lambda _: None)

        async def go_wrong() -> list[datetime]:
            clock.ahead = timedelta(seconds=30)
            seen = [clock.now()]
            clock.ahead = timedelta(0)
            for _ in range(2):
                await asyncio.sleep(20)
                seen.append(clock.now())
            return seen

        assert run_on(VirtualLoop(clock), go_wrong()) == [START + timedelta(seconds=s) for s in (30, 30, 40)]

    def test_a_deadline_is_met_by_the_clock_that_it_was_set_by(self) -> None:
        due = START + timedelta(hours=1)
        clock = SimulatedClock(START, lambda _: due)
        clock.ahead = timedelta(minutes=10)

        async def idle() -> tuple[datetime, datetime]:
            await clock.sleep(IDLE_WAIT)
            return clock.now(), clock.true_now()

        assert run_on(VirtualLoop(clock), idle()) == (due, due - timedelta(minutes=10))


def run_on(loop: VirtualLoop, work: Coroutine[Any, Any, T]) -> T:  # Any: as asyncio has it
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
