"""Real messages that this project did not write: each is read as docs/domain.md says, and written back octet by octet.

They are not part of the project: they lie beside the repository, or these tests are skipped.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from joinbridge.core.facts import LogKind
from joinbridge.core.ids import CommandKey, parse_eui64
from joinbridge.core.vocabulary import AlertCode, Cra, JoinCode, JoinRole
from joinbridge.wire.dlms import invoke_id_of
from joinbridge.wire.gbcs import GbcsMessage, decode_gbcs, encode_gbcs
from joinbridge.wire.payloads import (
    ActiveDevices,
    DeviceEntry,
    DiscardedMessage,
    EventLog,
    GenericAlert,
    GpfLogChanged,
    HubLogChanged,
    JoinCommand,
    JoinDetails,
    JoinResponse,
    ReadActiveDevices,
    ReadJoinDetails,
    UnjoinCommand,
    UnjoinResponse,
    decode_payload,
    encode_payload,
)
from joinbridge.wire.signature import load_public_key, verify_signature
from joinbridge.wire.use_cases import use_case_name

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "gbcs"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real messages is not beside this repository")

FILES = sorted(CORPUS.glob("*.HEX"))
NAMES = [path.name.removesuffix("_GBCS.HEX") for path in FILES]
SIGNED = [name for name in NAMES if name.startswith(("CS03A", "ECS70", "GCA")) and "PRECOMMAND" not in name]

ESME = parse_eui64("00-DB-12-34-56-78-90-A0")
GSME = parse_eui64("00-DB-12-34-56-78-90-A1")
PPMID = parse_eui64("00-DB-12-34-56-78-90-A4")
SUPPLIER = parse_eui64("90-B3-D5-1F-30-01-00-00")
ACB = parse_eui64("90-B3-D5-1F-30-00-00-02")


def octets_of(name: str) -> bytes:
    return bytes.fromhex((CORPUS / f"{name}_GBCS.HEX").read_text("ascii").strip())


def read(name: str) -> GbcsMessage:
    return decode_gbcs(octets_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_real_message_is_written_back_octet_by_octet(name: str) -> None:
    octets = octets_of(name)

    message = decode_gbcs(octets)

    assert encode_gbcs(message) == octets
    assert octets[message.content_offset :][: len(message.content)] == message.content


@pytest.mark.parametrize("name", NAMES)
def test_a_real_payload_is_written_back_octet_by_octet(name: str) -> None:
    message = read(name)
    payload = decode_payload(message)
    if payload is None:
        assert name.startswith(("ECS17b", "ECS70"))  # register and clock readings, of no use as evidence
        return

    assert encode_payload(payload) == message.content
    if hasattr(payload, "invoke_id") and message.content[:1] != b"\x01":
        assert payload.invoke_id == invoke_id_of(message.counter)


@pytest.mark.parametrize("name", NAMES)
def test_a_real_message_has_the_protections_of_its_kind(name: str) -> None:
    message = read(name)
    kind = name.rsplit("_", 1)[1]
    signed = name in SIGNED

    assert message.cra == {"COMMAND": Cra.COMMAND, "PRECOMMAND": Cra.COMMAND, "RESPONSE": Cra.RESPONSE, "ALERT": Cra.ALERT}[kind]
    assert (message.signature is None) == (kind == "PRECOMMAND")
    assert bool(message.signature) == signed
    assert (message.mac is not None) == (kind == "COMMAND" or (not signed and kind != "PRECOMMAND"))


@pytest.mark.parametrize("name", SIGNED)
def test_a_real_signature_is_that_of_its_originator_and_of_no_other_content(name: str) -> None:
    message = read(name)
    signer = message.originator.replace("-", "").lower()
    key = load_public_key((CORPUS / "certs" / f"{signer}-ds.pem").read_bytes())
    changed = encode_gbcs(message).replace(message.content, message.content[:-1] + bytes((message.content[-1] ^ 1,)))

    assert verify_signature(message, key)
    assert not verify_signature(decode_gbcs(changed), key)


@pytest.mark.parametrize("name", NAMES)
def test_the_use_case_of_a_real_message_has_its_name(name: str) -> None:
    use_case = use_case_name(read(name).message_code)

    assert use_case is not None
    assert name.startswith(use_case.replace("/", ""))


def test_a_direct_command_has_one_key() -> None:
    message = read("CS03B_8.7.2_SUCCESS_COMMAND")

    assert message.wire_key == message.business_key == CommandKey(SUPPLIER, GSME, 1001)


def test_a_fronted_command_has_the_brokers_key_on_the_wire_and_the_suppliers_behind_it() -> None:
    command, response = read("CS03A2NonCritical_8.7.2_SUCCESS_COMMAND"), read("CS03A2NonCritical_8.7.2_SUCCESS_RESPONSE")

    for message in (command, response):
        assert message.wire_key == CommandKey(ACB, PPMID, 0x514)
        assert message.business_key == CommandKey(SUPPLIER, PPMID, 1000)


@pytest.mark.parametrize("name", [name.removesuffix("_COMMAND") for name in NAMES if name.endswith("_COMMAND")])
def test_an_answer_repeats_the_keys_of_its_command(name: str) -> None:
    command, answer = read(f"{name}_COMMAND"), read(f"{name}_RESPONSE")

    assert (command.wire_key, command.business_key) == (answer.wire_key, answer.business_key)


def test_the_keys_of_an_alert_refer_to_no_request() -> None:
    assert read("CS14_NA_8F12_ALERT").business_key is None


@pytest.mark.parametrize(
    ("name", "role", "other", "other_type"),
    [
        ("CS03A1_8.7.1_SUCCESS_PRECOMMAND", JoinRole.METHOD_A_INITIATOR, "00-DB-12-34-56-78-90-9A", 4),
        ("CS03A1_8.7.1_ERROR_COMMAND", JoinRole.METHOD_A_INITIATOR, "00-DB-12-34-56-78-90-9A", 5),
        ("CS03A2NonCritical_8.7.2_SUCCESS_COMMAND", JoinRole.METHOD_A_RESPONDER, "00-DB-12-34-56-78-90-93", 1),
        ("CS03B_8.7.2_SUCCESS_COMMAND", JoinRole.METHOD_B, "00-DB-12-34-56-78-90-9C", 3),
    ],
)
def test_a_real_join_names_the_other_device(name: str, role: JoinRole, other: str, other_type: int) -> None:
    assert decode_payload(read(name)) == JoinCommand(role=role, other=parse_eui64(other), other_type=other_type)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CS03A1_8.7.1_SUCCESS_RESPONSE", JoinCode.SUCCESS),
        ("CS03A1_8.7.1_ERROR_RESPONSE", JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY),
        ("CS03B_8.7.2_ERROR_RESPONSE", JoinCode.INVALID_METHOD_AND_ROLE),
    ],
)
def test_a_real_join_answer_is_a_code(name: str, code: JoinCode) -> None:
    assert decode_payload(read(name)) == JoinResponse(code=code)


def test_a_real_unjoin_and_its_answer() -> None:
    assert decode_payload(read("CS04B_8.8.2_SUCCESS_COMMAND")) == UnjoinCommand(other=parse_eui64("01-02-03-04-05-06-07-08"))
    assert decode_payload(read("CS04B_8.8.2_SUCCESS_RESPONSE")) == UnjoinResponse(code=0)


def test_a_real_device_log_is_read_in_order() -> None:
    assert decode_payload(read("CS07_8.9_SUCCESS_COMMAND")) == ReadJoinDetails()
    assert decode_payload(read("CS07_8.9_SUCCESS_RESPONSE")) == JoinDetails(
        code=0,
        entries=(
            DeviceEntry(device=parse_eui64("01-02-03-04-05-06-07-08"), device_type=3),
            DeviceEntry(device=parse_eui64("00-DB-12-34-56-78-90-99"), device_type=3),
            DeviceEntry(device=parse_eui64("00-DB-12-34-56-78-90-97"), device_type=5),
        ),
    )


def test_a_real_gas_proxy_log_holds_displays_only() -> None:
    payload = decode_payload(read("GCS62_NA_8071_ALERT"))

    assert isinstance(payload, GpfLogChanged)
    assert (payload.alert_code, payload.at) == (AlertCode.GPF_DEVICE_LOG_CHANGED, datetime(2015, 1, 1, tzinfo=UTC))
    assert [entry.device_type for entry in payload.entries] == [6, 5, 5, 5, 5, 6]


def test_a_real_hub_log_lists_devices_with_their_key_hashes() -> None:
    payload = decode_payload(read("CS14_NA_8F12_ALERT"))

    assert isinstance(payload, HubLogChanged)
    assert payload.alert_code == AlertCode.CHF_DEVICE_LOG_CHANGED
    assert payload.at == payload.backup_time == datetime(2015, 1, 1, tzinfo=UTC)
    assert payload.extended_pan_id == bytes(range(8))
    assert [(entry.device, len(entry.link_key_hash)) for entry in payload.entries] == [(ESME, 16), (GSME, 16)]


def test_real_active_devices_have_their_last_communication() -> None:
    assert isinstance(decode_payload(read("CCS05CCS04_8.9_SUCCESS_COMMAND")), ReadActiveDevices)

    payload = decode_payload(read("CCS05CCS04_8.9_SUCCESS_RESPONSE"))

    assert isinstance(payload, ActiveDevices)
    assert payload.entries is not None
    assert [(entry.device, entry.last_communication, entry.rssi_max) for entry in payload.entries] == [
        (ESME, datetime(2014, 12, 31, 23, 50, tzinfo=UTC), -35),
        (GSME, datetime(2014, 12, 31, 23, 40, tzinfo=UTC), -34),
    ]


def test_a_real_discard_quotes_the_header_of_the_command() -> None:
    payload = decode_payload(read("DBCH10_NA_8F2C_ALERT"))

    assert isinstance(payload, DiscardedMessage)
    assert payload.alert_code == AlertCode.MESSAGE_DISCARDED
    assert (payload.originator, payload.target, payload.cra, payload.counter) == (SUPPLIER, ESME, Cra.COMMAND, 1000)


@pytest.mark.parametrize(
    ("name", "profile", "code"), [("GCA-DLMS_NA_8F30_ALERT", "dlms", 0x8F30), ("GNCA-ZigBee_NA_810E_ALERT", "zigbee", 0x810E)]
)
def test_a_real_generic_alert_is_a_code_and_a_time(name: str, profile: str, code: int) -> None:
    payload = decode_payload(read(name))

    assert isinstance(payload, GenericAlert)
    assert (payload.profile, payload.alert_code, payload.at) == (profile, code, datetime(2015, 1, 1, tzinfo=UTC))
    assert payload.extra == b""


def test_a_real_security_log_has_join_events_in_order_of_time() -> None:
    payload = decode_payload(read("ECS35b_6.13_SUCCESS_RESPONSE"))

    assert isinstance(payload, EventLog)
    assert (payload.kind, payload.result) == (LogKind.SECURITY, 0)
    assert payload.entries is not None
    assert len(payload.entries) == 33
    times = [entry.at for entry in payload.entries]
    assert times == sorted(times)
    assert {0x8F48, 0x8F49, 0x8F4A, 0x8F4B} < {entry.code for entry in payload.entries}
