"""The ledger of a simulation: what was really published, handed over, committed, acknowledged and written, whatever anybody was told of it.

The recorders stand inside of whatever goes wrong: a commit whose outcome nobody heard is in the ledger all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from joinbridge.core.case import Case, DeadlinePassed
from joinbridge.core.effects import Effect
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.errors import InventoryConflictError
from joinbridge.observing import Committed, Observer, Taken
from joinbridge.ports import Changes, Clock, Delivery, Inventory, Publication, Publisher, Source, Store, Unit
from joinbridge.proving.trace import Teller
from joinbridge.wiring.assembly import Parts


@dataclass(slots=True)
class Commit:
    """One transaction that was committed: which messages it took for new, which deadlines it found due, what it wrote."""

    at: datetime
    fresh: Mapping[MessageKey, bool] = field(default_factory=dict)  # asked for: whether it was new
    due: Sequence[DeadlinePassed] = ()
    changes: Changes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A delivery that was settled for good, how many transactions were committed by then, and when it was handed over (`since`)."""

    delivery: Delivery
    commits: int
    since: int = 0
    rejected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One call to set the inventory: what it held before and after, and whether it refused."""

    pair: JoinPair
    joined: bool
    expected: bool | None
    before: bool
    after: bool
    conflict: bool
    change: int  # how many changes of the inventory there were before, by anybody


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryChange:
    """A change of the inventory, by joinbridge (`ours`) or by the DSP."""

    pair: JoinPair
    joined: bool
    ours: bool


@dataclass(slots=True)
class Ledger:
    """What happened, in its order."""

    sent: list[Publication] = field(default_factory=list)  # by the estate, confirmed
    commits: list[Commit] = field(default_factory=list)
    settled: list[Acknowledged] = field(default_factory=list)
    published: list[Publication] = field(default_factory=list)  # by joinbridge, arrived
    written: list[Written] = field(default_factory=list)
    inventory: list[InventoryChange] = field(default_factory=list)
    writing: bool = False  # a write of joinbridge's is under way
    told: list[Committed] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    postponed: int = 0
    errors: list[str] = field(default_factory=list)

    def inventory_changed(self, pair: JoinPair, joined: bool) -> None:
        """Hear that the inventory holds `pair` otherwise now."""
        self.inventory.append(InventoryChange(pair=pair, joined=joined, ours=self.writing))


def recorded(parts: Parts, ledger: Ledger, trace: Teller, clock: Clock) -> Parts:
    """Return `parts` that write into `ledger` and `trace` what they carry out."""
    return replace(
        parts,
        store=_Store(parts.store, ledger, trace, clock),
        sources=[_Source(source, ledger, trace) for source in parts.sources],
        publisher=_Publisher(parts.publisher, ledger, trace),
        inventory=_Inventory(parts.inventory, ledger, trace),
    )


class LedgerObserver(Observer):
    """Keeps what a sidecar tells of its own work."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def settled(self, deliveries: Sequence[Delivery], taken: Taken) -> None:  # noqa: ARG002 - which they were is in the ledger
        """Keep what became of a batch."""
        self._ledger.taken.append(taken)

    def postponed(self, effect: Effect, error: str) -> None:  # noqa: ARG002 - which it was is in the outbox
        """Count a failed try."""
        self._ledger.postponed += 1

    def committed(self, committed: Committed) -> None:
        """Keep the decisions of a transaction."""
        self._ledger.told.append(committed)


class _Store:
    def __init__(self, store: Store, ledger: Ledger, trace: Teller, clock: Clock) -> None:
        self._store = store
        self._ledger = ledger
        self._trace = trace
        self._clock = clock

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        commit = Commit(self._clock.now())
        async with self._store.transaction() as unit:
            yield _Unit(unit, commit)
        if commit.changes is None:
            return
        self._ledger.commits.append(commit)
        changes = commit.changes
        self._trace.add("store", "committed", (key for key, new in commit.fresh.items() if new))
        for record in changes.audit:
            self._trace.add("store", record.kind, (record.subject, str(record.body.get("to") or "")))

    async def watched(self) -> AbstractSet[DeviceId]:
        return await self._store.watched()

    async def next_deadline(self) -> datetime | None:
        return await self._store.next_deadline()

    async def contradictions(self, since: datetime) -> Mapping[str, int]:
        return await self._store.contradictions(since)


