"""The estate's SMI as a table of a real database, which joinbridge corrects and the simulated DSP writes too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Boolean, Column, MetaData, Table, Text, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from joinbridge.core.ids import DeviceId, JoinPair
from joinbridge.errors import InventoryError
from joinbridge.simulator.estate import Estate

_JOINS = Table(
    "joins",
    MetaData(),
    Column("target", Text, primary_key=True),
    Column("other", Text, primary_key=True),
    Column("joined", Boolean, nullable=False),
)


class SmiTable:
    """Keeps the table and the estate in step. The DSP and joinbridge write the same rows; each reads what the other wrote."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._mirror: dict[JoinPair, bool] = {}
        insert = postgresql.insert(_JOINS) if engine.dialect.name == "postgresql" else sqlite.insert(_JOINS)
        self._set = insert.on_conflict_do_update(index_elements=["target", "other"], set_={"joined": insert.excluded.joined})

    async def create(self) -> None:
        """Make the table, empty.

        Raises: InventoryError when the database cannot be reached.
        """
        async with self._connection() as connection:
            await connection.run_sync(_JOINS.drop, checkfirst=True)
            await connection.run_sync(_JOINS.create)

    async def write(self, estate: Estate) -> None:
        """Write what the DSP did since the last call. Its word stands: it comes from the device.

        Raises: InventoryError when the database cannot be reached; nothing is lost by that, the next call does it all.
        """
        touched = sorted(estate.truth.smi_touched)
        if not touched:
            return
        rows = [{"target": pair.target, "other": pair.other, "joined": estate.smi[pair]} for pair in touched]
        async with self._connection() as connection:
            await connection.execute(self._set, rows)
        self._mirror.update((pair, estate.smi[pair]) for pair in touched)
        estate.truth.smi_touched.clear()

    async def read(self, estate: Estate) -> None:
        """Tell the estate what joinbridge corrected.

        Raises: InventoryError when the database cannot be reached; the next call tells it.
        """
        async with self._connection() as connection:
            rows = (await connection.execute(select(_JOINS))).all()
        for row in rows:
            pair = JoinPair(DeviceId(row.target), DeviceId(row.other))
            if self._mirror.get(pair, False) is not row.joined:
                self._mirror[pair] = row.joined
                estate.correct(pair, joined=row.joined)
                estate.truth.smi_touched.discard(pair)  # it is in the table

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise InventoryError(f"the simulated SMI cannot be reached: {error}") from error


@asynccontextmanager
async def smi_table(url: str) -> AsyncIterator[SmiTable]:
    """Open the table in the database at `url`."""
    engine = create_async_engine(url, pool_pre_ping=True)
    try:
        yield SmiTable(engine)
    finally:
        await engine.dispose()
