"""Points: every call that a sidecar makes of the world passes one before it and one after it, at which something may happen.

What lies between two calls is written nowhere, so these are all the moments at which a crash can make a difference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from joinbridge.core.case import Case, DeadlinePassed
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.errors import InventoryError, StoreError, TransportError
from joinbridge.ports import Changes, Delivery, FailedTry, Inventory, Outbox, OwedEffect, Publication, Publisher, Source, Store, Unit
from joinbridge.wiring.assembly import Parts

T = TypeVar("T")

WRITES = frozenset({"begin", "save", "commit", "ack", "requeue", "reject", "lease", "settle", "postpone", "publish", "set joined"})
"""Calls that change something, or begin to; what happens before another call could as well happen before the next of these."""

DIVISIBLE = frozenset({"publish", "ack"})
"""Calls of which half may be carried out."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the world: `error` is what it raises when the other side is away, `about` what it is about, for people."""

    name: str
    error: type[Exception] = StoreError
    about: Iterable[str] = ()


class Gate(Protocol):
    """Whoever stands at the points. What it raises, the caller gets to feel: an error of the other side, or the end of its process."""

    async def before(self, call: Call) -> bool:
        """Let `call` be made; return False to have only half of it carried out, where it is divisible."""
        ...

    async def after(self, call: Call) -> None:
        """Let the caller hear that `call` was carried out."""
        ...


def gated(parts: Parts, gate: Gate) -> Parts:
    """Return `parts` with a point before and after each of their calls. Housekeeping has none: it deletes what nobody needs."""
    return replace(
        parts,
        store=_Store(parts.store, gate),
        outbox=_Outbox(parts.outbox, gate),
        sources=[_Source(source, gate) for source in parts.sources],
        publisher=_Publisher(parts.publisher, gate),
        inventory=_Inventory(parts.inventory, gate),
    )


async def _through(gate: Gate, call: Call, make: Callable[[], Awaitable[T]]) -> T:
    """Make `call` between its two points, and return what comes of it."""
    await gate.before(call)
    made = await make()
    await gate.after(call)
    return made


class _Store:
    def __init__(self, store: Store, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        await self._gate.before(Call("begin"))
        async with self._store.transaction() as unit:
            await self._gate.after(Call("begin"))
            yield _Unit(unit, self._gate)
            await self._gate.before(Call("commit"))
        await self._gate.after(Call("commit"))

    async def watched(self) -> AbstractSet[DeviceId]:
        return await _through(self._gate, Call("watched"), self._store.watched)

    async def next_deadline(self) -> datetime | None:
        return await _through(self._gate, Call("next deadline"), self._store.next_deadline)

    async def contradictions(self, since: datetime) -> Mapping[str, int]:
        return await _through(self._gate, Call("contradictions"), lambda: self._store.contradictions(since))


class _Unit:
    def __init__(self, unit: Unit, gate: Gate) -> None:
        self._unit = unit
        self._gate = gate

    async def fresh(self, keys: Mapping[MessageKey, datetime]) -> set[MessageKey]:
        return await _through(self._gate, Call("fresh"), lambda: self._unit.fresh(keys))

    async def load(self, devices: Collection[DeviceId]) -> Case:
        return await _through(self._gate, Call("load"), lambda: self._unit.load(devices))

    async def due(self, now: datetime, limit: int) -> Sequence[DeadlinePassed]:
        return await _through(self._gate, Call("due"), lambda: self._unit.due(now, limit))

    async def save(self, changes: Changes) -> None:
        await _through(self._gate, Call("save"), lambda: self._unit.save(changes))


class _Outbox:
    def __init__(self, outbox: Outbox, gate: Gate) -> None:
        self._outbox = outbox
        self._gate = gate

    async def lease(self, now: datetime, limit: int, lease: timedelta) -> Sequence[OwedEffect]:
        return await _through(self._gate, Call("lease"), lambda: self._outbox.lease(now, limit, lease))

    async def settle(self, keys: Sequence[str], now: datetime, leased_until: datetime) -> None:
        await _through(self._gate, Call("settle", about=keys), lambda: self._outbox.settle(keys, now, leased_until))

    async def next_due(self) -> datetime | None:
        return await _through(self._gate, Call("next effect"), self._outbox.next_due)

    async def postpone(self, failures: Sequence[FailedTry], leased_until: datetime) -> None:
        call = Call("postpone", about=[one.key for one in failures])
        await _through(self._gate, call, lambda: self._outbox.postpone(failures, leased_until))


class _Source:
    def __init__(self, source: Source, gate: Gate) -> None:
        self._source = source
        self._gate = gate

    @property
    def is_live(self) -> bool:
        return self._source.is_live

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        await self._gate.before(Call("receive", TransportError))
        found = await self._source.receive(limit, wait)
        await self._gate.after(Call("receive", TransportError, [one.key for one in found]))
        return found

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        call = Call("ack", TransportError, [one.key for one in deliveries])
        whole = await self._gate.before(call)
        await self._source.ack(deliveries if whole else deliveries[: len(deliveries) // 2])
        await self._gate.after(call)

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        await _through(
            self._gate, Call("requeue", TransportError, [one.key for one in deliveries]), lambda: self._source.requeue(deliveries)
        )

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        await _through(
            self._gate, Call("reject", TransportError, (delivery.key, reason)), lambda: self._source.reject(delivery, reason, offset)
        )


class _Publisher:
    def __init__(self, publisher: Publisher, gate: Gate) -> None:
        self._publisher = publisher
        self._gate = gate

    async def publish(self, publications: Sequence[Publication]) -> None:
        call = Call("publish", TransportError, [one.key for one in publications])
        whole = await self._gate.before(call)
        await self._publisher.publish(publications if whole else publications[: len(publications) // 2])
        await self._gate.after(call)


class _Inventory:
    def __init__(self, inventory: Inventory, gate: Gate) -> None:
        self._inventory = inventory
        self._gate = gate

    async def joined(self, pairs: Sequence[JoinPair]) -> Mapping[JoinPair, bool]:
        return await _through(self._gate, Call("joined", InventoryError), lambda: self._inventory.joined(pairs))

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        return await _through(
            self._gate,
            Call("set joined", InventoryError, (str(pair), str(joined))),
            lambda: self._inventory.set_joined(pair, joined=joined, expected=expected),
        )
