"""The inventory in a SQL database: whose table and columns, the configuration says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Boolean, Column, ColumnElement, Integer, MetaData, Table, Text, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from joinbridge.core.ids import JoinPair
from joinbridge.errors import InventoryConflictError, InventoryError
from joinbridge.inventory.reaching import PATIENCE, open_engine, reaching
from joinbridge.inventory.relation import must_change

PAGE = 500
"""Pairs asked for in one statement: two parameters each, below the limit of every database that SQLAlchemy speaks to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryTable:
    """Where the join relation is kept. A row stands for a directional pair; one that is missing, or holds NULL, is not joined.

    `joined_value` and `not_joined_value` are what the column holds (true and false, 1 and 0, 'Y' and 'N'). `may_insert` allows a row to
    be made for a pair that has none, with `insert_values` in its other columns.
    """

    name: str = "joins"
    schema: str | None = None
    target_column: str = "target"
    other_column: str = "other"
    joined_column: str = "joined"
    joined_value: bool | int | str = True
    not_joined_value: bool | int | str = False
    may_insert: bool = True
    insert_values: Mapping[str, bool | int | str] = field(default_factory=dict)


@asynccontextmanager
async def open_inventory(url: str, mapping: InventoryTable | None = None, *, patience: timedelta = PATIENCE) -> AsyncIterator[SqlInventory]:
    """Open the inventory in the database at `url`: any that SQLAlchemy reaches with an asynchronous driver, or `sqlite:///file`.

    A question or a change takes no longer than `patience`.

    Raises: ConfigError when the URL names no such database.
    """
    async with open_engine(url) as engine:
        yield SqlInventory(engine, mapping or InventoryTable(), patience=patience)


class SqlInventory:
    """The Inventory port on a table that others use too: it is read afresh each time, and written by compare-and-set."""

    def __init__(self, engine: AsyncEngine, mapping: InventoryTable, *, patience: timedelta = PATIENCE) -> None:
        self._engine = engine
        self._patience = patience
        self._mapping = mapping
        self._table = _table(mapping)
        self._target = self._table.c[mapping.target_column]
        self._other = self._table.c[mapping.other_column]
        self._joined = self._table.c[mapping.joined_column]

    async def create_table(self) -> None:
        """Make the table, if it is missing: for an inventory of joinbridge's own, as the demo has it.

        Raises: InventoryError when the database cannot be reached.
        """
        async with reaching(self._patience), self._engine.begin() as connection:
            await connection.run_sync(self._table.metadata.create_all)

    async def joined(self, pairs: Sequence[JoinPair]) -> Mapping[JoinPair, bool]:
        """Return what the inventory holds for each of `pairs`; a pair that it does not know is not joined.

        Raises: InventoryError when the database cannot be reached.
        """
        held: set[JoinPair] = set()
        async with reaching(self._patience), self._engine.connect() as connection:
            for start in range(0, len(pairs), PAGE):
                held |= await self._held_joined(connection, pairs[start : start + PAGE])
        return {pair: pair in held for pair in pairs}

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        """Set the relation if it holds `expected` (None: whatever it holds); return whether anything changed.

        Raises: InventoryConflictError when it holds neither `expected` nor already `joined`, or a value that is not mapped, or has no
        row where none may be made; InventoryError when the database cannot be reached, or someone else changed the row meanwhile.
        """
        async with reaching(self._patience), self._engine.begin() as connection:
            return await self._compare_and_set(connection, pair, joined, expected)

    async def _held_joined(self, connection: AsyncConnection, pairs: Sequence[JoinPair]) -> set[JoinPair]:
        # Each column by itself, since not every database compares tuples; what is too much is few, and is dropped here.
        found = select(self._target, self._other).where(
            self._target.in_({pair.target for pair in pairs}),
            self._other.in_({pair.other for pair in pairs}),
            self._joined == self._mapping.joined_value,
        )
        return {JoinPair(target, other) for target, other in await connection.execute(found)}

    async def _compare_and_set(self, connection: AsyncConnection, pair: JoinPair, joined: bool, expected: bool | None) -> bool:
        rows = select(self._joined).where(*self._is(pair)).with_for_update()
        row = (await connection.execute(rows)).first()
        held = False if row is None else self._meaning(pair, row[0])
        if not must_change(pair, held=held, joined=joined, expected=expected):
            return False
        value = self._mapping.joined_value if joined else self._mapping.not_joined_value
        if row is None:
            await self._insert(connection, pair, value)
            return True
        # The condition holds where a lock is not to be had: SQLite has none for a row.
        changed = await connection.execute(update(self._table).where(*self._is(pair), self._holds(held)).values({self._joined: value}))
        if changed.rowcount == 0:
            raise InventoryError(f"someone else changed {pair} in the inventory meanwhile")
        return True

    async def _insert(self, connection: AsyncConnection, pair: JoinPair, value: bool | int | str) -> None:
        if not self._mapping.may_insert:
            raise InventoryConflictError(f"the inventory has no row for {pair}, and none may be made", held=None)
        # Who makes the same row at the same time makes this fail: then it is there for the next try.
        await connection.execute(
            insert(self._table).values(
                {self._target: pair.target, self._other: pair.other, self._joined: value, **self._mapping.insert_values}
            )
        )

    def _is(self, pair: JoinPair) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return self._target == pair.target, self._other == pair.other

    def _holds(self, held: bool) -> ColumnElement[bool]:
        if held:
            return self._joined == self._mapping.joined_value
        return or_(self._joined == self._mapping.not_joined_value, self._joined.is_(None))

    def _meaning(self, pair: JoinPair, value: object) -> bool:
        if value == self._mapping.joined_value:
            return True
        if value is None or value == self._mapping.not_joined_value:
            return False
        raise InventoryConflictError(f"the inventory holds {pair} as {value!r}, which is not mapped", held=None)


def _table(mapping: InventoryTable) -> Table:
    """Return the table as far as it is ours: the three columns, and those that a new row needs."""
    return Table(
        mapping.name,
        MetaData(),
        Column(mapping.target_column, Text, primary_key=True),
        Column(mapping.other_column, Text, primary_key=True),
        Column(mapping.joined_column, _type_of(mapping.joined_value)),
        *(Column(name, _type_of(value)) for name, value in mapping.insert_values.items()),
        schema=mapping.schema,
    )


def _type_of(value: bool | int | str) -> type[Boolean | Integer | Text]:
    if isinstance(value, bool):
        return Boolean
    return Integer if isinstance(value, int) else Text
