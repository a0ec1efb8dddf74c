"""Every exception joinbridge raises, and who is to blame for it.

JoinbridgeError
├── DecodeError        the bytes: a message is not what its format says
├── ConfigError        the operator: a setting is missing or wrong
├── StoreError         the database: it could not be reached, or did not do what was asked
│   ├── StoreRefusedError   it is there and refused the data; trying again will not help
│   └── StaleVersionError   another instance changed the row first; load again and decide again
├── InventoryError     the Smart Metering Inventory could not be reached
│   └── InventoryConflictError   it holds something else than the decision was made for
├── TransportError     the message bus could not be reached
│   ├── TransportLostError   this process cannot have it back; end it and start anew
│   └── UnconfirmedError     it did not confirm some of what was published
└── AuditError         the audit chain does not verify
"""

from __future__ import annotations

from collections.abc import Mapping


class JoinbridgeError(Exception):
    """Base of all errors that joinbridge raises on purpose."""


class DecodeError(JoinbridgeError):
    """A message is not what its format says: `reason` in words, `offset` in bytes from the start of the input.

    The only exception that leaves a codec, whatever the bytes.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(f"{reason} (at byte {offset})")
        self.reason = reason
        self.offset = offset

    def shifted(self, by: int) -> DecodeError:
        """Return the same error as seen from an enclosing message that starts `by` bytes earlier."""
        return DecodeError(self.reason, self.offset + by)


class ConfigError(JoinbridgeError):
    """A setting is missing or wrong; the message names the setting and the fix."""


class StoreError(JoinbridgeError):
    """The database could not be reached, or did not do what was asked of it."""


class StoreRefusedError(StoreError):
    """The database is there and refused the data; trying the same again will not help."""


class StaleVersionError(StoreError):
    """Another instance changed a row first; nothing was written: load again and decide again."""


class InventoryError(JoinbridgeError):
    """The Smart Metering Inventory could not be reached; the update stays owed."""


class InventoryConflictError(InventoryError):
    """The inventory holds something else than the decision was made for; nothing was written."""

    def __init__(self, message: str, *, held: bool | None) -> None:
        super().__init__(message)
        self.held = held


class TransportError(JoinbridgeError):
    """The message bus could not be reached, or did not confirm; what was sent may or may not have arrived."""


class TransportLostError(TransportError):
    """The connection cannot be had back by this process: whoever supervises it starts it anew."""


class UnconfirmedError(TransportError):
    """Of `tried` publications those of `reasons` were not confirmed, which says why for the key of each; all others were."""

    def __init__(self, reasons: Mapping[str, str], *, tried: int) -> None:
        super().__init__(f"{len(reasons)} of {tried} publications were not confirmed; first {next(iter(reasons.values()))}")
        self.reasons = reasons


class AuditError(JoinbridgeError):
    """The audit chain does not verify; `sequence` is the first entry that does not fit its predecessor."""

    def __init__(self, message: str, *, sequence: int) -> None:
        super().__init__(message)
        self.sequence = sequence
