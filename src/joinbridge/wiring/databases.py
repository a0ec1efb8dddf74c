"""The database that holds the records: opened for reading, or brought to the schema of this version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from joinbridge.ports import Interventions
from joinbridge.service.clock import SystemClock
from joinbridge.store.audit_log import AuditLog
from joinbridge.store.interventions import SqlInterventions
from joinbridge.store.opening import UPGRADE_PATIENCE, open_database
from joinbridge.store.records import Records
from joinbridge.store.schema import current_revision, require_current, upgrade


@asynccontextmanager
async def open_records(database_url: str) -> AsyncIterator[Records]:
    """Open the records at `database_url` for reading.

    Raises: ConfigError when the database has not the schema of this version; StoreError when it cannot be opened.
    """
    async with open_database(database_url, create=False) as database:
        await require_current(database)
        yield Records(database)


@asynccontextmanager
async def open_audit_log(database_url: str) -> AsyncIterator[AuditLog]:
    """Open the audit chain at `database_url` for reading. Raises as `open_records` does."""
    async with open_database(database_url, create=False) as database:
        await require_current(database)
        yield AuditLog(database)


@asynccontextmanager
async def open_interventions(database_url: str) -> AsyncIterator[Interventions]:
    """Open the records at `database_url` for a person's changes. Raises as `open_records` does."""
    async with open_database(database_url, create=False) as database:
        await require_current(database)
        yield SqlInterventions(database, SystemClock())


async def upgrade_database(database_url: str) -> tuple[str | None, str | None]:
    """Bring the database to the schema of this version; return the revision before and after.

    Raises: ConfigError when a newer version made the database; StoreError when it cannot be opened.
    """
    async with open_database(database_url, patience=UPGRADE_PATIENCE) as database:
        before = await current_revision(database)
        await upgrade(database)
        return before, await current_revision(database)
