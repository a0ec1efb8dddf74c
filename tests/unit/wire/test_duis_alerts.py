"""The DCC Alerts."""

from __future__ import annotations

from datetime import date

import pytest

from joinbridge.errors import DecodeError
from joinbridge.wire.duis.messages import (
    AssociatedDevice,
    CommandFailure,
    DccAlert,
    DccAlertBody,
    DeviceLogRestored,
    DeviceStatusChange,
    DiscardedDuisMessage,
    DuisResponse,
    OtherDccAlert,
    PpmidRemoval,
    UpdateHanDeviceLogResult,
)
from joinbridge.wire.duis.parse import parse_duis
from support.duis_xml import DISPLAY, HUB, METER, REQUEST_ID, dcc_alert_xml, device_id

DEVICE = f"<sr:DeviceID>{METER}</sr:DeviceID>"
FAILURE = f"<sr:CommandFailure><sr:CommandRequestID>{REQUEST_ID}</sr:CommandRequestID>{{}}{DEVICE}</sr:CommandFailure>"
HUB_IDS = "".join(
    f"<sr:{name}>00-DB-12-34-56-78-90-{number:02d}</sr:{name}>"
    for number, name in enumerate(["OldCHFDeviceID", "NewCHFDeviceID", "OldGPFDeviceID", "NewGPFDeviceID"])
)
RESTORED = "<sr:DeviceLogRestored><sr:RestoredDate>2025-06-01Z</sr:RestoredDate>{}</sr:DeviceLogRestored>"
DISCARDED = (
    f"<sr:DualBandCHAlert><sr:CHFDeviceID>{HUB}</sr:CHFDeviceID><sr:DeviceAlertCode>8f2c</sr:DeviceAlertCode>"
    "<sr:GBCSHexadecimalMessageCode>000e</sr:GBCSHexadecimalMessageCode><sr:MessageDiscardedDueToDutyCycleManagement>"
    f"<sr:RequestID>{REQUEST_ID}</sr:RequestID><sr:CRAFlag>Response</sr:CRAFlag>"
    "</sr:MessageDiscardedDueToDutyCycleManagement></sr:DualBandCHAlert>"
)
CHANGE = f"<sr:DeviceStatusChangeEvent>{DEVICE}<sr:DeviceStatusChange>{{}}</sr:DeviceStatusChange></sr:DeviceStatusChangeEvent>"
MPXN = "<sr:ImportMPxN>1200000000001</sr:ImportMPxN>"
WITHDRAWAL = "<sr:MeterDecommissioningOrWithdrawal>{}</sr:MeterDecommissioningOrWithdrawal>"


def alert_of(data: bytes) -> DccAlertBody:
    document = parse_duis(data)
    assert isinstance(document, DuisResponse)
    assert isinstance(document.body, DccAlert)
    return document.body.alert


def restored(log: str) -> str:
    return RESTORED.format(f"<sr:{log}>{HUB_IDS}</sr:{log}>")


