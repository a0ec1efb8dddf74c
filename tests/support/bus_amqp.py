"""RabbitMQ for tests: a way to it that can be cut, and the harness of the conformance suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import urlsplit

from joinbridge.bus.amqp.connecting import AmqpBus, connect
from joinbridge.bus.amqp.source import AmqpSource
from joinbridge.bus.letters import from_delivery
from joinbridge.config import Settings
from joinbridge.errors import TransportError
from joinbridge.ports import DeadLetter, Delivery, Publisher, Source
from joinbridge.service.clock import SystemClock
from support.bus import Features, alert
from support.eventually import eventually
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
    """Return how many messages of `queue` wait to be handed over."""
    channel = await bus._publishing.channel(confirms=False)
    try:
        return (await channel.queue_declare(queue, passive=True)).message_count or 0
    finally:
        await channel.close()


class Proxy:
    """A port that leads to the broker: connections through it can be cut, refused, or frozen."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = parts
        self._host, self._port = parts.hostname, parts.port
        self._links: dict[asyncio.Task[None], asyncio.Event] = {}
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.refusing = False
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The URL of the broker through this proxy."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        user = self._target.netloc.rpartition("@")[0]
        return self._target._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()

    async def cut(self) -> None:
        """Cut all connections."""
        links = dict(self._links)
        for cut in links.values():
            cut.set()
        await asyncio.gather(*links)

    def freeze(self) -> None:
        """Let nothing through, without a word."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let everything through again."""
        self._flowing.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = asyncio.Event()
        link = asyncio.create_task(self._link(reader, writer, cut))
        self._links[link] = cut
        link.add_done_callback(self._links.pop)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        """Pass everything on in both directions until a side closes, or it is cut. Never cancelled: half an opened socket would be left."""
        sides = [writer]
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(cut.wait())]  # Any: whatever they return
        with suppress(OSError):
            if not self.refusing:
                far_reader, far = await asyncio.open_connection(self._host, self._port)
                sides.append(far)
                tasks += [asyncio.create_task(self._pump(reader, far)), asyncio.create_task(self._pump(far_reader, writer))]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for side in sides:
            side.transport.abort()
            with suppress(OSError):
                await side.wait_closed()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while octets := await source.read(65536):
                await self._flowing.wait()
                sink.write(octets)
                await sink.drain()


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
        await self._proxy.cut()
        await eventually(lambda: self._bus.health.consumptions > lives and source.consuming, within=timedelta(seconds=20))

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        self._proxy.refusing = True
        await self._proxy.cut()
        try:
            yield
        finally:
            self._proxy.refusing = False

    async def dead_letters(self) -> Sequence[DeadLetter]:
        return [from_delivery(delivery) for delivery in await self.taken("joinbridge.dead")]

    async def taken(self, queue: str) -> Sequence[Delivery]:
        """Return what is in `queue`, and leave it there."""
        async with self._bus.source(queue) as source:
            return await source.receive(100, timedelta(milliseconds=300))

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
