"""Payloads about the Device Log of one device: join, unjoin, and reading it (docs/domain.md, "Join and Unjoin")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Self

from cryptography.hazmat import asn1

from joinbridge.core.ids import Eui64, eui64_from_bytes, eui64_to_bytes
from joinbridge.errors import DecodeError
from joinbridge.wire import der


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEntry:
    """One entry of a Device Log: a device and the GBCS device type it was entered with (raw: unknown types survive)."""

    device: Eui64
    device_type: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinCommand:
    """CS03A1, CS03A2, CS03B and CS03C: enter `other` into the log of the device that receives this.

    `role` is the joinMethodAndRole (`core.vocabulary.JoinRole`, raw), `other_type` the device type (`DeviceType`, raw). `certificate`
    is the DER certificate of `other` that method C needs, empty when there is none; it is not looked into.
    """

    role: int
    other: Eui64
    other_type: int
    certificate: bytes = b""

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a Join command. Raises: DecodeError."""
        fields, certificate = _read_join(content)
        return cls(
            role=der.number(fields.role, "join role"),
            other=eui64_from_bytes(fields.other),
            other_type=der.number(fields.other_type, "device type"),
            certificate=certificate,
        )

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError when a number is out of range or the certificate is not one element of DER."""
        bare = der.encode(_Join(role=self.role, other=eui64_to_bytes(self.other), other_type=self.other_type))
        return der.append_element(bare, self.certificate) if self.certificate else bare


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinResponse:
    """The one number a device answers a Join with (`core.vocabulary.JoinCode`, raw)."""

    code: int

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a Join response. Raises: DecodeError."""
        return cls(code=der.number(der.decode(int, content), "join code"))

    def to_bytes(self) -> bytes:
        """Write it."""
        return der.encode(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnjoinCommand:
    """CS04AC and CS04B: strike `other` from the log of the device that receives this."""

    other: Eui64

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of an Unjoin command. Raises: DecodeError."""
        octets = der.decode(bytes, content)
        if len(octets) != 8:
            raise DecodeError(f"device id of {len(octets)} octets", 1)
        return cls(other=eui64_from_bytes(octets))

    def to_bytes(self) -> bytes:
        """Write it."""
        return der.encode(eui64_to_bytes(self.other))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnjoinResponse:
    """The one number a device answers an Unjoin with (`core.vocabulary.UnjoinCode`, raw)."""

    code: int

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of an Unjoin response. Raises: DecodeError."""
        return cls(code=der.number(der.decode(int, content), "unjoin code"))

    def to_bytes(self) -> bytes:
        """Write it."""
        return der.encode(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJoinDetails:
    """The CS07 command: say whom your log holds."""

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a CS07 command, which is a NULL. Raises: DecodeError."""
        der.decode(asn1.Null, content)
        return cls()

    def to_bytes(self) -> bytes:
        """Write it."""
        return der.encode(asn1.Null())


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinDetails:
    """The CS07 response: `code` 0 with the whole log, or 1 (read failure) with `entries` None."""

    code: int
    entries: tuple[DeviceEntry, ...] | None

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a CS07 response. Raises: DecodeError."""
        fields = der.decode(_JoinDetails, content)
        entries = None if fields.entries is None else tuple(entry.value() for entry in fields.entries)
        return cls(code=der.number(fields.code, "read result"), entries=entries)

    def to_bytes(self) -> bytes:
        """Write it."""
        return der.encode(_JoinDetails(code=self.code, entries=None if self.entries is None else entries_to_der(self.entries)))


def _read_join(content: bytes) -> tuple[_Join | _CertifiedJoin, bytes]:
    # Two schemas, because the library has no optional element of any type; the bare one first: four of five commands are bare.
    try:
        return der.decode(_Join, content), b""
    except DecodeError as bare_error:
        try:
            certified = der.decode(_CertifiedJoin, content)
        except DecodeError:
            raise bare_error from None
        return certified, der.element_octets(certified.certificate, content)


@asn1.sequence
class EntryDer:
    """A `DeviceEntry` as DER has it."""

    device: Annotated[bytes, asn1.Size.exact(8)]
    device_type: int

    def value(self) -> DeviceEntry:
        """Return the entry. Raises: DecodeError."""
        return DeviceEntry(device=eui64_from_bytes(self.device), device_type=der.number(self.device_type, "device type"))


def entries_to_der(entries: Iterable[DeviceEntry]) -> list[EntryDer]:
    """Return the entries as DER has them."""
    return [EntryDer(device=eui64_to_bytes(entry.device), device_type=entry.device_type) for entry in entries]


@asn1.sequence
class _Join:
    role: int
    other: Annotated[bytes, asn1.Size.exact(8)]
    other_type: int


@asn1.sequence
class _CertifiedJoin:
    role: int
    other: Annotated[bytes, asn1.Size.exact(8)]
    other_type: int
    certificate: asn1.TLV


@asn1.sequence
class _JoinDetails:
    code: int
    entries: list[EntryDer] | None
