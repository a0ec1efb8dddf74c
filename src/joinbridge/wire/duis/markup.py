"""The pieces that DUIS documents are written of: elements, and values as their text.

Documents are put together as text, for that takes a third of the time of building a tree. Whatever may hold a character
that means something to XML goes through `escaped`; identifiers, numbers, times and base64 cannot.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime

_PLAIN = re.compile(r"[A-Za-z0-9 .,:/_+=-]*\Z")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2
_ESCAPES = str.maketrans(
    # A parser would turn a bare carriage return into a line feed, and any white space in an attribute into a space.
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def element(name: str, *content: str) -> str:
    """Return a DUIS element with markup inside."""
    return f"<sr:{name}>{''.join(content)}</sr:{name}>"


def escaped(text: str) -> str:
    """Return `text` as it stands in an element or in an attribute.

    Raises: ValueError when it has a character that XML cannot hold.
    """
    if _PLAIN.match(text) is not None:
        return text
    if _NOT_XML.search(text) is not None:
        raise ValueError(f"not a text that XML can hold: {text[:40]!r}")
    return text.translate(_ESCAPES)


def text_element(name: str, text: str | None) -> str:
    """Return an element with a text; nothing for None."""
    return "" if text is None else element(name, escaped(text))


def value_element(name: str, value: object | None) -> str:
    """Return an element with an identifier, a number, a date or a code, which need no escaping; nothing for None."""
    return "" if value is None else f"<sr:{name}>{value}</sr:{name}>"


def time_element(name: str, at: datetime | None) -> str:
    """Return an element with an xs:dateTime in UTC; nothing for None.

    Raises: ValueError when `at` is naive.
    """
    if at is None:
        return ""
    if at.tzinfo is None:
        raise ValueError(f"{name} needs a time with a zone: {at}")
    return element(name, at.astimezone(UTC).replace(tzinfo=None).isoformat(), "Z")


def base64_element(name: str, octets: bytes) -> str:
    """Return an element with the octets in base64."""
    return element(name, binascii.b2a_base64(octets, newline=False).decode("ascii"))
