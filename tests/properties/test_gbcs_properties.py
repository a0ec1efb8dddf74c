"""What holds for every GBCS message and payload: writing is undone by reading, and no octets do more harm than a DecodeError."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from joinbridge.core.vocabulary import Cra
from joinbridge.errors import DecodeError
from joinbridge.wire.gbcs import GbcsMessage, decode_gbcs, encode_gbcs
from joinbridge.wire.payloads import decode_payload, encode_payload
from support.gbcs_samples import message_with
from support.strategies_gbcs import headers, messages, payloads_of

_T = TypeVar("_T")


def outcome(read: Callable[[], _T]) -> tuple[_T | None, int]:
    """Return what `read` gives and 0, or None and the offset of its DecodeError."""
    try:
        return read(), 0
    except DecodeError as error:
        return None, error.offset


@given(messages())
def test_a_message_is_read_as_it_was_written(message: GbcsMessage) -> None:
    octets = encode_gbcs(message)

    read = decode_gbcs(octets)

    assert read == message
    assert encode_gbcs(read) == octets
    assert octets[read.content_offset :].startswith(message.content)


@given(st.data())
def test_a_payload_is_read_as_it_was_written(data: st.DataObject) -> None:
    code, cra = data.draw(headers)
    payload = data.draw(payloads_of((code, cra)))
    octets = encode_payload(payload)

    read = decode_payload(message_with(octets, code, cra))

    assert read == payload
    assert read is not None
    assert encode_payload(read) == octets


@given(st.binary(max_size=400))
def test_any_octets_are_a_message_or_a_decode_error(octets: bytes) -> None:
    with suppress(DecodeError):
        decode_gbcs(octets)


@given(messages(), st.data())
def test_a_truncated_message_is_a_decode_error(message: GbcsMessage, data: st.DataObject) -> None:
    # A pre-command cut before a signature it never had is the one that cannot be told from a whole message.
    octets = encode_gbcs(message if message.signature is not None else replace(message, signature=b"", mac=bytes(12)))
    kept = data.draw(st.integers(0, len(octets) - 1))

    read, offset = outcome(lambda: decode_gbcs(octets[:kept]))

    assert 0 <= offset <= kept
    assert read is None or (read.signature is None and read.cra is Cra.COMMAND)


@given(messages(), st.data())
def test_a_damaged_message_is_read_or_is_a_decode_error_inside_it(message: GbcsMessage, data: st.DataObject) -> None:
    octets = bytearray(encode_gbcs(message))
    for place in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=3)):
        octets[place] ^= data.draw(st.integers(1, 255))

    _, offset = outcome(lambda: decode_gbcs(bytes(octets)))

    assert 0 <= offset <= len(octets)


@given(headers, st.binary(max_size=200))
def test_any_octets_are_a_payload_or_a_decode_error(header: tuple[int, Cra], octets: bytes) -> None:
    with suppress(DecodeError):
        decode_payload(message_with(octets, *header))


@given(st.data())
def test_a_damaged_payload_is_read_or_is_a_decode_error_inside_the_message(data: st.DataObject) -> None:
    code, cra = data.draw(headers)
    octets = bytearray(encode_payload(data.draw(payloads_of((code, cra)))))
    for place in data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=3)):
        octets[place] ^= data.draw(st.integers(1, 255))
    damaged = bytes(octets[: data.draw(st.integers(0, len(octets)))])

    payload, offset = outcome(lambda: decode_payload(message_with(damaged, code, cra, content_offset=1000)))

    assert payload is not None or offset == 0 or 1000 <= offset <= 1000 + len(damaged)
