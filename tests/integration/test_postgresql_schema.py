"""The schema on PostgreSQL: the migrations make the tables the code uses, can be undone, and wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select, text

from joinbridge.core.ids import MessageKey
from joinbridge.errors import StoreError
from joinbridge.ports import DeadLetterStatus
from joinbridge.service.clock import ManualClock
from joinbridge.store import schema
from joinbridge.store.opening import open_database
from joinbridge.store.tables import metadata
from support.postgresql import fresh_database
from support.records import NOON
from support.services import PostgreSql
from support.store import Instance


@pytest.fixture
def empty(postgresql: PostgreSql) -> Iterator[str]:
    with fresh_database(postgresql, schema_made=False) as url:
        yield url


def to_revision(connection: Connection, revision: str) -> None:
    config = schema._config()
    config.attributes["connection"] = connection
    change = command.downgrade if revision == "base" else command.upgrade
    change(config, revision)


async def test_the_migrations_make_the_tables_that_the_code_uses(empty: str) -> None:
    async with open_database(empty) as database:
        await schema.upgrade(database)

        assert await database.read(lambda c: compare_metadata(MigrationContext.configure(c), metadata)) == []


async def test_the_migrations_can_be_undone(empty: str) -> None:
    async with open_database(empty) as database:
        await schema.upgrade(database)
        await database.write(lambda connection: to_revision(connection, "base"))

        assert await database.read(lambda connection: inspect(connection).get_table_names()) == ["alembic_version"]


async def test_dead_letters_from_before_they_could_be_settled_are_open(empty: str) -> None:
    old = "INSERT INTO dead_letters VALUES ('d', '', '', '', '', NULL, '', NULL, 1, now(), now())"
    async with open_database(empty) as database:
        await database.write(lambda connection: to_revision(connection, "0001"))
        await database.write(lambda connection: connection.execute(text(old)))

        await schema.upgrade(database)

        letter = await Instance(database, ManualClock(NOON)).records.dead_letter(MessageKey("d"))
        assert letter is not None
        assert letter.status is DeadLetterStatus.OPEN


async def test_an_upgrade_that_fails_leaves_nothing_behind(empty: str) -> None:
    async with open_database(empty) as database:
        await database.write(lambda connection: connection.execute(text("CREATE TABLE audit_head (id INTEGER)")))

        with pytest.raises(StoreError, match="audit_head"):
            await schema.upgrade(database)

        assert await database.read(lambda connection: inspect(connection).get_table_names()) == ["audit_head"]


async def test_an_upgrade_waits_for_the_one_that_another_instance_is_at(empty: str) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with open_database(empty) as one, open_database(empty) as two:
        async with one.writing() as first:
            await first.run(lambda connection: connection.execute(select(func.pg_advisory_xact_lock(schema._TURN))))
            second = asyncio.create_task(schema.upgrade(two))
            async with asyncio.timeout(30):
                while not await one.read(lambda connection: connection.execute(waiting).scalar_one()):  # noqa: ASYNC110 - in the server
                    await asyncio.sleep(0.01)
            await first.run(lambda connection: to_revision(connection, "head"))
        await second

        await schema.require_current(two)
