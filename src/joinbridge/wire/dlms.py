"""The part of DLMS that GBCS payloads use: data values, date-times, notifications, access requests and responses.

Source: docs/domain.md, "Payloads"; IEC 62056-5-3 (A-XDR) and 62056-6-2 (date-time).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from struct import Struct

from joinbridge.core.ids import Eui64, eui64_from_bytes, eui64_to_bytes
from joinbridge.wire.reader import Reader, write_length

INVOKE_ID = 0x20000000
"""The invoke id of counter 0: GBCS sets one flag, and the lower three octets are those of the message counter."""

NULL = b"\x00"
_ARRAY, _STRUCTURE, _OCTETS, _INTEGER = 0x01, 0x02, 0x09, 0x0F
BOOLEAN, UNSIGNED, LONG_UNSIGNED, ENUM = 0x03, 0x11, 0x12, 0x16
_SIZES = {BOOLEAN: 1, UNSIGNED: 1, LONG_UNSIGNED: 2, ENUM: 1}

_DATE_TIME = Struct(">HBBBBBBBhB")  # year, month, day, weekday, hour, minute, second, hundredths, deviation, status
_UNSPECIFIED = bytes.fromhex("FFFFFFFFFFFFFFFFFF8000FF")
_ANY_WEEKDAY = _ANY_STATUS = 0xFF
_NO_DEVIATION = -0x8000  # "not specified": the devices run on UTC (GBCS)


def invoke_id_of(counter: int) -> int:
    """Return the invoke id that a payload has in a message with that counter."""
    return INVOKE_ID | (counter & 0xFFFFFF)


def read_date_time(octets: bytes) -> datetime | None:
    """Return the time that 12 octets of DLMS date-time mean, or None when date or time are not fully specified or do not exist.

    The deviation is minutes from local time to UTC; when unspecified the time is UTC already. Weekday and clock status are not judged.
    """
    year, month, day, _, hour, minute, second, hundredths, deviation, _ = _DATE_TIME.unpack(octets)
    if hundredths == 0xFF:
        hundredths = 0
    if deviation == _NO_DEVIATION:
        deviation = 0
    try:
        local = datetime(year, month, day, hour, minute, second, hundredths * 10_000, tzinfo=UTC)
        return local + timedelta(minutes=deviation)
    except (ValueError, OverflowError):
        return None


def write_date_time(at: datetime | None, octets: bytes = b"") -> bytes:
    """Return 12 octets of DLMS date-time that mean `at`: `octets` if they do, otherwise UTC to the hundredth of a second.

    Raises: ValueError when `at` has no time zone.
    """
    if len(octets) == _DATE_TIME.size and read_date_time(octets) == at:
        return octets
    if at is None:
        return _UNSPECIFIED
    utc = in_utc(at)
    day = (utc.year, utc.month, utc.day, _ANY_WEEKDAY)
    time = (utc.hour, utc.minute, utc.second, utc.microsecond // 10_000)
    return _DATE_TIME.pack(*day, *time, _NO_DEVIATION, _ANY_STATUS)


def in_utc(at: datetime) -> datetime:
    """Return `at` in UTC. Raises: ValueError when it has no time zone: guessing one would move evidence in time."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC)


def take_structure(reader: Reader, size: int, what: str) -> None:
    """Step into a structure of `size` elements."""
    reader.expect(bytes((_STRUCTURE, size)), what)


def take_count(reader: Reader, what: str) -> int:
    """Step into an array and return how many elements it has: not more than there are octets left."""
    reader.expect(bytes((_ARRAY,)), what)
    return reader.length()


def take_octets(reader: Reader, what: str, *sizes: int) -> bytes:
    """Return an octet string of one of `sizes`, or of any size when none is given."""
    reader.expect(bytes((_OCTETS,)), what)
    octets = reader.take(reader.length(), what)
    if sizes and len(octets) not in sizes:
        raise reader.fault(f"{what} of {len(octets)} octets", back=len(octets))
    return octets


def take_eui64(reader: Reader, what: str) -> Eui64:
    """Return an octet string of eight as an EUI-64."""
    return eui64_from_bytes(take_octets(reader, what, 8))


def take_number(reader: Reader, tag: int, what: str) -> int:
    """Return an unsigned number (also an enum or boolean) of that tag."""
    reader.expect(bytes((tag,)), what)
    return reader.number(_SIZES[tag], what)


def take_signed(reader: Reader, what: str) -> int:
    """Return a signed number of one octet."""
    reader.expect(bytes((_INTEGER,)), what)
    return int.from_bytes(reader.take(1, what), "big", signed=True)


def put_octets(octets: bytes) -> bytes:
    """Return an octet string."""
    return bytes((_OCTETS,)) + write_length(len(octets)) + octets


