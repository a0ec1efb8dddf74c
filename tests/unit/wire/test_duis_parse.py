"""The envelope and the payloads of responses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from joinbridge.errors import DecodeError
from joinbridge.wire.duis.messages import (
    DeviceAlert,
    DuisResponse,
    FutureDatedAlert,
    GbcsPayload,
    InventoryDevice,
    InventoryListing,
    LocalCommand,
    OtherPayload,
    PreCommand,
    ResponsePayload,
    ServiceResponse,
    Smets1Response,
)
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import DuisRequest, JoinService
from support.duis_xml import (
    DISPLAY,
    HUB,
    JOIN_SERVICE,
    METER,
    REQUEST_ID,
    RESPONSE_ID,
    answer_xml,
    dcc_alert_xml,
    device_id,
    request_xml,
    response_xml,
)


def payload_of(data: bytes) -> ResponsePayload | None:
    document = parse_duis(data)
    assert isinstance(document, DuisResponse)
    assert isinstance(document.body, ServiceResponse)
    return document.body.payload


def reason(data: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        parse_duis(data)
    return caught.value.reason


def test_a_request_is_read() -> None:
    assert parse_duis(request_xml(JOIN_SERVICE)) == DuisRequest(
        request_id=REQUEST_ID,
        command_variant=1,
        service_reference="8.7",
        service_reference_variant="8.7.2",
        body=JoinService(other_device=device_id(DISPLAY), critical=False),
        schema_version="5.4",
        first_in_sequence=None,
        preceding_request_id=None,
    )


def test_a_request_may_name_its_place_in_a_sequence() -> None:
    header = (
        f"<sr:RequestID>{REQUEST_ID}</sr:RequestID><sr:FirstInSequence>false</sr:FirstInSequence>"
        f"<sr:PrecedingServiceRequestID>{RESPONSE_ID}</sr:PrecedingServiceRequestID>"
        "<sr:CommandVariant>4</sr:CommandVariant><sr:ServiceReference>8.7</sr:ServiceReference>"
        "<sr:ServiceReferenceVariant>8.7.1</sr:ServiceReferenceVariant>"
    )

    document = parse_duis(request_xml(JOIN_SERVICE, header=header))

    assert isinstance(document, DuisRequest)
    assert document.first_in_sequence is False
    assert document.preceding_request_id == RESPONSE_ID


def test_a_response_is_read() -> None:
    assert parse_duis(answer_xml("<sr:GBCSPayload>3wkC</sr:GBCSPayload>")) == DuisResponse(
        request_id=REQUEST_ID,
        response_id=RESPONSE_ID,
        response_code="I0",
        response_date_time=datetime(2025, 12, 28, 16, 51, 1, 185_000, tzinfo=UTC),
        body=ServiceResponse(service_reference="8.7", service_reference_variant="8.7.2", payload=GbcsPayload(gbcs=b"\xdf\x09\x02")),
        schema_version="5.4",
    )


def test_a_response_needs_no_ids() -> None:
    header = "<sr:ResponseCode>I0</sr:ResponseCode><sr:ResponseDateTime>2025-12-28T16:51:01Z</sr:ResponseDateTime>"

    document = parse_duis(response_xml("<sr:SMETS1ResponseMessage/>", header=header))

    assert isinstance(document, DuisResponse)
    assert document.request_id is None
    assert document.response_id is None


def test_any_prefix_and_none_will_do() -> None:
    data = request_xml(JOIN_SERVICE)

    assert parse_duis(data.replace(b"sr:", b"ns3:").replace(b":sr=", b":ns3=")) == parse_duis(data)
    assert parse_duis(data.replace(b"sr:", b"").replace(b":sr=", b"=")) == parse_duis(data)


def test_case_and_white_space_of_ids_do_not_matter() -> None:
    data = request_xml(JOIN_SERVICE)
    lower = f"\n\t {str(REQUEST_ID).lower()} \r\n"

    assert parse_duis(data.replace(str(REQUEST_ID).encode(), lower.encode())) == parse_duis(data)


@pytest.mark.parametrize("version", ["5.0", "5.3", "6", "17.25"])
def test_any_schema_version_is_read_and_kept(version: str) -> None:
    document = parse_duis(request_xml(JOIN_SERVICE).replace(b'"5.4"', f'" {version} "'.encode()))

    assert document.schema_version == version


def test_a_signature_is_neither_needed_nor_looked_at() -> None:
    data = request_xml(JOIN_SERVICE)
    signature = b'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Any>thing</ds:Any></ds:Signature>'

    assert parse_duis(data.replace(b"</sr:Request>", signature + b"</sr:Request>")) == parse_duis(data)


def test_what_a_later_schema_adds_to_a_header_is_passed_by() -> None:
    data = request_xml(JOIN_SERVICE)

    assert parse_duis(data.replace(b"</sr:Header>", b"<sr:Priority>high</sr:Priority></sr:Header>")) == parse_duis(data)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"<Request/>", "{}Request is neither"),
        (b'<x:Request xmlns:x="http://example.com/" schemaVersion="5.4"/>', "{http://example.com/}Request is neither"),
        (request_xml("").replace(b"sr:Request ", b"sr:Body ").replace(b"/sr:Request>", b"/sr:Body>"), "Body is neither"),
        (request_xml(JOIN_SERVICE).replace(b"schemaVersion", b"version"), "Request has no schemaVersion"),
        (request_xml(JOIN_SERVICE).replace(b"sr:Header", b"sr:Head"), "Request has no Header"),
        (request_xml(JOIN_SERVICE).replace(b"sr:Body", b"sr:Rump"), "Request has no Body"),
        (request_xml(""), "Body has 0 elements, not one"),
        (request_xml(JOIN_SERVICE * 2), "Body has 2 elements, not one"),
        (request_xml(JOIN_SERVICE, header=""), "Header has no RequestID"),
        (request_xml(JOIN_SERVICE).replace(b"CommandVariant", b"Variant"), "Header has no CommandVariant"),
        (request_xml(JOIN_SERVICE).replace(b">1<", b">one<"), "CommandVariant: not a number: 'one'"),
        (request_xml(JOIN_SERVICE).replace(b">8.7<", b"> <"), "ServiceReference: is empty"),
        (request_xml(JOIN_SERVICE).replace(b":1700000000001<", b":01<"), "RequestID: not a counter of 0 to 2^64-1: '01'"),
        (request_xml(JOIN_SERVICE).replace(b"<sr:Body>", b"<sr:Header/><sr:Body>"), "Request repeats an element"),
        (answer_xml("").replace(b"ResponseCode", b"Code"), "Header has no ResponseCode"),
        (answer_xml("").replace(b"2025-12-28T", b"2025-12-28 "), "ResponseDateTime: not a date and time"),
        (answer_xml("").replace(b"Variant", b"Version"), "ResponseMessage has no ServiceReferenceVariant"),
        (response_xml("<sr:Other/>"), "Other is no kind of response"),
        (response_xml(""), "Body has 0 elements, not one"),
    ],
)
def test_what_is_missing_or_malformed_is_named(data: bytes, named: str) -> None:
    assert reason(data).startswith(named)


def test_a_repeated_id_is_refused_because_readers_might_take_another() -> None:
    other = f"<sr:RequestID>{RESPONSE_ID}</sr:RequestID>".encode()

    assert reason(request_xml(JOIN_SERVICE).replace(b"</sr:Header>", other + b"</sr:Header>")) == "Header repeats an element"


def test_an_element_of_another_namespace_is_not_the_one_of_ours() -> None:
    foreign = b'<x:RequestID xmlns:x="http://example.com/">90</x:RequestID>'
    data = request_xml(JOIN_SERVICE)

    assert parse_duis(data.replace(b"</sr:Header>", foreign + b"</sr:Header>")) == parse_duis(data)


def test_an_acknowledgement_has_no_payload() -> None:
    assert payload_of(answer_xml("")) is None


def test_commands_for_local_delivery_and_for_signing_are_told_apart() -> None:
    local = "<sr:LocalCommand><sr:GBCSPayload>3Q==</sr:GBCSPayload></sr:LocalCommand>"
    unsigned = "<sr:PreCommand><sr:GBCSVersion>4.3</sr:GBCSVersion><sr:GBCSPayload>3w==</sr:GBCSPayload></sr:PreCommand>"

    assert payload_of(answer_xml(local)) == LocalCommand(gbcs=b"\xdd")
    assert payload_of(answer_xml(unsigned)) == PreCommand(gbcs_version="4.3", gbcs=b"\xdf")


def test_a_future_dated_alert_is_read() -> None:
    alert = (
        "<sr:FutureDatedDeviceAlertMessage><sr:FutureDatedAlertCode>8f66</sr:FutureDatedAlertCode>"
        "<sr:GBCSPayload>3w==</sr:GBCSPayload><sr:InstructionNumber>1</sr:InstructionNumber>"
        "<sr:TotalCommandInstructions>2</sr:TotalCommandInstructions></sr:FutureDatedDeviceAlertMessage>"
    )

    assert payload_of(answer_xml(alert)) == FutureDatedAlert(
        alert_code="8F66", gbcs=b"\xdf", instruction_number=1, total_command_instructions=2
    )


def test_an_inventory_is_read_without_where_the_devices_are() -> None:
    inventory = (
        f"<sr:DSPInventory><sr:Device><sr:DeviceID>{HUB.lower()}</sr:DeviceID><sr:DeviceType>CHF</sr:DeviceType>"
        "<sr:DeviceStatus>Commissioned</sr:DeviceStatus><sr:DeviceManufacturer>10AA </sr:DeviceManufacturer>"
        "<sr:DeviceModel>M &amp; W</sr:DeviceModel><sr:SMETSCHTSVersion>CHTS V1.4</sr:SMETSCHTSVersion>"
        "<sr:DeviceFirmwareVersion>0A01</sr:DeviceFirmwareVersion><sr:UPRN>100</sr:UPRN><sr:CSPRegion>4G North</sr:CSPRegion>"
        "<sr:DeviceGBCSVersion>4.3</sr:DeviceGBCSVersion><sr:HANVariant>Dual Band</sr:HANVariant>"
        "<sr:Connectivity>Cellular</sr:Connectivity></sr:Device>"
        f"<sr:Device><sr:DeviceID>{METER}</sr:DeviceID><sr:DeviceType>ESME</sr:DeviceType><sr:DeviceManufacturer/>"
        "<sr:DeviceModel/></sr:Device></sr:DSPInventory>"
    )

    assert payload_of(answer_xml(inventory)) == InventoryListing(
        devices=(
            InventoryDevice(
                device=device_id(HUB),
                device_type="CHF",
                device_status="Commissioned",
                manufacturer="10AA",
                model="M & W",
                smets_chts_version="CHTS V1.4",
                firmware_version="0A01",
                csp_region="4G North",
                gbcs_version="4.3",
                han_variant="Dual Band",
                connectivity="Cellular",
            ),
            InventoryDevice(device=device_id(METER), device_type="ESME", manufacturer="", model=""),
        )
    )


def test_any_other_payload_is_recognised_and_passed_by() -> None:
    assert payload_of(answer_xml("<sr:DSPScheduleID>17</sr:DSPScheduleID>")) == OtherPayload(element="DSPScheduleID")


def test_what_a_later_schema_puts_beside_a_payload_is_passed_by() -> None:
    beside = "<sr:Hint>x</sr:Hint><sr:GBCSPayload>3Q==</sr:GBCSPayload><sr:Note>y</sr:Note>"

    assert payload_of(answer_xml(beside)) == GbcsPayload(gbcs=b"\xdd")


def test_two_payloads_are_refused() -> None:
    both = "<sr:GBCSPayload>3Q==</sr:GBCSPayload><sr:LocalCommand><sr:GBCSPayload>3Q==</sr:GBCSPayload></sr:LocalCommand>"

    assert reason(answer_xml(both)) == "ResponseMessage has both GBCSPayload and LocalCommand"


@pytest.mark.parametrize("payload", ["3", "3Q=", "3R==", "3Q==!", "ü"])
def test_a_payload_that_is_not_base64_is_refused(payload: str) -> None:
    assert reason(answer_xml(f"<sr:GBCSPayload>{payload}</sr:GBCSPayload>")) == "GBCSPayload: not base64"


def test_a_device_alert_is_read() -> None:
    alert = "<sr:DeviceAlertMessage><sr:AlertCode>8f20</sr:AlertCode>{}<sr:GBCSPayload>\n3Q==\n</sr:GBCSPayload></sr:DeviceAlertMessage>"
    throttled = "<sr:ThrottledAlertSequenceId>7</sr:ThrottledAlertSequenceId><sr:ThrottledAlertCount>30</sr:ThrottledAlertCount>"

    plain, one_of_many = parse_duis(response_xml(alert.format(""))), parse_duis(response_xml(alert.format(throttled)))

    assert isinstance(plain, DuisResponse)
    assert plain.body == DeviceAlert(alert_code="8F20", gbcs=b"\xdd")
    assert isinstance(one_of_many, DuisResponse)
    assert one_of_many.body == DeviceAlert(alert_code="8F20", gbcs=b"\xdd", throttled_alert_sequence_id=7, throttled_alert_count=30)


def test_a_smets1_response_is_recognised_and_left_closed() -> None:
    inner = (
        "<sr:SMETS1ResponseMessage><sr:ServiceReference>not even one</sr:ServiceReference>"
        '<x:Whatever xmlns:x="http://example.com/"/><sr:GBCSPayload>!</sr:GBCSPayload></sr:SMETS1ResponseMessage>'
    )

    document = parse_duis(response_xml(inner))

    assert isinstance(document, DuisResponse)
    assert document.body == Smets1Response()


def test_a_dcc_alert_with_nothing_or_two_things_to_tell_is_refused() -> None:
    assert reason(dcc_alert_xml("")) == "DCCAlert has 0 elements, not one"
    assert reason(dcc_alert_xml("<sr:PowerOutageEvent/><sr:CommandFailure/>")) == "DCCAlert has 2 elements, not one"
