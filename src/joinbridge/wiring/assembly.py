"""Putting a sidecar together from parts that are open already: the same for the embedded one and the deployed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from joinbridge.config import Settings
from joinbridge.observing import SILENT, Observer
from joinbridge.ports import Clock, Devices, Housekeeping, Inventory, Outbox, Publisher, Source, Store
from joinbridge.service.describing import AWAY, Describing
from joinbridge.service.intake import CURRENT_WITHIN, TRIES_AT_ONCE, Intake
from joinbridge.service.relay import Headers, Relay, lease_for, no_headers
from joinbridge.service.runtime import Sidecar
from joinbridge.service.step import Step
from joinbridge.service.upkeep import Upkeep
from joinbridge.service.watch import Watch
from joinbridge.store.database import Database
from joinbridge.store.outbox import SqlOutbox
from joinbridge.store.retention import SqlHousekeeping
from joinbridge.store.store import SqlStore
from joinbridge.wiring.signers import reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a sidecar is put together from: the ports, whatever is behind each. `devices` is asked about the devices of requests."""

    store: Store
    outbox: Outbox
    housekeeping: Housekeeping
    sources: Sequence[Source]
    publisher: Publisher
    inventory: Inventory
    devices: Devices | None = None


async def assemble(
    settings: Settings,
    *,
    database: Database,
    sources: Sequence[Source],
    publisher: Publisher,
    inventory: Inventory,
    clock: Clock,
    live: bool,
    wait: timedelta,
    tries_at_once: int = TRIES_AT_ONCE,
    observer: Observer = SILENT,
    headers: Headers = no_headers,
    devices: Devices | None = None,
) -> Sidecar:
    """Return a sidecar on `database` and what is around it. The rest is as for `put_together`."""
    parts = Parts(
        store=SqlStore(database, clock),
        outbox=SqlOutbox(database),
        housekeeping=SqlHousekeeping(database),
        sources=sources,
        publisher=publisher,
        inventory=inventory,
        devices=devices,
    )
    return await put_together(
        settings, parts, clock=clock, live=live, wait=wait, tries_at_once=tries_at_once, observer=observer, headers=headers
    )


async def put_together(
    settings: Settings,
    parts: Parts,
    *,
    clock: Clock,
    live: bool,
    wait: timedelta,
    tries_at_once: int = TRIES_AT_ONCE,
    observer: Observer = SILENT,
    headers: Headers = no_headers,
) -> Sidecar:
    """Return a sidecar of `parts`.

    `wait` is the longest wait for a batch to fill; `tries_at_once` how often a failed operation is tried before the turn fails.

    Raises: ConfigError when a setting names something that is not there; StoreError when the database cannot be reached.
    """
    # Durations of our own operations are true ones: a clock that runs faster must not make them shorter.
    speed = settings.rehearsal.speed
    step = Step(
        store=parts.store,
        clock=clock,
        policy=settings.policy(),
        reading=reading(settings),
        watch=Watch(await parts.store.watched()),
        live=live,
        observer=observer,
        describing=None if parts.devices is None else Describing(parts.devices, clock=clock, observer=observer, away=AWAY * speed),
    )
    await step.refresh_rules()
    relay = Relay(
        outbox=parts.outbox,
        publisher=parts.publisher,
        inventory=parts.inventory,
        clock=clock,
        exchanges={"commands": settings.bus.commands, "events": settings.bus.events},
        tries_at_once=tries_at_once,
        lease=lease_for(settings.inventory.patience) * speed,
        patience=settings.inventory.patience * speed,
        observer=observer,
        headers=headers,
    )
    intakes = [
        Intake(
            source=source,
            step=step,
            clock=clock,
            limit=settings.batch.limit,
            wait=wait,
            tries_at_once=tries_at_once,
            current_within=CURRENT_WITHIN * speed,
            observer=observer,
        )
        for source in parts.sources
    ]
    upkeep = Upkeep(housekeeping=parts.housekeeping, retention=settings.retention, clock=clock)
    return Sidecar(
        intakes=intakes,
        step=step,
        relay=relay,
        store=parts.store,
        outbox=parts.outbox,
        clock=clock,
        upkeep=upkeep,
        observer=observer,
    )
