"""The tables. A record is kept whole as JSON in `record`; the columns beside it are what is searched, sorted and compared.

Counters go up to 2^64-1, which fits no integer column, so a RequestID is the text `originator:target:counter`.
The migrations in `migrations/versions` make the same tables; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from joinbridge.store.columns import PlainText, Serial, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

inbox = Table(
    "inbox",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Index(None, "at"),
    sqlite_with_rowid=False,  # the key is all there is: one tree instead of two
)

attempts = Table(
    "attempts",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("intent", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("other", Text),
    Column("state", Text, nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("watched", Boolean, nullable=False),  # open, or has a deadline
    Column("due_at", UtcTime),  # its earliest deadline
    Column("version", Integer, nullable=False),
    Column("record", Text, nullable=False),
    Index(None, "target"),
    Index(None, "other"),
    Index(None, "requested_at"),
)
_DUE = attempts.c.due_at.is_not(None)
Index("ix_attempts_due", attempts.c.due_at, sqlite_where=_DUE, postgresql_where=_DUE)
Index(
    "ix_attempts_watched",
    attempts.c.target,
    attempts.c.other,
    # In the words in which each database is asked for them: SQLite uses a partial index only where the condition is the same.
    sqlite_where=text("watched = 1"),
    postgresql_where=text("watched"),
)

pairs = Table(
    "pairs",
    metadata,
    Column("target", Text, primary_key=True),
    Column("other", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("record", Text, nullable=False),
    Index(None, "other"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("device", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("source", PlainText, nullable=False),
    Column("region", PlainText),
    Column("authenticity", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("record", Text, nullable=False),
    UniqueConstraint("device", "key"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("target", Text, primary_key=True),
    Column("other", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("message", Text, primary_key=True),
    Column("attempt", Text, primary_key=True),  # empty when it speaks of no attempt: NULL would never be equal to NULL
    Column("at", UtcTime, nullable=False),
    Column("record", Text, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("device", Text, primary_key=True),
    Column("record", Text, nullable=False),
)

device_versions = Table(
    "device_versions",
    metadata,
    Column("device", Text, primary_key=True),
    Column("version", Integer, nullable=False),  # counts the transactions that changed anything about it
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("lane", Text, nullable=False),  # effects of one lane are carried out one after the other
    Column("request_id", Text),
    Column("status", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("due_at", UtcTime),  # from when on it may be leased; NULL when nothing is owed any more
    Column("settled_at", UtcTime),
    Column("tries", Integer, nullable=False),
    Column("last_error", PlainText),
    Column("record", Text, nullable=False),
    UniqueConstraint("key"),
    Index("ix_outbox_lane", "lane", "id"),
)
_OWED = outbox.c.due_at.is_not(None)
Index("ix_outbox_due", outbox.c.due_at, outbox.c.id, sqlite_where=_OWED, postgresql_where=_OWED)
_NOT_OWED = outbox.c.due_at.is_(None)
Index("ix_outbox_closed", outbox.c.created_at, sqlite_where=_NOT_OWED, postgresql_where=_NOT_OWED)

contradictions = Table(
    "contradictions",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("rule", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("other", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("says", PlainText, nullable=False),
    Index(None, "at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("key", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("content_type", PlainText, nullable=False),
    Column("source", PlainText, nullable=False),
    Column("route", PlainText, nullable=False),
    Column("region", PlainText),
    Column("reason", PlainText, nullable=False),
    Column("at_byte", Integer),
    Column("attempts", Integer, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("requeue_at", UtcTime),  # when somebody last wanted it sent again
    Column("settled_at", UtcTime),
    Index(None, "last_seen"),
)
_CLOSED = dead_letters.c.settled_at.is_not(None)
Index("ix_dead_letters_settled", dead_letters.c.settled_at, sqlite_where=_CLOSED, postgresql_where=_CLOSED)

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Index(None, "subject"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