def put_eui64(eui: Eui64) -> bytes:
    """Return an EUI-64 as an octet string."""
    return put_octets(eui64_to_bytes(eui))


def put_number(tag: int, value: int) -> bytes:
    """Return an unsigned number (also an enum or boolean) of that tag. Raises: OverflowError when it does not fit."""
    return bytes((tag,)) + value.to_bytes(_SIZES[tag], "big")


def put_signed(value: int) -> bytes:
    """Return a signed number of one octet. Raises: OverflowError when it does not fit."""
    return bytes((_INTEGER,)) + value.to_bytes(1, "big", signed=True)


def put_structure(*elements: bytes) -> bytes:
    """Return a structure of values."""
    return bytes((_STRUCTURE, len(elements))) + b"".join(elements)


def put_array(elements: Iterable[bytes]) -> bytes:
    """Return an array of values."""
    items = tuple(elements)
    return bytes((_ARRAY,)) + write_length(len(items)) + b"".join(items)


def take_notification(reader: Reader) -> tuple[int, int]:
    """Step into a data-notification whose body is a structure; return its invoke id and how many elements the structure has."""
    reader.expect(b"\x0f", "data-notification")
    invoke_id = reader.number(4, "invoke id")
    reader.expect(b"\x00", "date-time of the notification")
    reader.expect(bytes((_STRUCTURE,)), "body of the notification")
    return invoke_id, reader.length()


def put_notification(invoke_id: int, *elements: bytes, extra: bytes = b"", extra_count: int = 0) -> bytes:
    """Return a data-notification of a structure of `elements` and of the `extra_count` values that `extra` already is."""
    body = bytes((_STRUCTURE,)) + write_length(len(elements) + extra_count) + b"".join(elements) + extra
    return b"\x0f" + invoke_id.to_bytes(4, "big") + b"\x00" + body


def take_request(reader: Reader) -> tuple[int, tuple[bytes, ...]]:
    """Step into an access-request; return its invoke id and specifications (kind, class, instance, id: 10 octets each).

    What comes next is one value for each specification.
    """
    reader.expect(b"\xd9", "access-request")
    invoke_id = reader.number(4, "invoke id")
    reader.expect(b"\x00", "date-time of the request")
    specifications = tuple(reader.take(10, "access specification") for _ in range(reader.length()))
    reader.expect(write_length(len(specifications)), "count of access data")
    return invoke_id, specifications


def take_request_for(reader: Reader, *specifications: bytes) -> int:
    """Step into an access-request for exactly this; return its invoke id. What comes next is one value for each specification."""
    invoke_id, found = take_request(reader)
    if found != specifications:
        raise reader.fault("the access-request asks for something else than its use case does")
    return invoke_id


def put_request(invoke_id: int, *pairs: tuple[bytes, bytes]) -> bytes:
    """Return an access-request: pairs of a specification and its value."""
    count = write_length(len(pairs))
    octets = b"\xd9" + invoke_id.to_bytes(4, "big") + b"\x00" + count
    return octets + b"".join(spec for spec, _ in pairs) + count + b"".join(data for _, data in pairs)


def take_response(reader: Reader, count: int) -> int:
    """Step into an access-response of `count` values, which come next; return its invoke id."""
    invoke_id, found = take_any_response(reader)
    if found != count:
        raise reader.fault(f"{found} values where the use case has {count}", back=1)
    return invoke_id


def take_any_response(reader: Reader) -> tuple[int, int]:
    """Step into an access-response; return its invoke id and how many values come next."""
    reader.expect(b"\xda", "access-response")
    invoke_id = reader.number(4, "invoke id")
    reader.expect(b"\x00\x00", "date-time and repeated request of the response")
    return invoke_id, reader.length()


def take_results(reader: Reader, count: int) -> tuple[tuple[int, int], ...]:
    """Return the kind (1 get, 2 set, 3 action) and result code (0 success) of each value of a response, which then ends."""
    reader.expect(write_length(count), "count of access results")
    results = tuple((reader.number(1, "access kind"), reader.number(1, "access result")) for _ in range(count))
    reader.finish()
    return results


def put_response(invoke_id: int, *answers: tuple[bytes, int, int]) -> bytes:
    """Return an access-response: for each answer its value (`NULL` when it has none), kind and result code."""
    count = write_length(len(answers))
    octets = b"\xda" + invoke_id.to_bytes(4, "big") + b"\x00\x00" + count + b"".join(data for data, _, _ in answers)
    return octets + count + b"".join(bytes((kind, result)) for _, kind, result in answers)


def take_null(reader: Reader) -> bool:
    """Step over a null value if one comes next, and say whether it did."""
    if reader.peek() != NULL:
        return False
    reader.take(1, "null")
    return True
