"""The Store port on a database: units of work, and the questions that the service asks between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, bindparam, func, select

from joinbridge.core.case import Case, DeadlinePassed
from joinbridge.core.device_set import DeviceSet
from joinbridge.core.ids import DeviceId, MessageKey
from joinbridge.errors import StoreError
from joinbridge.ports import Changes, Clock, Unit
from joinbridge.store.columns import UtcTime
from joinbridge.store.database import Database, Transaction
from joinbridge.store.loading import due_deadlines, load_case
from joinbridge.store.saving import record_messages, save_changes
from joinbridge.store.statements import Statements
from joinbridge.store.tables import attempts, contradictions

T = TypeVar("T")

PORTION = 10_000
_WATCHED = select(attempts.c.target, attempts.c.other).where(attempts.c.watched)
# MIN passes over NULL by itself; only with the condition can the index be used, which has no attempts at rest.
_NEXT_DEADLINE = select(func.min(attempts.c.due_at)).where(attempts.c.due_at.is_not(None))
_CONTRADICTIONS = (
    select(contradictions.c.rule, func.count().label("times"))
    .where(contradictions.c.at >= bindparam("since", type_=UtcTime))
    .group_by(contradictions.c.rule)
    .order_by(contradictions.c.rule)
)


class SqlStore:
    """The Store port on a database; any number of instances may work on one. The clock dates the effects that are owed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._statements = Statements(database.dialect)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        """Open a transaction; leaving it by an exception rolls everything back.

        Not from within another transaction of the same task, nor with the store's other methods inside: they use transactions of
        their own.

        Raises: StoreError on entering and on leaving when the database cannot be reached, and on leaving when a step failed in it
        although the caller went on: nothing of it is kept then.
        """
        async with self._database.writing() as transaction:
            unit = SqlUnit(transaction, self._statements, self._clock)
            yield unit
            unit.check()

    async def watched(self) -> AbstractSet[DeviceId]:
        """Return every device that is target or other of an attempt that is open or has a deadline.

        Raises: StoreError when the database cannot be reached.
        """

        def read(connection: Connection) -> DeviceSet:
            # There may be millions: a portion at a time.
            rows = connection.execute(_WATCHED, execution_options={"yield_per": PORTION})
            # An attempt whose other device is not known yet has none.
            return DeviceSet(device for row in rows for device in row if device is not None)

        return await self._database.read(read)

    async def next_deadline(self) -> datetime | None:
        """Return when the earliest deadline is due.

        Raises: StoreError when the database cannot be reached.
        """
        return await self._database.read(lambda connection: connection.execute(_NEXT_DEADLINE).scalar_one())

    async def contradictions(self, since: datetime) -> Mapping[str, int]:
        """Return how often each rule was contradicted since `since`.

        Raises: StoreError when the database cannot be reached.
        """
        rows = await self._database.read(lambda connection: connection.execute(_CONTRADICTIONS, {"since": since}).all())
        return {row.rule: row.times for row in rows}


class SqlUnit:
    """The Unit port: one transaction of a `SqlStore`. It takes one, two, one and at most twelve statements, in the order below.

    On SQLite up to 1,000 messages, attempts or pairs, that is: each further thousand takes one statement more for `fresh` and `save`.
    """

    def __init__(self, transaction: Transaction, statements: Statements, clock: Clock) -> None:
        self._transaction = transaction
        self._statements = statements
        self._clock = clock
        self._versions: dict[DeviceId, int] = {}
        self._failed = False

    async def fresh(self, keys: Mapping[MessageKey, datetime]) -> set[MessageKey]:
        """Record the messages (with their bus times) in the inbox; return those that were never recorded before.

        Raises: StoreError when the database cannot be reached.
        """
        if not keys:
            return set()
        return await self._step(lambda connection: record_messages(connection, self._statements, keys))

    async def load(self, devices: Collection[DeviceId]) -> Case:
        """Return all that is recorded about `devices` and their pairs' partners: whole for each target in it.

        Raises: StoreError when the database cannot be reached.
        """
        if not devices:
            return Case()
        case, versions = await self._step(lambda connection: load_case(connection, self._statements, devices))
        self._versions.update(versions)
        return case

    async def due(self, now: datetime, limit: int) -> Sequence[DeadlinePassed]:
        """Return the deadlines due at `now`, oldest first, at most `limit`, without those that another instance works on.

        Raises: StoreError when the database cannot be reached.
        """
        return await self._step(lambda connection: due_deadlines(connection, self._statements, now, limit))

    async def save(self, changes: Changes) -> None:
        """Write all of `changes`; the audit chain is extended in the order given.

        Raises: StaleVersionError when an attempt or pair, or anything else about a device that these change, was changed by someone else
        since it was loaded; StoreError when the database cannot be reached. Nothing is written then.
        """
        now = self._clock.now()
        await self._step(lambda connection: save_changes(connection, self._statements, changes, now, self._versions))
        self._versions.clear()  # what was written is locked, and nobody else can change it any more

    def check(self) -> None:
        """Make sure that every step was done.

        Raises: StoreError when one failed: what it had begun must not be committed.
        """
        if self._failed:
            raise StoreError("a step of the transaction failed; all of it is rolled back")

    async def _step(self, work: Callable[[Connection], T]) -> T:
        try:
            return await self._transaction.run(work)
        except BaseException:
            self._failed = True
            raise
