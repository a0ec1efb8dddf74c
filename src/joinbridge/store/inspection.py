"""The doctor's look at a database: is it there, does it keep what it has committed, is its schema ours, what time is it there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from joinbridge.errors import ConfigError, StoreError
from joinbridge.findings import Finding, Severity
from joinbridge.store.database import Database
from joinbridge.store.dialects import POSTGRESQL
from joinbridge.store.schema import require_current

CLOCK_TOLERANCE = timedelta(seconds=5)

_DURABLE = {"fsync": ("on",), "synchronous_commit": ("on", "remote_write", "remote_apply", "local"), "full_page_writes": ("on",)}
"""PostgreSQL: what each has to be for a commit to survive the end of the machine; acknowledging after the commit rests on that."""


async def inspect_database(database: Database, *, now: datetime) -> list[Finding]:
    """Return what an operator should know about `database`, errors included; never raises for what it finds. Changes nothing."""
    try:
        settings, clock = await database.read(_look)
    except StoreError as error:
        return [Finding(Severity.ERROR, "database", str(error), "start it, or set [database] url right")]
    findings = [Finding(Severity.OK, "database", settings.pop("version")), *_durability(database.dialect, settings)]
    findings.append(await _schema(database))
    if clock is not None:
        findings.append(_clock(clock - now))
    return findings


def _look(connection: Connection) -> tuple[dict[str, str], datetime | None]:
    if connection.dialect.name == POSTGRESQL:
        found = {name: str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in _DURABLE}
        found["version"] = f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}"
        return found, connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
    journal = str(connection.execute(text("PRAGMA journal_mode")).scalar_one())
    return {"version": f"SQLite {version}", "journal_mode": journal}, None


def _durability(dialect: str, settings: Mapping[str, str]) -> Iterator[Finding]:
    if dialect != POSTGRESQL:
        yield Finding(
            Severity.WARNING,
            "durability",
            f"SQLite, journal_mode {settings['journal_mode']}: one instance on one machine",
            "use PostgreSQL for several instances: [database] url = postgresql+asyncpg://…",
        )
        return
    for name, good in _DURABLE.items():
        value = settings[name]
        if value in good:
            yield Finding(Severity.OK, name, value)
        else:
            fix = f"ALTER SYSTEM SET {name} = 'on'; SELECT pg_reload_conf();"
            yield Finding(Severity.ERROR, name, f"{value}: what was committed, and so acknowledged, can be lost", fix)


async def _schema(database: Database) -> Finding:
    try:
        await require_current(database)
    except ConfigError as error:
        return Finding(Severity.ERROR, "schema", str(error), "joinbridge db upgrade")
    return Finding(Severity.OK, "schema", "as this version needs")


def _clock(ahead: timedelta) -> Finding:
    seconds = ahead.total_seconds()
    if abs(ahead) <= CLOCK_TOLERANCE:
        return Finding(Severity.OK, "database clock", f"{seconds:+.1f} s from ours")
    return Finding(Severity.WARNING, "database clock", f"{seconds:+.1f} s from ours", "run NTP on both machines; deadlines go by ours")
