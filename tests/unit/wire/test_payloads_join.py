from __future__ import annotations

import pytest

from joinbridge.core.ids import parse_eui64
from joinbridge.core.vocabulary import Cra, MessageCode
from joinbridge.errors import DecodeError
from joinbridge.wire.payloads import (
    DeviceEntry,
    JoinCommand,
    JoinDetails,
    JoinResponse,
    Payload,
    ReadJoinDetails,
    UnjoinCommand,
    UnjoinResponse,
    decode_payload,
    encode_payload,
)
from support.gbcs_samples import OTHER, message_with

COMMAND, RESPONSE = Cra.COMMAND, Cra.RESPONSE


def entry(device: str, device_type: int) -> DeviceEntry:
    return DeviceEntry(device=parse_eui64(device), device_type=device_type)


VECTORS: dict[str, tuple[int, Cra, str, Payload]] = {
    "join an ESME to a HCALCS": (
        MessageCode.CS03A1,
        COMMAND,
        "3010020100 0408 00DB12345678909A 020104",
        JoinCommand(role=0, other=OTHER, other_type=4),
    ),
    "join a GSME to a GPF": (
        MessageCode.CS03B,
        COMMAND,
        "3010020102 0408 00DB12345678909C 020103",
        JoinCommand(role=2, other=parse_eui64("00-DB-12-34-56-78-90-9C"), other_type=3),
    ),
    "join a PPMID to an ESME": (
        MessageCode.CS03A2,
        COMMAND,
        "3010020101 0408 00DB123456789093 020101",
        JoinCommand(role=1, other=parse_eui64("00-DB-12-34-56-78-90-93"), other_type=1),
    ),
    "join with a certificate": (
        MessageCode.CS03C,
        COMMAND,
        "3015020103 0408 00DB12345678909A 020105 3003020101",
        JoinCommand(role=3, other=OTHER, other_type=5, certificate=bytes.fromhex("3003020101")),
    ),
    "join with a certificate of real size": (
        MessageCode.CS03C,
        COMMAND,
        f"308201A4020103 0408 00DB12345678909A 020105 30820190{bytes(400).hex()}",
        JoinCommand(role=3, other=OTHER, other_type=5, certificate=bytes.fromhex("30820190") + bytes(400)),
    ),
    "joined": (MessageCode.CS03A1, RESPONSE, "020100", JoinResponse(code=0)),
    "existing entry": (MessageCode.CS03B, RESPONSE, "020103", JoinResponse(code=3)),
    "no certificate": (MessageCode.CS03C, RESPONSE, "02010B", JoinResponse(code=11)),
    "a code of the future": (MessageCode.CS03B, RESPONSE, "020200C8", JoinResponse(code=200)),
    "unjoin": (
        MessageCode.CS04AC,
        COMMAND,
        "0408 00DB123456789099",
        UnjoinCommand(other=parse_eui64("00-DB-12-34-56-78-90-99")),
    ),
    "not in the log": (MessageCode.CS04B, RESPONSE, "020101", UnjoinResponse(code=1)),
    "read the log": (MessageCode.CS07, COMMAND, "0500", ReadJoinDetails()),
    "the log could not be read": (MessageCode.CS07, RESPONSE, "3003020101", JoinDetails(code=1, entries=None)),
    "the log is empty": (MessageCode.CS07, RESPONSE, "30050201003000", JoinDetails(code=0, entries=())),
    "the log": (
        MessageCode.CS07,
        RESPONSE,
        "3032020100302D300D04080102030405060708020103300D040800DB123456789099020103300D040800DB123456789097020105",
        JoinDetails(
            code=0,
            entries=(
                entry("01-02-03-04-05-06-07-08", 3),
                entry("00-DB-12-34-56-78-90-99", 3),
                entry("00-DB-12-34-56-78-90-97", 5),
            ),
        ),
    ),
}


@pytest.mark.parametrize(("code", "cra", "content", "payload"), VECTORS.values(), ids=list(VECTORS))
def test_each_vector_is_read_and_written(code: int, cra: Cra, content: str, payload: Payload) -> None:
    assert decode_payload(message_with(content, code, cra)) == payload
    assert encode_payload(payload) == bytes.fromhex(content)


FAULTS = {
    "nothing": (MessageCode.CS03B, COMMAND, ""),
    "a join without a type": (MessageCode.CS03B, COMMAND, "300D020102 0408 00DB12345678909C"),
    "a join with an id of seven octets": (MessageCode.CS03B, COMMAND, "300F020102 0407 DB12345678909C 020103"),
    "a join of indefinite length": (MessageCode.CS03B, COMMAND, "3080020102 0408 00DB12345678909C 020103 0000"),
    "a join with two octets after it": (MessageCode.CS03B, COMMAND, "3010020102 0408 00DB12345678909C 020103 0500"),
    "a join with two elements too many": (MessageCode.CS03B, COMMAND, "3014020102 0408 00DB12345678909C 020103 0500 0500"),
    "a negative role": (MessageCode.CS03B, COMMAND, "30100201FF 0408 00DB12345678909C 020103"),
    "an immense type": (MessageCode.CS03B, COMMAND, "3014020102 0408 00DB12345678909C 02050100000000"),
    "a code that is a string": (MessageCode.CS03B, RESPONSE, "040100"),
    "a code with a needless zero": (MessageCode.CS03B, RESPONSE, "02020003"),
    "an unjoin of an id of nine octets": (MessageCode.CS04B, COMMAND, "0409 00DB12345678909C00"),
    "a read that is no NULL": (MessageCode.CS07, COMMAND, "050100"),
    "a log entry without a type": (MessageCode.CS07, RESPONSE, "3011020100 300C 300A 0408 00DB12345678909C"),
}


@pytest.mark.parametrize(("code", "cra", "content"), FAULTS.values(), ids=list(FAULTS))
def test_a_malformed_content_is_a_decode_error_placed_in_the_message(code: int, cra: Cra, content: str) -> None:
    message = message_with(content, code, cra, content_offset=40)

    with pytest.raises(DecodeError) as caught:
        decode_payload(message)

    assert 40 <= caught.value.offset <= 40 + len(message.content)


@pytest.mark.parametrize("certificate", [b"\x30", b"\x30\x80\x00\x00", b"\x30\x00\x00"])
def test_what_is_not_one_element_of_der_is_not_written_as_a_certificate(certificate: bytes) -> None:
    with pytest.raises(ValueError, match="error parsing"):
        encode_payload(JoinCommand(role=3, other=OTHER, other_type=5, certificate=certificate))


def test_a_kind_that_is_not_read_gives_nothing() -> None:
    assert decode_payload(message_with("D9 200003E8", 0x0027, COMMAND)) is None
    assert decode_payload(message_with("020100", MessageCode.CS03A1, Cra.ALERT)) is None
