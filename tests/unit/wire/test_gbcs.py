from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core.ids import CommandKey, parse_eui64
from joinbridge.core.vocabulary import Cra
from joinbridge.errors import DecodeError
from joinbridge.wire.gbcs import GbcsMessage, decode_gbcs, encode_gbcs, mac_input, signed_bytes
from support.gbcs_samples import DEVICE, REMOTE

PARTY = parse_eui64("11-22-33-44-55-66-77-88")
MAC = bytes(range(0xA0, 0xAC))
SIGNATURE = bytes(range(64))

ANSWER_HEAD = "DF09 02 0000000000000102 08 0A1B2C3D4E5F6071 08 F0E1D2C3B4A59687"
COMMAND_HEAD = "DF09 01 0000000000000102 08 F0E1D2C3B4A59687 08 0A1B2C3D4E5F6071"
CONTENT = "03 020103"

COMMAND = GbcsMessage(cra=Cra.COMMAND, counter=0x102, originator=REMOTE, recipient=DEVICE, message_code=0x000E, content=b"\x02\x01\x03")
ANSWER = replace(COMMAND, cra=Cra.RESPONSE, originator=DEVICE, recipient=REMOTE)

LAYOUTS = {
    "a MAC'd answer": (
        f"DD000000000000 37 1100000000 {ANSWER_HEAD} 00 02 000E {CONTENT} 00 {MAC.hex()}",
        replace(ANSWER, mac=MAC),
    ),
    "a signed answer": (
        f"{ANSWER_HEAD} 00 02 000E {CONTENT} 40 {SIGNATURE.hex()}",
        replace(ANSWER, signature=SIGNATURE),
    ),
    "a signed and MAC'd command on behalf of another party": (
        (
            f"DD000000000000 8187 1100000000 {COMMAND_HEAD} 00 12 000E 1122334455667788 0000000000000005"
            f"{CONTENT} 40 {SIGNATURE.hex()} {MAC.hex()}"
        ),
        replace(COMMAND, supplementary_party=PARTY, supplementary_counter=5, signature=SIGNATURE, mac=MAC),
    ),
    "a pre-command": (f"{COMMAND_HEAD} 00 02 000E {CONTENT}", replace(COMMAND, signature=None)),
    "a pre-command of older tooling, with an empty signature": (f"{COMMAND_HEAD} 00 02 000E {CONTENT} 00", COMMAND),
    "an alert with a party and no counter": (
        f"{ANSWER_HEAD.replace('DF09 02', 'DF09 03')} 00 0A 000E 1122334455667788 {CONTENT} 00",
        replace(ANSWER, cra=Cra.ALERT, supplementary_party=PARTY),
    ),
    "an answer with a date-time and two counters": (
        f"{ANSWER_HEAD} 0C 07DF0101FF000000008000FF 1A 000E 1122334455667788 0000000000000005 0000000000000006 {CONTENT} 00",
        replace(
            ANSWER,
            date_time=bytes.fromhex("07DF0101FF000000008000FF"),
            supplementary_party=PARTY,
            supplementary_counter=5,
            supplementary_originator_counter=6,
        ),
    ),
    "a command with a certificate": (
        f"{COMMAND_HEAD} 00 8196 000E 1122334455667788 0000000000000005 {bytes(132).hex()} {CONTENT} 00",
        replace(COMMAND, supplementary_party=PARTY, supplementary_counter=5, certificate=bytes(132)),
    ),
    "an answer whose lengths take three octets": (
        f"DD000000000000 820137 1100000000 {ANSWER_HEAD} 00 02 000E 820101 {bytes(257).hex()} 00 {MAC.hex()}",
        replace(ANSWER, content=bytes(257), mac=MAC),
    ),
}


@pytest.mark.parametrize(("octets", "message"), LAYOUTS.values(), ids=list(LAYOUTS))
def test_each_layout_is_read_and_written(octets: str, message: GbcsMessage) -> None:
    data = bytes.fromhex(octets)

    assert decode_gbcs(data) == message
    assert encode_gbcs(message) == data


