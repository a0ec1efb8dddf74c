from __future__ import annotations

from datetime import UTC, datetime

import pytest

from joinbridge.core.ids import parse_eui64
from joinbridge.core.vocabulary import AlertCode, Cra, MessageCode
from joinbridge.errors import DecodeError
from joinbridge.wire.payloads import (
    DiscardedMessage,
    GenericAlert,
    Payload,
    UnsupportedCommand,
    decode_payload,
    encode_payload,
)
from support.gbcs_samples import message_with

NEW_YEAR = datetime(2015, 1, 1, tzinfo=UTC)
NEW_YEAR_HEX = "090C 07DF0101FF000000008000FF"
ANY_TIME_HEX = "090C FFFFFFFFFFFFFFFFFF8000FF"
SUPPLIER = parse_eui64("90-B3-D5-1F-30-01-00-00")
ESME = parse_eui64("00-DB-12-34-56-78-90-A0")
QUOTED_HEX = "0919 90B3D51F30010000 00DB1234567890A0 01 00000000000003E8"

VECTORS: dict[str, tuple[int, str, Payload]] = {
    "credit added, by DLMS": (
        MessageCode.GNCA,
        "0F200007D000020212810E090C07DF0101FF000000008000FF",
        GenericAlert(alert_code=AlertCode.CREDIT_ADDED_LOCALLY, at=NEW_YEAR, invoke_id=0x200007D0),
    ),
    "credit added, by ZigBee": (
        MessageCode.GNCA,
        "010900810E1C374A80",
        GenericAlert(alert_code=0x810E, at=NEW_YEAR, profile="zigbee"),
    ),
    "a command discarded": (
        MessageCode.DBCH10,
        "0F20000FA0000203128F2C090C07DF0101FF000000008000FF091990B3D51F3001000000DB1234567890A00100000000000003E8",
        DiscardedMessage(
            alert_code=AlertCode.MESSAGE_DISCARDED,
            at=NEW_YEAR,
            originator=SUPPLIER,
            target=ESME,
            cra=1,
            counter=1000,
            invoke_id=0x20000FA0,
        ),
    ),
    "a command not delivered": (
        MessageCode.ALERT_8F84,
        f"0F 20000FA0 00 0203 128F84 {NEW_YEAR_HEX} {QUOTED_HEX}",
        DiscardedMessage(
            alert_code=AlertCode.NOT_DELIVERED_TO_ESME,
            at=NEW_YEAR,
            originator=SUPPLIER,
            target=ESME,
            cra=1,
            counter=1000,
            invoke_id=0x20000FA0,
        ),
    ),
    "a command not supported": (
        MessageCode.ECS100,
        f"0F 20000FA0 00 0203 128F85 {NEW_YEAR_HEX} 090A 000D 00000000000003E8",
        UnsupportedCommand(
            alert_code=AlertCode.COMMAND_NOT_SUPPORTED,
            at=NEW_YEAR,
            message_code=MessageCode.CS03A1,
            counter=1000,
            invoke_id=0x20000FA0,
        ),
    ),
    "a critical alert without a time": (
        MessageCode.GCA,
        f"0F 200007D0 00 0202 128F49 {ANY_TIME_HEX}",
        GenericAlert(alert_code=AlertCode.JOIN_SUCCEEDED, at=None, invoke_id=0x200007D0),
    ),
    "a ZigBee alert without a time": (
        MessageCode.GCA,
        "0109 00 8F30 FFFFFFFF",
        GenericAlert(alert_code=AlertCode.AUTHORITY_FAILURE, at=None, profile="zigbee"),
    ),
    "an alert with data of its use case": (
        MessageCode.GCA,
        f"0F 200007D0 00 0204 128183 {NEW_YEAR_HEX} 1105 0902AABB",
        GenericAlert(
            alert_code=AlertCode.DEVICE_JOINED_SMHAN,
            at=NEW_YEAR,
            extra=bytes.fromhex("11050902AABB"),
            extra_count=2,
            invoke_id=0x200007D0,
        ),
    ),
    "a ZigBee alert with a component": (
        MessageCode.GNCA,
        "0109 01 810E 1C374A80 01 0702 0003 180001",
        GenericAlert(alert_code=0x810E, at=NEW_YEAR, profile="zigbee", extra=bytes.fromhex("0107020003180001"), extra_count=1),
    ),
    "an alert of a use case that is not known here": (
        0x7777,
        f"0F 200007D0 00 0202 128F69 {NEW_YEAR_HEX}",
        GenericAlert(alert_code=AlertCode.DEVICE_COMMISSIONED, at=NEW_YEAR, invoke_id=0x200007D0),
    ),
    "a ZigBee alert of a use case that is not known here": (
        0x7777,
        "0109 00 8154 1C374A80",
        GenericAlert(alert_code=AlertCode.HAN_COMMAND_ACTIONED, at=NEW_YEAR, profile="zigbee"),
    ),
    "a ZigBee alert where a DLMS one is usual": (
        MessageCode.ECS100,
        "0109 00 8F85 1C374A80 000D00000000000003E8",
        GenericAlert(alert_code=0x8F85, at=NEW_YEAR, profile="zigbee", extra=bytes.fromhex("000D00000000000003E8"), extra_count=0),
    ),
}


