"""What the conformance suite needs of a bus, and the harness for each kind of bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from joinbridge.bus.memory import MemoryBus, MemorySource
from joinbridge.bus.topics import estate_bindings
from joinbridge.ports import DeadLetter, Delivery, Publication, Publisher, Source
from joinbridge.service.clock import ManualClock

QUEUE = "joinbridge.intake"
EVENTS = "joinbridge.events"  # an exchange that nothing is bound to
START = datetime(2026, 3, 1, 12, tzinfo=UTC)

BRIEF = timedelta(milliseconds=200)
PATIENT = timedelta(seconds=60)  # real time, on a machine that does other things as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What a kind of bus can do; the suite leaves out what it cannot."""

    requeue: bool = True  # a delivery can be handed back without losing the consumer
    mandatory: bool = True  # a publication that is for nobody is reported
    attempts: bool = True  # deliveries are counted
    headers: bool = True  # messages carry headers, a key and a time
    sharing: bool = True  # several consumers can read one queue
    outage: bool = True  # the harness can cut the publisher off


class BusHarness(Protocol):
    """One bus with the estate's exchanges, a queue bound to all of them, and the exchange `EVENTS` that leads nowhere."""

    features: Features
    publisher: Publisher

    def consume(self, *, prefetch: int = 100) -> AbstractAsyncContextManager[Source]:
        """Open a consumer of the queue."""
        ...

    async def lose(self, source: Source) -> None:
        """Break the connection of `source`; it comes back by itself."""
        ...

    def outage(self) -> AbstractAsyncContextManager[None]:
        """Keep the broker from confirming anything for a while."""
        ...

    async def dead_letters(self) -> Sequence[DeadLetter]:
        """Return all dead letters."""
        ...

    def now(self) -> datetime:
        """Return the present moment of the bus."""
        ...

    async def pass_time(self, duration: timedelta) -> None:
        """Let `duration` pass on the clock of the sources."""
        ...


class MemoryHarness:
    """The bus in memory, on a clock that stands still."""

    features = Features()

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.bus = MemoryBus(self.clock)
        self.bus.bind(QUEUE, *estate_bindings())
        self.bus.declare(EVENTS)
        self.publisher: Publisher = self.bus

    def consume(self, *, prefetch: int = 100) -> AbstractAsyncContextManager[Source]:
        return self.bus.source(QUEUE, prefetch=prefetch)

    async def lose(self, source: Source) -> None:
        assert isinstance(source, MemorySource)
        source.lose()

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        with self.bus.outage():
            yield

    async def dead_letters(self) -> Sequence[DeadLetter]:
        return self.bus.dead_letters()

    def now(self) -> datetime:
        return self.clock.now()

    async def pass_time(self, duration: timedelta) -> None:
        await self.clock.advance(by=duration)


@asynccontextmanager
async def memory() -> AsyncIterator[BusHarness]:
    """Make a bus in memory."""
    yield MemoryHarness()


def alert(body: bytes | str, route: str = "north.8F12", **fields: object) -> Publication:
    """Return a publication of the estate; its body is also its key."""
    octets = body.encode() if isinstance(body, str) else body
    whole: dict[str, object] = {"key": f"k-{octets.hex()}", "exchange": "csp.alerts", "content_type": "application/octet-stream"}
    return Publication(**{**whole, "route": route, "body": octets, **fields})  # type: ignore[arg-type]  # fields of any type


async def collect(source: Source, count: int) -> list[Delivery]:
    """Return the next `count` deliveries, however they are cut into batches."""
    collected: list[Delivery] = []
    async with asyncio.timeout(PATIENT.total_seconds()):
        while len(collected) < count:
            collected += await source.receive(count - len(collected), PATIENT)
    return collected


async def what_comes(bus: BusHarness, source: Source) -> list[Delivery]:
    """Return what comes within a while."""
    receiving = asyncio.create_task(source.receive(100, BRIEF))
    await bus.pass_time(BRIEF)
    return list(await receiving)


async def nothing_more(bus: BusHarness, source: Source) -> bool:
    """Return whether nothing comes for a while."""
    return not await what_comes(bus, source)


def bodies(deliveries: Sequence[Delivery]) -> list[str]:
    """Return the bodies as text."""
    return [delivery.body.decode() for delivery in deliveries]
