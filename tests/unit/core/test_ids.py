"""Identifiers: what is read, what is refused and why, and what a key looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joinbridge.core.ids import (
    COUNTER_MAX,
    CommandKey,
    Eui64,
    JoinPair,
    eui64_from_bytes,
    eui64_to_bytes,
    message_key,
    parse_eui64,
    parse_request_id,
)
from joinbridge.errors import DecodeError
from support.home import CAD, ESME, SUPPLIER, request_id

OCTETS = st.binary(min_size=8, max_size=8)


@pytest.mark.parametrize(
    "text",
    ["00-db-12-34-56-78-90-a1", "00-DB-12-34-56-78-90-A1", " \t00-dB-12-34-56-78-90-A1\n"],
    ids=["lower case", "upper case", "white space around it"],
)
def test_an_eui64_is_read_as_upper_case_without_the_white_space_around_it(text: str) -> None:
    assert parse_eui64(text) == "00-DB-12-34-56-78-90-A1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00DB1234567890A1",
        "00:DB:12:34:56:78:90:A1",
        "00-DB-12-34-56-78-90",
        "00-DB-12-34-56-78-90-A1-00",
        "00-DB-12-34-56-78-90-G1",
        "00-DB-12-34-56-78-90-A",
        "00-DB-12 -34-56-78-90-A1",
        "\u0660\u0660-DB-12-34-56-78-90-A1",
    ],
)
def test_what_is_not_eight_dashed_octets_is_no_eui64(text: str) -> None:
    with pytest.raises(DecodeError, match="not an EUI-64"):
        parse_eui64(text)


def test_the_complaint_about_an_eui64_quotes_no_more_than_its_beginning() -> None:
    text = "X" * 1000

    with pytest.raises(DecodeError) as refusal:
        parse_eui64(text)

    assert refusal.value.reason == f"not an EUI-64: {'X' * 40!r}"


@given(OCTETS)
def test_an_eui64_survives_the_way_to_octets_and_text_and_back(octets: bytes) -> None:
    eui = eui64_from_bytes(octets)

    assert eui64_to_bytes(eui) == octets
    assert parse_eui64(eui) == eui
    assert parse_eui64(eui.lower()) == eui


def test_a_message_has_the_same_key_each_time_it_is_delivered() -> None:
    first, again, another = message_key(b"one"), message_key(b"one"), message_key(b"two")

    assert first == again
    assert first != another
    assert len(first) == 32


@given(OCTETS, OCTETS, st.integers(min_value=0, max_value=COUNTER_MAX))
def test_a_request_id_is_read_as_it_is_written(originator: bytes, target: bytes, counter: int) -> None:
    key = CommandKey(eui64_from_bytes(originator), eui64_from_bytes(target), counter)

    read = parse_request_id(f" {str(key).lower()}\n")

    assert read == key


@pytest.mark.parametrize("counter", [0, 1, COUNTER_MAX])
def test_the_lowest_and_the_highest_counters_are_counters(counter: int) -> None:
    assert parse_request_id(f"{SUPPLIER}:{ESME}:{counter}") == request_id(counter)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not originator:target:counter: ''"),
        (f"{SUPPLIER}:{ESME}", "not originator:target:counter"),
        (f"{SUPPLIER}:{ESME}:1:2", "not originator:target:counter"),
        (f"nobody:{ESME}:1", "not an EUI-64: 'nobody'"),
        (f"{SUPPLIER}:nothing:1", "not an EUI-64: 'nothing'"),
        (f"{SUPPLIER}:{ESME}:", "not a counter of 0 to 2^64-1: ''"),
        (f"{SUPPLIER}:{ESME}:one", "not a counter of 0 to 2^64-1: 'one'"),
        (f"{SUPPLIER}:{ESME}:01", "not a counter of 0 to 2^64-1: '01'"),
        (f"{SUPPLIER}:{ESME}:-1", "not a counter of 0 to 2^64-1: '-1'"),
        (f"{SUPPLIER}:{ESME}:{COUNTER_MAX + 1}", f"not a counter of 0 to 2^64-1: {COUNTER_MAX + 1}"),
        (f"{SUPPLIER}:{ESME}:{10**20}", f"not a counter of 0 to 2^64-1: '{10**20}'"),
    ],
)
def test_the_complaint_about_a_request_id_names_the_part_that_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(DecodeError) as refusal:
        parse_request_id(text)

    assert refusal.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X" * 1000, f"not originator:target:counter: {'X' * 80!r}"),
        (f"{SUPPLIER}:{'X' * 1000}:1", f"not an EUI-64: {'X' * 40!r}"),
        (f"{SUPPLIER}:{ESME}:{'9' * 1000}", f"not a counter of 0 to 2^64-1: {'9' * 40!r}"),
    ],
    ids=["no request id", "EUI-64", "counter"],
)
def test_the_complaint_about_a_request_id_quotes_no_more_than_the_beginning_of_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(DecodeError) as refusal:
        parse_request_id(text)

    assert refusal.value.reason == reason


def test_a_key_prints_as_a_duis_request_id() -> None:
    key = CommandKey(Eui64("00-11-22-33-44-55-66-77"), Eui64("00-11-22-33-44-55-77-01"), 1000)

    assert str(key) == "00-11-22-33-44-55-66-77:00-11-22-33-44-55-77-01:1000"


def test_the_reverse_of_a_pair_is_another_pair() -> None:
    pair = JoinPair(ESME, CAD)

    assert pair.reverse == JoinPair(CAD, ESME)
    assert pair.reverse != pair
    assert pair.reverse.reverse == pair
    assert str(pair) == f"{ESME}→{CAD}"
