from __future__ import annotations

from collections.abc import Callable

import pytest

from joinbridge.errors import DecodeError
from joinbridge.wire.reader import Reader, read_length, write_length


@pytest.mark.parametrize(("size", "octets"), [(0, "00"), (127, "7F"), (128, "8180"), (255, "81FF"), (256, "820100"), (65536, "83010000")])
def test_a_length_is_written_in_its_shortest_form_and_read_back(size: int, octets: str) -> None:
    data = bytes.fromhex(octets)

    assert write_length(size) == data
    assert read_length(data, 0, len(data)) == (size, len(data))


def test_octets_and_numbers_are_read_in_order() -> None:
    reader = Reader(bytes.fromhex("0102 0304 0506 00DB12345678909A"))

    assert reader.peek() == b"\x01"
    assert reader.take(2, "octets") == b"\x01\x02"
    assert reader.number(2, "a number") == 0x0304
    assert reader.little(2, "a number") == 0x0605
    assert reader.eui64("an id") == "00-DB-12-34-56-78-90-9A"
    assert reader.left == 0
    assert reader.peek() == b""
    reader.finish()


def _skip_one(reader: Reader) -> None:
    reader.take(1, "something")
    reader.take(5, "the rest")


@pytest.mark.parametrize(
    ("read", "offset"),
    [
        (_skip_one, 101),
        (lambda reader: reader.expect(b"\x05\x07", "a tag"), 100),
        (lambda reader: reader.length(), 101),
        (lambda reader: reader.finish(), 100),
    ],
    ids=["truncated", "unexpected", "length above what is left", "left over"],
)
def test_a_fault_is_placed_as_seen_from_the_whole_message(read: Callable[[Reader], None], offset: int) -> None:
    reader = Reader(b"\x05\x06\x07", base=100)

    with pytest.raises(DecodeError) as caught:
        read(reader)

    assert caught.value.offset == offset


def test_a_malformed_length_is_placed_as_seen_from_the_whole_message() -> None:
    with pytest.raises(DecodeError) as caught:
        Reader(b"\x80", base=100).length()

    assert caught.value.offset == 100
