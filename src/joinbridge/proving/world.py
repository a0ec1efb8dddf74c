"""The world of one simulation: a sidecar, or several, kept running, what surrounds it, and what goes wrong.

While the estate lives, faults happen; then they end, and everything must come to rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta

from joinbridge.bus.memory import MemoryBus
from joinbridge.bus.topics import Binding, estate_bindings
from joinbridge.config import Retention
from joinbridge.errors import TransportError
from joinbridge.ports import Pruned, Publication
from joinbridge.proving.bus import EstatesBus, Stir
from joinbridge.proving.clock import SimulatedClock
from joinbridge.proving.faults import Fault, FaultKind
from joinbridge.proving.keeper import INTAKE, SETTINGS, Keeper, Site
from joinbridge.proving.ledger import Ledger
from joinbridge.proving.plan import Plan
from joinbridge.proving.scratch import Scratch
from joinbridge.proving.surroundings import Surroundings
from joinbridge.proving.trace import Trace
from joinbridge.proving.weather import Weather
from joinbridge.simulator.dice import stream
from joinbridge.simulator.link import EstateLink

OUTPUT = "estate"
PATIENCE = timedelta(days=30)
"""How long all may take to come to rest after the estate's last day: some deadlines are a week."""

_TRY_AGAIN_S = 5.0
_LOOK_S = 6 * 3600.0  # how often it is looked whether everything is at rest