@pytest.mark.parametrize(("code", "content", "payload"), VECTORS.values(), ids=list(VECTORS))
def test_each_vector_is_read_and_written(code: int, content: str, payload: Payload) -> None:
    assert decode_payload(message_with(content, code, Cra.ALERT)) == payload
    assert encode_payload(payload) == bytes.fromhex(content)


@pytest.mark.parametrize(
    "content",
    ["3003020101", "0F 200007D0 00 0202 12", f"0F 200007D0 00 0202 120049 {NEW_YEAR_HEX}", "0109 02 0049 1C374A80"],
    ids=["DER", "cut short", "a code that is no alert code", "a ZigBee code that is no alert code"],
)
def test_an_unknown_alert_of_another_form_gives_nothing(content: str) -> None:
    assert decode_payload(message_with(content, 0x7777, Cra.ALERT)) is None


FAULTS = {
    "an alert without a time": (MessageCode.GCA, "0F 200007D0 00 0201 128F30", 47),
    "a code of another type": (MessageCode.GCA, f"0F 200007D0 00 0202 118F {NEW_YEAR_HEX}", 48),
    "a time of another length": (MessageCode.GCA, "0F 200007D0 00 0202 128F30 0905 07DF0101FF", 53),
    "fewer values than are announced": (MessageCode.GCA, f"0F 200007D0 00 0205 128F30 {NEW_YEAR_HEX} 0000", 65),
    "values that are not announced": (MessageCode.GCA, f"0F 200007D0 00 0202 128F30 {NEW_YEAR_HEX} 00", 65),
    "neither DLMS nor ZigBee": (MessageCode.GCA, "0108 00 8F30 1C374A80", 40),
    "a ZigBee alert that is cut": (MessageCode.GCA, "0109 00 8F30 1C374A", 45),
    "a discard that quotes nothing": (MessageCode.DBCH10, f"0F 20000FA0 00 0202 128F2C {NEW_YEAR_HEX}", 65),
    "a discard that quotes too little": (MessageCode.DBCH10, f"0F 20000FA0 00 0203 128F2C {NEW_YEAR_HEX} 0902 AABB", 67),
    "a discard and more": (MessageCode.DBCH10, f"0F 20000FA0 00 0203 128F2C {NEW_YEAR_HEX} {QUOTED_HEX} 00", 92),
}


@pytest.mark.parametrize(("code", "content", "offset"), FAULTS.values(), ids=list(FAULTS))
def test_a_malformed_content_is_a_decode_error_placed_in_the_message(code: int, content: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_payload(message_with(content, code, Cra.ALERT, content_offset=40))

    assert caught.value.offset == offset