def test_the_content_offset_is_where_the_content_is_and_is_no_part_of_the_value() -> None:
    data = bytes.fromhex(LAYOUTS["a MAC'd answer"][0])

    message = decode_gbcs(data)

    assert data[message.content_offset :].startswith(message.content)
    assert message == replace(message, content_offset=0)


def test_lengths_may_be_longer_than_needed() -> None:
    data = bytes.fromhex(f"{ANSWER_HEAD} 00 8102 000E 83000003 020103 00")

    assert decode_gbcs(data) == ANSWER


MACD = f"DD000000000000 37 1100000000 {ANSWER_HEAD} 00 02 000E {CONTENT} 00 {MAC.hex()}"
PLAIN = f"{ANSWER_HEAD} 00 02 000E {CONTENT} 00"

FAULTS = {
    "nothing": ("", "truncated grouping header", 0),
    "only the first octet": ("DD", "MAC header", 1),
    "a block of a general block transfer": (MACD.replace("DD00", "DD80"), "general block transfer", 1),
    "a MAC header with a field in it": (MACD.replace("DD0000", "DD0001"), "MAC header", 1),
    "a length above what follows": (MACD.replace("00 37 11", "00 38 11"), "length 56 where 55 octets follow", 7),
    "a length below what follows": (MACD + "00", "length 55 where 56 octets follow", 7),
    "another security header": (MACD.replace("1100000000", "3100000000"), "security header", 8),
    "a security header and no MAC": ("DD000000000000 06 1100000000 00", "truncated MAC", 13),
    "a MAC around nothing": (f"DD000000000000 11 1100000000 {MAC.hex()}", "truncated grouping header", 13),
    "another tag": (PLAIN.replace("DF09", "DE09"), "tag df wanted, de found", 0),
    "another transaction id length": (PLAIN.replace("DF09", "DF08"), "transaction id length", 1),
    "no command, response or alert": (PLAIN.replace("DF09 02", "DF09 04"), "not command, response or alert", 2),
    "a CRA of zero": (PLAIN.replace("DF09 02", "DF09 00"), "not command, response or alert", 2),
    "another originator length": (PLAIN.replace("08 0A1B", "07 0A1B"), "originator length", 11),
    "another recipient length": (PLAIN.replace("08 F0E1", "09 F0E1"), "recipient length", 20),
    "a date-time of another length": (PLAIN.replace("87 00 02", "87 05 02"), "date-time of 5 octets", 29),
    "a date-time that is cut": (f"{ANSWER_HEAD} 0C 07DF", "truncated: no length", 32),
    "other information longer than the message": (PLAIN.replace("00 02 000E", "00 12 000E"), "other information of 18 octets", 31),
    "other information of no known form": (
        f"{ANSWER_HEAD} 00 03 000E00 {CONTENT} 00",
        "other information of 3 octets",
        31,
    ),
    "an indefinite length": (f"{ANSWER_HEAD} 00 80 000E", "length field of 0 octets", 30),
    "a length of five octets": (f"{ANSWER_HEAD} 00 850000000002 000E", "length field of 5 octets", 30),
    "a length that is cut": (f"{ANSWER_HEAD} 00 8200", "truncated length", 31),
    "no content length": (f"{ANSWER_HEAD} 00 02 000E", "truncated: no length", 33),
    "content longer than the message": (PLAIN.replace("03 020103", "09 020103"), "content of 9 octets where 4 are left", 34),
    "an answer without signature length": (f"{ANSWER_HEAD} 00 02 000E {CONTENT}", "no signature length", 37),
    "a MAC'd command without signature length": (
        f"DD000000000000 36 1100000000 {COMMAND_HEAD} 00 02 000E {CONTENT} {MAC.hex()}",
        "no signature length",
        50,
    ),
    "a signature that is cut": (f"{ANSWER_HEAD} 00 02 000E {CONTENT} 40 {SIGNATURE[:63].hex()}", "signature of 0 or 64", 37),
    "octets after the signature": (f"{ANSWER_HEAD} 00 02 000E {CONTENT} 40 {SIGNATURE.hex()} 00", "signature of 0 or 64", 37),
    "a signature of another length": (f"{ANSWER_HEAD} 00 02 000E {CONTENT} 01 FF", "signature of 0 or 64", 37),
    "one octet that is not an empty signature": (f"{ANSWER_HEAD} 00 02 000E {CONTENT} 40", "signature of 0 or 64", 37),
}


