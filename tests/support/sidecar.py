"""A sidecar of real parts, on a clock that is turned by hand, and what is around it and outlives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from joinbridge.bus.memory import MemoryBus, MemorySource
from joinbridge.bus.topics import Binding, estate_bindings
from joinbridge.config import Settings
from joinbridge.core.attempt import AttemptState
from joinbridge.core.case import Case, DeadlinePassed
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.inventory.memory import MemoryInventory
from joinbridge.observing import SILENT, Observer, Taken
from joinbridge.ports import Changes, Clock, Inventory, Outbox, Publication, Publisher, Source, Store, Unit
from joinbridge.service.clock import ManualClock
from joinbridge.service.describing import Describing
from joinbridge.service.intake import Intake
from joinbridge.service.relay import Headers, Relay, no_headers
from joinbridge.service.runtime import Sidecar
from joinbridge.service.step import Step
from joinbridge.service.watch import Watch
from joinbridge.store.audit import GENESIS
from joinbridge.store.audit_log import AuditLog
from joinbridge.store.database import Database
from joinbridge.store.opening import open_database
from joinbridge.store.outbox import SqlOutbox
from joinbridge.store.records import Records
from joinbridge.store.store import SqlStore
from joinbridge.store.tables import audit_head, metadata
from joinbridge.wiring.signers import reading
from support.home import START
from support.tables import make_tables

T = TypeVar("T")

INTAKE = "joinbridge.in"
SHORT_WAIT = timedelta(seconds=5)
SHADOW, LIVE = Settings(), Settings(mode="live")


class Recorder:
    """A Publisher that passes everything on and keeps what was confirmed."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.published: list[Publication] = []

    async def publish(self, publications: Sequence[Publication]) -> None:
        await self._publisher.publish(publications)
        self.published.extend(publications)


class HookedStore:
    """A Store that passes everything on; `on_save` is called with what is about to be written, and may raise, `on_commit` afterwards."""

    def __init__(
        self, store: Store, *, on_save: Callable[[Changes], None] = lambda _: None, on_commit: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._on_save = on_save
        self._on_commit = on_commit

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        async with self._store.transaction() as unit:
            yield _HookedUnit(unit, self._on_save)
        self._on_commit()

    async def watched(self) -> AbstractSet[DeviceId]:
        return await self._store.watched()

    async def next_deadline(self) -> datetime | None:
        return await self._store.next_deadline()

    async def contradictions(self, since: datetime) -> Mapping[str, int]:
        return await self._store.contradictions(since)


class _HookedUnit:
    def __init__(self, unit: Unit, on_save: Callable[[Changes], None]) -> None:
        self._unit = unit
        self._on_save = on_save

    async def fresh(self, keys: Mapping[MessageKey, datetime]) -> set[MessageKey]:
        return await self._unit.fresh(keys)

    async def load(self, devices: Collection[DeviceId]) -> Case:
        return await self._unit.load(devices)

    async def due(self, now: datetime, limit: int) -> Sequence[DeadlinePassed]:
        return await self._unit.due(now, limit)

    async def save(self, changes: Changes) -> None:
        self._on_save(changes)
        await self._unit.save(changes)


class WatchedInventory(MemoryInventory):
    """The inventory in memory, which keeps each change that it made."""

    def __init__(self, held: Mapping[JoinPair, bool] | None = None) -> None:
        super().__init__(held)
        self.changes: list[tuple[JoinPair, bool]] = []

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        changed = await super().set_joined(pair, joined=joined, expected=expected)
        if changed:
            self.changes.append((pair, joined))
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a sidecar is put together from; a test may put something around each."""

    store: Store
    outbox: Outbox
    source: Source
    publisher: Publisher
    inventory: Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A sidecar and its parts."""

    sidecar: Sidecar
    intake: Intake
    step: Step
    relay: Relay
    watch: Watch
    source: MemorySource


@dataclass(slots=True, kw_only=True)
class Site:
    """What outlives a sidecar: time, the bus, the inventory, the database."""

    clock: ManualClock
    bus: MemoryBus
    inventory: WatchedInventory
    database: Database
    recorder: Recorder = field(init=False)
    sent: int = 0

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.bus)

    @property
    def records(self) -> Records:
        """What the database holds."""
        return Records(self.database)

    @property
    def audit(self) -> AuditLog:
        """The audit chain in the database."""
        return AuditLog(self.database)

    @property
    def published(self) -> list[Publication]:
        """All that the bus has confirmed to a sidecar, in order."""
        return self.recorder.published

    def routes(self) -> list[str]:
        """Return the route of each publication."""
        return [one.route for one in self.published]

    async def send(self, *bodies: bytes, source: str = "", at: datetime | None = None) -> None:
        """Publish messages of the estate, all at once; XML goes as a request or response, everything else as an alert."""
        batch = []
        for body in bodies:
            self.sent += 1
            exchange, route = _ROUTES[source or _source(body)]
            when = at or self.clock.now()
            batch.append(Publication(key=f"m{self.sent}", exchange=exchange, route=route, body=body, content_type="", at=when))
        await self.bus.publish(batch)

    async def told(self, running: Running, *bodies: bytes) -> Taken:
        """Send messages, let `running` take them, and return what became of them."""
        before = running.intake.totals
        await self.send(*bodies)
        await running.sidecar.settle()
        after_it = running.intake.totals
        return Taken(
            judged=after_it.judged - before.judged,
            passed_by=after_it.passed_by - before.passed_by,
            duplicates=after_it.duplicates - before.duplicates,
            dead=after_it.dead - before.dead,
        )

    async def attempt_state(self) -> AttemptState:
        """Return the state of the one attempt there is."""
        (attempt,) = await self.records.attempts()
        return attempt.state

    @asynccontextmanager
    async def sidecar(
        self,
        *,
        settings: Settings = LIVE,
        clock: Clock | None = None,
        around: Callable[[Parts], Parts] = lambda parts: parts,
        limit: int = 200,
        wait: timedelta = timedelta(0),
        tries_at_once: int = 1,
        observer: Observer = SILENT,
        headers: Headers = no_headers,
        describing: Describing | None = None,
    ) -> AsyncIterator[Running]:
        """Start a sidecar; leaving closes its consumer, so that what it has not settled is delivered again."""
        clock = clock or self.clock
        async with self.bus.source(INTAKE) as source:
            parts = around(
                Parts(
                    store=SqlStore(self.database, clock),
                    outbox=SqlOutbox(self.database),
                    source=source,
                    publisher=self.recorder,
                    inventory=self.inventory,
                )
            )
            watch = Watch(await parts.store.watched())
            step = Step(
                store=parts.store,
                clock=clock,
                policy=settings.policy(),
                reading=reading(settings),
                watch=watch,
                live=settings.mode == "live",
                observer=observer,
                describing=describing,
            )
            intake = Intake(
                source=parts.source, step=step, clock=clock, limit=limit, wait=wait, tries_at_once=tries_at_once, observer=observer
            )
            relay = Relay(
                outbox=parts.outbox,
                publisher=parts.publisher,
                inventory=parts.inventory,
                clock=clock,
                exchanges={"commands": settings.bus.commands, "events": settings.bus.events},
                tries_at_once=tries_at_once,
                observer=observer,
                headers=headers,
            )
            sidecar = Sidecar(
                intakes=[intake], step=step, relay=relay, store=parts.store, outbox=parts.outbox, clock=clock, observer=observer
            )
            yield Running(sidecar=sidecar, intake=intake, step=step, relay=relay, watch=watch, source=source)

    async def pass_time(self, running: Running, *, by: timedelta | None = None, to: datetime | None = None) -> None:
        """Let time pass, `by` a duration or `to` a moment; everything that falls due on the way happens at its own moment."""
        end = to or self.clock.now() + (by or timedelta(0))
        done = await running.sidecar.settle()
        while (due := await running.sidecar.next_due()) is not None and due <= end:
            # What is due and was not done waits for another, which was postponed or is leased.
            self.clock.jump(min(end, max(due, self.clock.now() + (timedelta(0) if done else SHORT_WAIT))))
            done = await running.sidecar.settle()
            if not done and self.clock.now() == end:
                return
        self.clock.jump(end)
        await running.sidecar.settle()

    async def contents(self, *, without: Mapping[str, Sequence[str]] | None = None) -> Mapping[str, list[dict[str, Any]]]:
        """Return every row of every table, without the columns that `without` names by table. Any: rows hold anything."""
        return await _in(self.database, lambda connection: _dump(connection, without or {}))

    async def empty(self) -> None:
        """Empty the database and the inventory, and set the clock and the bus back to its beginning."""
        await _in(self.database, _wipe)
        self.clock, self.bus = _outside(START)
        self.inventory, self.recorder, self.sent = WatchedInventory(), Recorder(self.bus), 0


