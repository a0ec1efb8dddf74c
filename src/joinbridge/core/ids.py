"""Identifiers, parsed once at the edge into values that cannot be wrong inside.

An EUI-64 is text, upper case, dashed: `00-DB-12-34-56-78-90-A1`. A key prints as `remote:device:counter`
(docs/domain.md, section "Two keys").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import NewType

from joinbridge.errors import DecodeError

Eui64 = NewType("Eui64", str)
"""Eight octets in upper-case hex, joined by dashes. Make one with `parse_eui64` or `eui64_from_bytes`."""

DeviceId = Eui64
"""The EUI-64 of a device in a home, as against that of a remote party."""

MessageKey = NewType("MessageKey", str)
"""What makes a message the same message when it is delivered again (a digest of its body)."""

MESSAGE_KEY_BYTES = 16
"""128 bits: among a nation's messages of a year (10^10) two of the same key are as likely as 1 in 10^18."""

COUNTER_MAX = 2**64 - 1  # DUIS RequestID pattern and the eight octets of the GBCS grouping header

_EUI64_PATTERN = r"[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){7}"
_COUNTER_PATTERN = r"0|[1-9][0-9]{0,19}"
_EUI64 = re.compile(_EUI64_PATTERN + r"\Z")
_REQUEST_ID = re.compile(rf"({_EUI64_PATTERN}):({_EUI64_PATTERN}):({_COUNTER_PATTERN})\Z")


def parse_eui64(text: str) -> Eui64:
    """Return the EUI-64 written in `text`, upper case; white space around it is trimmed (it is an `xs:token`).

    Raises: DecodeError when it is not eight octets of hex joined by dashes.
    """
    token = text.strip()
    if _EUI64.match(token) is None:
        raise DecodeError(f"not an EUI-64: {token[:40]!r}")
    return Eui64(token.upper())


def message_key(body: bytes) -> MessageKey:
    """Return what makes a message with this body the same message when it comes again."""
    return MessageKey(blake2b(body, digest_size=MESSAGE_KEY_BYTES).hexdigest())


def eui64_from_bytes(octets: bytes) -> Eui64:
    """Return the EUI-64 of exactly eight octets."""
    return Eui64(octets.hex("-").upper())


def eui64_to_bytes(eui: Eui64) -> bytes:
    """Return the eight octets of `eui`."""
    return bytes.fromhex(eui.replace("-", ""))


@dataclass(frozen=True, slots=True, order=True)
class CommandKey:
    """One command on its way: who sent it, which device it is for, and the sender's counter.

    Two keys exist for each command (GBCS grouping header, docs/domain.md "Two keys"): the *wire key* has the ids and the counter of
    the header, the *business key* those of the party on whose behalf it was sent. The business key is the DUIS RequestID.
    """

    remote: Eui64
    device: DeviceId
    counter: int

    def __str__(self) -> str:
        return f"{self.remote}:{self.device}:{self.counter}"


RequestId = CommandKey
WireKey = CommandKey
BusinessKey = CommandKey


def parse_request_id(text: str) -> RequestId:
    """Return the RequestID or ResponseID written in `text` as `originator:target:counter`.

    Raises: DecodeError when a part is missing or malformed, or the counter is above 2^64-1.
    """
    token = text.strip()
    found = _REQUEST_ID.match(token)
    if found is None:
        raise DecodeError(_what_is_wrong(token))
    originator, target, digits = found.groups()
    counter = int(digits)
    if counter > COUNTER_MAX:
        raise DecodeError(f"not a counter of 0 to 2^64-1: {digits}")
    return RequestId(Eui64(originator.upper()), Eui64(target.upper()), counter)


def _what_is_wrong(token: str) -> str:
    """Return why `token` is no RequestID, part by part."""
    parts = token.split(":")
    if len(parts) != 3:
        return f"not originator:target:counter: {token[:80]!r}"
    wrong = next((part for part in parts[:2] if _EUI64.match(part) is None), None)
    return f"not a counter of 0 to 2^64-1: {parts[2][:40]!r}" if wrong is None else f"not an EUI-64: {wrong[:40]!r}"


@dataclass(frozen=True, slots=True, order=True)
class JoinPair:
    """A directional pair: the Device Log of `target` authorises (or does not) `other`."""

    target: DeviceId
    other: DeviceId

    def __str__(self) -> str:
        return f"{self.target}→{self.other}"

    @property
    def reverse(self) -> JoinPair:
        """The other direction, which is a separate join."""
        return JoinPair(self.other, self.target)
