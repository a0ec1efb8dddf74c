"""The clocks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joinbridge.ports import Clock
from joinbridge.service import clock as clocks
from joinbridge.service.clock import ManualClock, RehearsalClock, SystemClock
from support.eventually import eventually

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_all_are_clocks() -> None:
    all_of_them: list[Clock] = [SystemClock(), RehearsalClock(START, 60), ManualClock(START)]

    assert all(clock.now().tzinfo is UTC for clock in all_of_them)


class TestSystemClock:
    def test_it_tells_the_time(self) -> None:
        before = datetime.now(UTC)

        now = SystemClock().now()

        assert before <= now <= datetime.now(UTC)

    def test_it_stands_still_when_the_machine_is_set_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Watch(datetime):
            readings = iter([START, START - SECOND, START + SECOND])

            @classmethod
            def now(cls, _tz: object = None) -> datetime:  # type: ignore[override]  # returns what the test says
                return next(cls.readings)

        monkeypatch.setattr(clocks, "datetime", Watch)
        clock = SystemClock()

        assert [clock.now(), clock.now(), clock.now()] == [START, START, START + SECOND]

    async def test_it_sleeps(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()

        await SystemClock().sleep(timedelta(milliseconds=20))

        assert loop.time() - before >= 0.019

    async def test_a_sleep_of_less_than_nothing_lets_others_run(self) -> None:
        other = asyncio.create_task(asyncio.sleep(0))

        await SystemClock().sleep(-SECOND)
        await SystemClock().sleep(timedelta(0))

        assert other.done()


class TestRehearsalClock:
    def test_time_runs_faster_from_its_origin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        moment = START + 2 * SECOND
        monkeypatch.setattr(clocks.SystemClock, "now", lambda _: moment)

        assert RehearsalClock(START, 60).now() == START + timedelta(minutes=2)

    @pytest.mark.parametrize(
        ("duration", "true_s"),
        [(timedelta(seconds=100), 1.0), (timedelta(seconds=2), 0.05), (timedelta(milliseconds=20), 0.02), (-SECOND, 0.0)],
    )
    async def test_a_sleep_is_shorter_but_never_next_to_nothing(
        self, monkeypatch: pytest.MonkeyPatch, duration: timedelta, true_s: float
    ) -> None:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", sleep)

        await RehearsalClock(START, 100).sleep(duration)

        assert slept == [true_s]


class TestManualClock:
    def test_it_stands_still(self) -> None:
        clock = ManualClock(START)

        assert (clock.now(), clock.now()) == (START, START)

    def test_it_shows_utc_wherever_it_was_started(self) -> None:
        clock = ManualClock(START.astimezone(timezone(timedelta(hours=5))))

        assert clock.now() == START
        assert clock.now().tzinfo is UTC

    async def test_it_advances_by_a_duration_or_to_a_moment(self) -> None:
        clock = ManualClock(START)

        await clock.advance(by=SECOND)
        await clock.advance(to=START + 3 * SECOND)
        await clock.advance(by=timedelta(0))

        assert clock.now() == START + 3 * SECOND

    async def test_it_never_goes_back(self) -> None:
        clock = ManualClock(START)

        with pytest.raises(ValueError, match="never goes back"):
            await clock.advance(by=-SECOND)
        with pytest.raises(ValueError, match="never goes back"):
            await clock.advance(to=START - SECOND)

        assert clock.now() == START

    async def test_it_does_not_guess_where_to_go(self) -> None:
        clock = ManualClock(START)

        with pytest.raises(ValueError, match="either"):
            await clock.advance()
        with pytest.raises(ValueError, match="either"):
            await clock.advance(by=SECOND, to=START + SECOND)

    async def test_a_sleeper_wakes_at_its_moment_and_not_before(self) -> None:
        clock = ManualClock(START)
        sleeping = asyncio.create_task(clock.sleep(10 * SECOND))

        await clock.advance(by=9 * SECOND)
        early = sleeping.done()
        await clock.advance(by=SECOND)

        assert not early
        assert sleeping.done()

    async def test_a_sleeper_that_was_only_just_started_is_counted_in(self) -> None:
        clock = ManualClock(START)
        sleeping = asyncio.create_task(clock.sleep(SECOND))

        await clock.advance(by=SECOND)

        assert sleeping.done()

    @given(st.lists(st.integers(1, 5), max_size=12))
    async def test_sleepers_wake_by_their_moments_and_then_in_the_order_they_fell_asleep(self, seconds: list[int]) -> None:
        clock = ManualClock(START)
        woken: list[tuple[int, int, datetime]] = []

        async def sleeper(number: int, duration: int) -> None:
            await clock.sleep(duration * SECOND)
            woken.append((duration, number, clock.now()))

        tasks = [asyncio.create_task(sleeper(number, duration)) for number, duration in enumerate(seconds)]
        await clock.advance(by=10 * SECOND)
        await asyncio.gather(*tasks)

        assert woken == sorted(woken)
        assert [at for _, _, at in woken] == [START + duration * SECOND for duration in sorted(seconds)]

    async def test_one_that_falls_asleep_again_wakes_again_on_the_way(self) -> None:
        clock = ManualClock(START)
        ticks: list[datetime] = []

        async def tick() -> None:
            while True:
                await clock.sleep(timedelta(hours=1))
                ticks.append(clock.now())

        ticking = asyncio.create_task(tick())
        await clock.advance(by=timedelta(days=1))
        ticking.cancel()

        assert ticks == [START + timedelta(hours=hour) for hour in range(1, 25)]

    async def test_what_a_sleeper_sets_off_is_done_before_time_goes_on(self) -> None:
        clock = ManualClock(START)
        queue: asyncio.Queue[None] = asyncio.Queue()
        handled: list[datetime] = []

        async def sleeper() -> None:
            for _ in range(3):
                await clock.sleep(SECOND)
                await queue.put(None)

        async def worker() -> None:
            while True:
                await queue.get()
                await asyncio.create_task(asyncio.sleep(0))
                handled.append(clock.now())

        tasks = [asyncio.create_task(sleeper()), asyncio.create_task(worker())]
        await clock.advance(by=3 * SECOND)
        for task in tasks:
            task.cancel()

        assert handled == [START + number * SECOND for number in (1, 2, 3)]

    async def test_it_knows_who_wakes_next(self) -> None:
        clock = ManualClock(START)
        sleeping = [asyncio.create_task(clock.sleep(number * SECOND)) for number in (3, 1, 2)]
        await clock.advance(by=timedelta(0))

        seen = [(clock.sleeping, clock.next_wake)]
        while (wake := clock.next_wake) is not None:
            await clock.advance(to=wake)
            seen.append((clock.sleeping, clock.next_wake))

        assert seen == [(3, START + SECOND), (2, START + 2 * SECOND), (1, START + 3 * SECOND), (0, None)]
        assert all(task.done() for task in sleeping)

    async def test_a_cancelled_sleeper_is_forgotten(self) -> None:
        clock = ManualClock(START)
        sleeping = asyncio.create_task(clock.sleep(SECOND))
        await clock.advance(by=timedelta(0))

        sleeping.cancel()

        await eventually(sleeping.done)
        assert (clock.sleeping, clock.next_wake) == (0, None)
        await clock.advance(by=2 * SECOND)
        assert sleeping.cancelled()

    async def test_two_that_advance_it_do_not_take_it_back(self) -> None:
        clock = ManualClock(START)
        tick = asyncio.create_task(clock.sleep(SECOND))

        await asyncio.gather(clock.advance(by=2 * SECOND), clock.advance(by=5 * SECOND))

        assert clock.now() == START + 5 * SECOND
        assert tick.done()

    async def test_a_sleep_of_less_than_nothing_lets_others_run(self) -> None:
        clock = ManualClock(START)
        other = asyncio.create_task(asyncio.sleep(0))

        await clock.sleep(-SECOND)
        await clock.sleep(timedelta(0))

        assert other.done()
