"""The services of a DUIS request that joinbridge acts on; any other is recognised and passed by."""

from __future__ import annotations

from collections.abc import Callable

from joinbridge.core.ids import parse_eui64, parse_request_id
from joinbridge.errors import DecodeError
from joinbridge.wire.duis.document import Element
from joinbridge.wire.duis.fields import SR, Fields, name_of, only_child, value_of
from joinbridge.wire.duis.lexical import date_time, number, octets_from_base64, octets_from_hex, word
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


def read_service(element: Element) -> RequestBody:
    """Return what the service element of a request asks for."""
    read = _SERVICES.get(element.tag)
    return OtherService(element=name_of(element)) if read is None else read(element)


def _join_critical(element: Element) -> JoinService:
    return JoinService(other_device=Fields(element).required("OtherDeviceID", parse_eui64), critical=True)


def _join_non_critical(element: Element) -> JoinService:
    return JoinService(other_device=Fields(element).required("OtherDeviceID", parse_eui64), critical=False)


def _unjoin_critical(element: Element) -> UnjoinService:
    return UnjoinService(other_device=Fields(element).required("OtherDeviceID", parse_eui64), critical=True)


def _unjoin_non_critical(element: Element) -> UnjoinService:
    return UnjoinService(other_device=Fields(element).required("OtherDeviceID", parse_eui64), critical=False)


def _signed_pre_command(element: Element) -> SignedPreCommand:
    fields = Fields(element)
    return SignedPreCommand(
        execution_date_time=fields.optional("ExecutionDateTime", date_time),
        gbcs=fields.required("GBCSPayload", octets_from_base64),
    )


def _read_device_log(element: Element) -> ReadDeviceLog:
    fields = Fields(element)
    return ReadDeviceLog(
        execution_date_time=fields.optional("ExecutionDateTime", date_time),
        read_security_details=fields.find("ReadSecurityDetails") is not None,
    )


def _update_han_device_log(element: Element) -> UpdateHanDeviceLog:
    fields = Fields(element)
    whitelist = fields.find("AddDeviceToCHFWhitelist")
    return UpdateHanDeviceLog(
        execution_date_time=fields.optional("ExecutionDateTime", date_time),
        device=fields.required("DeviceID", parse_eui64),
        add=fields.required("RequestType", _adds),
        whitelist=None if whitelist is None else _whitelist_details(whitelist),
    )


def _adds(request_type: str) -> bool:
    if request_type not in {"Add", "Remove"}:
        raise DecodeError(f"neither Add nor Remove: {request_type[:40]!r}")
    return request_type == "Add"


def _whitelist_details(element: Element) -> WhitelistDetails:
    fields = Fields(element)
    return WhitelistDetails(
        join_time_period_s=fields.required("JoinTimePeriod", number),
        install_code=fields.required("InstallCode", octets_from_hex),
        import_mpxn=fields.optional("ImportMPxN", str),
        secondary_import_mpan=fields.optional("SecondaryImportMPAN", str),
        export_mpan=fields.optional("ExportMPAN", str),
    )


def _restore_han_device_log(element: Element) -> RestoreHanDeviceLog:
    return RestoreHanDeviceLog(old_chf=Fields(element).required("OldCHFID", parse_eui64))


def _restore_gpf_device_log(element: Element) -> RestoreGpfDeviceLog:
    return RestoreGpfDeviceLog(old_gpf=Fields(element).required("OldGPFID", parse_eui64))


def _return_local_command_response(element: Element) -> ReturnLocalCommandResponse:
    fields = Fields(element)
    return ReturnLocalCommandResponse(
        original_request_id=fields.optional("OriginalRequestID", parse_request_id),
        gbcs=fields.required("DeviceGBCSResponse", octets_from_base64),
    )


def _commission_device(element: Element) -> CommissionDevice:
    fields = Fields(element)
    return CommissionDevice(
        current_date_time=fields.required("CurrentDateTime", date_time),
        tolerance_period_s=fields.required("TolerancePeriod", number),
    )


def _read_inventory(element: Element) -> ReadInventory | OtherService:
    criterion = only_child(element)
    match name_of(criterion):
        case "DeviceID":
            return ReadInventory(device=value_of(criterion, parse_eui64))
        case "UPRN":
            return ReadInventory(uprn=value_of(criterion, word))
        case "MPxN":
            return ReadInventory(mpxn=value_of(criterion, word))
        case "PropertyFilter":
            place = Fields(criterion)
            return ReadInventory(
                post_code=place.required("PostCode", word),
                address_identifier=place.required("AddressIdentifier", str),
            )
        case _:
            return OtherService(element=name_of(element))


def _decommission_device(element: Element) -> DecommissionDevice:
    return DecommissionDevice(device=Fields(element).required("DeviceID", parse_eui64))


def _read_event_or_security_log(element: Element) -> ReadEventOrSecurityLog:
    fields = Fields(element)
    period = Fields(fields.element("ReadLogPeriod"))
    return ReadEventOrSecurityLog(
        log=fields.required("LogToRead", word),
        start=period.required("StartDateTime", date_time),
        end=period.required("EndDateTime", date_time),
    )


_SERVICES: dict[str, Callable[[Element], RequestBody]] = {
    SR + "JoinServiceCritical": _join_critical,
    SR + "JoinServiceNonCritical": _join_non_critical,
    SR + "UnjoinServiceCritical": _unjoin_critical,
    SR + "UnjoinServiceNonCritical": _unjoin_non_critical,
    SR + "SignedPreCommand": _signed_pre_command,
    SR + "ReadDeviceLog": _read_device_log,
    SR + "UpdateHANDeviceLog": _update_han_device_log,
    SR + "RestoreHANDeviceLog": _restore_han_device_log,
    SR + "RestoreGPFDeviceLog": _restore_gpf_device_log,
    SR + "ReturnLocalCommandResponse": _return_local_command_response,
    SR + "CommissionDeviceSynchroniseClock": _commission_device,
    SR + "ReadInventory": _read_inventory,
    SR + "DecommissionDevice": _decommission_device,
    SR + "ReadEventOrSecurityLog": _read_event_or_security_log,
}
