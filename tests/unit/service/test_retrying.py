"""Retrying at once, and what an error leaves behind."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from joinbridge.errors import StoreError, StoreRefusedError
from joinbridge.service.clock import ManualClock
from joinbridge.service.retrying import LONGEST_PAUSE_S, Retrying
from support.home import START


class InstantClock(ManualClock):
    """Lets nobody wait, and remembers for how long they wanted to."""

    def __init__(self) -> None:
        super().__init__(START)
        self.pauses: list[timedelta] = []

    async def sleep(self, duration: timedelta) -> None:
        self.pauses.append(duration)
        self.jump(self.now() + duration)


class Batch:
    """Something large that work holds while it fails."""


class Work:
    """Fails as often as there are `errors`, each time with a batch of its own in hand."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.begun = 0
        self.batches: list[weakref.ref[Batch]] = []

    async def __call__(self, given: str) -> str:
        self.begun += 1
        batch = Batch()
        self.batches.append(weakref.ref(batch))
        if self._errors:
            raise self._errors.pop(0)
        return given


@pytest.fixture
def clock() -> InstantClock:
    return InstantClock()


@pytest.fixture
def retrying(clock: InstantClock) -> Retrying:
    return Retrying(clock, tries=3, pause_s=0.05, passes=lambda error: not isinstance(error, StoreRefusedError))


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Keep the collector of circles away."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_work_that_succeeds_is_done_once(retrying: Retrying, clock: InstantClock) -> None:
    work = Work()

    assert await retrying(work, "done") == "done"
    assert (work.begun, clock.pauses) == (1, [])


async def test_what_may_pass_is_tried_again_after_a_pause_on_the_clock(retrying: Retrying, clock: InstantClock) -> None:
    work = Work(StoreError("away"), StoreError("still away"))

    assert await retrying(work, "done") == "done"
    assert work.begun == 3
    assert len(clock.pauses) == 2
    assert all(timedelta(0) <= pause <= timedelta(seconds=LONGEST_PAUSE_S) for pause in clock.pauses)


async def test_the_last_error_is_raised_when_all_tries_are_used_up(retrying: Retrying) -> None:
    last = StoreError("third")
    work = Work(StoreError("first"), StoreError("second"), last)

    with pytest.raises(StoreError) as raised:
        await retrying(work, "never")

    assert raised.value is last
    assert work.begun == 3


@pytest.mark.parametrize("error", [StoreRefusedError("no"), ZeroDivisionError("a bug")])
async def test_what_does_not_pass_is_tried_once(clock: InstantClock, error: Exception) -> None:
    work = Work(error)

    with pytest.raises(type(error)):
        await Retrying(clock, tries=3, pause_s=0.05, passes=lambda e: type(e) is StoreError)(work, "never")

    assert work.begun == 1


async def test_a_bug_keeps_its_traceback(retrying: Retrying) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        await retrying(Work(*(ZeroDivisionError("a bug") for _ in range(3))), "never")

    assert isinstance(raised.traceback[-1].frame.f_locals["self"], Work)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("kind", [StoreError, StoreRefusedError])
async def test_what_failed_is_let_go_of_with_its_error_not_when_the_collector_comes_by(retrying: Retrying, kind: type[Exception]) -> None:
    work = Work(*(kind("away") for _ in range(3)))

    with suppress(StoreError):
        await retrying(work, "never")

    assert [batch() for batch in work.batches] == [None] * work.begun
