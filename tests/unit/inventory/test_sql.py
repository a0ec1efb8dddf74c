"""The inventory in a table of somebody else's: what it holds beside what is mapped, and what may not be done to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.errors import ConfigError, InventoryConflictError, InventoryError
from joinbridge.inventory.memory import MemoryInventory
from joinbridge.inventory.reaching import PATIENCE, reaching
from joinbridge.inventory.sql import InventoryTable, SqlInventory, open_inventory
from support.records import pair_of

PAIR = pair_of(1, 2)
MAPPING = InventoryTable(name="smi", joined_value="Y", not_joined_value="N", may_insert=False)


@asynccontextmanager
async def smi(folder: Path, *statements: str) -> AsyncIterator[SqlInventory]:
    """Open an inventory on a table that was made by `statements`."""
    url = f"sqlite+aiosqlite:///{folder / 'smi.db'}"
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE smi (target TEXT, other TEXT, joined TEXT, note TEXT)")
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()
    async with open_inventory(url, MAPPING) as inventory:
        yield inventory


def row(value: str) -> str:
    return f"INSERT INTO smi VALUES ('{PAIR.target}', '{PAIR.other}', {value}, 'theirs')"  # noqa: S608  # fixed values


async def test_a_row_without_a_value_is_not_joined(tmp_path: Path) -> None:
    async with smi(tmp_path, row("NULL")) as inventory:
        assert await inventory.joined([PAIR]) == {PAIR: False}

        assert await inventory.set_joined(PAIR, joined=True, expected=False) is True

        assert await inventory.joined([PAIR]) == {PAIR: True}


async def test_a_value_that_is_not_mapped_is_never_overwritten(tmp_path: Path) -> None:
    async with smi(tmp_path, row("'PENDING'")) as inventory:
        assert await inventory.joined([PAIR]) == {PAIR: False}

        with pytest.raises(InventoryConflictError, match="'PENDING'") as caught:
            await inventory.set_joined(PAIR, joined=True, expected=None)
        assert caught.value.held is None


async def test_a_row_is_not_made_where_none_may_be(tmp_path: Path) -> None:
    async with smi(tmp_path) as inventory:
        with pytest.raises(InventoryConflictError, match="no row") as caught:
            await inventory.set_joined(PAIR, joined=True, expected=False)
        assert caught.value.held is None

        assert await inventory.set_joined(PAIR, joined=False, expected=True) is False


async def test_a_row_that_changed_between_reading_and_writing_is_left_alone(tmp_path: Path) -> None:
    somebody_else = "CREATE TRIGGER first BEFORE UPDATE ON smi BEGIN SELECT RAISE(IGNORE); END"

    async with smi(tmp_path, row("'N'"), somebody_else) as inventory:
        with pytest.raises(InventoryError, match="meanwhile"):
            await inventory.set_joined(PAIR, joined=True, expected=False)


async def test_a_table_that_is_missing_is_an_error_of_the_inventory() -> None:
    async with open_inventory("sqlite://") as inventory:
        with pytest.raises(InventoryError, match="no such table"):
            await inventory.joined([PAIR])


async def test_making_the_table_again_keeps_what_it_holds() -> None:
    async with open_inventory("sqlite://") as inventory:
        await inventory.create_table()
        await inventory.set_joined(PAIR, joined=True, expected=False)

        await inventory.create_table()

        assert await inventory.joined([PAIR]) == {PAIR: True}


@pytest.mark.parametrize("url", ["", "no url", "nosuch://x/y", "sqlite+pysqlite:///x.db"])
async def test_a_url_that_names_no_usable_database_is_the_operators_to_mend(url: str) -> None:
    with pytest.raises(ConfigError, match="inventory's URL"):
        async with open_inventory(url):
            pass


async def test_a_server_that_refuses_is_an_error_of_the_inventory() -> None:
    class Refusing:
        """An engine whose driver raises what asyncio raises."""

        def connect(self) -> object:
            raise ConnectionRefusedError("connection refused")

    inventory = SqlInventory(Refusing(), InventoryTable())  # type: ignore[arg-type]  # the one method that is used
    with pytest.raises(InventoryError, match="cannot be reached"):
        await inventory.joined([PAIR])


async def test_whatever_its_driver_raises_is_an_error_of_the_inventory() -> None:
    class UnknownError(Exception):
        """An exception of asyncpg's that SQLAlchemy does not know."""

    UnknownError.__module__ = "asyncpg.exceptions._base"

    with pytest.raises(InventoryError, match="protocol"):
        async with reaching(PATIENCE):
            raise UnknownError("unknown protocol state 3")
    with pytest.raises(KeyError):
        async with reaching(PATIENCE):
            raise KeyError("a mistake of ours")


async def test_an_inventory_in_memory_can_start_with_what_it_is_to_hold() -> None:
    inventory = MemoryInventory({PAIR: True, PAIR.reverse: False})

    assert await inventory.joined([PAIR, PAIR.reverse]) == {PAIR: True, PAIR.reverse: False}
