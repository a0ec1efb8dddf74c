"""What kind of message some bytes are, told by their content alone: DUIS XML, or GBCS as binary, hex or base64."""

from __future__ import annotations

import binascii
import re

from joinbridge.errors import DecodeError
from joinbridge.wire.duis.messages import DuisDocument
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.gbcs import GbcsMessage, decode_gbcs

MAX_BODY_BYTES = 4 * 1024 * 1024
"""No message of the field is above about 1 MB; twice that in hex, and as much again for comfort."""

_WHITE = b" \t\r\n"
_LEADING = _WHITE + b"\xef\xbb\xbf"  # and the byte order mark of UTF-8
_NEITHER = "neither XML, nor GBCS as binary, hex or base64"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_HEX = re.compile(rb"[0-9A-Fa-f\s]+\Z")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+\Z")

Message = DuisDocument | GbcsMessage


def decode_message(body: bytes) -> Message:
    """Return the DUIS document or GBCS message in `body`.

    GBCS binary starts with octet DD or DF, which no text does. The offset of an error in hex or base64 is that in the binary message.
    Raises: DecodeError when it is neither, or malformed.
    """
    if len(body) > MAX_BODY_BYTES:
        raise DecodeError(f"{len(body)} bytes, more than the {MAX_BODY_BYTES} that any message may have", MAX_BODY_BYTES)
    if body[:1] in (b"\xdd", b"\xdf"):
        return decode_gbcs(body)
    text = body.lstrip(_LEADING)
    start = len(body) - len(text)
    text = text.rstrip(_WHITE)
    if not text:
        raise DecodeError("empty message")
    if text.startswith(_UTF_16):
        raise DecodeError("text in UTF-16, where DUIS is in UTF-8", start)
    if not text.startswith(b"<"):
        return decode_gbcs(_binary(text))
    try:
        return parse_duis(text)
    except DecodeError as error:
        raise error.shifted(start) from error


def in_payload(error: DecodeError) -> DecodeError:
    """Return `error` as one of the GBCS message inside a DUIS document; the offset is that in the GBCS message, decoded from base64."""
    return DecodeError(f"in the GBCS payload: {error.reason}", error.offset)


def _binary(text: bytes) -> bytes:
    # Every GBCS message starts DD or DF: its base64 starts with a digit and can hold only hex digits by the rarest chance.
    if _HEX.match(text) is not None:
        digits = re.sub(rb"\s+", b"", text)
        if len(digits) % 2:
            raise DecodeError("odd number of hex digits", len(digits) // 2)
        return binascii.unhexlify(digits)
    if _BASE64.match(text) is None:
        raise DecodeError(_NEITHER)
    try:
        return binascii.a2b_base64(re.sub(rb"\s+", b"", text), strict_mode=True)
    except binascii.Error as error:
        raise DecodeError(f"{_NEITHER}: {error}") from error
