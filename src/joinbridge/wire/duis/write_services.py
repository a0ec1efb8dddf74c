"""The service element of a DUIS request, as text."""

from __future__ import annotations

import re
from functools import singledispatch

from joinbridge.wire.duis.markup import base64_element, element, text_element, time_element, value_element
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

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*\Z")  # every element of DUIS is named so


@singledispatch
def service_element(service: RequestBody) -> str:
    """Return the element that asks for `service`."""
    raise TypeError(f"not a service: {type(service).__name__}")


@service_element.register
def _join(service: JoinService) -> str:
    name = "JoinServiceCritical" if service.critical else "JoinServiceNonCritical"
    return element(name, value_element("OtherDeviceID", service.other_device))


@service_element.register
def _unjoin(service: UnjoinService) -> str:
    name = "UnjoinServiceCritical" if service.critical else "UnjoinServiceNonCritical"
    return element(name, value_element("OtherDeviceID", service.other_device))


@service_element.register
def _signed_pre_command(service: SignedPreCommand) -> str:
    return element(
        "SignedPreCommand",
        time_element("ExecutionDateTime", service.execution_date_time),
        base64_element("GBCSPayload", service.gbcs),
    )


@service_element.register
def _read_device_log(service: ReadDeviceLog) -> str:
    return element(
        "ReadDeviceLog",
        time_element("ExecutionDateTime", service.execution_date_time),
        element("ReadSecurityDetails") if service.read_security_details else "",
    )


@service_element.register
def _update_han_device_log(service: UpdateHanDeviceLog) -> str:
    return element(
        "UpdateHANDeviceLog",
        time_element("ExecutionDateTime", service.execution_date_time),
        value_element("DeviceID", service.device),
        element("RequestType", "Add" if service.add else "Remove"),
        "" if service.whitelist is None else _whitelist_details(service.whitelist),
    )


def _whitelist_details(details: WhitelistDetails) -> str:
    return element(
        "AddDeviceToCHFWhitelist",
        value_element("JoinTimePeriod", details.join_time_period_s),
        value_element("InstallCode", details.install_code.hex().upper()),
        text_element("ImportMPxN", details.import_mpxn),
        text_element("SecondaryImportMPAN", details.secondary_import_mpan),
        text_element("ExportMPAN", details.export_mpan),
    )


@service_element.register
def _restore_han_device_log(service: RestoreHanDeviceLog) -> str:
    return element("RestoreHANDeviceLog", value_element("OldCHFID", service.old_chf))


@service_element.register
def _restore_gpf_device_log(service: RestoreGpfDeviceLog) -> str:
    return element("RestoreGPFDeviceLog", value_element("OldGPFID", service.old_gpf))


@service_element.register
def _return_local_command_response(service: ReturnLocalCommandResponse) -> str:
    return element(
        "ReturnLocalCommandResponse",
        value_element("OriginalRequestID", service.original_request_id),
        base64_element("DeviceGBCSResponse", service.gbcs),
    )


@service_element.register
def _commission_device(service: CommissionDevice) -> str:
    return element(
        "CommissionDeviceSynchroniseClock",
        time_element("CurrentDateTime", service.current_date_time),
        value_element("TolerancePeriod", service.tolerance_period_s),
    )


@service_element.register
def _read_inventory(service: ReadInventory) -> str:
    place = text_element("PostCode", service.post_code) + text_element("AddressIdentifier", service.address_identifier)
    return element(
        "ReadInventory",
        text_element("UPRN", service.uprn),
        value_element("DeviceID", service.device),
        text_element("MPxN", service.mpxn),
        element("PropertyFilter", place) if place else "",
    )


@service_element.register
def _decommission_device(service: DecommissionDevice) -> str:
    return element("DecommissionDevice", value_element("DeviceID", service.device))


@service_element.register
def _read_event_or_security_log(service: ReadEventOrSecurityLog) -> str:
    period = time_element("StartDateTime", service.start) + time_element("EndDateTime", service.end)
    return element("ReadEventOrSecurityLog", element("ReadLogPeriod", period), text_element("LogToRead", service.log))


@service_element.register
def _other_service(service: OtherService) -> str:
    if _NAME.match(service.element) is None:
        raise ValueError(f"not the name of a DUIS service: {service.element[:40]!r}")
    return element(service.element)
