"""An inventory in PostgreSQL that dies or hangs: the update stays owed, nobody waits for ever, and afterwards all works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.core.facts import DeviceDescription
from joinbridge.core.vocabulary import DeviceType
from joinbridge.errors import InventoryError
from joinbridge.inventory.devices import DeviceTable, open_devices
from joinbridge.inventory.sql import open_inventory
from support import services
from support.postgresql import fresh_database, frozen
from support.records import device, pair_of
from support.services import PostgreSql, Server

PAIR = pair_of(1, 2)
PATIENCE = timedelta(seconds=2)
AT_THE_LATEST_S = 15.0  # with the two seconds in which a driver takes leave of a connection, on a busy machine


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgreSql]:
    """A PostgreSQL to kill and to freeze, which others must not feel."""
    with services.postgresql("fsync=off", "synchronous_commit=off") as own:
        yield own


@pytest.fixture
def server(own_server: PostgreSql) -> Server:
    assert own_server.server is not None
    return own_server.server


@pytest.fixture
def url(own_server: PostgreSql) -> Iterator[str]:
    with fresh_database(own_server, schema_made=False) as made:
        yield made


async def test_an_inventory_that_hangs_is_given_up_in_time_and_used_again_when_it_goes_on(url: str, server: Server) -> None:
    async with open_inventory(url, patience=PATIENCE) as inventory:
        await inventory.create_table()

        with ExitStack() as hanging:
            hanging.enter_context(frozen(server))
            async with asyncio.timeout(AT_THE_LATEST_S):
                with pytest.raises(InventoryError, match="did not answer in time"):
                    await inventory.set_joined(PAIR, joined=True, expected=False)
            async with asyncio.timeout(AT_THE_LATEST_S):
                with pytest.raises(InventoryError, match="did not answer in time"):
                    await inventory.joined([PAIR])

        assert await inventory.set_joined(PAIR, joined=True, expected=False) is True
        assert await inventory.joined([PAIR]) == {PAIR: True}


async def test_closing_an_inventory_that_hangs_takes_no_longer_than_that(url: str, server: Server) -> None:
    with ExitStack() as hanging:
        async with asyncio.timeout(AT_THE_LATEST_S), open_inventory(url, patience=PATIENCE) as inventory:
            await inventory.create_table()
            hanging.enter_context(frozen(server))


async def test_an_inventory_that_was_restarted_is_used_again_at_once(url: str, server: Server) -> None:
    async with open_inventory(url, patience=PATIENCE) as inventory:
        await inventory.create_table()
        server.stop()
        with pytest.raises(InventoryError):
            await inventory.joined([PAIR])
        server.start()

        async with asyncio.timeout(services.START_TIMEOUT_S):
            while True:  # it takes connections a moment before it takes transactions
                try:
                    assert await inventory.set_joined(PAIR, joined=True, expected=False) is True
                    break
                except InventoryError:
                    await asyncio.sleep(0.02)


async def test_a_row_that_somebody_else_has_locked_is_waited_for_only_so_long(url: str) -> None:
    async with open_inventory(url, patience=PATIENCE) as inventory:
        await inventory.create_table()
        await inventory.set_joined(PAIR, joined=True, expected=False)
        theirs = create_async_engine(url)

        async with theirs.connect() as connection:
            await connection.execute(text("SELECT * FROM joins FOR UPDATE"))
            with pytest.raises(InventoryError, match="did not answer in time"):
                await inventory.set_joined(PAIR, joined=False, expected=True)
        await theirs.dispose()

        assert await inventory.set_joined(PAIR, joined=False, expected=True) is True


async def test_devices_are_described_from_columns_of_any_type(url: str) -> None:
    theirs = create_async_engine(url)
    async with theirs.begin() as connection:
        await connection.execute(text("CREATE SCHEMA smi"))
        await connection.execute(text("CREATE TABLE smi.devices (device varchar(23), kind smallint, make char(8), model integer)"))
        await connection.execute(text(f"INSERT INTO smi.devices VALUES ('{device(1)}', 1, 'Maker', 7)"))  # noqa: S608  # fixed values
    await theirs.dispose()
    mapping = DeviceTable(name="devices", schema="smi", type_column="kind", make_column="make", model_column="model")

    async with open_devices(url, mapping, patience=PATIENCE) as devices:
        described = await devices.described([device(1), device(2)])

    assert described == {device(1): DeviceDescription(device(1), DeviceType.ESME, "Maker", "7")}
