from __future__ import annotations

from datetime import UTC, datetime

import pytest

from joinbridge.core.ids import parse_eui64
from joinbridge.core.vocabulary import AlertCode, Cra, MessageCode
from joinbridge.errors import DecodeError
from joinbridge.wire.payloads import (
    ActiveDevice,
    ActiveDevices,
    AddToHub,
    HubEntry,
    HubLog,
    HubLogChanged,
    HubLogs,
    HubLogUpdated,
    Payload,
    ReadActiveDevices,
    ReadHubLog,
    RemoveFromHub,
    RestoreHubLog,
    decode_payload,
    encode_payload,
)
from support.gbcs_samples import OTHER, message_with

NEW_YEAR = datetime(2015, 1, 1, tzinfo=UTC)
NEW_YEAR_HEX = "090C 07DF0101FF000000008000FF"
PAN_ID = bytes(range(8))
PAN_ID_HEX = "0908 0001020304050607"
HASH_HEX = "83FED3407A939723A5C639B26916D506"
KEYED = HubEntry(device=OTHER, link_key_hash=bytes.fromhex(HASH_HEX))
KEYED_HEX = f"0202 0908 00DB12345678909A 0910 {HASH_HEX}"
UNKEYED = HubEntry(device=OTHER, link_key_hash=b"")
UNKEYED_HEX = "0202 0908 00DB12345678909A 0900"
LOG = HubLog(backup_time=NEW_YEAR, extended_pan_id=PAN_ID, entries=(UNKEYED,))
LOG_HEX = f"0203 {NEW_YEAR_HEX} {PAN_ID_HEX} 0101 {UNKEYED_HEX}"
HUB = "0068 00001E0300FF"
INVOKE = 0x20000FA0

ACTIVE = ActiveDevice(
    device=OTHER,
    status=0xC8,
    rssi_max=-35,
    rssi_average=-50,
    rssi_min=-100,
    lqi_max=2,
    lqi_average=39,
    lqi_min=247,
    last_communication=NEW_YEAR,
    hops=1,
    transmission_failures=0,
    transmission_successes=100,
    application_version=3,
    stack_version=4,
)
ACTIVE_HEX = f"020E 0908 00DB12345678909A 0408C8 0FDD 0FCE 0F9C 1102 1127 11F7 {NEW_YEAR_HEX} 1101 1100 1164 1103 1104"

