"""Opening a database by its URL, with the settings that its promises rest on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, Engine, ExceptionContext, NullPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from joinbridge.errors import ConfigError, StoreError
from joinbridge.store.database import Database
from joinbridge.store.dialects import POSTGRESQL, SQLITE
from joinbridge.store.lines import Patience, PoolLine, TurnLine, direct_line, thread_line

Synchronous = Literal["FULL", "NORMAL", "OFF"]

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long one process waits for another that writes to the same SQLite file. A batch takes it for some milliseconds."""

PATIENCE = Patience()
"""For a service."""

UPGRADE_PATIENCE = Patience(work=timedelta(hours=2), idle=timedelta(hours=2))
"""For an upgrade: the tables may be large, and another instance may be at it already."""

POOL_SIZE = 10
"""Most connections of one instance to PostgreSQL."""


@asynccontextmanager
async def open_database(
    url: str,
    *,
    synchronous: Synchronous = "FULL",
    busy_timeout: timedelta = BUSY_TIMEOUT,
    patience: Patience = PATIENCE,
    direct: bool = False,
    create: bool = True,
) -> AsyncIterator[Database]:
    """Open the database at `url`: `sqlite:///file`, `sqlite://` (in memory), or an asynchronous driver (`postgresql+asyncpg://…`).

    `synchronous` is SQLite's: FULL puts every commit on the disk before it returns, which is what acknowledging after the commit rests
    on; NORMAL may lose the last commits in a power failure, OFF is for data that nobody will miss. `direct` runs the statements of
    `sqlite://` in the thread of the event loop, for a program that has nothing else to do. Without `create`, a file must be there.
    `patience` is for PostgreSQL.

    Raises: ConfigError when the URL names no database that can be used; StoreError when the database cannot be opened.
    """
    parsed = _parsed(url)
    dialect = parsed.get_dialect()
    if not create:
        _require_file(parsed)
    async with AsyncExitStack() as stack:
        if dialect.name == POSTGRESQL:
            yield _postgresql(stack, parsed, patience)
        elif dialect.is_async:
            yield _sqlite_in_pool(stack, parsed, synchronous, busy_timeout)
        elif direct:
            yield await _sqlite_direct(stack, parsed, synchronous, busy_timeout)
        else:
            yield await _sqlite_in_threads(stack, parsed, synchronous, busy_timeout)


def _require_file(url: URL) -> None:
    if url.get_dialect().name == SQLITE and not _in_memory(url) and not Path(url.database or "").is_file():
        raise StoreError(f"there is no database {url.database}")


def _parsed(url: str) -> URL:
    """Return `url`, checked: it is SQLite, or PostgreSQL with a driver that is asynchronous and installed."""
    try:
        parsed = make_url(url)
        dialect = parsed.get_dialect()
        dialect.import_dbapi()
    except (ArgumentError, ImportError) as error:
        raise ConfigError(f"the database URL cannot be used: {error}") from error
    if dialect.name == SQLITE or (dialect.name == POSTGRESQL and dialect.is_async):
        return parsed
    raise ConfigError(f"the database URL starts with {parsed.drivername!r}: use sqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME")


def _postgresql(stack: AsyncExitStack, url: URL, patience: Patience) -> Database:
    engine = create_async_engine(
        url,
        hide_parameters=True,
        # One for each intake, and for the deadlines, the relay and whoever reads; a server has a hundred for everybody.
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_use_lifo=True,  # as few as are needed stay busy
        connect_args={
            "timeout": patience.connect.total_seconds(),
            "server_settings": {
                "application_name": "joinbridge",
                "statement_timeout": _milliseconds(patience.work),
                "idle_in_transaction_session_timeout": _milliseconds(patience.idle),
                "jit": "off",  # statements of a millisecond are not worth compiling
            },
        },
    )
    _pass_by_closed(engine.sync_engine)
    # To close takes leave of the server and waits for its answer, for ever if need be; to terminate gives it two seconds.
    engine.dialect.do_close = engine.dialect.do_terminate  # type: ignore[method-assign]
    stack.push_async_callback(engine.dispose)
    return Database(
        POSTGRESQL,
        writer=PoolLine(engine, write=True, patience=patience),
        reader=PoolLine(engine, write=False, patience=patience),
    )


