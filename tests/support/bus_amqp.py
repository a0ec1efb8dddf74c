"""RabbitMQ for tests: messages that are followed through it, and the harness of the conformance suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta

from joinbridge.bus.amqp.connecting import AmqpBus, connect
from joinbridge.bus.amqp.outcome import closing, transport_errors
from joinbridge.bus.amqp.source import AmqpSource
from joinbridge.bus.letters import from_delivery
from joinbridge.config import Settings
from joinbridge.errors import TransportError
from joinbridge.ports import DeadLetter, Delivery, Publisher, Source
from joinbridge.service.clock import SystemClock
from support.bus import Features, alert
from support.eventually import eventually
from support.proxy import Proxy
from support.services import VirtualHost

LONG = timedelta(seconds=60)  # real time, on a machine that does other things as well

QUICK = {"publish_timeout": 2, "connect_timeout": 2, "connect_deadline": 30, "declare_estate": True}


def settings_for(virtual_host: VirtualHost, **amqp: object) -> Settings:
    """Return settings that lead to `virtual_host`, with short waits; `amqp` are settings of that section."""
    return Settings.model_validate({"amqp": {**QUICK, "url": virtual_host.url, **amqp}})


def opened(virtual_host: VirtualHost, **amqp: object) -> AbstractAsyncContextManager[AmqpBus]:
    """Connect to `virtual_host`."""
    return connect(settings_for(virtual_host, **amqp), clock=SystemClock())


async def close_connections(virtual_host: VirtualHost) -> None:
    """Close every connection from the broker's side, once the broker lists them, which takes it some seconds."""
    while not await asyncio.to_thread(virtual_host.close_connections):  # noqa: ASYNC110 - the broker tells nobody
        await asyncio.sleep(0.1)


async def waiting(bus: AmqpBus, queue: str) -> int:
    """Return how many messages of `queue` wait to be handed over.

    Asked again when the connection is lost: a test may have had the broker close them all a moment ago, and the last is closed only now.
    """
    async with asyncio.timeout(LONG.total_seconds()):
        while True:
            with suppress(TransportError), transport_errors(f"counting {queue}"):
                async with closing(await bus._publishing.channel(confirms=False)) as channel:
                    return (await channel.queue_declare(queue, passive=True)).message_count or 0
            await asyncio.sleep(0.05)


class Traffic:
    """Messages that are published until they are confirmed, and consumed, committed to a set, and acknowledged.

    Whatever happens meanwhile: what was confirmed was settled, once all is quiet.
    """

    def __init__(self, bus: AmqpBus) -> None:
        self._bus = bus
        self.confirmed: set[str] = set()
        self.settled: set[str] = set()
        self.refusals: list[TransportError] = []

    async def publish(self, name: str, count: int, *, at_once: int = 20) -> None:
        """Publish `count` messages, again and again until all are confirmed."""
        names = [f"{name}-{number}" for number in range(count)]
        for start in range(0, count, at_once):
            batch = names[start : start + at_once]
            while True:
                try:
                    await self._bus.publisher.publish([alert(body) for body in batch])
                except TransportError as error:
                    self.refusals.append(error)
                    await asyncio.sleep(0.05)
                else:
                    break
            self.confirmed.update(batch)

    async def consume(self, source: Source) -> None:
        """Receive, commit and acknowledge for ever."""
        while True:
            deliveries = await source.receive(50, timedelta(milliseconds=50))
            self.settled.update(delivery.body.decode() for delivery in deliveries)
            await source.ack(deliveries)

    @asynccontextmanager
    async def consuming(self, queue: str = "joinbridge.in") -> AsyncIterator[AmqpSource]:
        """Consume `queue` meanwhile, and at the end wait until all is settled that was confirmed."""
        async with self._bus.source(queue) as source:
            task = asyncio.create_task(self.consume(source))
            try:
                yield source
                await eventually(lambda: self.confirmed <= self.settled or task.done(), within=LONG)
            finally:
                task.cancel()
                await asyncio.wait([task])
            assert task.cancelled(), task.exception()


class AmqpHarness:
    """A virtual host of its own, reached through a proxy so that it can be cut off."""

    features = Features()

    def __init__(self, bus: AmqpBus, proxy: Proxy, clock: SystemClock) -> None:
        self._bus = bus
        self._proxy = proxy
        self._clock = clock
        self.publisher: Publisher = bus.publisher

    @asynccontextmanager
    async def consume(self, *, prefetch: int = 100) -> AsyncIterator[Source]:
        [queue] = self._bus.queues
        async with self._bus.source(queue, prefetch=prefetch, first_prefetch=prefetch) as source:
            yield source

    async def lose(self, source: Source) -> None:
        assert isinstance(source, AmqpSource)
        lives = self._bus.health.consumptions
        if source._consumer.current is not None:
            # The broker answers in order, so it has read every acknowledgement by then.
            await source._consumer.current.channel.basic_qos(prefetch_count=1)
        self._proxy.cut()
        await eventually(lambda: self._bus.health.consumptions > lives and source.consuming, within=LONG)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        self._proxy.refusing = True
        self._proxy.cut()
        links = (self._bus._publishing, self._bus._consuming)
        try:
            yield
            # An outage that nobody has noticed is none: whoever came next would meet the end of the old connections.
            await eventually(lambda: not any(link._connection.connected.is_set() for link in links), within=LONG)
        finally:
            self._proxy.refusing = False

    async def dead_letters(self) -> Sequence[DeadLetter]:
        return [from_delivery(delivery) for delivery in await self.taken("joinbridge.dead")]

    async def taken(self, queue: str) -> Sequence[Delivery]:
        """Return what is in `queue`, and leave it there."""
        taken: list[Delivery] = []
        async with self._bus.source(queue) as source:
            while more := await source.receive(100, timedelta(milliseconds=1_500 if not taken else 300)):
                taken += more
        return taken

    def now(self) -> datetime:
        return self._clock.now()

    async def pass_time(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())


@asynccontextmanager
async def rabbitmq(virtual_host: VirtualHost) -> AsyncIterator[AmqpHarness]:
    """Make a RabbitMQ for the conformance suite."""
    clock = SystemClock()
    async with Proxy(virtual_host.url) as proxy, connect(settings_for(virtual_host, url=proxy.url), clock=clock) as bus:
        yield AmqpHarness(bus, proxy, clock)
