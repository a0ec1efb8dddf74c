"""The runtime: the turns that keep a sidecar going, and the two ways to drive them.

`Sidecar.settle` takes turns until nothing is left to do: replay, demo and tests drive it by hand on a clock of their own. `run` keeps the
same turns going side by side until it is told to stop, and then drains: what was received is committed, what is owed is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from joinbridge.errors import StaleVersionError, TransportLostError
from joinbridge.observing import SILENT, Observer
from joinbridge.ports import Clock, Outbox, Store
from joinbridge.service.intake import Intake
from joinbridge.service.relay import Relay
from joinbridge.service.step import Step
from joinbridge.service.upkeep import Upkeep

SWEEP_LIMIT = 200
IDLE_WAIT = timedelta(seconds=1)  # how late a deadline or an effect of another instance may be noticed
FAILURE_WAIT = timedelta(seconds=5)
UPKEEP_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agenda:
    """When the next deadline and the next effect are due, as of so many commits; -1 before the first look."""

    commits: int = -1
    deadline: datetime | None = None
    effect: datetime | None = None


class Sidecar:
    """Everything that runs on one store: intakes, the deadline sweep, the relay, and in `run` also the upkeep."""

    def __init__(
        self,
        *,
        intakes: Sequence[Intake],
        step: Step,
        relay: Relay,
        store: Store,
        outbox: Outbox,
        clock: Clock,
        upkeep: Upkeep | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self.intakes = intakes
        self._step = step
        self._relay = relay
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._upkeep = upkeep
        self._observer = observer
        self._known = _Agenda()
        self._committed = asyncio.Event()

    async def settle(self) -> int:
        """Take turns until nothing is left to do at this moment; return how many messages, deadlines and effects there were.

        For a driver that is alone on its store: what another instance writes meanwhile is noticed only with the next commit of this one.
        """
        total = 0
        while done := await self._round():
            total += done
        return total

    async def next_due(self) -> datetime | None:
        """Return when the earliest deadline or postponed effect is due: nothing happens before, unless a message comes."""
        agenda = await self._agenda()
        return min((at for at in (agenda.deadline, agenda.effect) if at is not None), default=None)

    async def _round(self) -> int:
        done = 0
        for intake in self.intakes:
            done += await intake.turn()
        now = self._clock.now()
        agenda = await self._agenda()
        if agenda.deadline is not None and agenda.deadline <= now:
            done += await self._step.fire(SWEEP_LIMIT)
            self._observer.swept(now)
            agenda = await self._agenda()
        if agenda.effect is not None and agenda.effect <= now:
            done += await self._relay.turn()
            self._known = _Agenda()
        return done

    async def _agenda(self) -> _Agenda:
        """Return what is due next, asking the database only when something was written since."""
        if self._known.commits != self._step.commits:
            self._known = _Agenda(
                commits=self._step.commits, deadline=await self._store.next_deadline(), effect=await self._outbox.next_due()
            )
        return self._known

    async def run(self, stop: asyncio.Event, *, on_error: Callable[[str, Exception], None]) -> None:
        """Keep going until `stop` is set, then drain. An error of a turn is reported, and the turn tried again after a while.

        Deadlines and effects wait until every intake is current: what was decided on half of the story is not acted on.

        Cancelling stops at once; nothing is lost by it, since nothing was acknowledged that was not committed.

        Raises: TransportLostError, in a group, when a source or the publisher cannot be had back by this process.
        """
        async with asyncio.TaskGroup() as tasks:
            for number, intake in enumerate(self.intakes):
                tasks.create_task(self._keep(partial(self._take, intake), stop, on_error, idle=None), name=f"intake {number}")
            tasks.create_task(self._keep(self._sweep, stop, on_error, idle=IDLE_WAIT), name="deadlines")
            if self._upkeep is not None:
                tasks.create_task(self._keep(self._upkeep.turn, stop, on_error, idle=UPKEEP_WAIT), name="upkeep")
            relaying = self._keep(self._carry_out, stop, on_error, idle=IDLE_WAIT, wake=self._committed)
            tasks.create_task(relaying, name="relay")
        await self._drain(on_error)

    async def _take(self, intake: Intake) -> int:
        before = self._step.commits
        taken = await intake.turn()
        if self._step.commits != before:
            self._committed.set()
        return taken

    async def _drain(self, on_error: Callable[[str, Exception], None]) -> None:
        """Send what the last batches owe. Effects on one target come one at a time."""
        try:
            while await self._carry_out():
                pass
        except Exception as error:  # noqa: BLE001 - it stays owed, and is sent after the next start
            on_error("relay", error)

    async def _sweep(self) -> int:
        if not self._is_current():
            return 0
        now = self._clock.now()
        try:
            fired = await self._step.fire(SWEEP_LIMIT)
        except StaleVersionError:
            return 1  # an intake wrote to one of them meanwhile: look again
        self._observer.swept(now)
        return fired

    async def _carry_out(self) -> int:
        self._committed.clear()
        return await self._relay.turn() if self._is_current() else 0

    def _is_current(self) -> bool:
        return all(intake.is_current for intake in self.intakes)

    async def _keep(
        self,
        turn: Callable[[], Awaitable[int]],
        stop: asyncio.Event,
        on_error: Callable[[str, Exception], None],
        *,
        idle: timedelta | None,
        wake: asyncio.Event | None = None,
    ) -> None:
        """Take turns. After one that found nothing to do wait for `idle`, or until `wake` is set."""
        task = asyncio.current_task()
        name = "" if task is None else task.get_name()
        while not stop.is_set():
            try:
                done = await turn()
            except TransportLostError:
                raise
            except Exception as error:  # noqa: BLE001 - a turn that fails is reported and tried again; CancelledError goes on
                on_error(name, error)
                await self._pause(stop, FAILURE_WAIT)
            else:
                if not done and idle is not None:
                    await self._pause(stop, idle, wake)

    async def _pause(self, stop: asyncio.Event, duration: timedelta, wake: asyncio.Event | None = None) -> None:
        """Wait for `duration` or until `stop` or `wake` is set, whichever comes first."""
        events = (stop,) if wake is None else (stop, wake)
        waiting = [asyncio.ensure_future(self._clock.sleep(duration)), *(asyncio.ensure_future(event.wait()) for event in events)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
