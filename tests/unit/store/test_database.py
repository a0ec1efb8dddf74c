"""Transactions: begun at once, ended whole, in turn, and none left behind by a task that was cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from joinbridge.errors import StoreError
from joinbridge.store.database import Database
from joinbridge.store.failures import database_errors
from joinbridge.store.opening import open_database
from support.eventually import eventually

URLS = ["sqlite://", "sqlite:///{}", "sqlite+aiosqlite://", "sqlite+aiosqlite:///{}"]


@pytest.fixture(params=URLS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(request.param.format(tmp_path / "a.db"), synchronous="OFF") as opened:
        await opened.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER)"))
        yield opened


def insert(connection: Connection, number: int = 1) -> None:
    connection.exec_driver_sql(f"INSERT INTO t VALUES ({number})")  # noqa: S608  # a number


def numbers(connection: Connection) -> list[int]:
    return list(connection.exec_driver_sql("SELECT n FROM t ORDER BY n").scalars())


async def held(database: Database) -> list[int]:
    return await database.read(numbers)


async def test_writers_take_turns(database: Database) -> None:
    async def add_one_more(_: int) -> None:
        async with database.writing() as transaction:
            count = len(await transaction.run(numbers))
            await asyncio.sleep(0)  # let the others try to get in between
            await transaction.run(lambda connection: insert(connection, count))

    await asyncio.gather(*(add_one_more(n) for n in range(20)))

    assert await held(database) == list(range(20))


async def test_a_failed_transaction_leaves_the_next_one_clean(database: Database) -> None:
    async def fail_in_the_middle() -> None:
        async with database.writing() as transaction:
            await transaction.run(insert)
            await transaction.run(lambda connection: connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(StoreError, match="no such table"):
        await fail_in_the_middle()

    await database.write(lambda connection: insert(connection, 2))

    assert await held(database) == [2]


async def test_work_that_fails_on_its_own_leaves_nothing(database: Database) -> None:
    def fail_in_the_middle(connection: Connection) -> None:
        insert(connection)
        raise KeyError("in the work itself")

    with pytest.raises(KeyError):
        await database.write(fail_in_the_middle)
    await database.write(lambda connection: insert(connection, 2))

    assert await held(database) == [2]


async def test_a_transaction_within_one_is_told_instead_of_waiting_for_ever(database: Database) -> None:
    async with database.writing() as transaction:
        await transaction.run(insert)

        with pytest.raises(StoreError, match="wait for itself"):
            await database.write(insert)

    assert await held(database) == [1]


async def test_cancelling_in_the_middle_of_work_undoes_it() -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        insert(connection)
        entered.set()
        release.wait()

    async with open_database("sqlite://") as database:  # only there work runs outside of the event loop

        async def write() -> None:
            async with database.writing() as transaction:
                await transaction.run(slow)

        await database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER)"))
        task = asyncio.create_task(write())
        await eventually(entered.is_set)
        task.cancel()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await held(database) == []


async def test_cancelling_in_the_middle_of_a_statement_undoes_it_and_keeps_the_database(database: Database) -> None:
    # A statement that takes a while, and far longer than it takes to cancel it.
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300000) INSERT INTO t SELECT n FROM c"
    began = asyncio.Event()

    async def write() -> None:
        async with database.writing() as transaction:
            await transaction.run(insert)
            began.set()
            await transaction.run(lambda connection: connection.exec_driver_sql(endless))

    task = asyncio.create_task(write())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await held(database) == []


async def test_cancelling_who_waits_for_its_turn_harms_nobody(database: Database) -> None:
    async def write(number: int) -> None:
        await database.write(lambda connection: insert(connection, number))

    async with database.writing() as transaction:
        waiting = asyncio.create_task(write(1))
        await transaction.run(lambda connection: insert(connection, 2))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await write(3)

    assert await held(database) == [2, 3]


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
async def test_who_reads_does_not_wait_for_who_writes(driver: str, tmp_path: Path) -> None:
    async with open_database(f"{driver}:///{tmp_path / 'a.db'}", synchronous="OFF") as database:
        await database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER)"))

        async with database.writing() as transaction:
            await transaction.run(insert)
            assert await held(database) == []

        assert await held(database) == [1]


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
async def test_another_process_that_writes_for_too_long_is_an_error_of_the_store(driver: str, tmp_path: Path) -> None:
    url = f"{driver}:///{tmp_path / 'a.db'}"
    async with open_database(url) as one, open_database(url, busy_timeout=timedelta(milliseconds=1)) as two:
        await one.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INTEGER)"))

        async with one.writing() as transaction:
            await transaction.run(insert)
            with pytest.raises(StoreError, match="locked"):
                await two.write(insert)

        await two.write(insert)
        assert await held(one) == [1, 1]


async def test_a_closed_database_is_an_error_of_the_store() -> None:
    async with open_database("sqlite://") as database:
        pass

    with pytest.raises(StoreError, match="closed"):
        await database.write(numbers)


def test_a_database_that_cannot_be_reached_is_an_error_of_the_store() -> None:
    with pytest.raises(StoreError, match="cannot be reached"), database_errors():
        raise ConnectionRefusedError("connection refused")
