"""The schema of the database: made and brought up to date by Alembic, from the migrations inside this package."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from joinbridge.errors import ConfigError
from joinbridge.store.database import Database
from joinbridge.store.dialects import POSTGRESQL

_MIGRATIONS = Path(__file__).with_name("migrations")

_TURN = 0x6A6F696E  # any number will do that nobody else locks in this database: "join"


async def upgrade(database: Database) -> None:
    """Bring the database to the schema of this version, in one transaction; nothing happens when it is there.

    Raises: ConfigError when a newer version made the database; StoreError when it cannot be reached.
    """
    await database.write(upgrade_on)


def upgrade_on(connection: Connection) -> None:
    """Do what `upgrade` does, in the transaction of `connection`.

    Raises: ConfigError when a newer version made the database.
    """
    if connection.dialect.name == POSTGRESQL:
        # Instances that start together take turns. On SQLite the write lock, which comes with the transaction, sees to it.
        connection.execute(select(func.pg_advisory_xact_lock(_TURN)))
    revision = _revision(connection)
    if revision is not None:
        _require_known(revision)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def current_revision(database: Database) -> str | None:
    """Return the revision of the database's schema, None when it has none.

    Raises: StoreError when the database cannot be reached.
    """
    return await database.read(_revision)


async def require_current(database: Database) -> None:
    """Make sure that the database has the schema of this version.

    Raises: ConfigError with the fix when it has not; StoreError when it cannot be reached.
    """
    found, wanted = await current_revision(database), head_revision()
    if found is not None:
        _require_known(found)
    if found != wanted:
        state = "has no schema yet" if found is None else f"has schema {found}"
        raise ConfigError(f"the database {state}, this version needs {wanted}: run `joinbridge db upgrade`")


def head_revision() -> str:
    """Return the revision that this version needs."""
    return _revisions()[0]


def upgrade_sql(url: str) -> str:
    """Return the SQL that makes the schema from nothing on the kind of database that `url` names; nothing is connected to."""
    script = StringIO()
    config = _config()
    config.output_buffer = script
    config.attributes["url"] = url
    command.upgrade(config, "head", sql=True)
    return script.getvalue()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _require_known(revision: str) -> None:
    if revision not in _revisions():
        raise ConfigError(f"the database has schema {revision}, made by a newer version: install that version of joinbridge")


def _revisions() -> list[str]:
    """Every revision that this version knows, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