VECTORS: dict[str, tuple[int, Cra, str, Payload]] = {
    "the whitelist after a change": (
        MessageCode.CS14,
        Cra.ALERT,
        (
            "0F20000FA0000203128F12090C07DF0101FF000000008000FF0203090C07DF0101FF000000008000FF09080001020304050607"
            "01020202090800DB1234567890A0091083FED3407A939723A5C639B26916D506"
            "0202090800DB1234567890A1091083FED3407A939723A5C639B26916D505"
        ),
        HubLogChanged(
            alert_code=AlertCode.CHF_DEVICE_LOG_CHANGED,
            at=NEW_YEAR,
            backup_time=NEW_YEAR,
            extended_pan_id=PAN_ID,
            entries=(
                HubEntry(device=parse_eui64("00-DB-12-34-56-78-90-A0"), link_key_hash=bytes.fromhex(HASH_HEX)),
                HubEntry(device=parse_eui64("00-DB-12-34-56-78-90-A1"), link_key_hash=bytes.fromhex(HASH_HEX[:-1] + "5")),
            ),
            invoke_id=INVOKE,
        ),
    ),
    "the whitelist with a device that has no key yet": (
        MessageCode.CS14,
        Cra.ALERT,
        f"0F 20000FA0 00 0203 128F12 {NEW_YEAR_HEX} {LOG_HEX}",
        HubLogChanged(alert_code=0x8F12, at=NEW_YEAR, backup_time=NEW_YEAR, extended_pan_id=PAN_ID, entries=(UNKEYED,), invoke_id=INVOKE),
    ),
    "read the active devices": (
        MessageCode.CCS06,
        Cra.COMMAND,
        f"D9 20000FA0 00 01 01 {HUB} 04 01 00",
        ReadActiveDevices(invoke_id=INVOKE),
    ),
    "the active devices": (
        MessageCode.CCS05_CCS04,
        Cra.RESPONSE,
        f"DA 20000FA0 0000 01 0101 {ACTIVE_HEX} 01 0100",
        ActiveDevices(entries=(ACTIVE,), invoke_id=INVOKE),
    ),
    "no active devices": (
        MessageCode.CCS06,
        Cra.RESPONSE,
        "DA 20000FA0 0000 01 0100 01 0100",
        ActiveDevices(entries=(), invoke_id=INVOKE),
    ),
    "the active devices could not be read": (
        MessageCode.CCS06,
        Cra.RESPONSE,
        "DA 20000FA0 0000 01 00 01 0102",
        ActiveDevices(entries=None, result=2, invoke_id=INVOKE),
    ),
    "read the whitelists": (
        MessageCode.CCS07,
        Cra.COMMAND,
        f"D9 20000FA0 00 02 03 {HUB} 04 03 0068 00001E0301FF 04 02 00 00",
        ReadHubLog(invoke_id=INVOKE),
    ),
    "both whitelists": (
        MessageCode.CCS07,
        Cra.RESPONSE,
        f"DA 20000FA0 0000 02 {LOG_HEX} {LOG_HEX} 02 0300 0300",
        HubLogs(current=LOG, historic=LOG, invoke_id=INVOKE),
    ),
    "only the current whitelist": (
        MessageCode.CCS07,
        Cra.RESPONSE,
        f"DA 20000FA0 0000 02 {LOG_HEX} 00 02 0300 0302",
        HubLogs(current=LOG, historic=None, historic_result=2, invoke_id=INVOKE),
    ),
    "neither whitelist": (
        MessageCode.CCS07,
        Cra.RESPONSE,
        "DA 20000FA0 0000 02 00 00 02 0301 0302",
        HubLogs(current=None, historic=None, current_result=1, historic_result=2, invoke_id=INVOKE),
    ),
    "add a device": (
        MessageCode.CCS01,
        Cra.COMMAND,
        f"D9 20000FA0 00 03 03 {HUB} 01 02 {HUB} 03 02 {HUB} 0203 0204 0908 00DB12345678909A 1601 0903 AABBCC 1600 120E10 0301",
        AddToHub(device=OTHER, key=bytes.fromhex("AABBCC"), join_time_s=3600, invoke_id=INVOKE),
    ),
    "a device added": (
        MessageCode.CCS01,
        Cra.RESPONSE,
        "DA 20000FA0 0000 03 000000 03 0300 0200 0200",
        HubLogUpdated(results=(0, 0, 0), invoke_id=INVOKE),
    ),
    "remove a device": (
        MessageCode.CCS02,
        Cra.COMMAND,
        f"D9 20000FA0 00 01 03 {HUB} 02 01 0908 00DB12345678909A",
        RemoveFromHub(device=OTHER, invoke_id=INVOKE),
    ),
    "a device not removed": (
        MessageCode.CCS02,
        Cra.RESPONSE,
        "DA 20000FA0 0000 01 00 01 03FA",
        HubLogUpdated(results=(250,), invoke_id=INVOKE),
    ),
    "restore a whitelist": (
        MessageCode.CCS03,
        Cra.COMMAND,
        f"D9 20000FA0 00 01 03 {HUB} 05 01 0202 {PAN_ID_HEX} 0101 {KEYED_HEX}",
        RestoreHubLog(extended_pan_id=PAN_ID, entries=(KEYED,), invoke_id=INVOKE),
    ),
}


@pytest.mark.parametrize(("code", "cra", "content", "payload"), VECTORS.values(), ids=list(VECTORS))
def test_each_vector_is_read_and_written(code: int, cra: Cra, content: str, payload: Payload) -> None:
    read = decode_payload(message_with(content, code, cra))

    assert read == payload
    assert read is not None
    assert encode_payload(read) == bytes.fromhex(content)


