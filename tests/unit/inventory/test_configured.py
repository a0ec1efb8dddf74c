"""The inventory that the configuration describes: every name in it reaches the statement that it is for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.config import InventorySettings
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.vocabulary import DeviceType
from joinbridge.errors import ConfigError
from joinbridge.wiring.inventories import open_configured_devices, open_configured_inventory
from support.records import device, pair_of

PAIR = pair_of(1, 2)


async def test_every_name_of_the_configuration_is_used(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'smi.db'}"
    theirs = create_async_engine(url)
    async with theirs.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE link (t TEXT, o TEXT, is_joined TEXT)")
        await connection.exec_driver_sql("CREATE TABLE asset (d TEXT, k TEXT, ma TEXT, mo TEXT, fi TEXT, re TEXT)")
        await connection.exec_driver_sql(f"INSERT INTO link VALUES ('{PAIR.target}', '{PAIR.other}', 'N')")  # noqa: S608  # fixed
        await connection.exec_driver_sql(f"INSERT INTO asset VALUES ('{device(1)}', 'CAD', 'a', 'b', 'c', 'd')")  # noqa: S608  # fixed
    await theirs.dispose()
    settings = InventorySettings(
        url=SecretStr(url),
        table="link",
        target_column="t",
        other_column="o",
        joined_column="is_joined",
        joined_value="Y",
        not_joined_value="N",
        may_insert=False,
        patience=timedelta(seconds=30),
        devices_table="asset",
        device_column="d",
        type_column="k",
        make_column="ma",
        model_column="mo",
        firmware_column="fi",
        region_column="re",
    )

    async with open_configured_inventory(settings) as inventory:
        assert await inventory.set_joined(PAIR, joined=True, expected=False) is True
    devices = open_configured_devices(settings)
    assert devices is not None
    async with devices as opened:
        assert await opened.described([device(1)]) == {device(1): DeviceDescription(device(1), DeviceType.TYPE2, "a", "b", "c", "d")}


def test_no_table_of_devices_is_none() -> None:
    assert open_configured_devices(InventorySettings()) is None


def test_a_table_of_devices_wants_a_url() -> None:
    with pytest.raises(ConfigError, match=r"inventory\.url"):
        open_configured_devices(InventorySettings(devices_table="asset"))


def test_an_inventory_wants_a_url() -> None:
    with pytest.raises(ConfigError, match=r"inventory\.url"):
        open_configured_inventory(InventorySettings())
