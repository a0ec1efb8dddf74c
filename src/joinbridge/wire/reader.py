"""Reading octets in order, never past their end: what every binary codec here is made of."""

from __future__ import annotations

from joinbridge.core.ids import Eui64, eui64_from_bytes
from joinbridge.errors import DecodeError

MAX_LENGTH_OCTETS = 4  # 4 GiB; a longer length field cannot be meant, and would only make large integers


def read_length(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the BER length at `at` and the offset after it: one octet below 80, or 8n and n octets. It may claim more than there is.

    Raises: DecodeError when the field itself is truncated, indefinite (80), or longer than five octets.
    """
    if at >= end:
        raise DecodeError("truncated: no length", end)
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    size = first & 0x7F
    if not 1 <= size <= MAX_LENGTH_OCTETS:
        raise DecodeError(f"length field of {size} octets", at - 1)
    if at + size > end:
        raise DecodeError("truncated length", at)
    return int.from_bytes(data[at : at + size], "big"), at + size


def write_length(size: int) -> bytes:
    """Return the shortest BER length field for `size` octets."""
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


class Reader:
    """A cursor over `data`; every method moves it on, or raises DecodeError with the offset of the fault.

    `base` is where `data` begins in what the caller reports offsets of.
    """

    __slots__ = ("_base", "_data", "at")

    def __init__(self, data: bytes, *, base: int = 0) -> None:
        self._data = data
        self._base = base
        self.at = 0

    @property
    def left(self) -> int:
        """How many octets are still unread."""
        return len(self._data) - self.at

    def fault(self, reason: str, *, back: int = 0) -> DecodeError:
        """Return the error that says `reason` about what was read `back` octets ago."""
        return DecodeError(reason, self._base + self.at - back)

    def peek(self) -> bytes:
        """Return the next octet without moving on, or nothing when none is left."""
        return self._data[self.at : self.at + 1]

    def take(self, size: int, what: str) -> bytes:
        """Return the next `size` octets."""
        stop = self.at + size
        if stop > len(self._data):
            raise self.fault(f"truncated {what}: {size} octets wanted, {self.left} left")
        octets = self._data[self.at : stop]
        self.at = stop
        return octets

    def number(self, size: int, what: str) -> int:
        """Return the next `size` octets as an unsigned big-endian number."""
        return int.from_bytes(self.take(size, what), "big")

    def little(self, size: int, what: str) -> int:
        """Return the next `size` octets as an unsigned little-endian number, as ZigBee writes them."""
        return int.from_bytes(self.take(size, what), "little")

    def expect(self, octets: bytes, what: str) -> None:
        """Step over `octets`, which must come next."""
        found = self.take(len(octets), what)
        if found != octets:
            raise self.fault(f"{what}: {octets.hex()} wanted, {found.hex()} found", back=len(octets))

    def length(self) -> int:
        """Return the next BER length, which is known to be there in full."""
        try:
            size, self.at = read_length(self._data, self.at, len(self._data))
        except DecodeError as error:
            raise error.shifted(self._base) from None
        if size > self.left:
            raise self.fault(f"length {size} where {self.left} octets are left")
        return size

    def eui64(self, what: str) -> Eui64:
        """Return the next eight octets as an EUI-64."""
        return eui64_from_bytes(self.take(8, what))

    def finish(self) -> None:
        """Insist that nothing is left."""
        if self.left:
            raise self.fault(f"{self.left} octets left over")
