"""What kind of message some bytes are, told by their content."""

from __future__ import annotations

from base64 import b64encode, encodebytes

import pytest

from joinbridge.errors import DecodeError
from joinbridge.wire.duis.requests import DuisRequest
from joinbridge.wire.gbcs import GbcsMessage, decode_gbcs
from joinbridge.wire.message import MAX_BODY_BYTES, decode_message, in_payload
from support.home import ESME, GPF, PPMID, START
from support.messages import gpf_report, join_request

REQUEST = join_request(ESME, PPMID)
BINARY = gpf_report([PPMID, ESME], START, gpf=GPF)
HEX = BINARY.hex().encode()
BARE = decode_gbcs(BINARY)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def lines(text: bytes, size: int = 64, end: bytes = b"\r\n") -> bytes:
    return end.join(text[at : at + size] for at in range(0, len(text), size))


@pytest.mark.parametrize(
    "body",
    [
        REQUEST,
        b" \t\r\n" + REQUEST,
        REQUEST + b"\r\n\r\n",
        BYTE_ORDER_MARK + REQUEST,
        b"\n" + BYTE_ORDER_MARK + REQUEST,
        BYTE_ORDER_MARK + b"\n" + REQUEST,
    ],
    ids=["bare", "space before", "space after", "byte order mark", "space and mark", "mark and space"],
)
def test_xml_is_duis_whatever_is_around_it(body: bytes) -> None:
    message = decode_message(body)

    assert isinstance(message, DuisRequest)


@pytest.mark.parametrize(
    "body",
    [
        BINARY,
        HEX,
        HEX.upper(),
        b"\n  " + HEX + b"\n",
        lines(HEX),
        b" ".join(HEX[at : at + 2] for at in range(0, len(HEX), 2)),
        BYTE_ORDER_MARK + HEX,
        b64encode(BINARY),
        encodebytes(BINARY),
        b"\r\n" + lines(b64encode(BINARY)) + b"\r\n",
    ],
    ids=["binary", "hex", "upper", "space around", "lines", "octets", "mark", "base64", "base64 lines", "base64 CRLF"],
)
def test_gbcs_is_binary_or_hex_or_base64(body: bytes) -> None:
    assert decode_message(body) == BARE


def test_gbcs_without_a_mac_is_told_too() -> None:
    signed = BINARY[BINARY.index(b"\xdf\x09") : -12]

    message = decode_message(signed)

    assert isinstance(message, GbcsMessage)
    assert message.mac is None
    assert decode_message(signed.hex().encode()) == decode_message(b64encode(signed)) == message


@pytest.mark.parametrize(
    ("body", "reason", "offset"),
    [
        (b"", "empty message", 0),
        (b" \r\n\t ", "empty message", 0),
        (BYTE_ORDER_MARK, "empty message", 0),
        (HEX[:-1], "odd number of hex digits", len(BINARY) - 1),
        (b"3", "odd number of hex digits", 0),
        (b64encode(BINARY)[:-1], "neither XML, nor GBCS as binary, hex or base64: ", 0),
        (b"3Q=x", "neither XML, nor GBCS as binary, hex or base64: ", 0),
        (b"hello", "neither XML, nor GBCS as binary, hex or base64: ", 0),
        (b"hello, world", "neither XML, nor GBCS as binary, hex or base64", 0),
        (b"\x00\x01\x02", "neither XML, nor GBCS as binary, hex or base64", 0),
        (b"{}", "neither XML, nor GBCS as binary, hex or base64", 0),
        (REQUEST.decode().encode("utf-16"), "text in UTF-16, where DUIS is in UTF-8", 0),
        (b"\n" + b"\xfe\xff\x00<", "text in UTF-16, where DUIS is in UTF-8", 1),
        (b"<", "not well-formed", 1),
        (b"<a/>", "{}a is neither a DUIS Request nor a DUIS Response", 0),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else None,
)
def test_everything_else_is_refused_with_a_reason(body: bytes, reason: str, offset: int) -> None:
    with pytest.raises(DecodeError) as refused:
        decode_message(body)

    assert refused.value.reason.startswith(reason)
    assert refused.value.offset == offset


def test_the_offset_of_an_error_in_xml_counts_what_stands_before_the_document() -> None:
    broken = REQUEST.replace(b"</sr:Header>", b"")
    with pytest.raises(DecodeError) as bare:
        decode_message(broken)

    with pytest.raises(DecodeError) as later:
        decode_message(b"\n\n  " + BYTE_ORDER_MARK + broken)

    assert later.value.offset == bare.value.offset + 7
    assert later.value.reason == bare.value.reason


def test_the_offset_of_an_error_in_hex_or_base64_is_that_in_the_binary_message() -> None:
    cut = BINARY[:40]
    with pytest.raises(DecodeError) as binary:
        decode_message(cut)

    for body in (b"  " + lines(cut.hex().encode(), 10), encodebytes(cut)):
        with pytest.raises(DecodeError) as text:
            decode_message(body)
        assert (text.value.reason, text.value.offset) == (binary.value.reason, binary.value.offset)


def test_a_message_may_be_large_but_not_endless() -> None:
    with pytest.raises(DecodeError, match="more than the 4194304 that any message may have") as refused:
        decode_message(b"<" + b" " * MAX_BODY_BYTES)

    assert refused.value.offset == MAX_BODY_BYTES
    with pytest.raises(DecodeError, match="grouping header"):
        decode_message(b"00" * (MAX_BODY_BYTES // 2))


def test_an_error_in_a_payload_says_where_it_is() -> None:
    error = in_payload(DecodeError("truncated MAC", 17))

    assert (error.reason, error.offset) == ("in the GBCS payload: truncated MAC", 17)
