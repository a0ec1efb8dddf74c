"""A whole sidecar in one process: in-memory bus, SQLite, and a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from joinbridge.bus.memory import MemoryBus
from joinbridge.bus.topics import Binding, estate_bindings
from joinbridge.config import Settings
from joinbridge.observing import SILENT, Observer
from joinbridge.ports import Clock, Inventory
from joinbridge.service.runtime import Sidecar
from joinbridge.store.opening import open_database
from joinbridge.store.records import Records
from joinbridge.store.schema import upgrade
from joinbridge.wiring.assembly import assemble

INTAKE_QUEUE = "joinbridge.in"
"""The embedded bus's one queue for all that joinbridge listens to, so that messages keep their order."""

OUTPUT_QUEUE = "estate"
"""The embedded bus's queue of what joinbridge publishes, for whoever plays the estate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A whole sidecar in this process: in-memory bus, SQLite, someone's inventory, someone's clock."""

    sidecar: Sidecar
    bus: MemoryBus
    records: Records


@asynccontextmanager
async def embedded(
    settings: Settings, *, clock: Clock, inventory: Inventory, database_url: str, live: bool, observer: Observer = SILENT
) -> AsyncIterator[Embedded]:
    """Put a sidecar together on the in-memory bus, on the database at `database_url`, whose schema is brought up to date.

    Raises: ConfigError when a setting names something that is not there; StoreError when the database cannot be opened.
    """
    bus = MemoryBus(clock, dead_letter_queue=settings.bus.dead)
    bus.bind(INTAKE_QUEUE, *estate_bindings(settings.bus.service_requests, settings.bus.alerts))
    output = [Binding(exchange=exchange, pattern="#") for exchange in (settings.bus.commands, settings.bus.events)]
    bus.bind(OUTPUT_QUEUE, *output)
    # Power cannot fail between two lines of a demo or a replay: NORMAL spares the disk without risking consistency.
    async with open_database(database_url, synchronous="NORMAL", direct=True) as database, bus.source(INTAKE_QUEUE) as source:
        await upgrade(database)
        # The clock is turned by hand: waiting a moment, for messages or for the database, would wait for ever.
        sidecar = await assemble(
            settings,
            database=database,
            sources=[source],
            publisher=bus,
            inventory=inventory,
            clock=clock,
            live=live,
            wait=timedelta(0),
            tries_at_once=1,
            observer=observer,
        )
        yield Embedded(sidecar=sidecar, bus=bus, records=Records(database))
