"""One database for simulation after simulation: emptied each time, and on one connection, so that a simulation waits for nobody but itself.

It is SQLite in memory (`in_memory`), or PostgreSQL (`on_server`). Either answers at once as far as virtual time goes, so that a seed means
the same history on both.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from joinbridge.ports import Clock
from joinbridge.proving.in_memory import in_memory
from joinbridge.proving.on_server import on_server
from joinbridge.service.clock import SystemClock
from joinbridge.store.database import Database, Run
from joinbridge.store.outbox import SqlOutbox
from joinbridge.store.retention import SqlHousekeeping
from joinbridge.store.store import SqlStore

T = TypeVar("T")

_NEXT_DEADLINE = "SELECT min(due_at) FROM attempts WHERE due_at IS NOT NULL"
# Not of those that wait for an older one of their lane: a relay that looks finds none of them, however long they have been due.
_NEXT_EFFECT = """
    SELECT min(due_at) FROM (
        SELECT due_at, row_number() OVER (PARTITION BY lane ORDER BY id) AS place FROM outbox WHERE due_at IS NOT NULL
    ) AS owed WHERE place = 1
"""


class Held(Protocol):
    """One connection to a database with the schema of this version, of which nobody else knows. Who calls stands still until it answers."""

    dialect: str

    def run(self, work: Callable[[Connection], T], /) -> T:
        """Return what `work` returns."""
        ...

    def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Return what `statement` finds, in the transaction that is open or in none. Any: columns hold anything."""
        ...

    def empty(self) -> None:
        """Leave nothing in it but what a new one has."""
        ...


class Scratch:
    """The database and the ports on it. Each simulation gets it `anew`; it can be looked at from outside of every transaction."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._line = _Line(held)
        self._clock = _BorrowedClock()
        self._known: dict[str, tuple[int, datetime | None]] = {}
        self.database = Database(held.dialect, writer=self._line, reader=self._line)
        self.store = SqlStore(self.database, self._clock)
        self.outbox = SqlOutbox(self.database)
        self.housekeeping = SqlHousekeeping(self.database)

    def anew(self, clock: Clock) -> None:
        """Empty it, for one event loop and its clock."""
        self._held.empty()
        self._line.renew()
        self._clock.lent = clock
        self._known.clear()

    def next_deadline(self) -> datetime | None:
        """Return when the next deadline is due."""
        return self._next(_NEXT_DEADLINE)

    def next_effect(self) -> datetime | None:
        """Return when the next effect may be leased; None only when none is owed."""
        return self._next(_NEXT_EFFECT)

    def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Return what `statement` finds. Any: columns hold anything."""
        return self._held.rows(statement)

    def look(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` finds, which changes nothing, once no transaction is open."""

        def looked(connection: Connection) -> T:
            try:
                return work(connection)
            finally:
                connection.rollback()

        return self._held.run(looked)

    def _next(self, statement: str) -> datetime | None:
        """Return the moment that `statement` finds, asking again only when something was done since: also taking back is doing."""
        known = self._known.get(statement)
        if known is not None and known[0] == self._line.works:
            return known[1]
        ((found,),) = self._held.rows(statement)
        due = None if found is None else moment(found)
        self._known[statement] = (self._line.works, due)
        return due


def moment(found: datetime | str) -> datetime:
    """Return the moment that a column holds: on SQLite it is text."""
    return datetime.fromisoformat(found) if isinstance(found, str) else found


class _Line:
    """Lends the connection, with a queue of its own for each event loop: a `database.Line`. `works` counts what was done on it."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._turn = asyncio.Lock()
        self.works = 0

    def renew(self) -> None:
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Run]:
        async with self._turn:
            yield self._run

    async def _run(self, work: Callable[[Connection], T], /) -> T:
        self.works += 1
        return self._held.run(work)


class _BorrowedClock:
    """The clock of whichever simulation has the database: a `ports.Clock`."""

    def __init__(self) -> None:
        self.lent: Clock = SystemClock()

    def now(self) -> datetime:
        return self.lent.now()

    async def sleep(self, duration: timedelta) -> None:
        await self.lent.sleep(duration)


@contextmanager
def scratch(url: str | None = None) -> Iterator[Scratch]:
    """Open a database: in memory, or on the PostgreSQL at `url`, in a schema of its own that is dropped in the end.

    Raises: StoreError when that cannot be done.
    """
    with in_memory() if url is None else on_server(url) as held:
        yield Scratch(held)


@cache
def own_scratch(url: str | None = None) -> Scratch:
    """Return the database of this process, or the one that it has at `url`, which it keeps until it ends.

    Raises: StoreError as `scratch` does.
    """
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(scratch(url))
