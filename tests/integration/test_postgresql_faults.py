"""PostgreSQL that fails: connections that are ended, a server that dies, hangs or refuses. Each is an error of the store, and passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from joinbridge.core.case import Case
from joinbridge.core.ids import MessageKey
from joinbridge.errors import StoreError, StoreRefusedError
from joinbridge.ports import Changes, Unit
from joinbridge.service.clock import ManualClock
from joinbridge.store.lines import Patience
from joinbridge.store.opening import open_database
from support import services
from support.eventually import eventually
from support.postgresql import fresh_database, frozen
from support.records import NOON, attempt, audit_record, device, sighting
from support.services import PostgreSql, Server
from support.store import Instance

A, B = device(1), device(2)
IMPATIENT = Patience(connect=timedelta(seconds=2), work=timedelta(seconds=2), idle=timedelta(seconds=60))
AT_THE_LATEST_S = 15.0  # the bounds above, the two seconds in which a driver takes leave of a connection, and a busy machine
CHANGES = Changes(attempts=[attempt(A, B)], kept=[(A, sighting())], audit=[audit_record()])


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
    with fresh_database(own_server) as made:
        yield made


@pytest.fixture
async def one(url: str) -> AsyncIterator[Instance]:
    async with open_database(url, patience=IMPATIENT) as database:
        yield Instance(database, ManualClock(NOON))


@pytest.fixture
async def two(url: str) -> AsyncIterator[Instance]:
    async with open_database(url, patience=IMPATIENT) as database:
        yield Instance(database, ManualClock(NOON))


async def end_backends(instance: Instance) -> None:
    """End every other connection to the database from the server's side."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ended = await instance.database.write(lambda connection: connection.execute(text(others)).all())
    assert ended


async def in_the_middle(one: Instance, happens: Callable[[], Awaitable[object]]) -> None:
    """Let something happen in the middle of a transaction of `one`, and go on with it."""
    async with one.store.transaction() as unit:
        await unit.fresh({MessageKey("m"): NOON})
        await happens()
        await unit.save(CHANGES)


async def works_as_if_nothing_had_been(one: Instance) -> None:
    assert await one.load(A) == Case()
    async with one.store.transaction() as unit:
        assert await unit.fresh({MessageKey("m"): NOON}) == {"m"}
        await unit.save(CHANGES)
    assert (await one.audit.verify()).sequence == 1


async def test_a_connection_ended_in_a_transaction_is_an_error_and_the_next_transaction_works(one: Instance, two: Instance) -> None:
    with pytest.raises(StoreError) as caught:
        await in_the_middle(one, lambda: end_backends(two))
    assert not isinstance(caught.value, StoreRefusedError)

    await works_as_if_nothing_had_been(one)


@pytest.fixture
def connections() -> Iterator[list[Any]]:
    """The driver's connections, as they are made."""
    made: list[Any] = []  # Any: asyncpg has no types

    def connected(connection: Any, _: object) -> None:
        made.append(connection.driver_connection)

    event.listen(Engine, "connect", connected)
    yield made
    event.remove(Engine, "connect", connected)


async def test_connections_that_the_server_has_ended_are_replaced_unseen(connections: list[Any], one: Instance, two: Instance) -> None:
    await asyncio.gather(*(one.store.watched() for _ in range(3)))
    of_one = list(connections)

    await end_backends(two)
    await eventually(lambda: all(connection.is_closed() for connection in of_one))

    await works_as_if_nothing_had_been(one)
    assert len(of_one) >= 3


async def test_a_server_that_dies_in_a_transaction_is_an_error_and_after_its_restart_all_works(one: Instance, server: Server) -> None:
    async def dies() -> None:
        server.kill()

    with pytest.raises(StoreError):
        await in_the_middle(one, dies)
    with pytest.raises(StoreError, match="cannot be reached"):
        await one.store.watched()
    server.start()

    await until(one, lambda _: True)
    await works_as_if_nothing_had_been(one)


async def until(one: Instance, holds: Callable[[Connection], bool]) -> None:
    """Wait until `holds`, asking a server that may be about to start."""
    async with asyncio.timeout(services.START_TIMEOUT_S):
        while True:
            with suppress(StoreError):
                if await one.database.read(holds):
                    return
            await asyncio.sleep(0.02)


async def test_a_server_that_hangs_is_given_up_and_works_again_when_it_goes_on(one: Instance, server: Server) -> None:
    async with asyncio.timeout(3 * AT_THE_LATEST_S):
        with ExitStack() as hanging:

            async def hangs() -> None:
                hanging.enter_context(frozen(server))

            with pytest.raises(StoreError, match="did not answer in time"):
                await in_the_middle(one, hangs)
            with pytest.raises(StoreError, match="did not answer in time"):
                await one.store.watched()
            with pytest.raises(StoreError, match="did not answer in time"):
                await one.outbox.settle(["x"], NOON, NOON)

    await works_as_if_nothing_had_been(one)