def _pass_by_closed(engine: Engine) -> None:
    """Have the pool hand out no connection that the server has ended, as a restart ends all of them.

    The driver knows without asking; SQLAlchemy's pre-ping asks, in three trips to the server before every transaction. A connection that is
    silently dead is found by who uses it, within their patience.
    """

    @event.listens_for(engine, "checkout")
    def borrowed(connection: DBAPIConnection, _: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
        # Any: the driver's own connection is behind the one that SQLAlchemy adapts.
        adapted: Any = connection
        if adapted.driver_connection.is_closed():
            raise DisconnectionError("the server has ended the connection")


def _milliseconds(duration: timedelta) -> str:
    return str(int(duration.total_seconds() * 1000))


def _sqlite_in_pool(stack: AsyncExitStack, url: URL, synchronous: Synchronous, busy_timeout: timedelta) -> Database:
    size = 1 if _in_memory(url) else 5
    engine = create_async_engine(url, hide_parameters=True, poolclass=AsyncAdaptedQueuePool, pool_size=size, max_overflow=0)
    stack.push_async_callback(engine.dispose)
    _configure(engine.sync_engine, synchronous, busy_timeout)
    writer = TurnLine(PoolLine(engine, write=True))
    return Database(SQLITE, writer=writer, reader=writer if _in_memory(url) else PoolLine(engine, write=False))


async def _sqlite_direct(stack: AsyncExitStack, url: URL, synchronous: Synchronous, busy_timeout: timedelta) -> Database:
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    _configure(engine, synchronous, busy_timeout)
    line = await stack.enter_async_context(direct_line(engine.execution_options(write=True)))
    return Database(SQLITE, writer=line, reader=line)


async def _sqlite_in_threads(stack: AsyncExitStack, url: URL, synchronous: Synchronous, busy_timeout: timedelta) -> Database:
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    _configure(engine, synchronous, busy_timeout)
    writing = engine.execution_options(write=True)
    writer = await stack.enter_async_context(thread_line(writing, name="joinbridge-writer"))
    if _in_memory(url):
        return Database(SQLITE, writer=writer, reader=writer)
    reader = await stack.enter_async_context(thread_line(engine, name="joinbridge-reader"))
    return Database(SQLITE, writer=writer, reader=reader)


def _in_memory(url: URL) -> bool:
    """Whether the database lives in its connection, so that a second connection would be a second, empty database."""
    return url.database in (None, "", ":memory:") or url.query.get("mode") == "memory"


def _configure(engine: Engine, synchronous: Synchronous, busy_timeout: timedelta) -> None:
    """Have SQLite keep its promises on every connection of `engine`."""

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        try:
            _set_up(connection, synchronous, busy_timeout)
        except BaseException:
            connection.close()  # nobody else has it yet
            raise

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # IMMEDIATE takes the write lock at once. Without it, two transactions that both read and then write can only fail.
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    @event.listens_for(engine, "handle_error")
    def failed(context: ExceptionContext) -> None:
        # SQLAlchemy drops a connection whose statement was cancelled, and with it a database in memory. SQLite's is still good: the
        # driver's thread finishes the statement, then comes the rollback.
        if isinstance(context.original_exception, asyncio.CancelledError):
            context.is_disconnect = False


def _set_up(connection: DBAPIConnection, synchronous: Synchronous, busy_timeout: timedelta) -> None:
    # The driver's own transactions begin at the first write, too late to read under the same lock. Ours begin at once.
    # Any: what a driver's connection has beyond PEP 249 is not in the protocol.
    driver: Any = connection
    driver.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout.total_seconds() * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")  # who reads does not wait for who writes
    cursor.execute(f"PRAGMA synchronous = {synchronous}")
    cursor.execute("PRAGMA temp_store = MEMORY")  # a statement's sets of devices: making files for them takes longer than the rest of it
    cursor.close()
