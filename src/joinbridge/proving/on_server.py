"""PostgreSQL for simulations: a schema of its own, on one connection that is used as if it were synchronous.

The driver and its socket live on an event loop in another thread, in true time; the simulation stands still until they have the answer. So
virtual time knows nothing of them, and a seed means the same history as on SQLite.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from joinbridge.store.dialects import POSTGRESQL
from joinbridge.store.failures import database_errors
from joinbridge.store.schema import upgrade_on
from joinbridge.store.tables import metadata

T = TypeVar("T")


class OnServer:
    """One connection to a PostgreSQL, in a schema of its own with the tables of this version: a `scratch.Held`."""

    dialect = POSTGRESQL

    def __init__(self, connection: AsyncConnection, elsewhere: _Elsewhere) -> None:
        self._connection = connection
        self._elsewhere = elsewhere
        self._new = self.run(_contents)

    def run(self, work: Callable[[Connection], T], /) -> T:
        """Return what `work` returns."""
        return self._elsewhere.run(self._connection.run_sync(work))

    def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Return what `statement` finds. Any: columns hold anything."""

        def found(connection: Connection) -> Sequence[tuple[Any, ...]]:
            began = not connection.in_transaction()
            rows = [tuple(row) for row in connection.execute(text(statement))]
            if began:
                connection.rollback()
            return rows

        return self.run(found)

    def empty(self) -> None:
        """Leave nothing in it but what a new one has."""

        def emptied(connection: Connection) -> None:
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
            for name, rows in self._new.items():
                connection.execute(metadata.tables[name].insert(), rows)
            connection.commit()

        self.run(emptied)


class _Elsewhere:
    """An event loop in a thread of its own, for those who wait for what runs on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: a process that ends closes what it has opened, and needs the thread until then.
        self._thread = Thread(target=self._loop.run_forever, name="simulated database", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:  # Any: as asyncio has it
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def on_server(url: str) -> Iterator[OnServer]:
    """Open the PostgreSQL at `url` (`postgresql+asyncpg://…`) in a schema of its own, which is dropped in the end.

    Raises: StoreError when it cannot be reached, or the user may make no schema.
    """
    schema = f"joinbridge_sim_{uuid4().hex[:12]}"
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"server_settings": {"search_path": schema, "jit": "off"}})
    with closing(_Elsewhere()) as elsewhere, database_errors():
        connection = elsewhere.run(_connected(engine.connect()))
        try:
            elsewhere.run(connection.run_sync(lambda sync: _make(sync, schema)))
            yield OnServer(connection, elsewhere)
        finally:
            elsewhere.run(connection.run_sync(lambda sync: _drop(sync, schema)))
            elsewhere.run(connection.close())
            elsewhere.run(engine.dispose())


async def _connected(connection: AsyncConnection) -> AsyncConnection:
    return await connection.start()


def _make(connection: Connection, schema: str) -> None:
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    upgrade_on(connection)
    connection.commit()


def _drop(connection: Connection, schema: str) -> None:
    connection.rollback()
    connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
    connection.commit()


def _contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables that have any."""
    found = {name: [dict(row) for row in connection.execute(table.select()).mappings()] for name, table in metadata.tables.items()}
    connection.rollback()
    return {name: rows for name, rows in found.items() if rows}
