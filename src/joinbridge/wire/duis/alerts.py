"""The DCC Alerts that joinbridge acts on; any other is recognised and passed by."""

from __future__ import annotations

from collections.abc import Callable

from joinbridge.core.ids import parse_eui64, parse_request_id
from joinbridge.errors import DecodeError
from joinbridge.wire.duis.document import Element, ElementError
from joinbridge.wire.duis.fields import SR, Fields, children_named, name_of, only_child
from joinbridge.wire.duis.lexical import calendar_date, hex_digits, number, word
from joinbridge.wire.duis.messages import (
    AssociatedDevice,
    CommandFailure,
    CraFlag,
    DccAlert,
    DccAlertBody,
    DeviceLogRestored,
    DeviceStatusChange,
    DiscardedDuisMessage,
    OtherDccAlert,
    PpmidRemoval,
    RestoredLog,
    UpdateHanDeviceLogResult,
)


def read_dcc_alert(element: Element) -> DccAlert:
    """Return what a `DCCAlertMessage` says."""
    fields = Fields(element)
    alert = only_child(fields.element("DCCAlert"))
    return DccAlert(
        alert_code=fields.required("DCCAlertCode", word),
        throttled_alert_sequence_id=fields.optional("ThrottledAlertSequenceId", number),
        throttled_alert_count=fields.optional("ThrottledAlertCount", number),
        alert=_ALERTS.get(alert.tag, _other_dcc_alert)(alert),
    )


def _command_failure(element: Element) -> CommandFailure:
    fields = Fields(element)
    return CommandFailure(
        request_id=fields.required("CommandRequestID", parse_request_id),
        dsp_schedule_id=fields.optional("DSPScheduleID", number),
        device=fields.required("DeviceID", parse_eui64),
    )


def _update_han_device_log_result(element: Element) -> UpdateHanDeviceLogResult:
    return UpdateHanDeviceLogResult(request_id=Fields(element).required("UpdateHANDeviceLogServiceRequestID", parse_request_id))


def _device_log_restored(element: Element) -> DeviceLogRestored:
    fields = Fields(element)
    hub_log, gas_log = fields.find("CHFDeviceLog"), fields.find("GPFDeviceLog")
    if (hub_log is None) == (gas_log is None):
        raise ElementError(element, "DeviceLogRestored has not exactly one of CHFDeviceLog and GPFDeviceLog")
    log: RestoredLog = "GPFDeviceLog" if hub_log is None else "CHFDeviceLog"
    ids = Fields(fields.element(log))
    return DeviceLogRestored(
        log=log,
        restored_date=fields.required("RestoredDate", calendar_date),
        old_chf=ids.required("OldCHFDeviceID", parse_eui64),
        new_chf=ids.required("NewCHFDeviceID", parse_eui64),
        old_gpf=ids.required("OldGPFDeviceID", parse_eui64),
        new_gpf=ids.required("NewGPFDeviceID", parse_eui64),
    )


def _ppmid_removal(element: Element) -> PpmidRemoval:
    fields = Fields(element)
    return PpmidRemoval(
        ppmid=fields.required("PPMIDDeviceID", parse_eui64),
        chf=fields.required("CHFDeviceID", parse_eui64),
    )


def _dual_band_alert(element: Element) -> DccAlertBody:
    fields = Fields(element)
    discarded = fields.find("MessageDiscardedDueToDutyCycleManagement")
    if discarded is None:
        return _other_dcc_alert(element)
    message = Fields(discarded)
    return DiscardedDuisMessage(
        request_id=message.required("RequestID", parse_request_id),
        cra=message.required("CRAFlag", _cra_flag),
        chf=fields.required("CHFDeviceID", parse_eui64),
        device_alert_code=fields.required("DeviceAlertCode", hex_digits),
        message_code=fields.optional("GBCSHexadecimalMessageCode", hex_digits),
    )


def _cra_flag(flag: str) -> CraFlag:
    match flag:
        case "Command" | "Response" | "Alert":
            return flag
        case _:
            raise DecodeError(f"none of Command, Response, Alert: {flag[:40]!r}")


def _device_status_change(element: Element) -> DeviceStatusChange:
    fields = Fields(element)
    device = fields.required("DeviceID", parse_eui64)
    change = only_child(fields.element("DeviceStatusChange"))
    name = name_of(change)
    match name:
        case "MeterIdentity":
            meter = Fields(Fields(change).element("MeterMPxNs"))
            return DeviceStatusChange(device=device, change=name, import_mpxn=meter.required("ImportMPxN", str))
        case "MeterDecommissioningOrWithdrawal":
            meters = children_named(change, "MeterDecommissionOrWithdrawal")
            if len(meters) != 1:
                raise ElementError(change, f"{name} has {len(meters)} MeterDecommissionOrWithdrawal, not one")
            return DeviceStatusChange(
                device=device,
                change=name,
                import_mpxn=Fields(meters[0]).required("ImportMPxN", str),
                associated=tuple(_associated_device(child) for child in children_named(change, "AssociatedType1Device")),
            )
        case _:
            return DeviceStatusChange(device=device, change=name)


def _associated_device(element: Element) -> AssociatedDevice:
    fields = Fields(element)
    return AssociatedDevice(
        device=fields.required("DeviceID", parse_eui64),
        device_type=fields.required("DeviceType", word),
    )


def _other_dcc_alert(element: Element) -> OtherDccAlert:
    return OtherDccAlert(element=name_of(element))


_ALERTS: dict[str, Callable[[Element], DccAlertBody]] = {
    SR + "CommandFailure": _command_failure,
    SR + "UpdateHANDeviceLogResult": _update_han_device_log_result,
    SR + "DeviceLogRestored": _device_log_restored,
    SR + "PPMIDRemoval": _ppmid_removal,
    SR + "DualBandCHAlert": _dual_band_alert,
    SR + "DeviceStatusChangeEvent": _device_status_change,
}
