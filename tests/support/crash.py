"""Crashes at will: every call that a sidecar makes of the world passes a point at which something may happen.

What lies between two calls is not written anywhere, so a point before each call is a point between any two writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from joinbridge.core.case import Case, DeadlinePassed
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.errors import InventoryError, StoreError, TransportError
from joinbridge.ports import Changes, Delivery, Inventory, Outbox, OwedEffect, Publication, Publisher, Source, Store, Unit
from support.sidecar import Parts

WRITES = {"begin", "save", "commit", "ack", "requeue", "reject", "lease", "settle", "postpone", "publish", "set joined"}
"""Calls that change something, or begin to; what happens before another call could as well happen before the next of these."""


class Killed(BaseException):
    """The process is gone: nothing in it gets to do anything more."""


Happening = Callable[[type[Exception]], Awaitable[None]]
"""What happens at a point; it is told what the call raises when the other side is away."""


async def kill(_: type[Exception]) -> None:
    """End the process."""
    raise Killed


async def cancel(_: type[Exception]) -> None:
    """Cancel the task; it notices at the first await within the call, which may be carried out all the same."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def be_away(error: type[Exception]) -> None:
    """Fail as one that cannot be reached does."""
    raise error("away")


class Points:
    """Counts the points that are passed; `happening` comes at the one with the number `at`, counted from 1."""

    def __init__(self, at: int | None = None, happening: Happening = kill) -> None:
        self._at = at
        self._happening = happening
        self.passed: list[str] = []

    async def reach(self, name: str, error: type[Exception] = StoreError) -> None:
        """Pass a point before the call `name`, which raises `error` when the other side is away."""
        self.passed.append(name)
        if len(self.passed) == self._at:
            await self._happening(error)

    def around(self, parts: Parts) -> Parts:
        """Return `parts` with a point before each of their calls."""
        return Parts(
            store=_Store(parts.store, self),
            outbox=_Outbox(parts.outbox, self),
            source=_Source(parts.source, self),
            publisher=_Publisher(parts.publisher, self),
            inventory=_Inventory(parts.inventory, self),
        )


class _Store:
    def __init__(self, store: Store, points: Points) -> None:
        self._store = store
        self._points = points

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        await self._points.reach("begin")
        async with self._store.transaction() as unit:
            yield _Unit(unit, self._points)
            await self._points.reach("commit")

    async def watched(self) -> AbstractSet[DeviceId]:
        return await self._store.watched()  # at the start, before anything can be lost

    async def next_deadline(self) -> datetime | None:
        await self._points.reach("next deadline")
        return await self._store.next_deadline()

    async def contradictions(self, since: datetime) -> Mapping[str, int]:
        await self._points.reach("contradictions")
        return await self._store.contradictions(since)


class _Unit:
    def __init__(self, unit: Unit, points: Points) -> None:
        self._unit = unit
        self._points = points

    async def fresh(self, keys: Mapping[MessageKey, datetime]) -> set[MessageKey]:
        await self._points.reach("fresh")
        return await self._unit.fresh(keys)

    async def load(self, devices: Collection[DeviceId]) -> Case:
        await self._points.reach("load")
        return await self._unit.load(devices)

    async def due(self, now: datetime, limit: int) -> Sequence[DeadlinePassed]:
        await self._points.reach("due")
        return await self._unit.due(now, limit)

    async def save(self, changes: Changes) -> None:
        await self._points.reach("save")
        await self._unit.save(changes)


class _Outbox:
    def __init__(self, outbox: Outbox, points: Points) -> None:
        self._outbox = outbox
        self._points = points

    async def lease(self, now: datetime, limit: int, lease: timedelta) -> Sequence[OwedEffect]:
        await self._points.reach("lease")
        return await self._outbox.lease(now, limit, lease)

    async def settle(self, keys: Sequence[str], now: datetime) -> None:
        await self._points.reach("settle")
        await self._outbox.settle(keys, now)

    async def next_due(self) -> datetime | None:
        await self._points.reach("next effect")
        return await self._outbox.next_due()

    async def postpone(self, key: str, until: datetime, error: str) -> None:
        await self._points.reach("postpone")
        await self._outbox.postpone(key, until, error)


class _Source:
    def __init__(self, source: Source, points: Points) -> None:
        self._source = source
        self._points = points

    @property
    def is_live(self) -> bool:
        """Pass on."""
        return self._source.is_live

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        await self._points.reach("receive", TransportError)
        return await self._source.receive(limit, wait)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        await self._points.reach("ack", TransportError)
        await self._source.ack(deliveries)

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        await self._points.reach("requeue", TransportError)
        await self._source.requeue(deliveries)

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        await self._points.reach("reject", TransportError)
        await self._source.reject(delivery, reason, offset)


class _Publisher:
    def __init__(self, publisher: Publisher, points: Points) -> None:
        self._publisher = publisher
        self._points = points

    async def publish(self, publications: Sequence[Publication]) -> None:
        await self._points.reach("publish", TransportError)
        await self._publisher.publish(publications)


class _Inventory:
    def __init__(self, inventory: Inventory, points: Points) -> None:
        self._inventory = inventory
        self._points = points

    async def joined(self, pairs: Sequence[JoinPair]) -> Mapping[JoinPair, bool]:
        await self._points.reach("joined", InventoryError)
        return await self._inventory.joined(pairs)

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        await self._points.reach("set joined", InventoryError)
        return await self._inventory.set_joined(pair, joined=joined, expected=expected)
