"""Operations: metrics, health and the API of a deployed sidecar, on whatever of it is there already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NoReturn

from joinbridge.bus.amqp.connecting import AmqpBus
from joinbridge.bus.amqp.health import AmqpHealth
from joinbridge.bus.mqtt.source import MqttSource
from joinbridge.config import Settings
from joinbridge.errors import ConfigError, StoreError
from joinbridge.observing import Observer
from joinbridge.ops.health import Readiness, SweepWatch
from joinbridge.ops.http.app import application
from joinbridge.ops.http.serving import Served, serving
from joinbridge.ops.logs import Logging
from joinbridge.ops.metrics import Metrics
from joinbridge.ops.metrics.measuring import Measuring
from joinbridge.ops.metrics.transport import Durations, Transport, TransportCollector
from joinbridge.ops.observers import Harmless
from joinbridge.service.relay import Headers, no_headers
from joinbridge.store.census import prove_writable
from joinbridge.store.database import Database
from joinbridge.store.records import Records
from joinbridge.store.schema import current_revision, head_revision
from joinbridge.wiring.clocks import clock_of


class Operations:
    """What an operations desk sees of one instance. It is there before everything else, and says what is missing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = clock_of(settings)
        self._database: Database | None = None
        self._amqp: AmqpBus | None = None
        self._mqtt: MqttSource | None = None
        self._sweeps = SweepWatch(settings.http.sweep_limit)
        self.readiness = Readiness()
        self.readiness.add("instance", _starting)
        self.metrics = Metrics(settings, self._clock)
        self.metrics.instruments.registry.register(TransportCollector(self._transport))
        errors = self.metrics.instruments.observer_errors
        self._observers: list[Observer] = [self.metrics.observer, self._sweeps, Logging()]
        self.observer: Observer = Harmless(self._observers, on_error=errors.inc)
        self.headers: Headers = no_headers

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Served | None]:
        """Open the port, if there is to be one, and begin to trace, if that is wanted; return where the port is.

        Raises: ConfigError when its address cannot be listened on, or the exporter of traces is not installed.
        """
        with self._tracing():
            if not self._settings.http.enabled:
                yield None
                return
            app = application(readiness=self.readiness, metrics=self.metrics, records=self._records, policy=self._settings.policy())
            async with serving(app, host=self._settings.http.host, port=self._settings.http.port) as served:
                yield served

    @contextmanager
    def _tracing(self) -> Iterator[None]:
        exporter = self._settings.tracing.exporter
        if exporter is None:
            yield
            return
        try:
            from joinbridge.ops.tracing import exporting, headers_of  # noqa: PLC0415 - what it wants is an extra, and need not be installed
        except ImportError as error:
            raise ConfigError(f"tracing.exporter is set and {error.name} is not installed: install joinbridge[tracing]") from error
        with exporting(exporter) as made:
            self._observers.append(made)
            self.headers = headers_of
            yield

    @contextmanager
    def watching_database(self, database: Database) -> Iterator[None]:
        """Look at `database` while this is open."""

        async def writable() -> None:
            await prove_writable(database)

        wanted = head_revision()  # read from disk once, not for everybody who asks

        async def current() -> str | None:
            found = await current_revision(database)
            return None if found == wanted else f"the database has schema {found}, this version needs {wanted}"

        self._database = database
        self.readiness.add("database", writable)
        self.readiness.add("schema", current)
        try:
            yield
        finally:
            self.readiness.close("ending")
            self._database = None

    def watch_amqp(self, bus: AmqpBus) -> None:
        """Look at RabbitMQ."""

        async def connected() -> str | None:
            health = bus.measure()
            standing = {"publishing": health.publishing_connected, "consuming": health.consuming_connected}
            lost = [name for name, stands in standing.items() if not stands]
            return f"not connected for {' and '.join(lost)}: {health.last_failure or 'connecting'}" if lost else None

        async def consuming() -> str | None:
            registered, expected = bus.measure().consumers, len(bus.queues)
            return f"{registered} of {expected} consumers are registered" if registered < expected else None

        self._amqp = bus
        self.readiness.add("amqp", connected)
        self.readiness.add("consumers", consuming)

    def watch_mqtt(self, alerts: MqttSource) -> None:
        """Look at the broker of alerts."""

        async def subscribed() -> str | None:
            return None if alerts.health.connected else f"not subscribed: {alerts.health.last_error or 'connecting'}"

        self._mqtt = alerts
        self.readiness.add("mqtt", subscribed)

    async def run(self, stop: asyncio.Event) -> NoReturn:
        """Measure for as long as this runs; the instance is ready only while it does, and `stop` is not set.

        Raises: StoreError when there is no database to look at yet.
        """
        if self._database is None:
            raise StoreError("there is no database to look at yet")

        async def going() -> str | None:
            return "ending" if stop.is_set() else None

        self.readiness.add("deadlines", self._sweeps.probe)
        self.readiness.add("instance", going)
        measuring = Measuring(
            self.metrics.instruments,
            database=self._database,
            clock=self._clock,
            period=self._settings.metrics.census,
            observer=self.observer,
        )
        await measuring.run()

    def _records(self) -> Records:
        if self._database is None:
            raise StoreError("the database is not open yet, or not any more")
        return Records(self._database)

    def _transport(self) -> Transport:
        gauges: dict[str, dict[str, float]] = {}
        counters: dict[str, dict[str, float]] = {}
        histograms: dict[str, Durations] = {}
        if self._amqp is not None:
            health = self._amqp.measure()
            gauges, counters = _amqp_gauges(health, len(self._amqp.queues)), _amqp_counters(health)
            confirmed = health.confirm_delays
            histograms["publish_confirm_seconds"] = Durations(cumulative=confirmed.cumulative(), total_s=confirmed.total_s)
        if self._mqtt is not None:
            mqtt = self._mqtt.health
            told: dict[str, float] = {"consumers": mqtt.connected, "consumers_expected": 1, "unsettled_messages": self._mqtt.unsettled}
            gauges.setdefault("connection_up", {})["mqtt"] = mqtt.connected
            for name, number in told.items():
                gauges.setdefault(name, {})["mqtt"] = number
            lost = {"connection_losses": mqtt.losses, "redeliveries": mqtt.redelivered, "sessions_lost": mqtt.sessions_lost}
            for name, number in {**lost, "acknowledgements_failed": mqtt.late_settlements}.items():
                counters.setdefault(name, {})["mqtt"] = number
        return Transport(gauges=gauges, counters=counters, histograms=histograms)


async def _starting() -> str | None:
    return "starting"


def _amqp_gauges(health: AmqpHealth, expected: int) -> dict[str, dict[str, float]]:
    return {
        "connection_up": {"amqp_publishing": health.publishing_connected, "amqp_consuming": health.consuming_connected},
        "consumers": {"amqp": health.consumers},
        "consumers_expected": {"amqp": expected},
        "unsettled_messages": {"amqp": health.unsettled},
        "oldest_unsettled_seconds": {"amqp": health.oldest_unsettled_s},
        "oldest_publish_seconds": {"amqp": health.oldest_publish_s},
    }


def _amqp_counters(health: AmqpHealth) -> dict[str, dict[str, float]]:
    return {
        "connection_losses": {"amqp": health.lost_connections + health.dropped_connections},
        "consumer_losses": {"amqp": health.failed_consumptions + health.cancelled_by_broker + health.revived},
        "deliveries": {"amqp": health.received},
        "redeliveries": {"amqp": health.redelivered},
        "acknowledgements_failed": {"amqp": health.failed_acks + health.late_settlements},
        "publications": {
            "confirmed": health.confirmed,
            "unroutable": health.unroutable,
            "refused": health.refused,
            "unknown": health.unknown,
        },
    }