async def test_closing_the_database_of_a_server_that_hangs_takes_no_longer_than_that(url: str, server: Server) -> None:
    with ExitStack() as hanging:
        async with asyncio.timeout(AT_THE_LATEST_S), open_database(url, patience=IMPATIENT) as database:
            await Instance(database, ManualClock(NOON)).store.watched()
            hanging.enter_context(frozen(server))


async def test_who_waits_too_long_for_another_instance_is_told(one: Instance, two: Instance) -> None:
    async with one.store.transaction() as unit:
        await unit.fresh({MessageKey("m"): NOON})

        with pytest.raises(StoreError) as caught:
            async with two.store.transaction() as other:
                await other.fresh({MessageKey("m"): NOON})

        assert not isinstance(caught.value, StoreRefusedError)
    assert await fresh(two) == set()


async def fresh(instance: Instance) -> set[MessageKey]:
    async with instance.store.transaction() as unit:
        return await unit.fresh({MessageKey("m"): NOON})


async def test_an_instance_that_hangs_in_a_transaction_loses_its_locks(url: str, two: Instance) -> None:
    hasty = Patience(idle=timedelta(milliseconds=200))
    async with open_database(url, patience=hasty) as database:
        hanging = Instance(database, ManualClock(NOON))

        async def waits_for_the_other(unit: Unit) -> None:
            await unit.fresh({MessageKey("m"): NOON})
            assert await fresh(two) == {"m"}
            await unit.save(CHANGES)

        with pytest.raises(StoreError):
            async with hanging.store.transaction() as unit:
                await waits_for_the_other(unit)

        assert await hanging.load(A) == Case()


async def test_of_two_instances_that_wait_for_each_other_one_is_told_and_can_try_again(url: str) -> None:
    met = asyncio.Barrier(2)

    async def crosswise(instance: Instance, first: str, second: str) -> None:
        async with instance.store.transaction() as unit:
            await unit.fresh({MessageKey(first): NOON})
            await met.wait()
            await unit.fresh({MessageKey(second): NOON})

    async with open_database(url) as left, open_database(url) as right:
        ends = await asyncio.gather(
            crosswise(Instance(left, ManualClock(NOON)), "a", "b"),
            crosswise(Instance(right, ManualClock(NOON)), "b", "a"),
            return_exceptions=True,
        )

    (told,) = (end for end in ends if end is not None)
    assert type(told) is StoreError
    assert "deadlock" in str(told)


REFUSED: dict[str, Callable[[Connection], object]] = {
    "a key too long for its index": lambda c: c.execute(
        text("INSERT INTO inbox SELECT string_agg(md5(n::text), ''), now() FROM generate_series(1, 2000) AS n")
    ),
    "not a number": lambda c: c.execute(text("SELECT 'x'::int")),
    "what the driver cannot encode": lambda c: c.execute(text("SELECT 1 WHERE 1 = :n"), {"n": "one"}),
    "a NUL": lambda c: c.execute(text("INSERT INTO inbox VALUES (:key, now())"), {"key": "a\0b"}),
    "nothing where something has to be": lambda c: c.execute(text("INSERT INTO inbox VALUES ('k', NULL)")),
}

PASSING: dict[str, Callable[[Connection], object]] = {
    "a row that is there already": lambda c: c.execute(text("INSERT INTO audit_head VALUES (1, 0, '')")),
    "a table that is missing": lambda c: c.execute(text("SELECT 1 FROM nowhere")),
    "a statement that takes too long": lambda c: c.execute(text("SET LOCAL statement_timeout = 1; SELECT pg_sleep(9)")),
    "a serialization failure": lambda c: c.execute(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")),
    "a full disk": lambda c: c.execute(text("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$")),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_data_that_the_database_refuses_are_told_apart(one: Instance, what: str) -> None:
    with pytest.raises(StoreRefusedError):
        await one.database.write(REFUSED[what])

    await works_as_if_nothing_had_been(one)


@pytest.mark.parametrize("what", PASSING)
async def test_what_may_pass_is_no_refusal(one: Instance, what: str) -> None:
    with pytest.raises(StoreError) as caught:
        await one.database.write(PASSING[what])
    assert not isinstance(caught.value, StoreRefusedError)

    await works_as_if_nothing_had_been(one)


async def test_cancelling_who_waits_for_the_server_leaves_no_connection_behind(one: Instance, two: Instance) -> None:
    def asleep(connection: Connection) -> bool:
        running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
        return bool(connection.execute(text(running)).scalar_one())

    task = asyncio.create_task(one.database.write(lambda connection: connection.execute(text("SELECT pg_sleep(60)"))))
    await until(two, asleep)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until(two, lambda connection: not asleep(connection))
    await works_as_if_nothing_had_been(one)
