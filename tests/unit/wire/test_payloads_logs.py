from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from joinbridge.core.facts import LogKind
from joinbridge.core.vocabulary import AlertCode, Cra, MessageCode
from joinbridge.errors import DecodeError
from joinbridge.wire.payloads import EventLog, LoggedEntry, LogLayout, LogPage, decode_payload, encode_payload
from support.gbcs_samples import message_with

NEW_YEAR = datetime(2015, 1, 1, tzinfo=UTC)
JOINED = LoggedEntry(at=NEW_YEAR, code=AlertCode.JOIN_SUCCEEDED)
TOPPED_UP = LoggedEntry(at=NEW_YEAR + timedelta(seconds=1), code=AlertCode.HAN_COMMAND_ACTIONED, other_info=b"\x00\x9b")
ON_GSME = LoggedEntry(at=NEW_YEAR, code=AlertCode.JOIN_FAILED, log_id=4)
ON_GSME_WITH_DATA = LoggedEntry(at=NEW_YEAR, code=AlertCode.HAN_COMMAND_ACTIONED, log_id=3, other_info=b"\x00\x9b")
ON_GSME_HEX = "04 488F 804A371C 00"
ON_GSME_WITH_DATA_HEX = "03 5481 804A371C 02 009B"
INVOKE = 0x200003E8

VECTORS = {
    "an ESME's security log": (
        MessageCode.ECS35B,
        "DA 200003E8 0000 01 13 020206 12 06 1C374A80 8F49 01 0100",
        EventLog(kind=LogKind.SECURITY, layout=LogLayout.DLMS_SHORT, entries=(JOINED,), invoke_id=INVOKE),
    ),
    "a hub's event log": (
        MessageCode.ECS35C,
        "DA 200003E8 0000 01 13 020206 12 06 1C374A80 8F49 01 0100",
        EventLog(kind=LogKind.EVENT, layout=LogLayout.DLMS_SHORT, entries=(JOINED,), invoke_id=INVOKE),
    ),
    "an ESME's event log": (
        MessageCode.ECS35A,
        "DA 200003E8 0000 01 13 020306 12 09 10 1C374A80 8F49 00 1C374A81 8154 02 009B 01 0100",
        EventLog(kind=LogKind.EVENT, layout=LogLayout.DLMS_LONG, entries=(JOINED, TOPPED_UP), invoke_id=INVOKE),
    ),
    "an empty log": (
        MessageCode.ECS35D,
        "DA 200003E8 0000 01 13 020206 12 00 01 0100",
        EventLog(kind=LogKind.SECURITY, layout=LogLayout.DLMS_SHORT, entries=(), invoke_id=INVOKE),
    ),
    "a log that could not be read": (
        MessageCode.ECS35A,
        "DA 200003E8 0000 01 00 01 0102",
        EventLog(kind=LogKind.EVENT, layout=LogLayout.DLMS_SHORT, entries=None, result=2, invoke_id=INVOKE),
    ),
    "a GSME's security log": (
        MessageCode.CS10B,
        f"0109 01 01 0709 0010 190001 0100 00 01 10 {ON_GSME_HEX}",
        EventLog(kind=LogKind.SECURITY, layout=LogLayout.ZIGBEE, entries=(ON_GSME,)),
    ),
    "a GSME's event log": (
        MessageCode.CS10A,
        f"0109 01 01 0709 0012 190001 0100 00 01 10 {ON_GSME_WITH_DATA_HEX}",
        EventLog(kind=LogKind.EVENT, layout=LogLayout.ZIGBEE, entries=(ON_GSME_WITH_DATA,)),
    ),
    "a GSME that has no such log": (
        MessageCode.CS10A,
        "0109 01 01 0709 0005 18000B 00 8B",
        EventLog(kind=LogKind.EVENT, layout=LogLayout.ZIGBEE, entries=None, result=0x8B),
    ),
}


@pytest.mark.parametrize(("code", "content", "payload"), VECTORS.values(), ids=list(VECTORS))
def test_each_vector_is_read_and_written(code: int, content: str, payload: EventLog) -> None:
    assert decode_payload(message_with(content, code, Cra.RESPONSE)) == payload
    assert encode_payload(payload) == bytes.fromhex(content)


# The second entry begins on the first page and ends on the second.
TWO_PAGES = bytes.fromhex(
    f"0109 02 00 0709 0013 190001 0200 00 02 11 {ON_GSME_HEX} 035481 01 0709 000F 190101 0200 01 02 10 804A371C 02 009B"
)


def test_an_entry_that_crosses_pages_is_read_whole_and_the_pages_are_written_back() -> None:
    log = decode_payload(message_with(TWO_PAGES, MessageCode.CS10A, Cra.RESPONSE))

    assert isinstance(log, EventLog)
    assert log.entries == (ON_GSME, ON_GSME_WITH_DATA)
    assert [(page.size_bytes, page.index, page.count) for page in log.pages] == [(11, 0, 2), (7, 1, 2)]
    assert encode_payload(log) == TWO_PAGES


