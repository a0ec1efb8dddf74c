"""What holds for every DUIS value and for all octets."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from joinbridge.errors import DecodeError
from joinbridge.wire.duis.messages import DuisDocument, DuisResponse, Kind, kind_of
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import DuisRequest
from joinbridge.wire.duis.write import write_duis
from support.schema import needs_duis_schema, schema_errors
from support.strategies_duis import documents


def value_or_decode_error(data: bytes) -> DuisDocument | DecodeError:
    """Read `data`; any exception but DecodeError fails the test."""
    try:
        outcome: DuisDocument | DecodeError = parse_duis(data)
    except DecodeError as error:
        outcome = error
    if isinstance(outcome, DecodeError):
        assert 0 <= outcome.offset <= len(data)
    else:
        assert isinstance(outcome, DuisRequest | DuisResponse)
    return outcome


@given(documents)
def test_what_was_written_is_read_as_the_same_value(document: DuisDocument) -> None:
    assert parse_duis(write_duis(document)) == document


@needs_duis_schema
@given(documents)
def test_what_was_written_is_valid_by_the_schema(document: DuisDocument) -> None:
    assert schema_errors(write_duis(document)) == []


@given(documents)
def test_every_document_is_of_one_known_kind(document: DuisDocument) -> None:
    assert kind_of(document) in get_args(Kind)


@given(st.binary(max_size=300))
@example(b"")
@example(b"<")
@example(b"\xef\xbb\xbf")
def test_any_octets_give_a_value_or_a_decode_error(data: bytes) -> None:
    assert isinstance(value_or_decode_error(data), DecodeError)


@given(st.text("<>/&;:=\"'! -[]?ab\n\x00é", max_size=200))
def test_anything_like_markup_gives_a_value_or_a_decode_error(text: str) -> None:
    assert isinstance(value_or_decode_error(text.encode()), DecodeError)


@given(documents, st.data())
def test_a_truncated_document_is_refused(document: DuisDocument, data: st.DataObject) -> None:
    written = write_duis(document)
    length = data.draw(st.integers(0, len(written) - 1))

    assert isinstance(value_or_decode_error(written[:length]), DecodeError)


@given(documents, st.data())
def test_a_flipped_bit_gives_a_value_or_a_decode_error(document: DuisDocument, data: st.DataObject) -> None:
    written = bytearray(write_duis(document))
    position = data.draw(st.integers(0, len(written) - 1))
    written[position] ^= 1 << data.draw(st.integers(0, 7))

    value_or_decode_error(bytes(written))


@given(documents, st.data())
def test_swapped_characters_give_a_value_or_a_decode_error(document: DuisDocument, data: st.DataObject) -> None:
    written = bytearray(write_duis(document))
    positions = st.integers(0, len(written) - 1)
    one, other = data.draw(positions), data.draw(positions)
    written[one], written[other] = written[other], written[one]

    value_or_decode_error(bytes(written))


@given(documents, st.data())
def test_a_stretch_replaced_by_anything_gives_a_value_or_a_decode_error(document: DuisDocument, data: st.DataObject) -> None:
    written = write_duis(document)
    start = data.draw(st.integers(0, len(written)))
    end = data.draw(st.integers(start, min(len(written), start + 60)))
    inserted = data.draw(st.binary(max_size=20) | st.sampled_from([b"<!DOCTYPE x>", b"<!-- x -->", b"<x/>", b"&x;"]))

    value_or_decode_error(written[:start] + inserted + written[end:])


@pytest.mark.parametrize("space", [b" ", b"\n\t", b"\r\n"])
@given(document=documents)
def test_white_space_between_elements_changes_nothing(space: bytes, document: DuisDocument) -> None:
    spaced = write_duis(document).replace(b"><", b">" + space + b"<")

    assert parse_duis(spaced) == document
