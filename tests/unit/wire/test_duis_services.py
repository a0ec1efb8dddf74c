"""The services of a request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from joinbridge.errors import DecodeError
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import (
    CommissionDevice,
    DecommissionDevice,
    DuisRequest,
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
from support.duis_xml import DISPLAY, HUB, METER, REQUEST_ID, device_id, request_xml

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
AT_NOON = "<sr:ExecutionDateTime>2025-06-01T12:00:00Z</sr:ExecutionDateTime>"
OTHER = f"<sr:OtherDeviceID>{DISPLAY}</sr:OtherDeviceID>"
DEVICE = f"<sr:DeviceID>{METER}</sr:DeviceID>"
WHITELIST = (
    "<sr:AddDeviceToCHFWhitelist><sr:JoinTimePeriod>90</sr:JoinTimePeriod><sr:InstallCode>00112233aabb</sr:InstallCode>"
    "{}</sr:AddDeviceToCHFWhitelist>"
)


def service_of(data: bytes) -> RequestBody:
    document = parse_duis(data)
    assert isinstance(document, DuisRequest)
    return document.body


@pytest.mark.parametrize(
    ("element", "content", "service"),
    [
        ("JoinServiceCritical", OTHER, JoinService(other_device=device_id(DISPLAY), critical=True)),
        ("JoinServiceNonCritical", OTHER, JoinService(other_device=device_id(DISPLAY), critical=False)),
        ("UnjoinServiceCritical", OTHER, UnjoinService(other_device=device_id(DISPLAY), critical=True)),
        ("UnjoinServiceNonCritical", OTHER, UnjoinService(other_device=device_id(DISPLAY), critical=False)),
        ("SignedPreCommand", "<sr:GBCSPayload>3wkB</sr:GBCSPayload>", SignedPreCommand(gbcs=b"\xdf\x09\x01")),
        (
            "SignedPreCommand",
            AT_NOON + "<sr:GBCSPayload/>",
            SignedPreCommand(gbcs=b"", execution_date_time=NOON),
        ),
        ("ReadDeviceLog", "", ReadDeviceLog()),
        (
            "ReadDeviceLog",
            AT_NOON + "<sr:ReadSecurityDetails/>",
            ReadDeviceLog(read_security_details=True, execution_date_time=NOON),
        ),
        (
            "UpdateHANDeviceLog",
            DEVICE + "<sr:RequestType>Remove</sr:RequestType>",
            UpdateHanDeviceLog(device=device_id(METER), add=False),
        ),
        (
            "UpdateHANDeviceLog",
            AT_NOON + DEVICE + "<sr:RequestType>Add</sr:RequestType>" + WHITELIST.format(""),
            UpdateHanDeviceLog(
                device=device_id(METER),
                add=True,
                whitelist=WhitelistDetails(join_time_period_s=90, install_code=bytes.fromhex("00112233AABB")),
                execution_date_time=NOON,
            ),
        ),
        (
            "UpdateHANDeviceLog",
            DEVICE
            + "<sr:RequestType>Add</sr:RequestType>"
            + WHITELIST.format(
                "<sr:ImportMPxN>1200000000001</sr:ImportMPxN><sr:SecondaryImportMPAN>1200000000002</sr:SecondaryImportMPAN>"
                "<sr:ExportMPAN>1200000000003</sr:ExportMPAN>"
            ),
            UpdateHanDeviceLog(
                device=device_id(METER),
                add=True,
                whitelist=WhitelistDetails(
                    join_time_period_s=90,
                    install_code=bytes.fromhex("00112233AABB"),
                    import_mpxn="1200000000001",
                    secondary_import_mpan="1200000000002",
                    export_mpan="1200000000003",
                ),
            ),
        ),
        ("RestoreHANDeviceLog", f"<sr:OldCHFID>{HUB}</sr:OldCHFID>", RestoreHanDeviceLog(old_chf=device_id(HUB))),
        ("RestoreGPFDeviceLog", f"<sr:OldGPFID>{HUB}</sr:OldGPFID>", RestoreGpfDeviceLog(old_gpf=device_id(HUB))),
        (
            "ReturnLocalCommandResponse",
            "<sr:DeviceGBCSResponse>3wkC</sr:DeviceGBCSResponse>",
            ReturnLocalCommandResponse(gbcs=b"\xdf\x09\x02"),
        ),
        (
            "ReturnLocalCommandResponse",
            f"<sr:OriginalRequestID>{REQUEST_ID}</sr:OriginalRequestID><sr:DeviceGBCSResponse/>",
            ReturnLocalCommandResponse(gbcs=b"", original_request_id=REQUEST_ID),
        ),
        (
            "CommissionDeviceSynchroniseClock",
            "<sr:CurrentDateTime>2025-06-01T12:00:00Z</sr:CurrentDateTime><sr:TolerancePeriod>10</sr:TolerancePeriod>",
            CommissionDevice(current_date_time=NOON, tolerance_period_s=10),
        ),
        ("ReadInventory", DEVICE, ReadInventory(device=device_id(METER))),
        ("ReadInventory", "<sr:UPRN>12</sr:UPRN>", ReadInventory(uprn="12")),
        ("ReadInventory", "<sr:MPxN>1200000000001</sr:MPxN>", ReadInventory(mpxn="1200000000001")),
        (
            "ReadInventory",
            "<sr:PropertyFilter><sr:PostCode>AB1 2CD</sr:PostCode><sr:AddressIdentifier/></sr:PropertyFilter>",
            ReadInventory(post_code="AB1 2CD", address_identifier=""),
        ),
        ("ReadInventory", "<sr:Street>x</sr:Street>", OtherService(element="ReadInventory")),
        ("DecommissionDevice", DEVICE, DecommissionDevice(device=device_id(METER))),
        (
            "ReadEventOrSecurityLog",
            (
                "<sr:ReadLogPeriod><sr:StartDateTime>2025-06-01T12:00:00Z</sr:StartDateTime>"
                "<sr:EndDateTime>2025-06-01T12:00:00Z</sr:EndDateTime></sr:ReadLogPeriod><sr:LogToRead>Security</sr:LogToRead>"
            ),
            ReadEventOrSecurityLog(log="Security", start=NOON, end=NOON),
        ),
        ("TopUpDevice", "<sr:UTRN>1</sr:UTRN>", OtherService(element="TopUpDevice")),
    ],
)
def test_a_service_is_read(element: str, content: str, service: RequestBody) -> None:
    assert service_of(request_xml(f"<sr:{element}>{content}</sr:{element}>")) == service


def test_a_service_of_another_namespace_is_told_by_its_full_name() -> None:
    element = '<x:JoinServiceCritical xmlns:x="http://example.com/"/>'

    assert service_of(request_xml(element)) == OtherService(element="{http://example.com/}JoinServiceCritical")
    assert service_of(request_xml("<JoinServiceCritical/>")) == OtherService(element="{}JoinServiceCritical")


@pytest.mark.parametrize(
    ("element", "content", "reason"),
    [
        ("JoinServiceCritical", "", "JoinServiceCritical has no OtherDeviceID"),
        ("JoinServiceNonCritical", OTHER * 2, "JoinServiceNonCritical repeats an element"),
        ("UnjoinServiceCritical", "<sr:OtherDeviceID>00</sr:OtherDeviceID>", "OtherDeviceID: not an EUI-64: '00'"),
        ("SignedPreCommand", "", "SignedPreCommand has no GBCSPayload"),
        ("SignedPreCommand", "<sr:GBCSPayload>?</sr:GBCSPayload>", "GBCSPayload: not base64"),
        ("UpdateHANDeviceLog", DEVICE, "UpdateHANDeviceLog has no RequestType"),
        (
            "UpdateHANDeviceLog",
            DEVICE + "<sr:RequestType>add</sr:RequestType>",
            "RequestType: neither Add nor Remove: 'add'",
        ),
        (
            "UpdateHANDeviceLog",
            DEVICE + "<sr:RequestType>Add</sr:RequestType><sr:AddDeviceToCHFWhitelist/>",
            "AddDeviceToCHFWhitelist has no JoinTimePeriod",
        ),
        ("ReadInventory", "", "ReadInventory has 0 elements, not one"),
        ("ReadInventory", DEVICE * 2, "ReadInventory has 2 elements, not one"),
        ("ReadEventOrSecurityLog", "<sr:LogToRead>Event</sr:LogToRead>", "ReadEventOrSecurityLog has no ReadLogPeriod"),
    ],
)
def test_a_service_without_what_it_needs_is_refused(element: str, content: str, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_duis(request_xml(f"<sr:{element}>{content}</sr:{element}>"))

    assert caught.value.reason == reason
