"""The spellings of XML Schema: what is taken, as what, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from joinbridge.errors import DecodeError
from joinbridge.wire.duis import lexical


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2022-08-17T15:45:42Z", datetime(2022, 8, 17, 15, 45, 42, tzinfo=UTC)),
        ("2022-08-17T15:45:42", datetime(2022, 8, 17, 15, 45, 42, tzinfo=UTC)),
        ("2022-08-17T15:45:42+01:00", datetime(2022, 8, 17, 14, 45, 42, tzinfo=UTC)),
        ("2022-08-17T23:45:42-14:00", datetime(2022, 8, 18, 13, 45, 42, tzinfo=UTC)),
        ("2022-08-17T15:45:42-00:00", datetime(2022, 8, 17, 15, 45, 42, tzinfo=UTC)),
        ("2022-08-17T15:45:42.7Z", datetime(2022, 8, 17, 15, 45, 42, 700_000, tzinfo=UTC)),
        ("2022-08-17T15:45:42.790Z", datetime(2022, 8, 17, 15, 45, 42, 790_000, tzinfo=UTC)),
        ("2022-08-17T15:45:42.1234569999999999Z", datetime(2022, 8, 17, 15, 45, 42, 123_456, tzinfo=UTC)),
        ("2022-12-31T24:00:00Z", datetime(2023, 1, 1, tzinfo=UTC)),
        ("2022-12-31T24:00:00.000+01:00", datetime(2022, 12, 31, 23, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_utc(text: str, at: datetime) -> None:
    assert lexical.date_time(text) == at
    assert lexical.date_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2022-08-17",
        "2022-08-17 15:45:42Z",
        "2022-08-17T15:45Z",
        "2022-08-17T15:45:42,5Z",
        "2022-08-17T15:45:42.Z",
        "2022-08-17T15:45:42z",
        "2022-08-17T15:45:42+0100",
        "2022-08-17T15:45:42+15:00",
        "2022-08-17T15:45:42Z\n",
        "20220817T154542Z",
        "2022-W33-3T15:45:42Z",
        "2022-02-29T15:45:42Z",
        "2022-08-17T24:00:01Z",
        "2022-08-17T25:00:00Z",
        "2022-08-17T15:45:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T24:00:00Z",
        "12022-08-17T15:45:42Z",
        "-2022-08-17T15:45:42Z",
        "٢٠٢٢-08-17T15:45:42Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        lexical.date_time(text)


@pytest.mark.parametrize("text", ["2025-12-28", "2025-12-28Z", "2025-12-28+01:00"])
def test_a_date_is_read_without_its_zone(text: str) -> None:
    assert lexical.calendar_date(text) == date(2025, 12, 28)


@pytest.mark.parametrize("text", ["", "2025-02-29", "2025-12-28T00:00:00Z", "20251228", "2025-12-28 "])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        lexical.calendar_date(text)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("", b""),
        ("3wk=", b"\xdf\x09"),
        ("3Q==", b"\xdd"),
        ("3wkB", b"\xdf\x09\x01"),
        (" 3w\r\n\tk = ", b"\xdf\x09"),
    ],
)
def test_base64_is_read_as_octets(text: str, octets: bytes) -> None:
    assert lexical.octets_from_base64(text) == octets


@pytest.mark.parametrize(
    "text",
    ["3", "3w", "3wk", "3wk==", "=3wk", "3w=k", "3wk=3wk=", "3wl=", "3R==", "3w-_", "3wk=!", "3wé=", "3wk=\u00a0", "===="],
)
def test_what_is_not_the_one_spelling_of_base64_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match="not base64"):
        lexical.octets_from_base64(text)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("007", 7), ("+5", 5), (str(2**64 - 1), 2**64 - 1)])
def test_a_number_is_read(text: str, value: int) -> None:
    assert lexical.number(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1.0", "1e3", "1_000", " 1", "0x10", "٣", "9" * 21, "9" * 5000])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        lexical.number(text)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_a_boolean_is_read(text: str, *, value: bool) -> None:
    assert lexical.boolean(text) is value


@pytest.mark.parametrize("parse", [lexical.boolean, lexical.hex_digits, lexical.octets_from_hex])
@pytest.mark.parametrize("text", ["", "True", "yes", "8F2", "0x8F", "8F 20"])
def test_what_is_neither_boolean_nor_hex_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(DecodeError):
        parse(text)


def test_hex_is_read_as_upper_case_digits_or_as_octets() -> None:
    assert lexical.hex_digits("8f2c") == "8F2C"
    assert lexical.octets_from_hex("8f2C") == b"\x8f\x2c"


def test_a_word_is_any_text_but_none() -> None:
    assert lexical.word("E080801") == "E080801"
    with pytest.raises(DecodeError, match="is empty"):
        lexical.word("")