def test_what_an_addition_asks_for_may_come_in_any_order() -> None:
    content = f"D9 20000FA0 00 03 02 {HUB} 02 03 {HUB} 01 02 {HUB} 0303 0300 0204 0908 00DB12345678909A 1602 0900 1603 120001"

    assert decode_payload(message_with(content, MessageCode.CCS01, Cra.COMMAND)) == AddToHub(
        device=OTHER, key=b"", join_time_s=1, enable=False, key_type=2, device_type=3, invoke_id=INVOKE
    )


def test_a_key_does_not_show_in_the_representation() -> None:
    assert "AA" not in repr(AddToHub(device=OTHER, key=b"\xaa\xaa", join_time_s=1)).upper()


def test_a_time_as_sent_is_written_back_and_an_altered_one_is_not() -> None:
    content = bytes.fromhex(f"DA 20000FA0 0000 02 {LOG_HEX.replace('0101FF00', '01010400')} 00 02 0300 0300")
    read = decode_payload(message_with(content, MessageCode.CCS07, Cra.RESPONSE))

    assert isinstance(read, HubLogs)
    assert encode_payload(read) == content
    assert read.current == LOG
    assert encode_payload(HubLogs(current=LOG, historic=None, invoke_id=INVOKE)) != content


@pytest.mark.parametrize(("results", "succeeded"), [((0,), True), ((0, 0, 2), False), ((), False)])
def test_an_update_succeeded_when_all_of_it_did(results: tuple[int, ...], *, succeeded: bool) -> None:
    assert HubLogUpdated(results=results).succeeded is succeeded


FAULTS = {
    "an alert of two elements": (MessageCode.CS14, Cra.ALERT, f"0F 20000FA0 00 0202 128F12 {NEW_YEAR_HEX}"),
    "an alert with a date-time before its body": (MessageCode.CS14, Cra.ALERT, "0F 20000FA0 0C 0203"),
    "an alert in which the log lacks its list": (
        MessageCode.CS14,
        Cra.ALERT,
        f"0F 20000FA0 00 0203 128F12 {NEW_YEAR_HEX} 0202 {NEW_YEAR_HEX} {PAN_ID_HEX}",
    ),
    "a hash of 15 octets": (
        MessageCode.CS14,
        Cra.ALERT,
        f"0F 20000FA0 00 0203 128F12 {NEW_YEAR_HEX} 0203 {NEW_YEAR_HEX} {PAN_ID_HEX} 0101 0202 0908 00DB12345678909A 090F {'00' * 15}",
    ),
    "octets after the log": (MessageCode.CS14, Cra.ALERT, f"0F 20000FA0 00 0203 128F12 {NEW_YEAR_HEX} {LOG_HEX} 00"),
    "a response with a second value": (MessageCode.CCS06, Cra.RESPONSE, "DA 20000FA0 0000 02 00 00 02 0100 0100"),
    "a response with fewer results than values": (MessageCode.CCS07, Cra.RESPONSE, "DA 20000FA0 0000 02 00 00 01 0300"),
    "a response that updates and returns data": (MessageCode.CCS02, Cra.RESPONSE, "DA 20000FA0 0000 01 1100 01 0300"),
    "a command for another attribute": (MessageCode.CCS06, Cra.COMMAND, f"D9 20000FA0 00 01 01 {HUB} 05 01 00"),
    "a command of fewer values than specifications": (MessageCode.CCS06, Cra.COMMAND, f"D9 20000FA0 00 01 01 {HUB} 04 00"),
    "an addition that sets nothing": (
        MessageCode.CCS01,
        Cra.COMMAND,
        f"D9 20000FA0 00 01 03 {HUB} 01 01 0204 0908 00DB12345678909A 1601 0900 1600",
    ),
    "a removal with octets after it": (
        MessageCode.CCS02,
        Cra.COMMAND,
        f"D9 20000FA0 00 01 03 {HUB} 02 01 0908 00DB12345678909A 00",
    ),
}


@pytest.mark.parametrize(("code", "cra", "content"), FAULTS.values(), ids=list(FAULTS))
def test_a_malformed_content_is_a_decode_error_placed_in_the_message(code: int, cra: Cra, content: str) -> None:
    message = message_with(content, code, cra, content_offset=40)

    with pytest.raises(DecodeError) as caught:
        decode_payload(message)

    assert 40 <= caught.value.offset <= 40 + len(message.content)
