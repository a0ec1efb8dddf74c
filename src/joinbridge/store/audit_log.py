"""Reading the audit chain from the database: its entries in order, its head, and whether it verifies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import Select, select

from joinbridge.errors import AuditError
from joinbridge.store.audit import AuditEntry, ChainCheck, ChainHead
from joinbridge.store.database import Database
from joinbridge.store.tables import audit, audit_head

PAGE = 1000
"""Entries read at a time: the chain may be longer than memory."""

_ENTRIES = select(audit.c.sequence, audit.c.at, audit.c.kind, audit.c.subject, audit.c.body, audit.c.previous, audit.c.digest)


class AuditLog:
    """The audit chain of a database. Every method raises StoreError when the database cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> ChainHead:
        """Return where the chain ends: what to note down elsewhere, so that nobody can cut it short unnoticed.

        Raises: AuditError when the head is gone: every database has one, of an empty chain at first.
        """
        wanted = select(audit_head.c.sequence, audit_head.c.digest)
        row = await self._database.read(lambda connection: connection.execute(wanted).one_or_none())
        if row is None:
            raise AuditError("the head of the audit chain is missing", sequence=1)
        return ChainHead(sequence=row.sequence, digest=row.digest)

    async def entries(self, *, after: int = 0, until: int | None = None) -> AsyncIterator[AuditEntry]:
        """Return the entries in order, from the one that follows `after`, to `until` or the last, a page at a time."""
        while page := await self._page(after, until):
            for entry in page:
                yield entry
            after = page[-1].sequence

    async def of(self, subject: str) -> Sequence[AuditEntry]:
        """Return the entries about one subject, oldest first."""
        return await self._read(_ENTRIES.where(audit.c.subject == subject).order_by(audit.c.sequence))

    async def verify(self) -> ChainHead:
        """Return the head of the chain, having checked every entry up to it. Entries that are added meanwhile are not looked at.

        Raises: AuditError at the first entry that is altered, missing, or not where it belongs.
        """
        head = await self.head()
        check = ChainCheck()
        async for entry in self.entries(until=head.sequence):
            check.add(entry)
        return check.finish(head)

    async def _page(self, after: int, until: int | None) -> Sequence[AuditEntry]:
        wanted = _ENTRIES.where(audit.c.sequence > after).order_by(audit.c.sequence).limit(PAGE)
        return await self._read(wanted if until is None else wanted.where(audit.c.sequence <= until))

    async def _read(self, wanted: Select[int, datetime, str, str, str, str, str]) -> Sequence[AuditEntry]:
        rows = await self._database.read(lambda connection: connection.execute(wanted).all())
        return [
            AuditEntry(
                sequence=row.sequence,
                at=row.at,
                kind=row.kind,
                subject=row.subject,
                body=row.body,
                previous=row.previous,
                digest=row.digest,
            )
            for row in rows
        ]
