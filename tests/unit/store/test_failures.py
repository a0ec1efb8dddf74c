"""What a database or its driver raises becomes an error of the store that says whether trying again can help."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import InvalidRequestError

from joinbridge.errors import StoreError, StoreRefusedError
from joinbridge.store.database import Database
from joinbridge.store.failures import database_errors
from joinbridge.store.opening import open_database
from support.eventually import eventually


class _DriverError(Exception):
    """An exception of asyncpg's that SQLAlchemy does not know."""


_DriverError.__module__ = "asyncpg.exceptions._base"


@pytest.mark.parametrize("raised", [_DriverError("got result for unknown protocol state 3"), InvalidRequestError("x"), TimeoutError()])
def test_whatever_a_driver_raises_is_an_error_of_the_store_that_may_pass(raised: Exception) -> None:
    with pytest.raises(StoreError) as caught, database_errors():
        raise raised

    assert type(caught.value) is StoreError
    assert caught.value.__cause__ is raised


def test_a_server_that_did_not_answer_is_told_in_words() -> None:
    with pytest.raises(StoreError, match="did not answer in time"), database_errors():
        raise TimeoutError


def test_a_mistake_of_ours_is_not_the_databases() -> None:
    with pytest.raises(KeyError), database_errors():
        raise KeyError("ours")


class Rows:
    """What a transaction has in hand while it fails."""


@pytest.mark.parametrize("url", ["sqlite://", "sqlite+aiosqlite://"])
async def test_what_failed_is_let_go_of_with_its_error_not_when_the_collector_comes_by(url: str) -> None:
    rows: list[weakref.ref[Rows]] = []

    def work(connection: Connection) -> None:
        in_hand = Rows()
        rows.append(weakref.ref(in_hand))
        connection.execute(text("SELECT 1 FROM nowhere"))

    async with open_database(url) as database:
        gc.collect()
        gc.disable()
        try:
            with suppress(StoreError):
                await database.write(work)
            # The loop and the thread hold on to the error that they have brought until they turn to something else.
            assert await eventually(lambda: [each() for each in rows] == [None], within=timedelta(seconds=5))
        finally:
            gc.enable()


async def _fail(database: Database, statement: str) -> StoreError:
    def work(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY, m INTEGER NOT NULL CHECK (m > 0))"))
        connection.execute(text(statement))
        connection.execute(text(statement))

    with pytest.raises(StoreError) as caught:
        await database.write(work)
    return caught.value


@pytest.mark.parametrize("statement", ["INSERT INTO t VALUES (1, NULL)", "INSERT INTO t VALUES (1, 0)", "SELECT zeroblob(2000000000)"])
async def test_data_that_sqlite_refuses_are_told_apart(statement: str) -> None:
    async with open_database("sqlite://") as database:
        assert type(await _fail(database, statement)) is StoreRefusedError


@pytest.mark.parametrize("statement", ["INSERT INTO t VALUES (1, 1)", "SELECT 1 FROM nowhere"])
async def test_what_may_pass_is_no_refusal_of_sqlites(statement: str) -> None:
    async with open_database("sqlite://") as database:
        assert type(await _fail(database, statement)) is StoreError
