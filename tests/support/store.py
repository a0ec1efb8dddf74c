"""Stores for tests: each kind of database the suites run on, and any number of instances on one set of data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from joinbridge.core.case import Case
from joinbridge.core.ids import DeviceId
from joinbridge.ports import Changes
from joinbridge.service.clock import ManualClock
from joinbridge.store.audit_log import AuditLog
from joinbridge.store.database import Database
from joinbridge.store.interventions import SqlInterventions
from joinbridge.store.opening import open_database
from joinbridge.store.outbox import SqlOutbox
from joinbridge.store.records import Records
from joinbridge.store.retention import SqlHousekeeping
from joinbridge.store.store import SqlStore
from support.records import NOON
from support.tables import make_tables


@dataclass(frozen=True)
class StoreKind:
    """A database the conformance suites run on. `durable`: it outlives its last connection, and several may be open on it.

    `url` may hold `{folder}`, a folder of the test's own; it is empty where a server gives each test a database.
    """

    name: str
    url: str
    durable: bool
    direct: bool = False


KINDS = (
    StoreKind("sqlite-memory", "sqlite://", durable=False),
    StoreKind("sqlite-memory-direct", "sqlite://", durable=False, direct=True),
    StoreKind("sqlite-file", "sqlite:///{folder}/joinbridge.db", durable=True),
    StoreKind("aiosqlite-memory", "sqlite+aiosqlite://", durable=False),
    StoreKind("aiosqlite-file", "sqlite+aiosqlite:///{folder}/joinbridge.db", durable=True),
    StoreKind("postgresql", "", durable=True),
)

PORTION = 4
"""Rows in a portion of housekeeping: few, so that a test meets its end."""


class Instance:
    """One joinbridge on a database: everything the store package offers, on one clock."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.store = SqlStore(database, clock)
        self.outbox = SqlOutbox(database)
        self.records = Records(database)
        self.audit = AuditLog(database)
        self.interventions = SqlInterventions(database, clock)
        self.housekeeping = SqlHousekeeping(database, portion=PORTION)

    async def save(self, changes: Changes) -> None:
        """Save `changes` in a transaction of their own."""
        async with self.store.transaction() as unit:
            await unit.save(changes)

    async def load(self, *devices: DeviceId) -> Case:
        """Load a case in a transaction of its own."""
        async with self.store.transaction() as unit:
            return await unit.load(devices)


class Shared:
    """One set of data that instances work on; a database in memory has one connection, which they share."""

    def __init__(self, kind: StoreKind, url: str) -> None:
        self.kind = kind
        self.clock = ManualClock(NOON)
        self.url = url
        self._only: Database | None = None

    @asynccontextmanager
    async def instance(self) -> AsyncIterator[Instance]:
        """Start another instance on the data."""
        if self._only is not None:
            yield Instance(self._only, self.clock)
            return
        async with open_database(self.url, synchronous="OFF", direct=self.kind.direct) as database:
            yield Instance(database, self.clock)

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[Shared]:
        """Make the tables, and keep a database alive that lives in its connection."""
        async with self.instance() as first:
            await make_tables(first.database)
            if not self.kind.durable:
                self._only = first.database
                yield self
        if self.kind.durable:
            yield self


@asynccontextmanager
async def one_instance(url: str = "sqlite://") -> AsyncIterator[Instance]:
    """Open a database with its tables, and an instance on it."""
    async with open_database(url, synchronous="OFF") as database:
        await make_tables(database)
        yield Instance(database, ManualClock(NOON))


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collect the statements that are sent to any database within the context, without the transactions' own."""
    sent: list[str] = []

    # Any: SQLAlchemy hands over its internals; only the statement is of interest.
    def before(_c: Any, _cursor: Any, statement: str, _p: Any, _context: Any, _many: bool) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", before)
