"""The keeper of a sidecar: starts it, and starts it again whenever it is gone, as whoever supervises a service does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from joinbridge.bus.memory import MemoryBus
from joinbridge.config import Settings
from joinbridge.errors import JoinbridgeError
from joinbridge.ports import Housekeeping, Inventory, Outbox, Store
from joinbridge.proving.bus import Announcing, QuietSource, Stir
from joinbridge.proving.clock import SimulatedClock
from joinbridge.proving.ledger import Ledger, LedgerObserver, recorded
from joinbridge.proving.plan import Plan
from joinbridge.proving.points import gated
from joinbridge.proving.trace import Numbered, Teller, Trace
from joinbridge.proving.weather import KilledError, Process, Weather
from joinbridge.wiring.assembly import Parts, put_together

INTAKE = "joinbridge.in"
WAIT = timedelta(milliseconds=25)
SETTINGS = Settings(mode="live")
GONE_AFTER_S = 60.0
"""How long the broker believes in a consumer that says nothing."""

_TRY_AGAIN_S = 5.0
_MEAN_SHARE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What outlives a sidecar: the bus, the database, the inventory, time; and who writes down what happens."""

    bus: MemoryBus
    store: Store
    outbox: Outbox
    housekeeping: Housekeeping
    inventory: Inventory
    clock: SimulatedClock
    weather: Weather
    ledger: Ledger
    trace: Trace
    stir: Stir  # something is there for the sidecar
    heard: Stir  # something is there for the estate


class Keeper:
    """Keeps a sidecar running on a site until `end`. `starts` counts how often it did. Of several it is the one with the `number`."""

    def __init__(self, site: Site, plan: Plan, dice: Random, number: int = 1) -> None:
        self._site = site
        self._plan = plan
        self._dice = dice
        self._trace: Teller = site.trace if number == 1 else Numbered(site.trace, number)
        self._stop = asyncio.Event()
        self._held = 0
        self._released = asyncio.Event()
        self._ending = False
        self._process: Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._source: QuietSource | None = None
        self.starts = 0

    async def keep(self) -> None:
        """Start a sidecar whenever there is none, until the end."""
        while not self._ending:
            if self._held:
                self._released.clear()
                await self._released.wait()
                continue
            self._running = asyncio.create_task(self._live(), name="sidecar")
            try:
                await self._running
            except* KilledError:
                self._trace.add("sidecar", "is gone")
                await asyncio.sleep(self._dice.choice(self._plan.restarts_s))
            except* JoinbridgeError as errors:
                self._trace.add("sidecar", "could not start", (str(errors.exceptions[0]),))
                await asyncio.sleep(_TRY_AGAIN_S * 2 ** self._dice.randrange(5))

    def end(self) -> None:
        """Have it end in order, and start none any more."""
        self._ending = True
        self._released.set()
        self.stop()

    def stop(self) -> None:
        """Have the sidecar end in order; another one starts."""
        self._stop.set()
        self._site.stir.stir()

    def kill(self) -> None:
        """End the sidecar at once; another one starts."""
        if self._process is not None and not self._process.dead:
            self._process.dead = True
            self._trace.add("sidecar", "killed")
            if self._running is not None:
                self._running.cancel()

    def hold(self) -> None:
        """Let none start until `release`, as often as this was called."""
        self._held += 1

    def release(self) -> None:
        """Let one start again."""
        self._held -= 1
        self._released.set()

    def lose_consumer(self) -> None:
        """Lose the consumer: what is unsettled comes again."""
        if self._source is not None:
            self._source.lose()

    async def stand_still(self, for_s: float) -> None:
        """Let the process not run for `for_s`. After a while the broker takes it for gone; it goes on where it was, with what it has."""
        if self._process is None or self._process.dead:
            return
        self._trace.add("sidecar", "stands still")
        process, source = self._process, self._source
        process.stand_still(for_s)
        await asyncio.sleep(min(for_s, GONE_AFTER_S))
        if for_s > GONE_AFTER_S and source is not None and not process.dead:
            source.lose(for_s - GONE_AFTER_S)

    async def _live(self) -> None:
        site, plan = self._site, self._plan
        self.starts += 1
        self._stop = asyncio.Event()
        process = Process(site.weather, lose_consumer=self.lose_consumer, latency_s=self._latency_s)
        self._process = process
        async with site.bus.source(INTAKE) as consumer:
            source = self._source = QuietSource(consumer, site.weather, site.stir, self._share)
            try:
                sidecar = await put_together(
                    _settings(plan.batch_limit),
                    gated(recorded(self._parts(source), site.ledger, self._trace, site.clock), process),
                    clock=site.clock,
                    live=plan.live,
                    wait=WAIT,
                    tries_at_once=plan.tries_at_once,
                    observer=LedgerObserver(site.ledger),
                )
                self._trace.add("sidecar", "started")
                await sidecar.run(self._stop, on_error=self._turn_failed)
                self._trace.add("sidecar", "ended in order")
            except asyncio.CancelledError:
                if process.dead:
                    raise KilledError from None
                raise
            finally:
                process.dead = True
                self._source = None

    def _parts(self, source: QuietSource) -> Parts:
        site = self._site
        return Parts(
            store=site.store,
            outbox=site.outbox,
            housekeeping=site.housekeeping,
            sources=[source],
            publisher=Announcing(site.bus, site.heard),
            inventory=site.inventory,
        )

    def _turn_failed(self, task: str, error: Exception) -> None:
        self._trace.add("sidecar", f"{task} failed", (type(error).__name__, str(error)))
        if not isinstance(error, JoinbridgeError):
            self._site.ledger.errors.append(f"{task}: {type(error).__name__}: {error}")

    def _share(self, limit: int) -> int:
        # The broker deals out one by one to whoever is there.
        return limit if self._plan.sidecars == 1 else min(limit, 1 + int(self._dice.expovariate(1 / _MEAN_SHARE)))

    def _latency_s(self) -> float:
        mean = self._plan.latency_s
        return round(self._dice.expovariate(1 / mean), 6) if mean else 0.0


def _settings(batch_limit: int) -> Settings:
    return SETTINGS.model_copy(update={"batch": SETTINGS.batch.model_copy(update={"limit": batch_limit})})
