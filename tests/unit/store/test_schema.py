"""The schema: the migrations make the tables the code uses, once, whole, and for both databases."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from joinbridge.errors import ConfigError, StoreError
from joinbridge.store import schema
from joinbridge.store.opening import open_database
from joinbridge.store.tables import metadata
from support.store import one_instance


async def test_the_migrations_make_the_tables_that_the_code_uses() -> None:
    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with open_database("sqlite://") as database:
        await schema.upgrade(database)
        assert await database.read(differences) == []


async def test_the_tables_of_other_tests_are_those_of_the_migrations() -> None:
    def everything(connection: Connection) -> object:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")).scalars().all()
        made = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")).all()
        spaced = [(*known, " ".join((sql or "").split())) for *known, sql in made]
        return spaced, [connection.execute(text(f'SELECT * FROM "{name}"')).all() for name in names]  # noqa: S608 - our own names

    async with open_database("sqlite://") as migrated, one_instance() as instance:
        await schema.upgrade(migrated)

        assert await instance.database.read(everything) == await migrated.read(everything)


async def test_upgrading_again_changes_nothing() -> None:
    async with open_database("sqlite://") as database:
        assert await schema.current_revision(database) is None

        await schema.upgrade(database)
        await schema.upgrade(database)

        assert await schema.current_revision(database) == schema.head_revision()
        await schema.require_current(database)


async def test_a_database_without_the_schema_says_how_to_make_it() -> None:
    async with open_database("sqlite://") as database:
        with pytest.raises(ConfigError, match=r"no schema yet.*joinbridge db upgrade"):
            await schema.require_current(database)


async def test_a_database_that_a_newer_version_made_is_left_alone() -> None:
    def from_the_future(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    async with one_instance() as instance:
        await instance.database.write(from_the_future)

        with pytest.raises(ConfigError, match=r"9999.*newer version"):
            await schema.require_current(instance.database)
        with pytest.raises(ConfigError, match=r"9999.*newer version"):
            await schema.upgrade(instance.database)


async def test_an_old_schema_says_how_to_bring_it_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    async with one_instance() as instance:
        made = schema.head_revision()
        monkeypatch.setattr(schema, "_revisions", lambda: ["9999", made])

        with pytest.raises(ConfigError, match=f"has schema {made}, this version needs 9999: run `joinbridge db upgrade`"):
            await schema.require_current(instance.database)


async def test_an_upgrade_that_fails_leaves_nothing_behind() -> None:
    def in_the_way(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE audit_head (id INTEGER)"))  # the last table the migration makes

    def tables(connection: Connection) -> list[str]:
        return inspect(connection).get_table_names()

    async with open_database("sqlite://") as database:
        await database.write(in_the_way)

        with pytest.raises(StoreError, match="audit_head"):
            await schema.upgrade(database)

        assert await database.read(tables) == ["audit_head"]


async def test_several_instances_may_upgrade_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'joinbridge.db'}"

    async with open_database(url) as one, open_database(url) as two:
        await asyncio.gather(schema.upgrade(one), schema.upgrade(two))

        await schema.require_current(one)


def test_the_schema_can_be_written_as_sql_for_postgresql() -> None:
    sql = schema.upgrade_sql("postgresql://")

    made = re.findall(r"CREATE TABLE (\w+)", sql)
    assert set(made) == {table.name for table in metadata.sorted_tables} | {"alembic_version"}
    assert "id BIGSERIAL" in sql
    assert "due_at TIMESTAMP WITH TIME ZONE" in sql
    assert "body BYTEA" in sql
    assert "WHERE due_at IS NOT NULL" in sql
    assert "INSERT INTO audit_head (id, sequence, digest) VALUES (1, 0, '" in sql
    assert sql.startswith("BEGIN;")
    assert sql.rstrip().endswith("COMMIT;")


async def test_a_migration_can_be_undone() -> None:
    def downgrade(connection: Connection) -> list[str]:
        config = schema._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return inspect(connection).get_table_names()

    async with one_instance() as instance:
        assert await instance.database.write(downgrade) == ["alembic_version"]
