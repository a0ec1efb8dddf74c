from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from joinbridge.core.ids import eui64_to_bytes, parse_eui64
from joinbridge.core.vocabulary import AlertCode, Cra, MessageCode
from joinbridge.errors import DecodeError
from joinbridge.wire.gbcs import decode_gbcs, encode_gbcs, mac_input
from joinbridge.wire.payloads import (
    DeviceEntry,
    GpfLogChanged,
    GpfLogRestored,
    Payload,
    RestoreGpfLog,
    decode_payload,
    encode_payload,
)
from support.gbcs_samples import OTHER, message_with

NEW_YEAR = datetime(2015, 1, 1, tzinfo=UTC)
NEW_YEAR_HEX = "18 0F 32303135303130313030303030305A"
ENTRY = DeviceEntry(device=OTHER, device_type=6)
ENTRY_HEX = "300D 0408 00DB12345678909A 020106"

VECTORS: dict[str, tuple[int, Cra, str, Payload]] = {
    "the log after a change": (
        MessageCode.GCS62,
        Cra.ALERT,
        f"3027 0203008071 {NEW_YEAR_HEX} 300F {ENTRY_HEX}",
        GpfLogChanged(alert_code=AlertCode.GPF_DEVICE_LOG_CHANGED, at=NEW_YEAR, entries=(ENTRY,)),
    ),
    "an empty log after a change": (
        MessageCode.GCS62,
        Cra.ALERT,
        f"3018 0203008071 {NEW_YEAR_HEX} 3000",
        GpfLogChanged(alert_code=0x8071, at=NEW_YEAR, entries=()),
    ),
    "restore the log": (MessageCode.GCS59, Cra.COMMAND, f"3011 300F {ENTRY_HEX}", RestoreGpfLog(entries=(ENTRY,))),
    "the log restored, and an entry refused": (
        MessageCode.GCS59,
        Cra.RESPONSE,
        f"302A 3028 3012 {ENTRY_HEX} 020100 3012 {ENTRY_HEX} 020104",
        GpfLogRestored(results=((ENTRY, 0), (ENTRY, 4))),
    ),
}


@pytest.mark.parametrize(("code", "cra", "content", "payload"), VECTORS.values(), ids=list(VECTORS))
def test_each_vector_is_read_and_written(code: int, cra: Cra, content: str, payload: Payload) -> None:
    assert decode_payload(message_with(content, code, cra)) == payload
    assert encode_payload(payload) == bytes.fromhex(content)


def test_a_time_of_another_zone_is_written_as_utc() -> None:
    at = datetime(2015, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=1)))

    assert encode_payload(GpfLogChanged(alert_code=0x8071, at=at, entries=())) == bytes.fromhex(f"3018 0203008071 {NEW_YEAR_HEX} 3000")


def test_a_time_without_a_zone_is_not_written() -> None:
    alert = GpfLogChanged(alert_code=0x8071, at=NEW_YEAR.replace(tzinfo=None), entries=())

    with pytest.raises(ValueError, match="no time zone"):
        encode_payload(alert)


@pytest.mark.parametrize(
    "content",
    [
        f"3026 02028071 {NEW_YEAR_HEX} 300F {ENTRY_HEX}",
        "3018 0203008071 18 0F 32303135313330313030303030305A 3000",
        f"3016 0203008071 {NEW_YEAR_HEX}",
    ],
    ids=["a code without its leading zero is negative", "a month 13", "no list"],
)
def test_a_malformed_alert_is_a_decode_error(content: str) -> None:
    with pytest.raises(DecodeError):
        decode_payload(message_with(content, MessageCode.GCS62, Cra.ALERT))


def test_the_worked_example_of_the_documentation_is_what_it_says() -> None:
    # It is in docs/domain.md, in the section on the GPF device log, with the key of its MAC.
    data = bytes.fromhex(
        "DD000000000000 6C 1100000000 DF09 03 000000000000004D 08 0011223344557703 08 00112233445566AC 00 02 00B2 38"
        "3036 0203008071 180F32303235303631353135303634315A 301E"
        "300D 0408 0011223344557705 020105 300D 0408 0011223344557706 020106 00 4D1247E99CFA5C557A0BD476"
    )

    message = decode_gbcs(data)

    assert encode_gbcs(message) == data
    nonce = eui64_to_bytes(message.originator) + bytes(4)
    tag = AESGCM(bytes.fromhex("295B2B42F4977CA75D13616614B60514")).encrypt(nonce, b"", mac_input(message))
    assert message.mac == tag[:12]
    assert (message.device, message.counter, message.content_offset) == ("00-11-22-33-44-55-77-03", 77, 47)
    assert decode_payload(message) == GpfLogChanged(
        alert_code=AlertCode.GPF_DEVICE_LOG_CHANGED,
        at=datetime(2025, 6, 15, 15, 6, 41, tzinfo=UTC),
        entries=(
            DeviceEntry(device=parse_eui64("00-11-22-33-44-55-77-05"), device_type=5),
            DeviceEntry(device=parse_eui64("00-11-22-33-44-55-77-06"), device_type=6),
        ),
    )
