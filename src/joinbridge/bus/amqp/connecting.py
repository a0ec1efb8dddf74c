"""The way in: two connections to RabbitMQ, the topology, a publisher, sources, and a watchdog over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NoReturn

from joinbridge.bus.amqp.declaring import check, declare
from joinbridge.bus.amqp.health import AmqpHealth
from joinbridge.bus.amqp.link import Link, open_link
from joinbridge.bus.amqp.publisher import AmqpPublisher
from joinbridge.bus.amqp.source import FIRST_PREFETCH, AmqpSource, Consuming
from joinbridge.bus.amqp.topology import Topology
from joinbridge.bus.amqp.topology import topology as topology_of
from joinbridge.bus.amqp.watchdog import Watchdog
from joinbridge.config import Settings
from joinbridge.ports import Clock

LARGEST_PREFETCH = 2000  # what a quorum queue allows
BATCHES_AHEAD = 3  # one in work, one waiting, one on its way


class AmqpBus:
    """RabbitMQ as joinbridge sees it. It has two connections, since a broker that is short of memory stops reading from publishers."""

    def __init__(self, settings: Settings, *, publishing: Link, consuming: Link, clock: Clock, topology: Topology | None = None) -> None:
        self._settings = settings
        self._publishing = publishing
        self._consuming = consuming
        self._clock = clock
        self.health = AmqpHealth()
        self.topology = topology or topology_of(settings)
        self.publisher = AmqpPublisher(publishing, clock=clock, health=self.health, timeout=settings.amqp.publish_timeout)
        self._watchdog = Watchdog(publishing=publishing, consuming=consuming, publisher=self.publisher, health=self.health)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues of what joinbridge listens to: one, or one for each partition. Each wants a source."""
        return tuple(self.topology.intake)

    @asynccontextmanager
    async def source(
        self, queue: str, *, prefetch: int | None = None, first_prefetch: int = FIRST_PREFETCH, hold: timedelta | None = None
    ) -> AsyncIterator[AmqpSource]:
        """Consume `queue`: at most `first_prefetch` deliveries unsettled until something is settled, then three batches, or `prefetch`.

        Raises: TransportError when the queue is not there, or does not answer.
        """
        amqp, batch = self._settings.amqp, self._settings.batch
        consuming = Consuming(
            queue=queue,
            bindings=self.topology.bindings,
            dead=self._settings.bus.dead,
            prefetch=min(LARGEST_PREFETCH, BATCHES_AHEAD * batch.limit) if prefetch is None else prefetch,
            first_prefetch=first_prefetch,
            hold=amqp.hold if hold is None else hold,
        )
        source = AmqpSource(
            consuming,
            link=self._consuming,
            publisher=self.publisher,
            clock=self._clock,
            health=self.health,
            repair=self.declare if amqp.topology == "assert" else None,
        )
        async with source:
            with self._watchdog.watching(source):
                yield source

    async def declare(self) -> None:
        """Make the topology hold, or check it, as the settings say.

        Raises: ConfigError that names what is missing or different, with the fix; TransportError when the broker cannot be reached.
        """
        if self._settings.amqp.topology == "assert":
            await declare(self._publishing, self.topology, estate=self._settings.amqp.declare_estate)
        else:
            await check(self._publishing, self.topology)

    async def watch(self) -> NoReturn:
        """Look after connections and consumers for as long as this runs: revive what is stuck, and keep the gauges of `health`.

        Raises: TransportError when something cannot be revived; the process should end then, to be started again.
        """
        await self._watchdog.run()

    def measure(self) -> AmqpHealth:
        """Return `health` with its gauges as of now."""
        self._watchdog.measure()
        return self.health


@asynccontextmanager
async def connect(settings: Settings, *, clock: Clock) -> AsyncIterator[AmqpBus]:
    """Connect, make the topology hold, and close everything at the end.

    Raises: TransportError when the broker could not be reached until the deadline; ConfigError when it is not as the settings say.
    """
    async with open_link(settings.amqp, "publishing") as publishing, open_link(settings.amqp, "consuming") as consuming:
        bus = AmqpBus(settings, publishing=publishing, consuming=consuming, clock=clock)
        await bus.declare()
        try:
            yield bus
        finally:
            # Sources end before: whoever opened them closes them.
            await asyncio.shield(bus.publisher.close())
