"""What the inventory says of devices, before requests about them are decided; and what happens when it says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.config import Settings
from joinbridge.core.facts import DeviceDescription, InventoryRead
from joinbridge.core.ids import DeviceId
from joinbridge.core.vocabulary import DeviceType
from joinbridge.inventory.devices import DeviceTable, SqlDevices, open_devices
from joinbridge.observing import Observer
from joinbridge.ops.metrics import Metrics
from joinbridge.service import describing as module
from joinbridge.service.describing import AGAIN, AWAY, Describing
from joinbridge.wire.facts import facts_of
from joinbridge.wire.message import decode_message
from joinbridge.wiring.signers import reading
from support.home import CAD, ESME, GPF, GSME
from support.messages import command_failure, join_request, request_id
from support.sidecar import LIVE, Site, a_site

TABLE = DeviceTable(
    name="asset", device_column="d", type_column="t", make_column="ma", model_column="mo", firmware_column="f", region_column="r"
)


class Failures(Observer):
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def failed(self, task: str, error: Exception) -> None:
        self.told.append((task, str(error)))


class Counted:
    """Devices that count how often they were asked, and may hang."""

    def __init__(self, devices: SqlDevices) -> None:
        self._devices = devices
        self.asked: list[Sequence[DeviceId]] = []
        self.hangs = False

    async def described(self, devices: Sequence[DeviceId]) -> Mapping[DeviceId, DeviceDescription]:
        self.asked.append(devices)
        if self.hangs:
            await asyncio.Event().wait()
        return await self._devices.described(devices)


@asynccontextmanager
async def a_table(folder: Path, *rows: tuple[str, ...]) -> AsyncIterator[Counted]:
    """Make an inventory with these devices, and open it."""
    url = f"sqlite+aiosqlite:///{folder / 'smi.db'}"
    await execute(url, "CREATE TABLE asset (d TEXT, t TEXT, ma TEXT, mo TEXT, f TEXT, r TEXT)")
    for row in rows:
        await execute(url, f"INSERT INTO asset VALUES ({', '.join(repr(value) for value in row)})")  # noqa: S608 - ours
    async with open_devices(url, TABLE) as opened:
        yield Counted(opened)


async def execute(url: str, statement: str) -> None:
    theirs = create_async_engine(url)
    async with theirs.begin() as connection:
        await connection.exec_driver_sql(statement)
    await theirs.dispose()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as made:
        yield made


METER = (str(GSME), "GSME", "10D4", "0004A400", "G4000031", "North")


async def asks(made: Describing, *targets: DeviceId) -> Sequence[DeviceDescription]:
    """Let requests about `targets` come; return what is known of them before they are decided."""
    facts = [one.fact for target in targets for one in facts_of(decode_message(join_request(target, CAD)), reading(Settings()))]
    found = [sighting.fact for sighting in await made.sightings(facts)]
    return [description for fact in found if isinstance(fact, InventoryRead) for description in fact.descriptions]


class TestAsking:
    async def test_target_and_other_of_a_request_are_asked_about_and_those_that_are_not_described_are_left_open(
        self, tmp_path: Path, site: Site
    ) -> None:
        async with a_table(tmp_path, METER) as devices:
            told = await asks(Describing(devices, clock=site.clock), GSME)

        assert told == [DeviceDescription(GSME, DeviceType.GSME, "10D4", "0004A400", "G4000031", "North")]
        assert devices.asked == [sorted([GSME, CAD])]

    async def test_nobody_is_asked_again_until_the_answer_is_old(self, tmp_path: Path, site: Site) -> None:
        async with a_table(tmp_path, METER) as devices:
            made = Describing(devices, clock=site.clock)
            first = await asks(made, GSME)
            again = await asks(made, GSME, ESME)
            site.clock.jump(site.clock.now() + AGAIN)
            await asks(made, GSME)

        assert again == first
        assert devices.asked == [sorted([GSME, CAD]), [ESME], sorted([GSME, CAD])]

    async def test_other_messages_ask_nobody(self, tmp_path: Path, site: Site) -> None:
        async with a_table(tmp_path, METER) as devices:
            made = Describing(devices, clock=site.clock)
            facts = [one.fact for one in facts_of(decode_message(command_failure(request_id(GSME))), reading(Settings()))]

            assert facts
            assert await made.sightings(facts) == ()
        assert devices.asked == []

    async def test_what_is_remembered_is_bounded(self, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "REMEMBERED", 2)
        async with a_table(tmp_path, METER) as devices:
            made = Describing(devices, clock=site.clock)
            for target in (GSME, ESME, GPF, GSME):
                await asks(made, target)

        assert len(made._told) == 2
        assert GSME in devices.asked[-1]


class TestAnInventoryThatIsAway:
    async def test_is_left_alone_for_a_while_and_then_asked_again(self, tmp_path: Path, site: Site) -> None:
        failures = Failures()
        async with a_table(tmp_path, METER) as devices:
            url = f"sqlite+aiosqlite:///{tmp_path / 'smi.db'}"
            made = Describing(devices, clock=site.clock, observer=failures)
            await execute(url, "ALTER TABLE asset RENAME TO gone")
            away = [await asks(made, GSME), await asks(made, GSME)]
            await execute(url, "ALTER TABLE gone RENAME TO asset")
            site.clock.jump(site.clock.now() + AWAY)
            back = await asks(made, GSME)

        assert away == [[], []]
        assert len(back) == 1
        [(task, says)] = failures.told
        assert task == "devices"
        assert "no such table" in says

    async def test_that_hangs_is_waited_for_no_longer_than_a_batch_can_wait(
        self, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PATIENCE_S", 0.05)
        failures = Failures()
        async with a_table(tmp_path, METER) as devices:
            devices.hangs = True

            assert await asks(Describing(devices, clock=site.clock, observer=failures), GSME) == []

        assert [task for task, _ in failures.told] == ["devices"]


class TestInASidecar:
    async def test_what_it_says_labels_the_answers_that_are_lost_and_those_that_come(self, tmp_path: Path, site: Site) -> None:
        metrics = Metrics(Settings(), site.clock)
        async with a_table(tmp_path, METER) as devices:
            made = Describing(devices, clock=site.clock)
            async with site.sidecar(settings=LIVE, observer=metrics.observer, describing=made) as running:
                await site.send(join_request(GSME, CAD), command_failure(request_id(GSME)))
                await running.sidecar.settle()

        kind = {"make": "10D4", "model": "0004A400", "firmware": "G4000031"}
        registry = metrics.instruments.registry
        assert registry.get_sample_value("joinbridge_device_responses_total", {**kind, "region": "north", "outcome": "lost"}) == 1
        srv = {"srv": "8.7.2", "region": "north", "leg": "before_dsp", "trigger": "N13"}
        assert registry.get_sample_value("joinbridge_responses_lost_total", srv) == 1

    async def test_the_type_it_says_is_how_long_an_answer_is_waited_for(self, tmp_path: Path, site: Site) -> None:
        # Of an unknown type the deadline is that of a gas meter.
        async with a_table(tmp_path, (str(ESME), "ESME", "10A1", "m", "f", "south")) as devices:
            made = Describing(devices, clock=site.clock)
            async with site.sidecar(describing=made) as running:
                await site.send(join_request(ESME, CAD), join_request(GSME, CAD, 2))
                await running.sidecar.settle()

        due = {attempt.target: min(d.due_at for d in attempt.deadlines) - site.clock.now() for attempt in await site.records.attempts()}
        assert due == {ESME: Settings().deadlines.esme, GSME: Settings().deadlines.unknown}
        assert due[ESME] < timedelta(minutes=11)

    async def test_what_it_says_is_kept(self, tmp_path: Path, site: Site) -> None:
        async with a_table(tmp_path, METER) as devices, site.sidecar(describing=Describing(devices, clock=site.clock)) as running:
            await site.send(join_request(GSME, CAD))
            await running.sidecar.settle()

        assert await site.records.device(GSME) == DeviceDescription(GSME, DeviceType.GSME, "10D4", "0004A400", "G4000031", "North")

    async def test_what_was_seen_before_is_not_decided_by_it(self, tmp_path: Path, site: Site) -> None:
        async with a_table(tmp_path, METER) as devices:
            made = Describing(devices, clock=site.clock)
            async with site.sidecar() as running:
                await site.send(join_request(GSME, CAD))
                await running.sidecar.settle()
            before = await site.contents()
            async with site.sidecar(describing=made) as running:
                await site.send(join_request(GSME, CAD))
                await running.sidecar.settle()

        assert devices.asked == [sorted([GSME, CAD])]
        assert await site.contents() == before