class World:
    """Everything there is in one simulation. It is made and lived in on one running loop."""

    def __init__(self, plan: Plan, surroundings: Surroundings, scratch: Scratch, clock: SimulatedClock, trace: Trace) -> None:
        self._plan = plan
        self._surroundings = surroundings
        self._scratch = scratch
        self._clock = clock
        self._trace = trace
        self._dice = stream(plan.seed, "world")
        self._heard = Stir()
        scratch.anew(clock)
        self.ledger = Ledger()
        surroundings.on_change(self.ledger.inventory_changed)
        self.weather = Weather(plan.schedule, trace)
        self.bus = MemoryBus(TrueTime(clock), dead_letter_queue=SETTINGS.bus.dead)
        self.bus.bind(INTAKE, *estate_bindings(SETTINGS.bus.service_requests, SETTINGS.bus.alerts))
        self.bus.bind(OUTPUT, *(Binding(exchange=exchange, pattern="#") for exchange in (SETTINGS.bus.commands, SETTINGS.bus.events)))
        self._site = Site(
            bus=self.bus,
            store=scratch.store,
            outbox=scratch.outbox,
            housekeeping=scratch.housekeeping if plan.upkeep else _NothingToKeep(),
            inventory=surroundings.inventory,
            clock=clock,
            weather=self.weather,
            ledger=self.ledger,
            trace=trace,
            stir=Stir(),
            heard=self._heard,
        )
        self.keepers = [Keeper(self._site, plan, self._dice, number) for number in range(1, 1 + plan.sidecars)]
        self._link = EstateLink(surroundings, EstatesBus(self.bus, self.weather, self._sent), self.bus.source(OUTPUT))

    async def live(self) -> bool:
        """Live until everything is at rest; return whether it came to rest in time."""
        async with asyncio.TaskGroup() as tasks:
            for keeper in self.keepers:
                tasks.create_task(keeper.keep(), name="keeper")
            faults = [tasks.create_task(self._strike(fault), name="fault") for fault in self.weather.timed]
            await self._until_the_last_day()
            if self._plan.heals:
                self.weather.clear()
            for task in faults:
                task.cancel()
            rested = await self._come_to_rest()
            for keeper in self.keepers:
                keeper.end()
        return rested

    async def _until_the_last_day(self) -> None:
        """Let the estate live, its messages held together by strides."""
        stride = timedelta(seconds=self._plan.stride_s)
        while (next_at := self._surroundings.next_at()) is not None and next_at <= self._surroundings.ends_at:
            await self._heard.wait_for((next_at + stride - self._clock.true_now()).total_seconds())
            await self._talk()

    async def _come_to_rest(self) -> bool:
        end = self._clock.true_now() + PATIENCE
        while not self._at_rest():
            if self._clock.true_now() > end:
                return False
            await self._heard.wait_for(_LOOK_S)
            await self._talk()
        return True

    def _at_rest(self) -> bool:
        waiting = self._link.unconfirmed + sum(self.bus.ready(queue) + self.bus.unsettled(queue) for queue in (INTAKE, OUTPUT))
        return not waiting and self._scratch.next_deadline() is None and self._scratch.next_effect() is None

    async def _talk(self) -> None:
        """Let the estate live until now, say what it has to say, and hear what there is."""
        now = self._clock.true_now()
        self._link.live(min(now, self._surroundings.ends_at))
        try:
            await self._link.publish()
            if not self.weather.away(FaultKind.BUS_AWAY):
                await self._link.listen(now)
        except TransportError:
            await asyncio.sleep(_TRY_AGAIN_S)

    def _sent(self, publications: Sequence[Publication]) -> None:
        self._trace.add("estate", "published", (one.key for one in publications))
        self.ledger.sent += publications
        self._site.stir.stir()

    async def _strike(self, fault: Fault) -> None:
        """Let a timed fault happen at its moment."""
        await asyncio.sleep(fault.at_s)
        self.weather.happens(fault)
        keeper = self.keepers[0] if len(self.keepers) == 1 else self._dice.choice(self.keepers)
        match fault.kind:
            case FaultKind.KILL:
                keeper.kill()
            case FaultKind.RESTART:
                keeper.stop()
            case FaultKind.CONSUMER_LOST:
                keeper.lose_consumer()
            case FaultKind.STANDSTILL:
                await keeper.stand_still(fault.for_s)
            case FaultKind.CLOCK_AHEAD:
                self._clock.ahead += timedelta(seconds=fault.for_s)
                await asyncio.sleep(fault.for_s * 10)
                self._clock.ahead -= timedelta(seconds=fault.for_s)
            case FaultKind.SWIZZLE:
                await self._swizzle(fault.for_s)
            case kind:
                await self._away(kind, fault.for_s)

    async def _away(self, kind: FaultKind, for_s: float) -> None:
        with self.weather.lasting(kind):
            if kind is FaultKind.BUS_AWAY:
                for keeper in self.keepers:
                    keeper.lose_consumer()
            await asyncio.sleep(for_s)

    async def _swizzle(self, for_s: float) -> None:
        """Stop everything at once, and start it again one by one, in a random order."""
        kinds = [FaultKind.BUS_AWAY, FaultKind.DATABASE_AWAY, FaultKind.INVENTORY_AWAY]
        with ExitStack() as held:
            ends = [held.enter_context(ExitStack()) for _ in range(len(kinds) + len(self.keepers))]
            for end, kind in zip(ends, kinds, strict=False):
                end.enter_context(self.weather.lasting(kind))
            for end, keeper in zip(reversed(ends), self.keepers, strict=False):
                keeper.hold()
                end.callback(keeper.release)
                (keeper.kill if self._dice.random() < 0.5 else keeper.stop)()
            self._dice.shuffle(ends)
            for end in ends:
                await asyncio.sleep(self._dice.uniform(0, for_s))
                end.close()


class TrueTime:
    """Virtual time as it is for everybody but the sidecar: a `ports.Clock`."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """Return the moment."""
        return self._clock.true_now()

    async def sleep(self, duration: timedelta) -> None:
        """Return after `duration`."""
        await asyncio.sleep(max(0.0, duration.total_seconds()))


class _NothingToKeep:
    """Housekeeping where nothing gets old."""

    async def prune(self, now: datetime, retention: Retention) -> Pruned:  # noqa: ARG002 - whatever they are
        """Return that there is nothing to do."""
        return Pruned()
