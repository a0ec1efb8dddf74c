"""The audit chain: each entry carries the digest of the one before it, so that no change to the past goes unnoticed. Pure.

An entry's digest is SHA-256 over the canonical JSON of its sequence, time, kind, subject, body and predecessor's digest. The chain's
head, kept apart, tells when the last entries are gone; whoever wants to prove the chain to others notes the head down elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from joinbridge.errors import AuditError
from joinbridge.ports import AuditRecord
from joinbridge.store.columns import plain

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

GENESIS = "0" * 64
"""What stands in the place of a digest before the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One link of the chain; `body` is canonical JSON text, so that its digest does not depend on who reads it."""

    sequence: int
    at: datetime
    kind: str
    subject: str
    body: str
    previous: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """Where a chain ends: how many entries it has, and the digest of the last."""

    sequence: int = 0
    digest: str = GENESIS


def extended(head: ChainHead, records: Sequence[AuditRecord]) -> tuple[AuditEntry, ...]:
    """Return the entries that follow `head` for `records`, in their order."""
    entries: list[AuditEntry] = []
    for record in records:
        entry = _entry(head, record)
        entries.append(entry)
        head = ChainHead(sequence=entry.sequence, digest=entry.digest)
    return tuple(entries)


def verify(entries: Iterable[AuditEntry], head: ChainHead | None = None) -> ChainHead:
    """Return the head of the chain that `entries` make from the first on, having checked every link.

    With `head`, the chain must end there: without it, nothing tells that entries are missing at the end.

    Raises: AuditError at the first entry that is altered, missing, or not where it belongs.
    """
    check = ChainCheck()
    for entry in entries:
        check.add(entry)
    return check.finish(head)


class ChainCheck:
    """Checks a chain entry by entry, whatever its length."""

    def __init__(self) -> None:
        self.head = ChainHead()

    def add(self, entry: AuditEntry) -> None:
        """Check the next entry.

        Raises: AuditError when it is altered, or not the next.
        """
        expected = self.head.sequence + 1
        if entry.sequence != expected:
            raise AuditError(f"audit entry {expected} is missing: {entry.sequence} stands in its place", sequence=expected)
        if entry.previous != self.head.digest:
            raise AuditError(f"audit entry {expected} does not follow the one before it", sequence=expected)
        if entry.digest != _digest(entry.sequence, entry.at, entry.kind, entry.subject, entry.body, entry.previous):
            raise AuditError(f"audit entry {expected} was altered", sequence=expected)
        self.head = ChainHead(sequence=entry.sequence, digest=entry.digest)

    def finish(self, head: ChainHead | None = None) -> ChainHead:
        """Return the head of what was checked.

        Raises: AuditError when that is not `head`.
        """
        if head is None or head == self.head:
            return self.head
        if self.head.sequence == head.sequence:
            raise AuditError(f"audit entry {head.sequence} is not the one the chain ended with", sequence=head.sequence)
        sequence = min(self.head.sequence, head.sequence) + 1
        problem = "is missing" if self.head.sequence < head.sequence else "is after the end of the chain"
        raise AuditError(f"audit entry {sequence} {problem}", sequence=sequence)


def to_line(entry: AuditEntry) -> str:
    """Return `entry` as one line of JSON, its body as an object."""
    return canonical(
        {
            "sequence": entry.sequence,
            "at": _moment(entry.at),
            "kind": entry.kind,
            "subject": entry.subject,
            "body": json.loads(entry.body),
            "previous": entry.previous,
            "digest": entry.digest,
        }
    )


def from_line(line: str, *, sequence: int) -> AuditEntry:
    """Return the entry that `to_line` made `line` of; whether it is unaltered is for `verify` to say.

    Raises: AuditError for `sequence`, the entry that was expected, when the line is no entry at all.
    """
    try:
        fields = json.loads(line)
        return AuditEntry(
            sequence=int(fields["sequence"]),
            at=datetime.fromisoformat(fields["at"]),
            kind=str(fields["kind"]),
            subject=str(fields["subject"]),
            body=canonical(fields["body"]),
            previous=str(fields["previous"]),
            digest=str(fields["digest"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise AuditError(f"audit entry {sequence} cannot be read: {error}", sequence=sequence) from error


def canonical(value: object) -> str:
    """Return `value`, plain JSON, as the one text that stands for it: keys sorted, no spaces, ASCII only."""
    return _CANONICAL.encode(value)


def _entry(head: ChainHead, record: AuditRecord) -> AuditEntry:
    sequence, kind, subject, body = head.sequence + 1, plain(record.kind), plain(record.subject), canonical(record.body)
    return AuditEntry(
        sequence=sequence,
        at=record.at,
        kind=kind,
        subject=subject,
        body=body,
        previous=head.digest,
        digest=_digest(sequence, record.at, kind, subject, body, head.digest),
    )


def _digest(sequence: int, at: datetime, kind: str, subject: str, body: str, previous: str) -> str:
    return sha256(canonical([sequence, _moment(at), kind, subject, body, previous]).encode()).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