def test_pages_that_no_longer_fit_the_entries_become_one() -> None:
    log = decode_payload(message_with(TWO_PAGES, MessageCode.CS10A, Cra.RESPONSE))
    assert isinstance(log, EventLog)

    shorter = replace(log, entries=(ON_GSME,))

    assert encode_payload(shorter) == bytes.fromhex(f"0109 01 01 0709 0010 190001 0100 00 01 10 {ON_GSME_HEX}")


def test_a_log_of_no_pages_has_no_entries() -> None:
    log = decode_payload(message_with("0109 00", MessageCode.CS10A, Cra.RESPONSE))

    assert log == EventLog(kind=LogKind.EVENT, layout=LogLayout.ZIGBEE, entries=())


def test_event_data_that_is_unset_is_no_data() -> None:
    content = "0109 01 01 0709 0010 190001 0100 00 01 10 04 488F 804A371C FF"

    log = decode_payload(message_with(content, MessageCode.CS10B, Cra.RESPONSE))

    assert isinstance(log, EventLog)
    assert log.entries == (ON_GSME,)


def test_an_unset_time_lies_after_every_window_of_evidence() -> None:
    content = "DA 200003E8 0000 01 13 020206 12 06 FFFFFFFF 8F49 01 0100"

    log = decode_payload(message_with(content, MessageCode.ECS35B, Cra.RESPONSE))

    assert isinstance(log, EventLog)
    assert log.entries is not None
    assert log.entries[0].at == datetime(2136, 2, 7, 6, 28, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "log",
    [
        EventLog(kind=LogKind.EVENT, layout=LogLayout.DLMS_SHORT, entries=(TOPPED_UP,)),
        EventLog(kind=LogKind.EVENT, layout=LogLayout.ZIGBEE, entries=(replace(TOPPED_UP, other_info=bytes(255)),)),
        EventLog(kind=LogKind.EVENT, layout=LogLayout.ZIGBEE, entries=(replace(TOPPED_UP, log_id=256),)),
        EventLog(kind=LogKind.EVENT, layout=LogLayout.ZIGBEE, entries=(JOINED,) * 9000),
        EventLog(
            kind=LogKind.EVENT,
            layout=LogLayout.ZIGBEE,
            entries=(),
            pages=(LogPage(size_bytes=0, total=1, index=0, count=1, flags=0),) * 256,
        ),
    ],
    ids=["data where there is no place", "too much data", "a log id too large", "a page too large", "too many pages"],
)
def test_what_could_not_be_read_back_is_not_written(log: EventLog) -> None:
    with pytest.raises((ValueError, OverflowError)):
        encode_payload(log)


FAULTS = {
    "another type of entry": (MessageCode.ECS35B, "DA 200003E8 0000 01 13 020206 06 06 1C374A80 8F49 01 0100", 50),
    "a plain array": (MessageCode.ECS35B, "DA 200003E8 0000 01 01 00 01 0100", 48),
    "an entry longer than the log": (MessageCode.ECS35B, "DA 200003E8 0000 01 13 020206 12 05 1C374A80 8F49 01 0100", 60),
    "octets after the results": (MessageCode.ECS35B, "DA 200003E8 0000 01 00 01 0100 00", 52),
    "another cluster": (MessageCode.CS10B, "0109 01 01 0708 0008 190001 0000 00 01 10", 51),
    "an encrypted component": (MessageCode.CS10B, "0109 01 03 0709 0008 190001 0000 00 01 10", 43),
    "a component without a header": (MessageCode.CS10B, "0109 01 01 0709 0002 1900", 46),
    "a component that is cut": (MessageCode.CS10B, "0109 01 01 0709 0008 190001 0000", 51),
    "octets after the components": (MessageCode.CS10B, "0109 01 01 0709 0008 190001 0000 00 01 10 00", 56),
    "another command of the cluster": (MessageCode.CS10B, "0109 01 01 0709 0003 190002", 50),
    "another general command": (MessageCode.CS10B, "0109 01 01 0709 0003 180001", 50),
    "a refusal and more": (MessageCode.CS10B, "0109 01 01 0709 0006 18000B 00 8B 00", 53),
    "a page that is cut in its fields": (MessageCode.CS10B, "0109 01 01 0709 0006 190001 000000", 54),
    "an entry that is cut": (MessageCode.CS10B, "0109 01 01 0709 000B 190001 0100 00 01 10 04488F", 59),
}


@pytest.mark.parametrize(("code", "content", "offset"), FAULTS.values(), ids=list(FAULTS))
def test_a_malformed_content_is_a_decode_error_placed_in_the_message(code: int, content: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_payload(message_with(content, code, Cra.RESPONSE, content_offset=40))

    assert caught.value.offset == offset
