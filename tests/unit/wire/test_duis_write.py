"""Writing: the form of the documents, and what cannot be written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from joinbridge.wire.duis.compose import request_for
from joinbridge.wire.duis.messages import (
    AssociatedDevice,
    CommandFailure,
    DccAlert,
    DccAlertBody,
    DeviceAlert,
    DeviceLogRestored,
    DeviceStatusChange,
    DiscardedDuisMessage,
    DuisDocument,
    DuisResponse,
    FutureDatedAlert,
    GbcsPayload,
    InventoryDevice,
    InventoryListing,
    LocalCommand,
    OtherDccAlert,
    OtherPayload,
    PpmidRemoval,
    PreCommand,
    ResponsePayload,
    ServiceResponse,
    Smets1Response,
    UpdateHanDeviceLogResult,
)
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import (
    CommissionDevice,
    DecommissionDevice,
    JoinService,
    OtherService,
    ReadDeviceLog,
    ReadEventOrSecurityLog,
    ReadInventory,
    RequestBody,
    RestoreGpfDeviceLog,
    RestoreHanDeviceLog,
    ReturnLocalCommandResponse,
    SignedPreCommand,
    UnjoinService,
    UpdateHanDeviceLog,
    WhitelistDetails,
)
from joinbridge.wire.duis.write import write_duis
from support.duis_xml import DISPLAY, JOIN_SERVICE, METER, REQUEST_ID, RESPONSE_ID, answer_xml, device_id, request_xml
from support.schema import needs_duis_schema, schema_errors

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
JOIN = request_for(REQUEST_ID, JoinService(other_device=device_id(DISPLAY), critical=False))


def answer(payload: ResponsePayload | None) -> DuisResponse:
    return DuisResponse(
        response_code="I0",
        response_date_time=datetime(2025, 12, 28, 16, 51, 1, 185_000, tzinfo=UTC),
        body=ServiceResponse(service_reference="8.7", service_reference_variant="8.7.2", payload=payload),
    )


def alert(body: DccAlertBody) -> DuisResponse:
    return replace(answer(None), body=DccAlert(alert_code="N999", alert=body))


METER_ID = device_id(METER)
OTHER_ID = device_id(DISPLAY)
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)

SERVICES: list[RequestBody] = [
    JoinService(other_device=OTHER_ID, critical=True),
    JoinService(other_device=OTHER_ID, critical=False),
    UnjoinService(other_device=OTHER_ID, critical=True),
    UnjoinService(other_device=OTHER_ID, critical=False),
    SignedPreCommand(gbcs=b"\xdf\x09", execution_date_time=NOON),
    ReadDeviceLog(),
    ReadDeviceLog(read_security_details=True, execution_date_time=NOON),
    UpdateHanDeviceLog(device=METER_ID, add=False),
    UpdateHanDeviceLog(device=METER_ID, add=True, whitelist=WhitelistDetails(join_time_period_s=90, install_code=b"123456")),
    RestoreHanDeviceLog(old_chf=METER_ID),
    RestoreGpfDeviceLog(old_gpf=METER_ID),
    ReturnLocalCommandResponse(gbcs=b"\xdf\x09", original_request_id=REQUEST_ID),
    CommissionDevice(current_date_time=NOON, tolerance_period_s=10),
    ReadInventory(device=METER_ID),
    ReadInventory(uprn="100"),
    ReadInventory(mpxn="1200000000001"),
    ReadInventory(post_code="AB1 2CD", address_identifier="1"),
    DecommissionDevice(device=METER_ID),
    ReadEventOrSecurityLog(log="Security", start=NOON, end=NOON),
    OtherService(element="ReadInstantaneousImportRegisters"),
]
PAYLOADS: list[ResponsePayload | None] = [
    None,
    GbcsPayload(gbcs=b"\xdd"),
    LocalCommand(gbcs=b"\xdd"),
    PreCommand(gbcs_version="4.3", gbcs=b"\xdf"),
    FutureDatedAlert(alert_code="8F66", gbcs=b"\xdf", instruction_number=1, total_command_instructions=2),
    InventoryListing(devices=(InventoryDevice(device=METER_ID, device_type="ESME", manufacturer="A", model="B", csp_region="North"),)),
]
ALERTS: list[DccAlertBody] = [
    CommandFailure(request_id=REQUEST_ID, device=METER_ID, dsp_schedule_id=9),
    UpdateHanDeviceLogResult(request_id=REQUEST_ID),
    DeviceLogRestored(
        log="GPFDeviceLog",
        old_chf=METER_ID,
        new_chf=OTHER_ID,
        old_gpf=METER_ID,
        new_gpf=OTHER_ID,
        restored_date=date(2025, 6, 1),
    ),
    PpmidRemoval(ppmid=OTHER_ID, chf=METER_ID),
    DiscardedDuisMessage(request_id=REQUEST_ID, cra="Response", chf=METER_ID, device_alert_code="8F2C", message_code="000E"),
    DeviceStatusChange(device=METER_ID, change="DeviceRemovedFromInventory"),
    DeviceStatusChange(device=METER_ID, change="MeterIdentity", import_mpxn="1200000000001"),
    DeviceStatusChange(
        device=METER_ID,
        change="MeterDecommissioningOrWithdrawal",
        import_mpxn="1200000000001",
        associated=(AssociatedDevice(device=OTHER_ID, device_type="PPMID"),),
    ),
]
ONE_OF_EACH: list[DuisDocument] = [
    *(replace(JOIN, body=service) for service in SERVICES),
    replace(JOIN, first_in_sequence=True, preceding_request_id=RESPONSE_ID),
    *(answer(payload) for payload in PAYLOADS),
    *(alert(body) for body in ALERTS),
    replace(answer(None), request_id=REQUEST_ID, response_id=RESPONSE_ID),
    replace(answer(None), body=DeviceAlert(alert_code="8F20", gbcs=b"\xdd", throttled_alert_count=3)),
    replace(answer(None), body=Smets1Response()),
]


def test_a_request_is_written_as_by_hand() -> None:
    assert write_duis(JOIN) == DECLARATION + request_xml(JOIN_SERVICE)


def test_a_response_is_written_as_by_hand() -> None:
    document = parse_duis(answer_xml("<sr:GBCSPayload>3wkC</sr:GBCSPayload>"))

    written = write_duis(document).replace(b".185000Z", b".185Z")

    assert written == DECLARATION + answer_xml("<sr:GBCSPayload>3wkC</sr:GBCSPayload>")


def test_times_are_written_in_utc() -> None:
    at = datetime(2025, 6, 1, 12, tzinfo=timezone(timedelta(hours=1)))

    written = write_duis(request_for(REQUEST_ID, ReadDeviceLog(execution_date_time=at)))

    assert b"<sr:ExecutionDateTime>2025-06-01T11:00:00Z</sr:ExecutionDateTime>" in written


def test_a_naive_time_is_not_written() -> None:
    naive = datetime(2025, 6, 1, 12)  # noqa: DTZ001 # what must not be accepted

    with pytest.raises(ValueError, match="needs a time with a zone"):
        write_duis(request_for(REQUEST_ID, ReadDeviceLog(execution_date_time=naive)))


@pytest.mark.parametrize("text", ["<&>", "]]>", "a\rb\tc\nd", "\"'", "Ü\U0001f600", "&amp;", "<!-- -->"])
def test_every_text_comes_back_as_it_was(text: str) -> None:
    device = InventoryDevice(device=device_id(METER), device_type="ESME", manufacturer=text, model=text)
    response = replace(answer(InventoryListing(devices=(device,))), schema_version=f"5{text}")

    assert parse_duis(write_duis(response)) == response


@pytest.mark.parametrize("text", ["\x00", "a\x1b", "\ufffe", "\ud800"])
def test_what_xml_cannot_hold_is_not_written(text: str) -> None:
    with pytest.raises(ValueError, match="XML"):
        write_duis(replace(JOIN, service_reference=text))


@pytest.mark.parametrize("document", ONE_OF_EACH)
def test_each_type_is_read_again_as_it_was_written(document: DuisDocument) -> None:
    assert parse_duis(write_duis(document)) == document


@needs_duis_schema
@pytest.mark.parametrize("document", ONE_OF_EACH)
def test_each_type_is_valid_by_the_schema(document: DuisDocument) -> None:
    assert schema_errors(write_duis(document)) == []


@pytest.mark.parametrize("element", ["", "{http://example.com/}x", "{}x", "a b", "a/", "a><b", "1a"])
def test_a_service_is_only_written_under_a_name_of_duis(element: str) -> None:
    with pytest.raises(ValueError, match="not the name of a DUIS service"):
        write_duis(replace(JOIN, body=OtherService(element=element)))


@pytest.mark.parametrize(
    "document",
    [
        answer(OtherPayload(element="DSPScheduleID")),
        alert(OtherDccAlert(element="PowerOutageEvent")),
        alert(DeviceStatusChange(device=device_id(METER), change="RecoveryCompleteACBCredentials")),
        alert(DeviceStatusChange(device=device_id(METER), change="SomethingNew", import_mpxn="1200000000001")),
        alert(DeviceStatusChange(device=device_id(METER), change="MeterIdentity")),
    ],
)
def test_what_was_passed_by_cannot_be_written(document: DuisResponse) -> None:
    with pytest.raises(ValueError, match="does not hold what is to be written"):
        write_duis(document)


def test_a_value_of_another_type_is_not_written() -> None:
    with pytest.raises(TypeError, match="not a service: GbcsPayload"):
        write_duis(replace(JOIN, body=GbcsPayload(gbcs=b"")))  # type: ignore[arg-type] # what must not be accepted
    with pytest.raises(TypeError, match="not a response: GbcsPayload"):
        write_duis(replace(answer(None), body=GbcsPayload(gbcs=b"")))  # type: ignore[arg-type] # as above
