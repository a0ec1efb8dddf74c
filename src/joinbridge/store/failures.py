"""Where the exceptions of SQLAlchemy and of the drivers end: each becomes an error of the store that says whether trying again can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError

from joinbridge.errors import StoreError, StoreRefusedError

_DATA_EXCEPTION = "22"  # SQLSTATE classes: PostgreSQL, appendix A
_INTEGRITY_VIOLATION = "23"
_LIMIT_EXCEEDED = "54"
_UNIQUE_VIOLATION = "23505"

_DRIVER = "asyncpg."


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what SQLAlchemy and the drivers raise into StoreError, and into StoreRefusedError what no repetition can help."""
    try:
        yield
    except Exception as error:
        if not _is_of_the_database(error):
            raise
        _let_go(error)
        raise _told(error) from error  # in no variable of this frame: see there


def _is_of_the_database(error: Exception) -> bool:
    # asyncpg has exceptions outside of the hierarchy that SQLAlchemy knows, in a connection that broke at the wrong moment. A driver that
    # cannot connect raises an OSError as it is; a timeout is one too.
    return isinstance(error, SQLAlchemyError | OSError) or type(error).__module__.startswith(_DRIVER)


def _told(error: Exception) -> StoreError:
    if isinstance(error, SQLAlchemyError):
        kind = StoreRefusedError if _refuses(error) else StoreError
        # `orig` is the driver's own words, without the statement around them.
        return kind(f"the database says: {getattr(error, 'orig', None) or error}")
    if isinstance(error, OSError):
        return StoreError(f"the database cannot be reached: {str(error) or 'it did not answer in time'}")
    return StoreError(f"the database's driver says: {error}")


def _let_go(error: BaseException | None) -> None:
    """Take the tracebacks off `error` and all that led to it: its message says enough.

    SQLAlchemy and its adapters of drivers keep errors in variables of frames that are in their tracebacks: circles that would hold all
    rows of a batch until the collector comes by, while the same batch is decided and written once more.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _refuses(error: SQLAlchemyError) -> bool:
    """Whether the database has refused the data itself.

    Everything else may pass: a lost connection, a deadlock, a full disk, a statement that took too long, a schema or a right that is
    missing until the operator mends it. So may a row that is there already: that is a race, or a table that somebody else wrote to, and
    the data are as good as they were.
    """
    if not isinstance(error, DBAPIError) or error.orig is None:
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state[:2] in (_DATA_EXCEPTION, _INTEGRITY_VIOLATION, _LIMIT_EXCEEDED) and state != _UNIQUE_VIOLATION
    name = getattr(error.orig, "sqlite_errorname", "")
    if name.startswith("SQLITE_CONSTRAINT"):
        return name not in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
    # What asyncpg cannot encode for its parameter never reaches the server, and has no SQLSTATE.
    return name == "SQLITE_TOOBIG" or isinstance(error, DataError) or type(error.orig.__cause__).__name__ == "DataError"
