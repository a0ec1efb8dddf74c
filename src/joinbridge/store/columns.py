"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from joinbridge.store.dialects import SQLITE

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up itself; SQLite does so only for INTEGER, which has 64 bits there."""


class UtcTime(TypeDecorator[datetime]):
    """An aware moment, kept to the microsecond, in an order that is the order of time.

    PostgreSQL has a type for it. SQLite has none: there it is text of fixed width in UTC, which sorts as time does and which a person
    can read. (SQLAlchemy's own DateTime does the same on SQLite at ten times the cost.)
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the column itself."""
        # Any: on SQLite it holds text, on PostgreSQL moments.
        return dialect.type_descriptor(Text() if dialect.name == SQLITE else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Return the moment in UTC, as the column takes it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone: {value.isoformat()}")
        moment = value.astimezone(UTC)
        return moment.isoformat(timespec="microseconds") if dialect.name == SQLITE else moment

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's
        """Return the moment, aware."""
        return datetime.fromisoformat(value) if isinstance(value, str) else value


class PlainText(TypeDecorator[str]):
    """Text from outside (reasons, routes), made fit for every database by `plain`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # as above
        """Return the text as it can be stored."""
        return None if value is None else plain(value)


def plain(text: str) -> str:
    """Return `text` without what a database cannot hold: NUL (PostgreSQL refuses it) and lone surrogates (not UTF-8)."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
