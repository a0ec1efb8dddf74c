"""The two ways to drive a sidecar: turn by turn on a clock of one's own, and side by side until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from joinbridge.config import Settings
from joinbridge.core.attempt import AttemptState
from joinbridge.errors import StoreError
from joinbridge.observing import Taken
from joinbridge.ports import Changes, Clock
from joinbridge.service.clock import SystemClock
from joinbridge.service.runtime import FAILURE_WAIT, IDLE_WAIT
from support.crash import Points, be_away
from support.eventually import eventually
from support.home import CAD, ESME, GPF, PPMID, START, request_id
from support.messages import command_failure, gpf_report, inventory_answer, join_answer, join_request
from support.sidecar import INTAKE, LIVE, HookedStore, Parts, Running, Site

WAIT = timedelta(milliseconds=25)


class TestSettling:
    async def test_turns_are_taken_until_nothing_is_left_to_do(self, site: Site) -> None:
        await site.send(*(join_request(ESME, PPMID, counter) for counter in range(5)), join_answer(ESME, 0))

        async with site.sidecar(limit=2) as running:
            assert await running.sidecar.settle() == 6 + len(site.published)

            assert await running.sidecar.settle() == 0
        assert site.routes() == ["join.succeeded"]
        assert site.bus.ready(INTAKE) == 0

    async def test_what_follows_from_what_follows_is_done_too(self, site: Site) -> None:
        await site.send(inventory_answer(GPF, CAD), join_request(GPF, CAD), command_failure(request_id(1, target=GPF)))
        await site.send(gpf_report([CAD], START))

        async with site.sidecar(limit=1) as running:
            await running.sidecar.settle()

        assert site.routes() == ["join.response_lost", "join.inferred_success"]
        assert len(site.inventory.changes) == 1

    async def test_nothing_is_due_before_anything_came(self, site: Site) -> None:
        async with site.sidecar() as running:
            assert await running.sidecar.next_due() is None

    async def test_the_earliest_of_deadlines_and_postponed_effects_is_due_next(self, site: Site) -> None:
        await site.send(inventory_answer(PPMID), join_request(PPMID, ESME))
        async with site.sidecar() as running:
            await running.sidecar.settle()
            assert await running.sidecar.next_due() == START + LIVE.deadlines.ppmid

            await site.send(join_request(ESME, PPMID, 2), join_answer(ESME, 2))
            with site.bus.outage():
                await running.sidecar.settle()
            due = await running.sidecar.next_due()
            assert due is not None
            assert START < due < START + timedelta(minutes=1)

    async def test_the_database_is_not_asked_again_while_nothing_changes(self, site: Site) -> None:
        points = Points()
        await site.send(join_request(ESME, PPMID))
        async with site.sidecar(around=points.around) as running:
            await running.sidecar.settle()
            points.passed.clear()

            for _ in range(10):
                await running.sidecar.settle()
                await running.sidecar.next_due()

        assert set(points.passed) == {"receive"}

    async def test_an_error_of_a_turn_goes_to_the_driver(self, site: Site) -> None:
        await site.send(join_request(ESME, PPMID))
        async with site.sidecar(around=Points(2, be_away).around) as running:
            with pytest.raises(StoreError):
                await running.sidecar.settle()

            assert await running.sidecar.settle() == 1


class Errors:
    """What a sidecar reports."""

    def __init__(self) -> None:
        self.reported: list[tuple[str, Exception]] = []

    def __call__(self, task: str, error: Exception) -> None:
        self.reported.append((task, error))


@asynccontextmanager
async def kept_going(
    site: Site,
    errors: Errors | None = None,
    *,
    clock: Clock | None = None,
    settings: Settings = LIVE,
    around: Callable[[Parts], Parts] = lambda parts: parts,
    limit: int = 200,
) -> AsyncIterator[tuple[Running, asyncio.Event, asyncio.Task[None]]]:
    """Start a sidecar and let it run by itself."""
    async with site.sidecar(clock=clock, settings=settings, around=around, wait=WAIT, limit=limit) as running:
        stop = asyncio.Event()
        task = asyncio.create_task(running.sidecar.run(stop, on_error=errors or _unexpected), name="sidecar")
        try:
            yield running, stop, task
        finally:
            task.cancel()
            await asyncio.wait([task])


def _unexpected(task: str, error: Exception) -> None:
    raise AssertionError(f"{task}: {error}")


class TestRunning:
    async def test_messages_are_taken_as_they_come(self, site: Site) -> None:
        async with kept_going(site) as (running, stop, task):
            await site.send(join_request(ESME, PPMID), join_answer(ESME))
            await eventually(lambda: running.intake.totals == Taken(judged=2))
            await stopped(site, stop, task)

        assert site.bus.ready(INTAKE) == site.bus.unsettled(INTAKE) == 0
        assert site.routes() == ["join.succeeded"]

    async def test_deadlines_pass_and_effects_are_carried_out(self, site: Site) -> None:
        settings = Settings.model_validate({"mode": "live", "deadlines": {"ppmid": 5, "backlog_grace": 1}})
        async with kept_going(site, settings=settings) as (running, stop, task):
            await site.send(inventory_answer(PPMID), join_request(PPMID, ESME))
            await eventually(lambda: running.intake.totals.judged == 2)
            await site.clock.advance(by=settings.deadlines.ppmid)
            await until(site, lambda: "join.response_lost" in site.routes())
            await stopped(site, stop, task)

    async def test_on_the_machines_own_clock_too(self, site: Site) -> None:
        quick = {"ppmid": 0.05, "backlog_grace": 0.05}
        settings = Settings.model_validate({"mode": "live", "deadlines": quick})
        async with kept_going(site, clock=SystemClock(), settings=settings) as (_, stop, task):
            await site.send(inventory_answer(PPMID), join_request(PPMID, ESME), at=SystemClock().now())
            await eventually(lambda: "join.response_lost" in site.routes(), within=timedelta(seconds=60))
            await stopped(site, stop, task)

    async def test_what_waits_on_the_bus_is_read_before_anything_is_done_about_its_absence(self, site: Site) -> None:
        async with site.sidecar() as before:
            await site.send(inventory_answer(PPMID), join_request(PPMID, ESME))
            await before.sidecar.settle()
        for number in range(20):
            await site.send(join_request(GPF, CAD, 100 + number))
        await site.send(join_answer(PPMID))
        await site.clock.advance(by=LIVE.deadlines.ppmid + timedelta(minutes=5))

        async with kept_going(site, limit=1) as (running, stop, task):
            await eventually(lambda: running.intake.totals.judged == 21)
            await until(site, lambda: "join.succeeded" in site.routes())
            await stopped(site, stop, task)

        assert site.routes() == ["join.succeeded"]

    async def test_stopping_drains_what_the_last_batches_owe(self, site: Site) -> None:
        async with kept_going(site) as (running, stop, task):
            # Several effects are owed to one target, which go out one after the other.
            await site.send(inventory_answer(GPF, CAD), join_request(GPF, CAD), command_failure(request_id(1, target=GPF)))
            await site.send(gpf_report([CAD], START))
            await eventually(lambda: running.intake.totals.judged == 4)
            await stopped(site, stop, task)

        assert site.routes() == ["join.response_lost", "join.inferred_success"]
        assert len(site.inventory.changes) == 1

    async def test_it_stops_at_once_when_there_is_nothing_to_do(self, site: Site) -> None:
        async with kept_going(site) as (_, stop, task):
            await eventually(lambda: site.clock.sleeping >= 3)

            await stopped(site, stop, task)

    async def test_an_error_is_reported_and_the_turn_taken_again_after_a_while(self, site: Site) -> None:
        errors, away = Errors(), [True]

        def refuse(_: Changes) -> None:
            if away[0]:
                raise StoreError("away")

        around = _with_store(refuse)
        async with kept_going(site, errors, around=around) as (running, stop, task):
            await site.send(join_request(ESME, PPMID))
            await eventually(lambda: errors.reported)
            away[0] = False
            assert running.intake.totals == Taken()
            await site.clock.advance(by=FAILURE_WAIT)
            await until(site, lambda: running.intake.totals == Taken(judged=1))
            await stopped(site, stop, task)

        assert [(name, str(error)) for name, error in errors.reported] == [("intake 0", "away")]

    async def test_while_one_turn_fails_the_others_go_on(self, site: Site) -> None:
        errors = Errors()
        async with kept_going(site, errors) as (running, stop, task):
            running.source.close()
            await eventually(lambda: errors.reported)
            assert errors.reported[0][0] == "intake 0"
            assert not task.done()
            await stopped(site, stop, task)

    async def test_a_failure_to_drain_is_reported_and_stays_owed(self, site: Site) -> None:
        class Unreachable:
            def __init__(self, parts: Parts) -> None:
                self.settle, self.postpone, self.next_due = parts.outbox.settle, parts.outbox.postpone, parts.outbox.next_due

            async def lease(self, *_: object, **__: object) -> list[object]:
                raise StoreError("away")

        errors = Errors()
        around = lambda parts: replace(parts, outbox=Unreachable(parts))  # noqa: E731
        async with kept_going(site, errors, around=around) as (running, stop, task):
            await site.send(join_request(ESME, PPMID), join_answer(ESME))
            await eventually(lambda: running.intake.totals.judged == 2)
            await stopped(site, stop, task)

        assert {name for name, _ in errors.reported} == {"relay"}
        async with site.sidecar() as restarted:
            await restarted.sidecar.settle()
        assert site.routes() == ["join.succeeded"]

    async def test_cancelling_loses_nothing(self, site: Site) -> None:
        async with kept_going(site) as (_, _stop, task):
            await site.send(join_request(ESME, PPMID))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        async with site.sidecar() as restarted:
            await restarted.sidecar.settle()
        (attempt,) = await site.records.attempts()
        assert attempt.state is AttemptState.REQUESTED


async def until(site: Site, look: Callable[[], bool]) -> None:
    """Let time pass in seconds until `look` is true: what is done in threads the clock does not wait for."""
    for _ in range(500):
        if look():
            return
        await eventually(lambda: site.clock.sleeping)
        await site.clock.advance(by=IDLE_WAIT)
    raise AssertionError("never")


async def stopped(site: Site, stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    """Tell the sidecar to stop, and let the wait for a batch to fill pass: nobody else turns the clock."""
    stop.set()
    async with asyncio.timeout(60):
        while not task.done():
            await site.clock.advance(by=WAIT)
    await task


def _with_store(on_save: Callable[[Changes], None]) -> Callable[[Parts], Parts]:
    return lambda parts: replace(parts, store=HookedStore(parts.store, on_save=on_save))
