"""What the inventory says of devices, in a table of somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.core.facts import DeviceDescription
from joinbridge.core.vocabulary import DeviceType
from joinbridge.errors import InventoryError
from joinbridge.inventory.devices import PAGE, DeviceTable, SqlDevices, open_devices
from support.records import device

A, B, C = device(1), device(2), device(3)
FULL = DeviceTable(
    name="SMI DEVICE",
    device_column="EUI",
    type_column="type",
    make_column="make",
    model_column="model",
    firmware_column="firmware",
    region_column="region",
)


@asynccontextmanager
async def table(folder: Path, *rows: str, mapping: DeviceTable = FULL) -> AsyncIterator[SqlDevices]:
    """Open a table that holds `rows`."""
    url = f"sqlite+aiosqlite:///{folder / 'smi.db'}"
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql('CREATE TABLE "SMI DEVICE" ("EUI" TEXT, type, make, model, firmware, region)')
        for row in rows:
            await connection.exec_driver_sql(f'INSERT INTO "SMI DEVICE" VALUES ({row})')  # noqa: S608  # fixed values
    await engine.dispose()
    async with open_devices(url, mapping) as devices:
        yield devices


async def test_a_device_is_described_as_the_table_has_it(tmp_path: Path) -> None:
    async with table(tmp_path, f"'{A}', 'GPF', 'Maker', 'Model 1', '01.02', 'north'") as devices:
        described = await devices.described([A, B])

    assert described == {A: DeviceDescription(A, DeviceType.GPF, "Maker", "Model 1", "01.02", "north")}
    assert described[A].inventoried


@pytest.mark.parametrize(
    ("value", "means"),
    [
        ("'GSME'", DeviceType.GSME),
        ("' gsme '", DeviceType.GSME),
        ("0", DeviceType.GSME),
        ("'3'", DeviceType.GPF),
        ("'IHD'", DeviceType.TYPE2),
        ("'CAD'", DeviceType.TYPE2),
        ("'TYPE2'", DeviceType.TYPE2),
        ("99", None),
        ("'SAPC'", None),
        ("''", None),
        ("NULL", None),
    ],
)
async def test_a_type_is_a_name_or_a_number_and_whatever_else_is_left_open(tmp_path: Path, value: str, means: DeviceType | None) -> None:
    async with table(tmp_path, f"'{A}', {value}, 'Maker', NULL, NULL, NULL") as devices:
        assert (await devices.described([A]))[A].device_type is means


async def test_what_is_empty_or_not_mapped_is_not_known(tmp_path: Path) -> None:
    mapping = DeviceTable(name="SMI DEVICE", device_column="EUI", model_column="model")
    async with table(tmp_path, f"'{A}', 'ESME', 'Maker', '  ', '1', 'north'", mapping=mapping) as devices:
        assert await devices.described([A]) == {A: DeviceDescription(A, DeviceType.ESME)}


async def test_numbers_where_words_are_expected_are_words(tmp_path: Path) -> None:
    async with table(tmp_path, f"'{A}', 'ESME', 4660, 2, 1.5, 1") as devices:
        assert await devices.described([A]) == {A: DeviceDescription(A, DeviceType.ESME, "4660", "2", "1.5", "1")}


async def test_more_devices_than_one_statement_takes_are_described(tmp_path: Path) -> None:
    wanted = [device(n) for n in range(1, PAGE + 10)]
    rows = [f"'{each}', 'ESME', NULL, NULL, NULL, NULL" for each in (wanted[0], wanted[-1])]
    async with table(tmp_path, *rows) as devices:
        assert set(await devices.described(wanted)) == {wanted[0], wanted[-1]}
        assert await devices.described([]) == {}


async def test_a_table_that_is_missing_is_an_error_of_the_inventory() -> None:
    async with open_devices("sqlite://", FULL) as devices:
        with pytest.raises(InventoryError, match="no such table"):
            await devices.described([A])
