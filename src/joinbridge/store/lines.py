"""Lines to a database: how work gets from the event loop to a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from joinbridge.errors import StoreError
from joinbridge.store.database import Run
from joinbridge.store.failures import database_errors

T = TypeVar("T")
Args = TypeVarTuple("Args")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server may take: `connect` until a connection is there, and `work` for one function's statements together.

    A batch takes some milliseconds. Who comes back to a transaction later than `idle` finds it undone by the server, so that an instance
    that hangs does not keep its locks from the others.
    """

    connect: timedelta = timedelta(seconds=10)
    work: timedelta = timedelta(seconds=30)
    idle: timedelta = timedelta(seconds=60)


@asynccontextmanager
async def thread_line(engine: Engine, *, name: str) -> AsyncIterator[ThreadLine]:
    """Open a connection in a thread of its own, `name`, and the line to it.

    Raises: StoreError when it cannot be opened.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix=name) as thread:
        with database_errors():
            connection = await _in_thread(thread, engine.connect)
        try:
            yield ThreadLine(thread, connection)
        finally:
            with database_errors():
                await _in_thread(thread, connection.close)


class ThreadLine:
    """A line to one connection that lives in a thread; whole functions cross to it.

    Work that was begun is finished whatever becomes of the task that waits for it, and later work comes after it: a rollback after a
    cancelled statement finds that statement done.
    """

    def __init__(self, thread: ThreadPoolExecutor, connection: Connection) -> None:
        self._thread = thread
        self._connection = connection
        self._turn = _Turn()

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Run]:
        """Lend the connection; borrowers take turns in the order in which they came."""
        async with self._turn.taken():
            yield self._run

    async def _run(self, work: Callable[[Connection], T], /) -> T:
        return await _in_thread(self._thread, work, self._connection)


@asynccontextmanager
async def direct_line(engine: Engine) -> AsyncIterator[DirectLine]:
    """Open a connection in the caller's own thread, and the line to it.

    Raises: StoreError when it cannot be opened.
    """
    with database_errors():
        connection = engine.connect()
    try:
        yield DirectLine(connection)
    finally:
        with database_errors():
            connection.close()


class DirectLine:
    """A line to one connection in the thread of the event loop, which stands still meanwhile.

    For a program that has nothing else to do until the database has answered: crossing to a thread and back costs more than most
    statements.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = _Turn()

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Run]:
        """Lend the connection; borrowers take turns in the order in which they came."""
        async with self._turn.taken():
            yield self._run

    async def _run(self, work: Callable[[Connection], T], /) -> T:
        return work(self._connection)


async def _in_thread(thread: ThreadPoolExecutor, work: Callable[[*Args], T], *args: *Args) -> T:
    try:
        future = asyncio.get_running_loop().run_in_executor(thread, work, *args)
    except RuntimeError as error:  # the thread has ended
        raise StoreError("the database is closed") from error
    return await asyncio.shield(future)


class PoolLine:
    """Connections of an asynchronous driver, from SQLAlchemy's pool.

    With `patience`, a server that accepts everything and answers nothing is given up: what hangs is interrupted, its connection is thrown
    away, and the next borrower gets another.
    """

    def __init__(self, engine: AsyncEngine, *, write: bool, patience: Patience | None = None) -> None:
        self._engine = engine.execution_options(write=write)
        self._to_connect = None if patience is None else patience.connect.total_seconds()
        self._to_work = None if patience is None else patience.work.total_seconds()

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Run]:
        """Lend a connection from the pool, as many at a time as the pool has."""
        connection = self._engine.connect()
        with database_errors():
            async with asyncio.timeout(self._to_connect):
                await connection.start()
        try:
            yield self._run_on(connection)
        finally:
            with database_errors():
                await asyncio.shield(self._close(connection))

    def _run_on(self, connection: AsyncConnection) -> Run:
        """Return what runs work in SQLAlchemy's greenlet, and interrupts it when it takes too long: that loses the connection."""

        async def run(work: Callable[[Connection], T], /) -> T:
            async with asyncio.timeout(self._to_work):
                return await connection.run_sync(work)

        return run

    async def _close(self, connection: AsyncConnection) -> None:
        async with asyncio.timeout(self._to_connect):
            await connection.close()


class TurnLine:
    """Another line, lent to one transaction at a time.

    SQLite has one writer. Who waits for it in SQLite itself polls, and is served in no order; here they take turns.
    """

    def __init__(self, line: PoolLine) -> None:
        self._line = line
        self._turn = _Turn()

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Run]:
        """Lend the line's connection; borrowers take turns in the order in which they came."""
        async with self._turn.taken(), self._line.borrow() as run:
            yield run


class _Turn:
    """A lock that knows who has it: a task that waits for itself is told so instead of waiting for ever."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        if self._holder is task:
            raise StoreError("a transaction within a transaction: SQLite would wait for itself")
        async with self._lock:
            self._holder = task
            try:
                yield
            finally:
                self._holder = None
