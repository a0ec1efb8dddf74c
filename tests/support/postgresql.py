"""Databases of their own for tests, on a PostgreSQL that they share: each a copy of one that has the schema already."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.store import schema
from joinbridge.store.opening import open_database
from support.services import PostgreSql, Server, await_stop

T = TypeVar("T")


@contextmanager
def fresh_database(server: PostgreSql, *, schema_made: bool = True) -> Iterator[str]:
    """Make a database, with the schema of this version or empty; give its URL for SQLAlchemy; drop it again."""
    name = f"test_{uuid4().hex[:12]}"
    template = _template(server.url) if schema_made else "template1"
    run(command(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield server.database_url(name)
    finally:
        if server.server is None or server.server.is_running():
            run(command(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


async def command(server: PostgreSql, statement: str) -> None:
    """Run one statement in the maintenance database, outside of any transaction."""
    engine = create_async_engine(server.database_url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(statement)
    finally:
        await engine.dispose()


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Let a server hang within the context. Each of PostgreSQL's processes leads a group of its own and has to be stopped by itself."""
    stopped = [server.pid]
    os.kill(server.pid, signal.SIGSTOP)  # first: it starts no more of them then
    await_stop(stopped)
    try:
        for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text("ascii").split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGSTOP)
                stopped.append(int(child))
        await_stop(stopped)
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def run(work: Coroutine[None, None, T]) -> T:
    """Return what `work` returns, whether or not this thread has an event loop of its own."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


@cache
def _template(url: str) -> str:
    """Make the database that the others are copied from, once for each server."""
    server, name = PostgreSql(url), f"template_{uuid4().hex[:12]}"

    async def make() -> None:
        await command(server, f"CREATE DATABASE {name}")
        async with open_database(server.database_url(name)) as database:
            await schema.upgrade(database)

    run(make())
    return name
