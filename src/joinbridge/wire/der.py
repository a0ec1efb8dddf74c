"""DER by the ASN.1 support of `cryptography`, with its errors made ours (docs/decisions/0002-der-by-cryptography.md)."""

from __future__ import annotations

from typing import TypeVar

from cryptography.hazmat import asn1

from joinbridge.errors import DecodeError
from joinbridge.wire.reader import read_length, write_length

_Schema = TypeVar("_Schema")

NUMBER_MAX = 0xFFFF_FFFF  # far above any code GBCS has; DER alone would let an INTEGER fill the whole message


def decode(schema: type[_Schema], content: bytes) -> _Schema:
    """Return the `schema` value that fills `content` exactly. Raises: DecodeError at 0: the library does not say where the fault is."""
    try:
        return asn1.decode_der(schema, content)
    except ValueError as error:
        raise DecodeError(f"not the DER of {schema.__name__.strip('_')}: {error}") from error


def encode(value: object) -> bytes:
    """Return the DER of `value`. Raises: ValueError when a field does not fit its schema."""
    return asn1.encode_der(value)


def number(value: int, what: str) -> int:
    """Return `value` when it is 0 to 2^32-1. Raises: DecodeError."""
    if not 0 <= value <= NUMBER_MAX:
        # Not the value itself: it can have thousands of digits, which Python refuses to print.
        raise DecodeError(f"{what} is negative or above 2^32-1")
    return value


def element_octets(element: asn1.TLV, content: bytes) -> bytes:
    """Return the octets of `element`, the last one in `content`. Minimal lengths are DER's law, so its header needs no search."""
    header = len(element.tag_bytes) + len(write_length(len(element.data)))
    return content[len(content) - header - len(element.data) :]


def append_element(sequence: bytes, element: bytes) -> bytes:
    """Return `sequence`, the DER of a SEQUENCE, with one more element, itself DER, at its end.

    Raises: ValueError when `element` is not one whole element of DER.
    """
    asn1.decode_der(asn1.TLV, element)
    _, start = read_length(sequence, 1, len(sequence))
    body = sequence[start:] + element
    return sequence[:1] + write_length(len(body)) + body
