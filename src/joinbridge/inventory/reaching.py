"""Reaching the inventory's database: any that SQLAlchemy speaks to with an asynchronous driver, which may be away, or hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import URL, AsyncAdaptedQueuePool, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from joinbridge.errors import ConfigError, InventoryError

PATIENCE = timedelta(seconds=15)
"""How long one question or one change may take. The inventory is somebody else's: it is busy, locked or restarted when they like."""


@asynccontextmanager
async def open_engine(url: str) -> AsyncIterator[AsyncEngine]:
    """Open the database at `url`; `sqlite:///file` is one too.

    Raises: ConfigError when the URL names no database that can be used.
    """
    try:
        engine = _engine(make_url(url))
    except (SQLAlchemyError, ImportError) as error:
        raise ConfigError(f"the inventory's URL cannot be used: {error}") from error
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def reaching(patience: timedelta) -> AsyncIterator[None]:
    """Bound what is done by `patience`, and turn what SQLAlchemy and the drivers raise into InventoryError."""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            yield
    except SQLAlchemyError as error:
        raise InventoryError(f"the inventory's database says: {getattr(error, 'orig', None) or error}") from error
    except OSError as error:  # a driver that cannot connect does not wrap it; a timeout is one too, and says nothing
        raise InventoryError(f"the inventory's database cannot be reached: {str(error) or 'it did not answer in time'}") from error
    except Exception as error:
        # asyncpg has exceptions that not every SQLAlchemy knows, in a connection that broke at the wrong moment.
        if not type(error).__module__.startswith("asyncpg."):
            raise
        raise InventoryError(f"the inventory's driver says: {error}") from error


def _engine(url: URL) -> AsyncEngine:
    if url.drivername == "sqlite":
        url = url.set(drivername="sqlite+aiosqlite")
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            # One connection, used by one task at a time: a second would be a second, empty database.
            return create_async_engine(url, hide_parameters=True, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0)
        return create_async_engine(url, hide_parameters=True)
    engine = create_async_engine(url, hide_parameters=True, pool_pre_ping=True)
    if engine.dialect.has_terminate:
        # To close takes leave of the server and waits for its answer, for ever if need be; to terminate gives it two seconds.
        engine.dialect.do_close = engine.dialect.do_terminate  # type: ignore[method-assign]
    return engine
