"""The same seeds on SQLite and on a real PostgreSQL: the same happens, and the same is left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from joinbridge.errors import StoreError
from joinbridge.proving.campaign import compare_databases
from joinbridge.proving.plan import draw_plan
from joinbridge.proving.scratch import Scratch, own_scratch, scratch
from joinbridge.proving.two_databases import compared, differences, left_behind, on_both
from support.postgresql import fresh_database, run
from support.services import PostgreSql, free_port

FIRST, SEEDS = 70_000, 12
# To look longer: `python -m support.two_databases --seeds 2000 --procs 2` in tests/.


@pytest.fixture
def url(postgresql: PostgreSql) -> Iterator[str]:
    """A database without any tables."""
    with fresh_database(postgresql, schema_made=False) as made:
        yield made


@pytest.fixture
def there(url: str) -> Iterator[Scratch]:
    with scratch(url) as opened:
        yield opened


def test_a_dozen_seeds_come_to_the_same_on_both(there: Scratch) -> None:
    found = compared(range(FIRST, FIRST + SEEDS), own_scratch(), there)

    assert found.different == []
    assert found.seeds == SEEDS
    assert found.rows > found.messages > SEEDS


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("outbox", "UPDATE outbox SET tries = tries + 1 WHERE id = (SELECT max(id) FROM outbox)"),
        ("attempts", "UPDATE attempts SET version = version + 1 WHERE request_id = (SELECT max(request_id) FROM attempts)"),
        ("inbox", "DELETE FROM inbox WHERE key = (SELECT min(key) FROM inbox)"),
        ("audit", "UPDATE audit SET at = at + interval '1 microsecond' WHERE sequence = 1"),
    ],
)
def test_one_value_that_differs_is_noticed(there: Scratch, table: str, change: str) -> None:
    on_both(draw_plan(FIRST), own_scratch(), there)

    def changed(connection: Connection) -> None:
        connection.execute(text(change))

    run(there.database.write(changed))

    assert [each.split(":")[0] for each in differences(left_behind(own_scratch()), left_behind(there))] == [table]


def test_nothing_of_it_stays_in_the_database(url: str) -> None:
    found = compare_databases([FIRST], url, procs=1)

    assert found.seeds == 1
    with scratch(url) as looking:
        schemas = [name for (name,) in looking.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'joinbridge%'")]
    assert len(schemas) == 1  # of who looks


def test_a_database_that_is_not_there_is_told_so() -> None:
    with pytest.raises(StoreError, match="cannot be reached"), scratch(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none"):
        pass
