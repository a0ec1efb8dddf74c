"""The element inside a DCC Alert, as text."""

from __future__ import annotations

from functools import singledispatch

from joinbridge.wire.duis.markup import element, text_element, value_element
from joinbridge.wire.duis.messages import (
    CommandFailure,
    DccAlertBody,
    DeviceLogRestored,
    DeviceStatusChange,
    DiscardedDuisMessage,
    PpmidRemoval,
    UpdateHanDeviceLogResult,
)

# The changes whose element is empty: DUIS XSD, type DeviceStatusChange.
_EMPTY_CHANGES = frozenset({"DeviceRemovedFromInventory", "CHFDecommissioning", "DeviceSuspended", "DeviceRestored", "RecoveryComplete"})


@singledispatch
def dcc_alert_element(alert: DccAlertBody) -> str:
    """Return the element that tells of `alert`.

    Raises: ValueError when the value does not hold what the element needs.
    """
    raise ValueError(f"{type(alert).__name__} does not hold what is to be written")


@dcc_alert_element.register
def _command_failure(alert: CommandFailure) -> str:
    return element(
        "CommandFailure",
        value_element("CommandRequestID", alert.request_id),
        value_element("DSPScheduleID", alert.dsp_schedule_id),
        value_element("DeviceID", alert.device),
    )


@dcc_alert_element.register
def _update_han_device_log_result(alert: UpdateHanDeviceLogResult) -> str:
    return element("UpdateHANDeviceLogResult", value_element("UpdateHANDeviceLogServiceRequestID", alert.request_id))


@dcc_alert_element.register
def _device_log_restored(alert: DeviceLogRestored) -> str:
    return element(
        "DeviceLogRestored",
        value_element("RestoredDate", alert.restored_date),
        element(
            alert.log,
            value_element("OldCHFDeviceID", alert.old_chf),
            value_element("NewCHFDeviceID", alert.new_chf),
            value_element("OldGPFDeviceID", alert.old_gpf),
            value_element("NewGPFDeviceID", alert.new_gpf),
        ),
    )


@dcc_alert_element.register
def _ppmid_removal(alert: PpmidRemoval) -> str:
    return element("PPMIDRemoval", value_element("PPMIDDeviceID", alert.ppmid), value_element("CHFDeviceID", alert.chf))


@dcc_alert_element.register
def _discarded_message(alert: DiscardedDuisMessage) -> str:
    return element(
        "DualBandCHAlert",
        value_element("CHFDeviceID", alert.chf),
        text_element("DeviceAlertCode", alert.device_alert_code),
        text_element("GBCSHexadecimalMessageCode", alert.message_code),
        element(
            "MessageDiscardedDueToDutyCycleManagement",
            value_element("RequestID", alert.request_id),
            value_element("CRAFlag", alert.cra),
        ),
    )


@dcc_alert_element.register
def _device_status_change(alert: DeviceStatusChange) -> str:
    return element(
        "DeviceStatusChangeEvent",
        value_element("DeviceID", alert.device),
        element("DeviceStatusChange", element(alert.change, _change_content(alert))),
    )


def _change_content(alert: DeviceStatusChange) -> str:
    if alert.change in _EMPTY_CHANGES:
        return ""
    if alert.import_mpxn is None or alert.change not in {"MeterIdentity", "MeterDecommissioningOrWithdrawal"}:
        raise ValueError(f"DeviceStatusChange does not hold what is to be written: {alert.change[:40]!r}")
    mpxn = text_element("ImportMPxN", alert.import_mpxn)
    if alert.change == "MeterIdentity":
        return element("MeterMPxNs", mpxn)
    associated = (
        element(
            "AssociatedType1Device",
            value_element("DeviceID", each.device),
            text_element("DeviceType", each.device_type),
        )
        for each in alert.associated
    )
    return element("MeterDecommissionOrWithdrawal", mpxn) + "".join(associated)
