"""The capture format: recorded traffic as JSON Lines, one message a line. The simulator can write one, `replay` reads one.

{"at": "<RFC 3339>", "source": "sr.request|sr.response|csp.alert", "region": null|"north"|…,
 "content_type": "application/xml|application/vnd.gbcs+hex|application/vnd.gbcs+base64|application/octet-stream",
 "body": "<text, or base64 when octet-stream>"}
"""

from __future__ import annotations

import binascii
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError

from joinbridge.errors import DecodeError

ContentType = Literal["application/xml", "application/vnd.gbcs+hex", "application/vnd.gbcs+base64", "application/octet-stream"]

YEARS = range(2000, 3000)
"""What a moment on the bus may be in: waiting times can be added to it and taken off it."""


def _in_utc(at: datetime) -> datetime:
    if at.year not in YEARS:
        raise ValueError(f"not in the years {YEARS[0]} to {YEARS[-1]}")
    return at.astimezone(UTC)


class CaptureLine(BaseModel):
    """One line of a capture; `at` must carry a time zone, and is in UTC here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Annotated[AwareDatetime, AfterValidator(_in_utc)]
    source: Literal["sr.request", "sr.response", "csp.alert"]
    region: str | None = None
    content_type: ContentType = "application/xml"
    body: str

    def octets(self) -> bytes:
        """Return the body as it was on the bus.

        Raises: DecodeError when the body of an octet stream is not base64.
        """
        if self.content_type != "application/octet-stream":
            return self.body.encode()
        try:
            return binascii.a2b_base64(self.body.encode(), strict_mode=True)
        except binascii.Error as error:
            raise DecodeError(f"body is not base64: {error}") from error


def parse_line(line: bytes) -> CaptureLine:
    """Return the message recorded in one line.

    Raises: DecodeError naming the field, when the line is not a capture line.
    """
    try:
        return CaptureLine.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "line"
        raise DecodeError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error


def write_line(line: CaptureLine) -> bytes:
    """Return `line` as one JSON line, with its line feed: the inverse of `parse_line`."""
    return line.model_dump_json().encode() + b"\n"