class _Unit:
    def __init__(self, unit: Unit, commit: Commit) -> None:
        self._unit = unit
        self._commit = commit

    async def fresh(self, keys: Mapping[MessageKey, datetime]) -> set[MessageKey]:
        found = await self._unit.fresh(keys)
        self._commit.fresh = {key: key in found for key in keys}
        return found

    async def load(self, devices: Collection[DeviceId]) -> Case:
        return await self._unit.load(devices)

    async def due(self, now: datetime, limit: int) -> Sequence[DeadlinePassed]:
        self._commit.at = now  # the transaction may have waited for its turn since it was asked for
        self._commit.due = await self._unit.due(now, limit)
        return self._commit.due

    async def save(self, changes: Changes) -> None:
        await self._unit.save(changes)
        self._commit.changes = changes


class _Source:
    def __init__(self, source: Source, ledger: Ledger, trace: Teller) -> None:
        self._source = source
        self._ledger = ledger
        self._trace = trace
        self._handed_over: dict[int, int] = {}  # by tag: how many transactions were committed then

    @property
    def is_live(self) -> bool:
        return self._source.is_live

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        found = await self._source.receive(limit, wait)
        if found:
            self._handed_over.update(dict.fromkeys((one.tag for one in found), len(self._ledger.commits)))
            self._trace.add("bus", "handed over", (one.key for one in found))
        return found

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        await self._source.ack(deliveries)
        self._trace.add("bus", "acknowledged", (one.key for one in deliveries))
        self._ledger.settled += [self._acknowledged(each) for each in deliveries]

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        await self._source.requeue(deliveries)
        self._trace.add("bus", "handed back", (one.key for one in deliveries))

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        await self._source.reject(delivery, reason, offset)
        self._trace.add("bus", "rejected", (delivery.key, reason))
        self._ledger.settled.append(replace(self._acknowledged(delivery), rejected=True))

    def _acknowledged(self, delivery: Delivery) -> Acknowledged:
        commits = len(self._ledger.commits)
        return Acknowledged(delivery=delivery, commits=commits, since=self._handed_over.get(delivery.tag, commits))


class _Publisher:
    def __init__(self, publisher: Publisher, ledger: Ledger, trace: Teller) -> None:
        self._publisher = publisher
        self._ledger = ledger
        self._trace = trace

    async def publish(self, publications: Sequence[Publication]) -> None:
        await self._publisher.publish(publications)
        self._trace.add("sidecar", "published", (one.key for one in publications))
        self._ledger.published += publications


class _Inventory:
    def __init__(self, inventory: Inventory, ledger: Ledger, trace: Teller) -> None:
        self._inventory = inventory
        self._ledger = ledger
        self._trace = trace

    async def joined(self, pairs: Sequence[JoinPair]) -> Mapping[JoinPair, bool]:
        return await self._inventory.joined(pairs)

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        before = (await self._inventory.joined([pair]))[pair]
        change, conflict = len(self._ledger.inventory), False
        self._ledger.writing = True
        try:
            changed = await self._inventory.set_joined(pair, joined=joined, expected=expected)
        except InventoryConflictError:
            conflict = True
            raise
        finally:
            self._ledger.writing = False
            after = (await self._inventory.joined([pair]))[pair]
            told = Written(pair=pair, joined=joined, expected=expected, before=before, after=after, conflict=conflict, change=change)
            self._ledger.written.append(told)
            self._trace.add("inventory", "conflict" if conflict else "set", (str(pair), str(joined)))
        return changed