@asynccontextmanager
async def a_site(url: str = "sqlite://", *, held: Mapping[JoinPair, bool] | None = None) -> AsyncIterator[Site]:
    """Make a site with an empty database at `url`."""
    async with open_database(url, synchronous="OFF") as database:
        yield await site_on(database, held=held)


async def site_on(database: Database, *, held: Mapping[JoinPair, bool] | None = None) -> Site:
    """Make a site with `database`, which gets its tables."""
    clock, bus = _outside(START)
    await make_tables(database)
    return Site(clock=clock, bus=bus, inventory=WatchedInventory(held), database=database)


def _outside(start: datetime) -> tuple[ManualClock, MemoryBus]:
    clock = ManualClock(start)
    bus = MemoryBus(clock, dead_letter_queue=LIVE.bus.dead)
    bus.bind(INTAKE, *estate_bindings())
    # Somebody takes the commands; nobody needs to listen to the events.
    bus.bind("estate", Binding(exchange=LIVE.bus.commands, pattern="#"))
    bus.declare(LIVE.bus.events)
    return clock, bus


_ROUTES = {
    "sr.request": ("dsp.sr", "request.test"),
    "sr.response": ("dsp.sr", "response.test"),
    "csp.alert": ("csp.alerts", "north.test"),
}


def _source(body: bytes) -> str:
    if not body.startswith(b"<"):
        return "csp.alert"
    return "sr.request" if b"<sr:Request " in body else "sr.response"


def _dump(connection: Connection, without: Mapping[str, Sequence[str]]) -> Mapping[str, list[dict[str, Any]]]:
    # Any: rows hold anything.
    found: dict[str, list[dict[str, Any]]] = {}
    for table in metadata.sorted_tables:
        columns = [column for column in table.c if column.name not in without.get(table.name, ())]
        order = [column for column in table.c if column.primary_key]
        found[table.name] = [dict(row._mapping) for row in connection.execute(select(*columns).order_by(*order))]
    return found


def _wipe(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if table is not audit_head:
            connection.execute(table.delete())
    connection.execute(audit_head.update().values(sequence=0, digest=GENESIS))


async def _in(database: Database, work: Callable[[Connection], T]) -> T:
    async with database.writing() as transaction:
        return await transaction.run(work)
