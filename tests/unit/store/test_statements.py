"""The statements as PostgreSQL will read them: all compile for both databases, and locks are asked for where they exist."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import ClauseElement, Connection, Dialect, make_url

from joinbridge.store import outbox
from joinbridge.store.statements import Statements
from joinbridge.store.tables import metadata
from support.records import NOON, device
from support.store import counted_statements, one_instance

SQLITE: Dialect = make_url("sqlite://").get_dialect()()
POSTGRESQL: Dialect = make_url("postgresql://").get_dialect()()


def _all(dialect: str) -> dict[str, ClauseElement]:
    return {
        **vars(Statements(dialect)),
        "lease": outbox._lease(),
        "settle": outbox._settle(dialect, outbox.EffectStatus.DONE),
        "pairs of": outbox._pairs_of(dialect),
        "postpone": outbox._postpone(),
    }


def _sql(statement: ClauseElement, dialect: Dialect) -> str:
    return " ".join(str(statement.compile(dialect=dialect)).split())


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=lambda dialect: dialect.name)
def test_every_statement_compiles(dialect: Dialect) -> None:
    assert all(_sql(statement, dialect) for statement in _all(dialect.name).values())


def test_rows_that_another_instance_works_on_are_skipped_on_postgresql() -> None:
    statements = _all("postgresql")

    for name in ("due", "lease"):
        assert "FOR UPDATE SKIP LOCKED" in _sql(statements[name], POSTGRESQL)
    assert _sql(statements["audit_head"], POSTGRESQL).endswith("FOR UPDATE")


def test_a_record_is_written_only_over_the_version_before() -> None:
    for dialect in (SQLITE, POSTGRESQL):
        for name, table in (("save_attempts", "attempts"), ("save_pairs", "pairs")):
            sql = _sql(_all(dialect.name)[name], dialect)
            assert f"WHERE {table}.version = excluded.version - " in sql


async def test_nothing_that_the_service_asks_reads_a_whole_table() -> None:
    def plans(connection: Connection) -> list[str]:
        return [
            str(step.detail)
            for statement in asked
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?"))
        ]

    async with one_instance() as instance:
        with counted_statements() as asked:
            await instance.store.watched()
            await instance.store.next_deadline()
            await instance.store.contradictions(NOON)
            await instance.outbox.lease(NOON, 1, timedelta(1))
            await instance.outbox.next_due()
            async with instance.store.transaction() as unit:
                await unit.load([device(1)])
                await unit.due(NOON, 1)
        steps = await instance.database.read(plans)

    tables = "|".join(table.name for table in metadata.sorted_tables)
    assert [step for step in steps if re.match(rf"SCAN ({tables})\b(?! USING (COVERING )?INDEX)", step)] == []
    assert any("ix_attempts_watched" in step for step in steps)
