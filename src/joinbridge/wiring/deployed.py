"""The sidecar as it is deployed: RabbitMQ, MQTT where it is configured, a database, the inventory of record, the machine's clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn

from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from joinbridge.bus.amqp.connecting import AmqpBus, connect
from joinbridge.bus.mqtt.source import MqttSource
from joinbridge.bus.mqtt.topics import alert_topics
from joinbridge.config import Settings
from joinbridge.errors import ConfigError, StoreError, TransportError, TransportLostError
from joinbridge.inventory.memory import MemoryInventory
from joinbridge.observing import SILENT
from joinbridge.ports import Clock, Devices, Inventory, Source
from joinbridge.service.relay import no_headers
from joinbridge.service.runtime import Sidecar
from joinbridge.store.database import Database
from joinbridge.store.opening import open_database
from joinbridge.store.schema import require_current, upgrade
from joinbridge.wiring.assembly import assemble
from joinbridge.wiring.clocks import clock_of
from joinbridge.wiring.inventories import open_configured_devices, open_configured_inventory
from joinbridge.wiring.operations import Operations

MQTT_BATCHES_AHEAD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A sidecar that is connected to everything: `run` keeps it going."""

    sidecar: Sidecar
    bus: AmqpBus
    operations: Operations | None = None

    async def run(self, stop: asyncio.Event, *, on_error: Callable[[str, Exception], None]) -> None:
        """Keep going until `stop` is set, then drain.

        Raises: TransportLostError when this process cannot get the bus back; whoever supervises it starts it anew.
        """
        running = asyncio.create_task(self.sidecar.run(stop, on_error=on_error), name="sidecar")
        beside: list[asyncio.Task[NoReturn]] = [asyncio.create_task(self.bus.watch(), name="watchdog")]
        if self.operations is not None:
            beside.append(asyncio.create_task(self.operations.run(stop), name="operations"))
        try:
            done, _ = await asyncio.wait((running, *beside), return_when=asyncio.FIRST_COMPLETED)
            await (running if running.done() else done.pop())
        except ExceptionGroup as errors:
            lost = errors.subgroup(TransportError)
            if lost is None:
                raise
            raise TransportLostError(str(lost.exceptions[0])) from errors
        except TransportError as error:
            raise TransportLostError(str(error)) from error
        finally:
            for task in (running, *beside):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((running, *beside))


@asynccontextmanager
async def deployed(settings: Settings, *, migrate: bool = False, operations: Operations | None = None) -> AsyncIterator[Deployed]:
    """Connect to everything that `settings` name; consumers are registered last, when all else is there. `operations` watches it.

    Raises: ConfigError when a setting names something that is not there, or the database has not the schema of this version;
    StoreError, TransportError when a service could not be reached in time.
    """
    if settings.mode == "live" and settings.inventory.url is None:
        raise ConfigError('mode = "live" wants inventory.url, the inventory to correct; "shadow" decides and records only')
    clock = clock_of(settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_patiently(settings, migrate=migrate))
        if operations is not None:
            stack.enter_context(operations.watching_database(database))
        inventory: Inventory = MemoryInventory()
        if settings.inventory.url is not None:
            inventory = await stack.enter_async_context(open_configured_inventory(settings.inventory))
        describing = open_configured_devices(settings.inventory)
        devices: Devices | None = None if describing is None else await stack.enter_async_context(describing)
        bus = await stack.enter_async_context(connect(settings, clock=clock))
        sources: list[Source] = [await stack.enter_async_context(bus.source(queue)) for queue in bus.queues]
        if operations is not None:
            operations.watch_amqp(bus)
        if settings.mqtt.url is not None:
            alerts = await stack.enter_async_context(_mqtt(settings, bus, clock))
            # RabbitMQ's part can go on without it; nothing is acted on until it is there and read to the end.
            with contextlib.suppress(TransportError, TimeoutError):
                async with asyncio.timeout(settings.mqtt.connect_timeout.total_seconds()):
                    await alerts.connected()
            sources.append(alerts)
            if operations is not None:
                operations.watch_mqtt(alerts)
        sidecar = await assemble(
            settings,
            database=database,
            sources=sources,
            publisher=bus.publisher,
            inventory=inventory,
            clock=clock,
            live=settings.mode == "live",
            wait=settings.batch.wait,
            observer=SILENT if operations is None else operations.observer,
            headers=no_headers if operations is None else operations.headers,
            devices=devices,
        )
        yield Deployed(sidecar=sidecar, bus=bus, operations=operations)


def _mqtt(settings: Settings, bus: AmqpBus, clock: Clock) -> MqttSource:
    return MqttSource(
        settings.mqtt,
        patterns=[alert_topics(settings.mqtt.topic)],
        window=MQTT_BATCHES_AHEAD * settings.batch.limit,
        clock=clock,
        letters=bus.publisher,
        dead=settings.bus.dead,
    )


@asynccontextmanager
async def open_patiently(settings: Settings, *, migrate: bool) -> AsyncIterator[Database]:
    """Open the database, as soon as it is there, and make sure of its schema.

    Raises: ConfigError when it has not the schema of this version, and `migrate` is not set; StoreError when it was not there in time.
    """
    patience = AsyncRetrying(
        stop=stop_before_delay(settings.database.connect_deadline.total_seconds()),
        wait=wait_random_exponential(multiplier=0.5, max=5),
        retry=retry_if_exception_type(StoreError),
        reraise=True,
    )
    async with open_database(settings.database.url.get_secret_value()) as database:
        async for attempt in patience:
            with attempt:
                await (upgrade if migrate else require_current)(database)
        yield database
