"""Write DUIS documents: prefix `sr`, unsigned (the DUIS XSD lets `ds:Signature` be absent in both directions)."""

from __future__ import annotations

from functools import singledispatch

from joinbridge.wire.duis.markup import base64_element, element, escaped, text_element, time_element, value_element
from joinbridge.wire.duis.messages import (
    DccAlert,
    DeviceAlert,
    DuisDocument,
    DuisResponse,
    FutureDatedAlert,
    GbcsPayload,
    InventoryDevice,
    InventoryListing,
    LocalCommand,
    PreCommand,
    ResponseBody,
    ResponsePayload,
    ServiceResponse,
    Smets1Response,
)
from joinbridge.wire.duis.requests import DuisRequest
from joinbridge.wire.duis.write_alerts import dcc_alert_element
from joinbridge.wire.duis.write_services import service_element


def write_duis(document: DuisDocument) -> bytes:
    """Return `document` as UTF-8 XML; `parse_duis` reads the same value from it.

    What the schema enumerates (codes, service references) or bounds (lengths, counts) is written as given. An
    `OtherService` becomes an empty element, which is valid for services without mandatory content, such as
    ReadInstantaneousImportRegisters; a `Smets1Response` becomes an empty message with a signature that signs nothing.

    Raises: ValueError when the value does not hold what the element needs (`OtherPayload`, `OtherDccAlert`, a
        `DeviceStatusChange` of unknown content), a time is naive, or a text has a character that XML cannot hold.
    """
    if isinstance(document, DuisRequest):
        name, content = "Request", _request_header(document) + element("Body", service_element(document.body))
    else:
        name, content = "Response", _response_header(document) + element("Body", _body_element(document.body))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<sr:{name} xmlns:sr="http://www.dccinterface.co.uk/ServiceUserGateway" '
        f'schemaVersion="{escaped(document.schema_version)}">{content}</sr:{name}>'
    ).encode()


def _request_header(request: DuisRequest) -> str:
    first = request.first_in_sequence
    return element(
        "Header",
        value_element("RequestID", request.request_id),
        "" if first is None else element("FirstInSequence", "true" if first else "false"),
        value_element("PrecedingServiceRequestID", request.preceding_request_id),
        value_element("CommandVariant", request.command_variant),
        text_element("ServiceReference", request.service_reference),
        text_element("ServiceReferenceVariant", request.service_reference_variant),
    )


def _response_header(response: DuisResponse) -> str:
    return element(
        "Header",
        value_element("RequestID", response.request_id),
        value_element("ResponseID", response.response_id),
        text_element("ResponseCode", response.response_code),
        time_element("ResponseDateTime", response.response_date_time),
    )


@singledispatch
def _body_element(body: ResponseBody) -> str:
    raise TypeError(f"not a response: {type(body).__name__}")


@_body_element.register
def _service_response(body: ServiceResponse) -> str:
    return element(
        "ResponseMessage",
        text_element("ServiceReference", body.service_reference),
        text_element("ServiceReferenceVariant", body.service_reference_variant),
        "" if body.payload is None else _payload_element(body.payload),
    )


@_body_element.register
def _device_alert(body: DeviceAlert) -> str:
    return element(
        "DeviceAlertMessage",
        text_element("AlertCode", body.alert_code),
        value_element("ThrottledAlertSequenceId", body.throttled_alert_sequence_id),
        value_element("ThrottledAlertCount", body.throttled_alert_count),
        base64_element("GBCSPayload", body.gbcs),
    )


@_body_element.register
def _dcc_alert(body: DccAlert) -> str:
    return element(
        "DCCAlertMessage",
        text_element("DCCAlertCode", body.alert_code),
        value_element("ThrottledAlertSequenceId", body.throttled_alert_sequence_id),
        value_element("ThrottledAlertCount", body.throttled_alert_count),
        element("DCCAlert", dcc_alert_element(body.alert)),
    )


@_body_element.register
def _smets1_response(_body: Smets1Response) -> str:
    return _SMETS1_SKELETON


@singledispatch
def _payload_element(payload: ResponsePayload) -> str:
    raise ValueError(f"{type(payload).__name__} does not hold what is to be written")


@_payload_element.register
def _gbcs_payload(payload: GbcsPayload) -> str:
    return base64_element("GBCSPayload", payload.gbcs)


@_payload_element.register
def _local_command(payload: LocalCommand) -> str:
    return element("LocalCommand", base64_element("GBCSPayload", payload.gbcs))


@_payload_element.register
def _pre_command(payload: PreCommand) -> str:
    return element(
        "PreCommand",
        text_element("GBCSVersion", payload.gbcs_version),
        base64_element("GBCSPayload", payload.gbcs),
    )


@_payload_element.register
def _future_dated_alert(payload: FutureDatedAlert) -> str:
    return element(
        "FutureDatedDeviceAlertMessage",
        text_element("FutureDatedAlertCode", payload.alert_code),
        base64_element("GBCSPayload", payload.gbcs),
        value_element("InstructionNumber", payload.instruction_number),
        value_element("TotalCommandInstructions", payload.total_command_instructions),
    )


@_payload_element.register
def _inventory(payload: InventoryListing) -> str:
    return element("DSPInventory", *map(_inventory_device, payload.devices))


def _inventory_device(device: InventoryDevice) -> str:
    return element(
        "Device",
        value_element("DeviceID", device.device),
        text_element("DeviceType", device.device_type),
        text_element("DeviceStatus", device.device_status),
        text_element("DeviceManufacturer", device.manufacturer),
        text_element("DeviceModel", device.model),
        text_element("SMETSCHTSVersion", device.smets_chts_version),
        text_element("DeviceFirmwareVersion", device.firmware_version),
        text_element("CSPRegion", device.csp_region),
        text_element("DeviceGBCSVersion", device.gbcs_version),
        text_element("HANVariant", device.han_variant),
        text_element("Connectivity", device.connectivity),
    )


# The least that the schema accepts: DUIS XSD, types SMETS1ResponseMessage and SMETS1SignedResponse.
_SMETS1_SKELETON = (
    '<sr:SMETS1ResponseMessage><sr:SMETS1SignedResponse schemaVersion="5.4">'
    '<sr:SMETS1Response xmlns:ra="http://www.dccinterface.co.uk/ResponseAndAlert"><sr:Header>'
    "<ra:BusinessOriginatorID>00-00-00-00-00-00-00-00</ra:BusinessOriginatorID>"
    "<ra:BusinessTargetID>00-00-00-00-00-00-00-00</ra:BusinessTargetID>"
    "<ra:OriginatorCounter>0</ra:OriginatorCounter>"
    "</sr:Header><sr:Body><sr:DeviceAlertMessage/></sr:Body></sr:SMETS1Response>"
    '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>'
    '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>'
    '<ds:Reference URI=""><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    "<ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>"
    "</sr:SMETS1SignedResponse></sr:SMETS1ResponseMessage>"
)