@pytest.mark.parametrize(
    ("xml", "alert"),
    [
        (FAILURE.format(""), CommandFailure(request_id=REQUEST_ID, device=device_id(METER))),
        (
            FAILURE.format("<sr:DSPScheduleID>9</sr:DSPScheduleID>"),
            CommandFailure(request_id=REQUEST_ID, device=device_id(METER), dsp_schedule_id=9),
        ),
        (
            (
                "<sr:UpdateHANDeviceLogResult><sr:UpdateHANDeviceLogServiceRequestID>"
                f"{REQUEST_ID}</sr:UpdateHANDeviceLogServiceRequestID></sr:UpdateHANDeviceLogResult>"
            ),
            UpdateHanDeviceLogResult(request_id=REQUEST_ID),
        ),
        (
            f"<sr:PPMIDRemoval><sr:PPMIDDeviceID>{DISPLAY}</sr:PPMIDDeviceID><sr:CHFDeviceID>{HUB}</sr:CHFDeviceID></sr:PPMIDRemoval>",
            PpmidRemoval(ppmid=device_id(DISPLAY), chf=device_id(HUB)),
        ),
        (
            DISCARDED,
            DiscardedDuisMessage(
                request_id=REQUEST_ID,
                cra="Response",
                chf=device_id(HUB),
                device_alert_code="8F2C",
                message_code="000E",
            ),
        ),
        (
            f"<sr:DualBandCHAlert><sr:CHFDeviceID>{HUB}</sr:CHFDeviceID></sr:DualBandCHAlert>",
            OtherDccAlert(element="DualBandCHAlert"),
        ),
        ("<sr:PowerOutageEvent>?</sr:PowerOutageEvent>", OtherDccAlert(element="PowerOutageEvent")),
        ("<sr:SomethingNew/>", OtherDccAlert(element="SomethingNew")),
        (
            CHANGE.format("<sr:DeviceRemovedFromInventory/>"),
            DeviceStatusChange(device=device_id(METER), change="DeviceRemovedFromInventory"),
        ),
        (
            CHANGE.format("<sr:SomethingNew><sr:DeviceID>?</sr:DeviceID></sr:SomethingNew>"),
            DeviceStatusChange(device=device_id(METER), change="SomethingNew"),
        ),
        (
            CHANGE.format(f"<sr:MeterIdentity><sr:MeterMPxNs>{MPXN}</sr:MeterMPxNs></sr:MeterIdentity>"),
            DeviceStatusChange(device=device_id(METER), change="MeterIdentity", import_mpxn="1200000000001"),
        ),
        (
            CHANGE.format(
                WITHDRAWAL.format(
                    f"<sr:MeterDecommissionOrWithdrawal>{MPXN}</sr:MeterDecommissionOrWithdrawal>"
                    + "".join(
                        f"<sr:AssociatedType1Device><sr:DeviceID>{device}</sr:DeviceID>"
                        f"<sr:DeviceType>{kind}</sr:DeviceType></sr:AssociatedType1Device>"
                        for device, kind in [(DISPLAY, "PPMID"), (HUB, "HCALCS")]
                    )
                )
            ),
            DeviceStatusChange(
                device=device_id(METER),
                change="MeterDecommissioningOrWithdrawal",
                import_mpxn="1200000000001",
                associated=(
                    AssociatedDevice(device=device_id(DISPLAY), device_type="PPMID"),
                    AssociatedDevice(device=device_id(HUB), device_type="HCALCS"),
                ),
            ),
        ),
    ],
)
def test_an_alert_is_read(xml: str, alert: DccAlertBody) -> None:
    assert alert_of(dcc_alert_xml(xml)) == alert


def test_the_code_and_the_throttling_stand_beside_the_alert() -> None:
    throttled = (
        b"</sr:DCCAlertCode><sr:ThrottledAlertSequenceId>5</sr:ThrottledAlertSequenceId><sr:ThrottledAlertCount>6</sr:ThrottledAlertCount>"
    )

    document = parse_duis(dcc_alert_xml(FAILURE.format("")).replace(b"</sr:DCCAlertCode>", throttled))

    assert isinstance(document, DuisResponse)
    assert document.body == DccAlert(
        alert_code="N13",
        alert=CommandFailure(request_id=REQUEST_ID, device=device_id(METER)),
        throttled_alert_sequence_id=5,
        throttled_alert_count=6,
    )


def test_a_restored_log_is_that_of_the_hub_or_that_of_its_gas_proxy() -> None:
    of_hub, of_gas_proxy = alert_of(dcc_alert_xml(restored("CHFDeviceLog"))), alert_of(dcc_alert_xml(restored("GPFDeviceLog")))

    assert of_hub == DeviceLogRestored(
        log="CHFDeviceLog",
        old_chf=device_id("00-DB-12-34-56-78-90-00"),
        new_chf=device_id("00-DB-12-34-56-78-90-01"),
        old_gpf=device_id("00-DB-12-34-56-78-90-02"),
        new_gpf=device_id("00-DB-12-34-56-78-90-03"),
        restored_date=date(2025, 6, 1),
    )
    assert isinstance(of_gas_proxy, DeviceLogRestored)
    assert of_gas_proxy.log == "GPFDeviceLog"


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("<sr:CommandFailure/>", "CommandFailure has no CommandRequestID"),
        (DISCARDED.replace(">Response<", ">Answer<"), "CRAFlag: none of Command, Response, Alert: 'Answer'"),
        (DISCARDED.replace("8f2c", "8f2"), "DeviceAlertCode: not octets in hex: '8f2'"),
        (RESTORED.format(""), "DeviceLogRestored has not exactly one of CHFDeviceLog and GPFDeviceLog"),
        (
            RESTORED.format("<sr:CHFDeviceLog/><sr:GPFDeviceLog/>"),
            "DeviceLogRestored has not exactly one of CHFDeviceLog and GPFDeviceLog",
        ),
        (CHANGE.format(""), "DeviceStatusChange has 0 elements, not one"),
        (CHANGE.format("<sr:MeterIdentity/>"), "MeterIdentity has no MeterMPxNs"),
        (
            CHANGE.format(WITHDRAWAL.format("")),
            "MeterDecommissioningOrWithdrawal has 0 MeterDecommissionOrWithdrawal, not one",
        ),
    ],
)
def test_an_alert_without_what_it_needs_is_refused(xml: str, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_duis(dcc_alert_xml(xml))

    assert caught.value.reason == reason
