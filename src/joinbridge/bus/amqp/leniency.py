"""Reading what a publisher wrote into a message's properties although it is no moment, or no text.

pamqp refuses such a frame, and aiormq ends the connection for it; the broker delivers the message again, and so on for ever: one message
of anybody's would stop the intake. RabbitMQ itself looks at neither.
"""

from __future__ import annotations

from pamqp import decode
from pamqp.common import FieldTable, FieldValue

_TIMESTAMP_OCTETS = 8
_LENGTH_OCTETS = 4


def be_lenient() -> None:
    """Have the client library read what is no moment as none, and what is no text as far as it is. For the whole process. Idempotent."""
    decode.METHODS["timestamp"] = decode.TABLE_MAPPING[b"T"] = _timestamp
    decode.METHODS["shortstr"] = _short_text
    decode.METHODS["table"] = decode.TABLE_MAPPING[b"F"] = _table


def _timestamp(value: bytes) -> tuple[int, FieldValue]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):  # beyond the year 9999, as one in microseconds is
        return _TIMESTAMP_OCTETS, None


def _short_text(value: bytes) -> tuple[int, FieldValue]:
    try:
        return decode.short_str(value)
    except UnicodeDecodeError:
        size = 1 + value[0]
        return size, value[1:size].decode("utf-8", errors="replace")


def _table(value: bytes) -> tuple[int, FieldTable]:
    try:
        return decode.field_table(value)
    except UnicodeDecodeError:  # a name that is no text: no header of any use to us has one
        return _LENGTH_OCTETS + int.from_bytes(value[:_LENGTH_OCTETS], "big"), {}
