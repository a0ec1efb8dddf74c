"""How XML Schema spells numbers, times and octets.

Each function takes trimmed text and raises DecodeError when it is not what the function is named after.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, date, datetime, timedelta

from joinbridge.errors import DecodeError

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_NUMBER = re.compile(r"\+?[0-9]{1,20}\Z")  # 2^64-1, the largest number of DUIS, has 20 digits
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?\Z"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}" + _ZONE)
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?" + _ZONE)
_END_OF_DAY = re.compile(r".{10}T24:00:00(?:\.0+)?" + _ZONE)


def word(text: str) -> str:
    """Return a code or the like, which is never empty."""
    if not text:
        raise DecodeError("is empty")
    return text


def boolean(text: str) -> bool:
    """Return an xs:boolean."""
    value = _BOOLEANS.get(text)
    if value is None:
        raise DecodeError(f"not true or false: {text[:40]!r}")
    return value


def number(text: str) -> int:
    """Return an integer that is not negative."""
    if _NUMBER.match(text) is None:
        raise DecodeError(f"not a number: {text[:40]!r}")
    return int(text)


def hex_digits(text: str) -> str:
    """Return the digits of xs:hexBinary in upper case; at least one octet."""
    if _HEX.match(text) is None:
        raise DecodeError(f"not octets in hex: {text[:40]!r}")
    return text.upper()


def octets_from_hex(text: str) -> bytes:
    """Return the octets of xs:hexBinary; at least one."""
    return bytes.fromhex(hex_digits(text))


def octets_from_base64(text: str) -> bytes:
    """Return the octets of xs:base64Binary in its one spelling; white space inside is allowed."""
    try:
        digits = text.encode("ascii").translate(None, b" \t\r\n")
        octets = binascii.a2b_base64(digits)
    except ValueError as error:
        raise DecodeError("not base64") from error
    # The decoder skips what it does not know and ignores spare bits; to encode again shows whether there were any.
    if binascii.b2a_base64(octets, newline=False) != digits:
        raise DecodeError("not base64")
    return octets


def date_time(text: str) -> datetime:
    """Return an xs:dateTime in UTC, which it also means when it names no zone; what is below a microsecond is cut."""
    if _DATE_TIME.match(text) is None:
        raise DecodeError(f"not a date and time: {text[:40]!r}")
    # XML Schema lets a day end at 24:00:00, which is the next day's start.
    ends_day = text[11:13] == "24" and _END_OF_DAY.match(text) is not None
    try:
        at = datetime.fromisoformat(f"{text[:11]}00{text[13:]}" if ends_day else text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return at + timedelta(days=1) if ends_day else at
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"no such date and time: {text[:40]!r}") from error


def calendar_date(text: str) -> date:
    """Return an xs:date; its zone, if it names one, is dropped."""
    if _DATE.match(text) is None:
        raise DecodeError(f"not a date: {text[:40]!r}")
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise DecodeError(f"no such date: {text[:40]!r}") from error
