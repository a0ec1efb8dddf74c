"""The capture format: what one line holds, and what is said of a line that is none."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joinbridge.errors import DecodeError
from joinbridge.wire.capture import CaptureLine, parse_line, write_line
from support.home import ESME, PPMID, START
from support.messages import gpf_report, join_request

REQUEST = join_request(ESME, PPMID)
WHOLE: dict[str, Any] = {  # Any: JSON
    "at": "2026-03-02T09:00:00Z",
    "source": "sr.request",
    "region": None,
    "content_type": "application/xml",
    "body": REQUEST.decode(),
}


def line(**changes: object) -> bytes:
    return json.dumps({name: value for name, value in {**WHOLE, **changes}.items() if value is not ...}).encode()


def test_a_line_is_read() -> None:
    read = parse_line(line())

    assert read.at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert (read.source, read.region, read.content_type) == ("sr.request", None, "application/xml")
    assert read.octets() == REQUEST


def test_region_and_content_type_may_be_left_out() -> None:
    read = parse_line(line(region=..., content_type=...))

    assert (read.region, read.content_type) == (None, "application/xml")


def test_a_moment_is_in_utc_whatever_its_time_zone() -> None:
    read = parse_line(line(at="2026-03-02T10:00:00.5+01:00"))

    assert read.at == datetime(2026, 3, 2, 9, 0, 0, 500_000, tzinfo=UTC)
    assert read.at.tzinfo is UTC


def test_binary_is_base64_and_all_other_bodies_are_text() -> None:
    octets = gpf_report([PPMID], START)

    assert parse_line(line(content_type="application/octet-stream", body=b64encode(octets).decode())).octets() == octets
    assert parse_line(line(content_type="application/vnd.gbcs+hex", body=octets.hex())).octets() == octets.hex().encode()
    as_base64 = parse_line(line(content_type="application/vnd.gbcs+base64", body=b64encode(octets).decode()))
    assert as_base64.octets() == b64encode(octets)


@pytest.mark.parametrize("body", ["not base64!", "QQ", "QQ==\n", "é"])
def test_binary_that_is_not_base64_is_refused(body: str) -> None:
    read = parse_line(line(content_type="application/octet-stream", body=body))

    with pytest.raises(DecodeError, match=r"^body is not base64: "):
        read.octets()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (b"", "line: Invalid JSON"),
        (b"{", "line: Invalid JSON"),
        (b"\xff\xfe", "line: Invalid JSON"),
        (b"[]", "line: Input should be an object"),
        (b"7", "line: Input should be an object"),
        (line(at=...), "at: Field required"),
        (line(at="yesterday"), "at: Input should be a valid datetime"),
        (line(at="2026-03-02T09:00:00"), "at: Input should have timezone info"),
        (line(at="1999-12-31T23:59:59Z"), "at: not in the years 2000 to 2999"),
        (line(at="9999-12-31T23:59:59-12:00"), "at: not in the years 2000 to 2999"),
        (line(source="csp.alarm"), "source: Input should be 'sr.request', 'sr.response' or 'csp.alert'"),
        (line(region=7), "region: Input should be a valid string"),
        (line(content_type="text/plain"), "content_type: Input should be 'application/xml'"),
        (line(body=...), "body: Field required"),
        (line(body=None), "body: Input should be a valid string"),
        (line(bdoy="x"), "bdoy: Extra inputs are not permitted"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_is_no_line_is_refused_with_the_field_that_is_wrong(wrong: bytes, says: str) -> None:
    with pytest.raises(DecodeError) as refused:
        parse_line(wrong)

    assert refused.value.reason.startswith(says)
    assert refused.value.offset == 0


def test_what_is_refused_does_not_show_the_body() -> None:
    with pytest.raises(DecodeError) as refused:
        parse_line(line(source="?"))

    assert "RequestID" not in str(refused.value)


moments = st.datetimes(datetime(2000, 1, 3), datetime(2999, 12, 29), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]))  # noqa: DTZ001 - the time zones are the strategy's
texts = st.text()
lines = st.builds(
    CaptureLine,
    at=moments,
    source=st.sampled_from(["sr.request", "sr.response", "csp.alert"]),
    region=st.none() | texts,
    content_type=st.sampled_from(["application/xml", "application/vnd.gbcs+hex", "application/vnd.gbcs+base64"]),
    body=texts,
)


@given(recorded=lines)
def test_what_is_written_is_read_again(recorded: CaptureLine) -> None:
    written = write_line(recorded)

    assert parse_line(written) == recorded
    assert written.count(b"\n") == 1
    assert written.endswith(b"\n")
    assert parse_line(written).octets() == recorded.body.encode()
