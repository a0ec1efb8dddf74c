"""The tables of a new database. Alembic makes them in a twentieth of a second or more, which hundreds of tests would wait for."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Connection

from joinbridge.store import schema
from joinbridge.store.database import Database
from joinbridge.store.dialects import SQLITE


async def make_tables(database: Database) -> None:
    """Give `database` the schema of this version."""
    if database.dialect == SQLITE:
        await database.write(_make)
    else:
        await schema.upgrade(database)


def _make(connection: Connection) -> None:
    if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
        schema.upgrade_on(connection)
        return
    for statement in _statements():
        connection.exec_driver_sql(statement)


@cache
def _statements() -> tuple[str, ...]:
    """Return what Alembic would do on SQLite, without the transaction around it."""
    parts = (part.strip() for part in schema.upgrade_sql("sqlite://").split(";"))
    return tuple(part for part in parts if part not in {"", "BEGIN", "COMMIT"})
