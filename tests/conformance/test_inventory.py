"""What every Inventory promises: `ports.Inventory`, in memory and in SQL databases with tables of several shapes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from joinbridge.errors import InventoryConflictError, InventoryError
from joinbridge.inventory.memory import MemoryInventory
from joinbridge.inventory.sql import PAGE, InventoryTable, open_inventory
from joinbridge.ports import Inventory
from support.postgresql import fresh_database
from support.records import pair_of
from support.services import free_port

PAIR = pair_of(1, 2)


@dataclass(frozen=True)
class InventoryKind:
    """An inventory the suite runs on. `url` may hold `{folder}`, and is empty where a server gives each test a database."""

    name: str
    url: str | None = None  # None: in memory
    mapping: InventoryTable = field(default_factory=InventoryTable)


THEIRS = InventoryTable(
    name="DEVICE_JOIN",
    target_column="TARGET EUI",
    other_column="order",  # a reserved word, as real tables have them
    joined_column="IS_JOINED",
    joined_value="Y",
    not_joined_value="N",
    insert_values={"CHANGED_BY": "joinbridge", "REVISION": 1, "CHECKED": False},
)
NUMBERS = InventoryTable(joined_value=1, not_joined_value=0)
KINDS = (
    InventoryKind("memory"),
    InventoryKind("sqlite-memory", "sqlite://"),
    InventoryKind("sqlite-file", "sqlite+aiosqlite:///{folder}/smi.db"),
    InventoryKind("sqlite-mapped", "sqlite:///{folder}/smi.db", THEIRS),
    InventoryKind("sqlite-numbers", "sqlite://", NUMBERS),
    InventoryKind("postgresql", ""),
    InventoryKind("postgresql-mapped", "", THEIRS),
    InventoryKind("postgresql-numbers", "", NUMBERS),
)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> InventoryKind:
    chosen: InventoryKind = request.param
    return chosen


@pytest.fixture
def url(kind: InventoryKind, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if kind.url == "":
        with fresh_database(request.getfixturevalue("postgresql"), schema_made=False) as made:
            yield made
    else:
        yield (kind.url or "").format(folder=tmp_path)


@pytest.fixture
async def inventory(kind: InventoryKind, url: str) -> AsyncIterator[Inventory]:
    if kind.url is None:
        yield MemoryInventory()
        return
    async with open_inventory(url, kind.mapping) as opened:
        await opened.create_table()
        yield opened


@asynccontextmanager
async def out_of_reach(kind: InventoryKind, folder: Path) -> AsyncIterator[Inventory]:
    if kind.url is None:
        down = MemoryInventory()
        down.reachable = False
        yield down
        return
    (folder / "broken.db").write_bytes(b"overwritten by something else " * 100)
    url = f"sqlite:///{folder}/broken.db" if kind.url else f"postgresql+asyncpg://postgres@127.0.0.1:{free_port()}/smi"
    async with open_inventory(url, kind.mapping) as inventory:
        yield inventory


async def holds(inventory: Inventory, joined: bool) -> None:
    await inventory.set_joined(PAIR, joined=joined, expected=None)
    assert await inventory.joined([PAIR]) == {PAIR: joined}


async def test_a_pair_it_does_not_know_is_not_joined(inventory: Inventory) -> None:
    assert await inventory.joined([PAIR, PAIR.reverse]) == {PAIR: False, PAIR.reverse: False}
    assert await inventory.joined([]) == {}


async def test_a_pair_is_joined_in_one_direction(inventory: Inventory) -> None:
    assert await inventory.set_joined(PAIR, joined=True, expected=False) is True

    assert await inventory.joined([PAIR, PAIR.reverse]) == {PAIR: True, PAIR.reverse: False}


async def test_pairs_that_share_devices_are_told_apart(inventory: Inventory) -> None:
    await inventory.set_joined(pair_of(1, 2), joined=True, expected=None)
    await inventory.set_joined(pair_of(3, 4), joined=True, expected=None)

    assert await inventory.joined([pair_of(1, 4), pair_of(3, 2), pair_of(1, 2)]) == {
        pair_of(1, 4): False,
        pair_of(3, 2): False,
        pair_of(1, 2): True,
    }


async def test_more_pairs_than_one_statement_takes_are_answered(inventory: Inventory) -> None:
    pairs = [pair_of(1, n) for n in range(2, PAGE + 10)]
    await inventory.set_joined(pairs[0], joined=True, expected=None)
    await inventory.set_joined(pairs[-1], joined=True, expected=None)

    held = await inventory.joined(pairs)

    assert [pair for pair in pairs if held[pair]] == [pairs[0], pairs[-1]]


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("expected", [None, True, False])
async def test_it_is_set_when_it_holds_what_is_expected(inventory: Inventory, held: bool, joined: bool, expected: bool | None) -> None:
    await holds(inventory, held)

    if held is not joined and expected is not None and held is not expected:
        with pytest.raises(InventoryConflictError) as caught:
            await inventory.set_joined(PAIR, joined=joined, expected=expected)
        assert caught.value.held is held
        assert await inventory.joined([PAIR]) == {PAIR: held}
    else:
        assert await inventory.set_joined(PAIR, joined=joined, expected=expected) is (held is not joined)
        assert await inventory.joined([PAIR]) == {PAIR: joined}


@pytest.mark.parametrize("joined", [True, False])
async def test_setting_twice_changes_once(inventory: Inventory, joined: bool) -> None:
    await holds(inventory, not joined)

    changed = [await inventory.set_joined(PAIR, joined=joined, expected=not joined) for _ in range(3)]

    assert changed == [True, False, False]


async def test_setting_at_once_changes_once(inventory: Inventory) -> None:
    await holds(inventory, joined=True)

    changed = await asyncio.gather(*(inventory.set_joined(PAIR, joined=False, expected=True) for _ in range(5)), return_exceptions=True)

    # Who came between another's reading and writing is told that it is still owed.
    assert changed.count(True) == 1
    assert all(each is False or each is True or isinstance(each, InventoryError) for each in changed)
    assert await inventory.joined([PAIR]) == {PAIR: False}


async def test_an_inventory_that_is_down_leaves_the_update_owed(kind: InventoryKind, tmp_path: Path) -> None:
    async with out_of_reach(kind, tmp_path) as inventory:
        with pytest.raises(InventoryError):
            await inventory.joined([PAIR])
        with pytest.raises(InventoryError):
            await inventory.set_joined(PAIR, joined=True, expected=None)
