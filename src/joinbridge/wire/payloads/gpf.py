"""Payloads about the Device Log of a Gas Proxy Function: its backup alert and its restoring.

Source: docs/domain.md, "GPF device log (8071, GCS59)".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cryptography.hazmat import asn1

from joinbridge.wire import der
from joinbridge.wire.dlms import in_utc
from joinbridge.wire.payloads.join import DeviceEntry, EntryDer, entries_to_der


@dataclass(frozen=True, slots=True, kw_only=True)
class GpfLogChanged:
    """GCS62: the whole log of a Gas Proxy Function as of `at` (UTC)."""

    alert_code: int
    at: datetime
    entries: tuple[DeviceEntry, ...]

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a GCS62 alert. Raises: DecodeError."""
        fields = der.decode(_LogChanged, content)
        return cls(
            alert_code=der.number(fields.alert_code, "alert code"),
            at=fields.at.as_datetime(),
            entries=tuple(entry.value() for entry in fields.entries),
        )

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError when `at` has no time zone."""
        at = asn1.GeneralizedTime(in_utc(self.at))
        return der.encode(_LogChanged(alert_code=self.alert_code, at=at, entries=entries_to_der(self.entries)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreGpfLog:
    """The GCS59 command: enter these into the log of a new Gas Proxy Function."""

    entries: tuple[DeviceEntry, ...]

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a GCS59 command. Raises: DecodeError."""
        return cls(entries=tuple(entry.value() for entry in der.decode(_Restore, content).entries))

    def to_bytes(self) -> bytes:
        """Write it."""
        return der.encode(_Restore(entries=entries_to_der(self.entries)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GpfLogRestored:
    """The GCS59 response: each entry with the join code (`core.vocabulary.JoinCode`, raw) it ended with."""

    results: tuple[tuple[DeviceEntry, int], ...]

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a GCS59 response. Raises: DecodeError."""
        results = der.decode(_Restored, content).results
        return cls(results=tuple((result.entry.value(), der.number(result.code, "join code")) for result in results))

    def to_bytes(self) -> bytes:
        """Write it."""
        entries = entries_to_der(entry for entry, _ in self.results)
        codes = (code for _, code in self.results)
        return der.encode(_Restored(results=[_Result(entry=entry, code=code) for entry, code in zip(entries, codes, strict=True)]))


@asn1.sequence
class _LogChanged:
    alert_code: int
    at: asn1.GeneralizedTime
    entries: list[EntryDer]


@asn1.sequence
class _Restore:
    entries: list[EntryDer]


@asn1.sequence
class _Result:
    entry: EntryDer
    code: int


@asn1.sequence
class _Restored:
    results: list[_Result]
