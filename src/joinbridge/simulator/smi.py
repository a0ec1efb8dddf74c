"""The estate's SMI as a table of a real database, which joinbridge corrects and the simulated DSP writes too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Boolean, Column, MetaData, Table, Text, and_, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

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
_CHANGE = (
    update(_JOINS)
    .where(and_(_JOINS.c.target == bindparam("t"), _JOINS.c.other == bindparam("o"), _JOINS.c.joined != bindparam("now_joined")))
    .values(joined=bindparam("now_joined"))
)


class SmiTable:
    """Keeps the table and the estate in step. The DSP and joinbridge write the same rows; each sees the other's at the next `sync`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._mirror: dict[JoinPair, bool] = {}

    async def create(self) -> None:
        """Make the table, empty.

        Raises: InventoryError when the database cannot be reached.
        """
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(_JOINS.drop, checkfirst=True)
                await connection.run_sync(_JOINS.create)
        except (SQLAlchemyError, OSError) as error:
            raise InventoryError(f"the table of the simulated SMI cannot be made: {error}") from error

    async def sync(self, estate: Estate) -> None:
        """Tell the estate what joinbridge corrected, and write what the DSP did; of two words on one pair the DSP's stands.

        Raises: InventoryError when the database cannot be reached; nothing is lost by that, the next call does it all.
        """
        try:
            async with self._engine.begin() as connection:
                rows = (await connection.execute(select(_JOINS))).all()
                held = {JoinPair(DeviceId(row.target), DeviceId(row.other)): row.joined for row in rows}
                corrected = [(pair, joined) for pair, joined in held.items() if self._mirror.get(pair) is not joined]
                ours = {pair: joined for pair, joined in estate.smi.items() if self._mirror.get(pair) is not joined}
                new = [{"target": p.target, "other": p.other, "joined": joined} for p, joined in ours.items() if p not in held]
                changed = [{"t": p.target, "o": p.other, "now_joined": joined} for p, joined in ours.items() if p in held]
                if new:
                    await connection.execute(insert(_JOINS), new)
                if changed:
                    await connection.execute(_CHANGE, changed)
        except IntegrityError:
            return  # joinbridge made a row of ours meanwhile; the next call sees what it holds
        except (SQLAlchemyError, OSError) as error:
            raise InventoryError(f"the simulated SMI cannot be reached: {error}") from error
        for pair, joined in corrected:
            if pair not in ours:
                estate.correct(pair, joined=joined)
        self._mirror = {**held, **ours}


@asynccontextmanager
async def smi_table(url: str) -> AsyncIterator[SmiTable]:
    """Open the table in the database at `url`."""
    engine = create_async_engine(url, pool_pre_ping=True)
    try:
        yield SmiTable(engine)
    finally:
        await engine.dispose()
