"""SQLite in memory, set back to an empty schema in microseconds instead of migrated.

It lives on one connection of one engine, so that statements are compiled once for a process and not once for a simulation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, StaticPool, create_engine
from sqlalchemy.pool import PoolProxiedConnection

from joinbridge.store.dialects import SQLITE
from joinbridge.store.failures import database_errors
from joinbridge.store.schema import upgrade_on

T = TypeVar("T")


class InMemory:
    """One connection to a database in memory, with the schema of this version: a `scratch.Held`."""

    dialect = SQLITE

    def __init__(self, connection: Connection, raw: sqlite3.Connection) -> None:
        self._connection = connection
        self._raw = raw
        self._template = sqlite3.connect(":memory:")
        raw.backup(self._template)

    def run(self, work: Callable[[Connection], T], /) -> T:
        """Return what `work` returns."""
        return work(self._connection)

    def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Return what `statement` finds. Any: columns hold anything."""
        return self._raw.execute(statement).fetchall()

    def empty(self) -> None:
        """Leave nothing in it but what a new one has."""
        # `Connection.deserialize` crashes the process here: statements of this connection are still prepared.
        self._template.backup(self._raw)


@contextmanager
def in_memory() -> Iterator[InMemory]:
    """Open a database in memory.

    Raises: StoreError when SQLite cannot do it.
    """
    engine = create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True)
    # Not by an event: as soon as there is one, SQLAlchemy asks at every statement who wants to hear of it.
    engine.dialect.do_begin = _begin  # type: ignore[method-assign]
    with database_errors(), closing(engine.raw_connection()) as opened:
        # Any: what a driver's connection has beyond PEP 249 is not in the protocol.
        raw: Any = opened.driver_connection
        raw.isolation_level = None  # the driver's own transactions begin at the first write; ours at once
        raw.execute("PRAGMA temp_store = MEMORY")
        with engine.connect() as connection:
            upgrade_on(connection)
            connection.commit()
            yield InMemory(connection, raw)
    engine.dispose()


def _begin(dbapi_connection: PoolProxiedConnection) -> None:
    driver: Any = dbapi_connection  # Any: as above
    driver.execute("BEGIN")
