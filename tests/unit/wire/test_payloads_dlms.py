from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from joinbridge.errors import DecodeError
from joinbridge.wire import dlms
from joinbridge.wire.reader import Reader


@pytest.mark.parametrize(
    ("octets", "at"),
    [
        ("07DF0101FF000000008000FF", datetime(2015, 1, 1, tzinfo=UTC)),
        ("07DE0C1F03173200008000FF", datetime(2014, 12, 31, 23, 50, tzinfo=UTC)),
        ("07DF0101FF0C1E2D32800000", datetime(2015, 1, 1, 12, 30, 45, 500_000, tzinfo=UTC)),
        ("07DF0101FF0C1E2DFF800000", datetime(2015, 1, 1, 12, 30, 45, tzinfo=UTC)),
        ("07DF0701FF0C0000 00 FFC4 80", datetime(2015, 7, 1, 11, 0, tzinfo=UTC)),
        ("07DF0701FF0C0000 00 0000 00", datetime(2015, 7, 1, 12, 0, tzinfo=UTC)),
    ],
    ids=["without weekday", "with weekday", "hundredths", "no hundredths", "an hour east of UTC", "on UTC"],
)
def test_a_specified_date_time_is_a_time_in_utc(octets: str, at: datetime) -> None:
    assert dlms.read_date_time(bytes.fromhex(octets)) == at


@pytest.mark.parametrize(
    "octets",
    [
        "FFFF0101FF000000008000FF",
        "07DFFF01FF000000008000FF",
        "07DF01FFFF000000008000FF",
        "07DF01FEFF000000008000FF",
        "07DF0101FFFF0000008000FF",
        "07DF0101FF00FF00008000FF",
        "07DF0101FF0000FF008000FF",
        "07DF021EFF000000008000FF",
        "07DF0101FF00000064 8000FF",
        "0001 0101FF00000000 8001 FF",
        "FFFFFFFFFFFFFFFFFF8000FF",
    ],
    ids=[
        "any year",
        "any month",
        "any day",
        "the last day of a month",
        "any hour",
        "any minute",
        "any second",
        "30 February",
        "100 hundredths",
        "before the year 1",
        "nothing",
    ],
)
def test_what_is_not_one_time_is_no_time(octets: str) -> None:
    assert dlms.read_date_time(bytes.fromhex(octets)) is None


def test_octets_are_kept_as_long_as_they_mean_the_time() -> None:
    octets = bytes.fromhex("07DE0C1F03173200008000FF")
    at = datetime(2014, 12, 31, 23, 50, tzinfo=UTC)

    assert dlms.write_date_time(at, octets) == octets
    assert dlms.write_date_time(at) == bytes.fromhex("07DE0C1FFF173200008000FF")
    assert dlms.write_date_time(at + timedelta(seconds=1), octets) == bytes.fromhex("07DE0C1FFF173201008000FF")
    assert dlms.write_date_time(None, octets) == bytes.fromhex("FFFFFFFFFFFFFFFFFF8000FF")


def test_a_time_of_another_zone_is_written_as_utc() -> None:
    at = datetime(2015, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=1)))

    assert dlms.write_date_time(at) == bytes.fromhex("07DF0101FF000000008000FF")


def test_a_time_without_a_zone_is_not_written() -> None:
    at = datetime(2015, 1, 1, tzinfo=UTC).replace(tzinfo=None)

    with pytest.raises(ValueError, match="no time zone"):
        dlms.write_date_time(at)


def test_the_invoke_id_has_the_lower_octets_of_the_counter() -> None:
    assert dlms.invoke_id_of(1000) == 0x200003E8
    assert dlms.invoke_id_of(0xAA_BBCC_DDEE) == 0x20CCDDEE


def test_an_array_of_more_elements_than_octets_is_refused_before_it_is_read() -> None:
    with pytest.raises(DecodeError, match="length 16777215"):
        dlms.take_count(Reader(bytes.fromhex("01 84 00FFFFFF 00")), "things")