@pytest.mark.parametrize(("octets", "reason", "offset"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_named_with_its_place(octets: str, reason: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_gbcs(bytes.fromhex(octets))

    assert reason in caught.value.reason
    assert caught.value.offset == offset


UNWRITABLE = {
    "a short MAC": replace(ANSWER, mac=bytes(11)),
    "a short signature": replace(ANSWER, signature=bytes(63)),
    "a short date-time": replace(ANSWER, date_time=bytes(11)),
    "an answer without a signature field": replace(ANSWER, signature=None),
    "a MAC'd command without a signature field": replace(COMMAND, signature=None, mac=MAC),
    "a counter without its party": replace(ANSWER, supplementary_counter=1),
    "an originator counter without the party's": replace(ANSWER, supplementary_party=PARTY, supplementary_originator_counter=1),
    "a certificate without a party": replace(COMMAND, certificate=bytes(20)),
    "a certificate beside an originator counter": replace(
        COMMAND,
        certificate=bytes(20),
        supplementary_party=PARTY,
        supplementary_counter=1,
        supplementary_originator_counter=1,
    ),
    "a certificate that would look like a counter": replace(
        COMMAND, certificate=bytes(8), supplementary_party=PARTY, supplementary_counter=1
    ),
    "a counter above eight octets": replace(ANSWER, counter=2**64),
    "a message code above two octets": replace(ANSWER, message_code=0x10000),
}


@pytest.mark.parametrize("message", UNWRITABLE.values(), ids=list(UNWRITABLE))
def test_what_could_not_be_read_back_is_not_written(message: GbcsMessage) -> None:
    with pytest.raises((ValueError, OverflowError)):
        encode_gbcs(message)


def test_the_signature_is_over_everything_after_the_tag_up_to_the_end_of_the_content() -> None:
    message = replace(ANSWER, signature=SIGNATURE, mac=MAC)

    assert signed_bytes(message) == bytes.fromhex(f"{ANSWER_HEAD} 00 02 000E {CONTENT}")[1:]


def test_the_mac_is_over_the_security_header_and_everything_up_to_the_end_of_the_signature() -> None:
    message = replace(ANSWER, mac=MAC)

    assert mac_input(message) == bytes.fromhex(f"1100000000 00 {ANSWER_HEAD} 00 02 000E {CONTENT} 00")


def test_a_command_names_its_device_as_recipient() -> None:
    assert (COMMAND.device, COMMAND.remote) == (DEVICE, REMOTE)
    assert COMMAND.wire_key == COMMAND.business_key == CommandKey(REMOTE, DEVICE, 0x102)


def test_a_response_names_its_device_as_originator_and_has_the_keys_of_its_command() -> None:
    assert (ANSWER.device, ANSWER.remote) == (DEVICE, REMOTE)
    assert (ANSWER.wire_key, ANSWER.business_key) == (COMMAND.wire_key, COMMAND.business_key)


def test_a_fronted_message_has_the_business_key_of_the_party_behind_it() -> None:
    fronted = replace(ANSWER, supplementary_party=PARTY, supplementary_counter=7)

    assert fronted.wire_key == CommandKey(REMOTE, DEVICE, 0x102)
    assert fronted.business_key == CommandKey(PARTY, DEVICE, 7)


def test_a_party_without_a_counter_makes_no_key_of_its_own() -> None:
    assert replace(ANSWER, supplementary_party=PARTY).business_key == ANSWER.wire_key


def test_an_alert_has_no_business_key_even_with_a_party_and_a_counter() -> None:
    alert = replace(ANSWER, cra=Cra.ALERT, supplementary_party=PARTY, supplementary_counter=7)

    assert alert.business_key is None
