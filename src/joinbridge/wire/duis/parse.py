"""Read a DUIS document: its envelope, and the payload of a response.

`services` reads what a request asks for, `alerts` what a DCC Alert tells.
"""

from __future__ import annotations

from collections.abc import Callable

from joinbridge.core.ids import parse_eui64, parse_request_id
from joinbridge.wire.duis.alerts import read_dcc_alert
from joinbridge.wire.duis.document import Element, ElementError, read_document
from joinbridge.wire.duis.fields import SR, Fields, children_named, name_of, only_child, value_of
from joinbridge.wire.duis.lexical import boolean, date_time, hex_digits, number, octets_from_base64, word
from joinbridge.wire.duis.messages import (
    DeviceAlert,
    DuisDocument,
    DuisResponse,
    FutureDatedAlert,
    GbcsPayload,
    InventoryDevice,
    InventoryListing,
    LocalCommand,
    OtherPayload,
    PreCommand,
    ResponseBody,
    ResponsePayload,
    ServiceResponse,
    Smets1Response,
)
from joinbridge.wire.duis.requests import DuisRequest
from joinbridge.wire.duis.services import read_service


def parse_duis(data: bytes) -> DuisDocument:
    """Return what the DUIS document `data` says. Its XML signature, if it has one, is not verified.

    Any schema version and any prefixes will do; what joinbridge does not act on becomes a value of an `Other…` type.

    Raises: DecodeError, and nothing else, whatever the octets; its offset is that of the line where the trouble starts.
    """
    root = read_document(data)
    try:
        return _DOCUMENTS.get(root.tag, _neither)(root)
    except ElementError as error:
        raise error.located_in(data) from error


def _request(root: Element) -> DuisRequest:
    envelope = Fields(root)
    header = Fields(envelope.element("Header"))
    return DuisRequest(
        request_id=header.required("RequestID", parse_request_id),
        first_in_sequence=header.optional("FirstInSequence", boolean),
        preceding_request_id=header.optional("PrecedingServiceRequestID", parse_request_id),
        command_variant=header.required("CommandVariant", number),
        service_reference=header.required("ServiceReference", word),
        service_reference_variant=header.required("ServiceReferenceVariant", word),
        body=read_service(only_child(envelope.element("Body"))),
        schema_version=_schema_version(root),
    )


def _response(root: Element) -> DuisResponse:
    envelope = Fields(root)
    header = Fields(envelope.element("Header"))
    return DuisResponse(
        request_id=header.optional("RequestID", parse_request_id),
        response_id=header.optional("ResponseID", parse_request_id),
        response_code=header.required("ResponseCode", word),
        response_date_time=header.required("ResponseDateTime", date_time),
        body=_response_body(only_child(envelope.element("Body"))),
        schema_version=_schema_version(root),
    )


def _neither(root: Element) -> DuisDocument:
    raise ElementError(root, f"{name_of(root)[:120]} is neither a DUIS Request nor a DUIS Response")


def _schema_version(root: Element) -> str:
    version = root.get("schemaVersion")
    if version is None:
        raise ElementError(root, f"{name_of(root)} has no schemaVersion")
    return version.strip()


def _response_body(element: Element) -> ResponseBody:
    read = _BODIES.get(element.tag)
    if read is None:
        # Unlike a payload, a fifth kind of response must be understood: nothing says what its header stands for.
        raise ElementError(element, f"{name_of(element)[:120]} is no kind of response")
    return read(element)


def _service_response(element: Element) -> ServiceResponse:
    fields = Fields(element)
    payload = fields.chosen(_PAYLOADS, beside=_REFERENCES)
    return ServiceResponse(
        service_reference=fields.required("ServiceReference", word),
        service_reference_variant=fields.required("ServiceReferenceVariant", word),
        payload=None if payload is None else _PAYLOADS.get(payload.tag, _other_payload)(payload),
    )


def _gbcs_payload(element: Element) -> GbcsPayload:
    return GbcsPayload(gbcs=value_of(element, octets_from_base64))


def _local_command(element: Element) -> LocalCommand:
    return LocalCommand(gbcs=Fields(element).required("GBCSPayload", octets_from_base64))


def _pre_command(element: Element) -> PreCommand:
    fields = Fields(element)
    return PreCommand(
        gbcs_version=fields.required("GBCSVersion", str),
        gbcs=fields.required("GBCSPayload", octets_from_base64),
    )


def _future_dated_alert(element: Element) -> FutureDatedAlert:
    fields = Fields(element)
    return FutureDatedAlert(
        alert_code=fields.required("FutureDatedAlertCode", hex_digits),
        gbcs=fields.required("GBCSPayload", octets_from_base64),
        instruction_number=fields.required("InstructionNumber", number),
        total_command_instructions=fields.required("TotalCommandInstructions", number),
    )


def _inventory(element: Element) -> InventoryListing:
    return InventoryListing(devices=tuple(_inventory_device(child) for child in children_named(element, "Device")))


def _inventory_device(element: Element) -> InventoryDevice:
    fields = Fields(element)
    return InventoryDevice(
        device=fields.required("DeviceID", parse_eui64),
        device_type=fields.required("DeviceType", word),
        manufacturer=fields.required("DeviceManufacturer", str),
        model=fields.required("DeviceModel", str),
        device_status=fields.optional("DeviceStatus", str),
        smets_chts_version=fields.optional("SMETSCHTSVersion", str),
        firmware_version=fields.optional("DeviceFirmwareVersion", str),
        csp_region=fields.optional("CSPRegion", str),
        gbcs_version=fields.optional("DeviceGBCSVersion", str),
        han_variant=fields.optional("HANVariant", str),
        connectivity=fields.optional("Connectivity", str),
    )


def _other_payload(element: Element) -> OtherPayload:
    return OtherPayload(element=name_of(element))


def _device_alert(element: Element) -> DeviceAlert:
    fields = Fields(element)
    return DeviceAlert(
        alert_code=fields.required("AlertCode", hex_digits),
        throttled_alert_sequence_id=fields.optional("ThrottledAlertSequenceId", number),
        throttled_alert_count=fields.optional("ThrottledAlertCount", number),
        gbcs=fields.required("GBCSPayload", octets_from_base64),
    )


def _smets1_response(_element: Element) -> Smets1Response:
    return Smets1Response()


_DOCUMENTS: dict[str, Callable[[Element], DuisDocument]] = {SR + "Request": _request, SR + "Response": _response}
_BODIES: dict[str, Callable[[Element], ResponseBody]] = {
    SR + "ResponseMessage": _service_response,
    SR + "DeviceAlertMessage": _device_alert,
    SR + "DCCAlertMessage": read_dcc_alert,
    SR + "SMETS1ResponseMessage": _smets1_response,
}
_REFERENCES = frozenset({SR + "ServiceReference", SR + "ServiceReferenceVariant"})
_PAYLOADS: dict[str, Callable[[Element], ResponsePayload]] = {
    SR + "GBCSPayload": _gbcs_payload,
    SR + "LocalCommand": _local_command,
    SR + "PreCommand": _pre_command,
    SR + "FutureDatedDeviceAlertMessage": _future_dated_alert,
    SR + "DSPInventory": _inventory,
}
