"""A rehearsal's parts: the ledger, the link that survives a broker that is away, and the SMI that both sides write."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.bus.memory import MemoryBus
from joinbridge.bus.topics import Binding
from joinbridge.core.ids import JoinPair, message_key
from joinbridge.errors import InventoryError, TransportError
from joinbridge.ports import Publication
from joinbridge.service.clock import ManualClock
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.ledger import open_ledger, read_ledger
from joinbridge.simulator.link import EstateLink
from joinbridge.simulator.scenario import SCENARIOS, START, build
from joinbridge.simulator.smi import SmiTable, smi_table

DAY = timedelta(days=1)


@pytest.fixture
def estate() -> Estate:
    return build(SCENARIOS["clean"], 1, 3, START)


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus(ManualClock(START))
    made.bind("all", Binding(exchange="dsp.sr", pattern="#"), Binding(exchange="csp.alerts", pattern="#"))
    made.bind("estate", Binding(exchange="joinbridge.events", pattern="#"))
    return made


class TestLedger:
    async def test_what_was_confirmed_and_what_was_heard_is_written_down(self, estate: Estate, bus: MemoryBus, tmp_path: Path) -> None:
        path = tmp_path / "made" / "ledger.jsonl"
        event = json.dumps({"time": START.isoformat(), "data": {"state": "succeeded", "target": None, "other": None, "request_id": None}})
        with open_ledger(path) as ledger:
            estate.truth.tell = ledger.true
            async with bus.source("estate") as commands:
                link = EstateLink(estate, bus, commands, ledger)
                published = await link.advance(START + 3 * DAY)
                sent = Publication(key="e1", exchange="joinbridge.events", route="join.succeeded", body=event.encode(), content_type="x")
                await bus.publish([sent])
                await bus.publish([sent])
                assert await link.listen(START + 3 * DAY) == 2
            ledger.lived(START + 3 * DAY)
            ledger.ended({"joins": 3}, START + 4 * DAY)

        lines = list(read_ledger(path))
        assert sum("published" in line for line in lines) == published == bus.ready("all") > 0
        assert [line["heard"] for line in lines if "heard" in line] == ["e1", "e1"]
        assert (link.repeated, len(estate.announced)) == (1, 1)
        assert any("joined" in change for line in lines if isinstance(change := line.get("true"), dict))
        assert lines[-2:] == [{"lived": (START + 3 * DAY).isoformat()}, {"ended": (START + 4 * DAY).isoformat(), "score": {"joins": 3}}]

    def test_a_copy_has_the_key_of_its_content(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.jsonl"
        with open_ledger(path) as ledger:
            ledger.published([Publication(key=key, exchange="x", route="r", body=b"same", content_type="t") for key in "ab"])

        assert [line["message"] for line in read_ledger(path)] == [message_key(b"same")] * 2

    def test_a_line_that_was_cut_off_is_left_out(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.jsonl"
        path.write_text('{"lived": 1}\n{"published": "k')

        assert list(read_ledger(path)) == [{"lived": 1}]


class TestLink:
    async def test_what_was_not_confirmed_is_published_again_and_only_then_written_down(
        self, estate: Estate, bus: MemoryBus, tmp_path: Path
    ) -> None:
        path = tmp_path / "ledger.jsonl"
        with open_ledger(path) as ledger:
            async with bus.source("estate") as commands:
                link = EstateLink(estate, bus, commands, ledger)
                with bus.outage(), pytest.raises(TransportError):
                    await link.advance(START + 3 * DAY)
                assert list(read_ledger(path)) == []

                published = await link.publish()

        assert len(list(read_ledger(path))) == published == bus.ready("all") > 0


class TestSmi:
    @pytest.fixture
    async def table(self, tmp_path: Path) -> AsyncIterator[SmiTable]:
        async with smi_table(f"sqlite+aiosqlite:///{tmp_path / 'smi.db'}") as table:
            await table.create()
            yield table

    @staticmethod
    async def rows(tmp_path: Path, change: str | None = None) -> Sequence[tuple[str, str, bool]]:
        """Return what the table holds, after `change`."""
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'smi.db'}")
        async with engine.begin() as connection:
            if change is not None:
                await connection.execute(text(change))
            found = (await connection.execute(text("SELECT target, other, joined FROM joins"))).all()
        await engine.dispose()
        return [(row.target, row.other, bool(row.joined)) for row in found]

    async def test_what_the_dsp_did_is_in_the_table_and_what_joinbridge_did_reaches_the_estate(
        self, estate: Estate, table: SmiTable, tmp_path: Path
    ) -> None:
        estate.advance(START + 3 * DAY)

        await table.write(estate)
        await table.read(estate)

        held = {JoinPair(target, other): joined for target, other, joined in await self.rows(tmp_path)}  # type: ignore[arg-type]  # texts
        assert held == estate.smi
        assert estate.truth.corrections == []

        pair = next(iter(estate.smi))
        await self.rows(tmp_path, f"UPDATE joins SET joined = 0 WHERE target = '{pair.target}' AND other = '{pair.other}'")  # noqa: S608
        await table.read(estate)

        assert estate.smi[pair] is False
        assert [(one.pair, one.joined) for one in estate.truth.corrections] == [(pair, False)]

    async def test_of_two_words_on_one_pair_the_dsps_stands(self, estate: Estate, table: SmiTable, tmp_path: Path) -> None:
        estate.advance(START + 3 * DAY)
        await table.write(estate)
        pair = next(iter(estate.smi))
        await self.rows(tmp_path, f"UPDATE joins SET joined = 0 WHERE target = '{pair.target}' AND other = '{pair.other}'")  # noqa: S608
        estate.truth.smi_touched.add(pair)

        await table.write(estate)
        await table.read(estate)

        assert (pair.target, pair.other, True) in await self.rows(tmp_path)
        assert estate.truth.corrections == []

    async def test_a_database_that_is_away_says_so_and_loses_nothing(self, estate: Estate, table: SmiTable, tmp_path: Path) -> None:
        estate.advance(START + 3 * DAY)
        async with smi_table("postgresql+asyncpg://nobody@127.0.0.1:1/none") as away:
            with pytest.raises(InventoryError, match="cannot be reached"):
                await away.write(estate)

        assert estate.truth.smi_touched == set(estate.smi)
        await table.write(estate)
        assert len(await self.rows(tmp_path)) == len(estate.smi)
