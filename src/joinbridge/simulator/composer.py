"""Write what devices and the DSP say as octets: GBCS envelopes with protections of the right size, and the DUIS documents around them.

Signatures and MACs are repeatable random octets: they have the form, and verify with nobody's key.
"""

from __future__ import annotations

from datetime import datetime
from random import Random

from joinbridge.core.ids import Eui64, RequestId, WireKey
from joinbridge.core.vocabulary import AlertCode, Cra, DeviceType, MessageCode
from joinbridge.simulator.devices import Command, Device
from joinbridge.wire.duis.messages import DccAlert, DccAlertBody, DeviceAlert, DuisResponse, ResponsePayload, ServiceResponse
from joinbridge.wire.duis.requests import DuisRequest, RequestBody
from joinbridge.wire.duis.write import write_duis
from joinbridge.wire.gbcs import MAC_SIZE, SIGNATURE_SIZE, GbcsMessage, encode_gbcs
from joinbridge.wire.payloads import Payload, encode_payload
from joinbridge.wire.payloads.alerts import AlertProfile, DiscardedMessage, GenericAlert
from joinbridge.wire.payloads.join import JoinCommand, UnjoinCommand

XML = "application/xml"
HEX = "application/vnd.gbcs+hex"
BASE64 = "application/vnd.gbcs+base64"
OCTETS = "application/octet-stream"

GBCS_VERSION = "4.2"


def invoke_id(counter: int) -> int:
    """Return the DLMS invoke-id that repeats a counter (docs/domain.md, "Two keys")."""
    return 0x20000000 | counter & 0xFFFFFF


def pre_command(request_id: RequestId, message_code: int, payload: JoinCommand | UnjoinCommand | bytes, signed_by: Random | None) -> bytes:
    """Return the command of a critical request as the DSP returns it, or signed by its User."""
    return encode_gbcs(
        GbcsMessage(
            cra=Cra.COMMAND,
            counter=request_id.counter,
            originator=request_id.remote,
            recipient=request_id.device,
            message_code=message_code,
            content=payload if isinstance(payload, bytes) else encode_payload(payload),
            signature=None if signed_by is None else signed_by.randbytes(SIGNATURE_SIZE),
        )
    )


def answer(command: Command, payload: Payload | bytes, octets: Random, *, signed: bool) -> bytes:
    """Return a device's answer: the header of `command` mirrored, signed (shape B) or MAC'd (shape A)."""
    supplementary = command.supplementary
    return encode_gbcs(
        GbcsMessage(
            cra=Cra.RESPONSE,
            counter=command.wire.counter,
            originator=command.wire.device,
            recipient=command.wire.remote,
            message_code=command.message_code,
            content=payload if isinstance(payload, bytes) else encode_payload(payload),
            supplementary_party=None if supplementary is None else supplementary.remote,
            supplementary_counter=None if supplementary is None else supplementary.counter,
            signature=octets.randbytes(SIGNATURE_SIZE) if signed else b"",
            mac=None if signed else octets.randbytes(MAC_SIZE),
        )
    )


def alert(device: Device, counter: int, recipient: Eui64, message_code: int, payload: Payload, octets: Random) -> bytes:
    """Return an alert of `device` with its own `counter`, MAC'd unless its use case is the critical one."""
    signed = message_code == MessageCode.GCA
    return encode_gbcs(
        GbcsMessage(
            cra=Cra.ALERT,
            counter=counter,
            originator=device.device_id,
            recipient=recipient,
            message_code=message_code,
            content=encode_payload(payload),
            signature=octets.randbytes(SIGNATURE_SIZE) if signed else b"",
            mac=None if signed else octets.randbytes(MAC_SIZE),
        )
    )


def generic_alert(code: int, at: datetime, profile: AlertProfile, counter: int) -> GenericAlert:
    """Return an alert that says no more than a code and the device's time."""
    if profile == "zigbee":
        return GenericAlert(alert_code=code, at=at.replace(microsecond=0), profile=profile)
    return GenericAlert(alert_code=code, at=at, invoke_id=invoke_id(counter))


def profile_of(device_type: DeviceType) -> AlertProfile:
    """Return how a device of that type writes generic alerts."""
    return "zigbee" if device_type in (DeviceType.GSME, DeviceType.GPF) else "dlms"


def discarded(code: int, at: datetime, wire: WireKey, cra: Cra, counter: int) -> DiscardedMessage:
    """Return the hub's word that it dropped a command or its answer, by the ids and the counter of the dropped message's own header."""
    response = cra is Cra.RESPONSE
    return DiscardedMessage(
        alert_code=code,
        at=at,
        originator=wire.device if response else wire.remote,
        target=wire.remote if response else wire.device,
        cra=cra,
        counter=wire.counter,
        invoke_id=invoke_id(counter),
    )


def request(request_id: RequestId, srv: str, command_variant: int, body: RequestBody) -> bytes:
    """Return what a User asks of the DSP."""
    return write_duis(
        DuisRequest(
            request_id=request_id,
            command_variant=command_variant,
            service_reference=_reference(srv),
            service_reference_variant=srv,
            body=body,
        )
    )


def acknowledgement(request_id: RequestId, srv: str, code: str, at: datetime) -> bytes:
    """Return the DSP's synchronous word on a request: accepted (I99) or refused (E…)."""
    return response(request_id, srv, code, at, None, from_device=False)


def response(request_id: RequestId, srv: str, code: str, at: datetime, payload: ResponsePayload | None, *, from_device: bool) -> bytes:
    """Return a response; `from_device` gives it the ResponseID of an asynchronous one."""
    swapped = RequestId(request_id.device, request_id.remote, request_id.counter) if from_device else None
    return write_duis(
        DuisResponse(
            request_id=request_id,
            response_id=swapped,
            response_code=code,
            response_date_time=at,
            body=ServiceResponse(service_reference=_reference(srv), service_reference_variant=srv, payload=payload),
        )
    )


def device_alert(code: int, gbcs: bytes, at: datetime) -> bytes:
    """Return a device's alert as the DSP forwards it to its User."""
    return write_duis(DuisResponse(response_code="I0", response_date_time=at, body=DeviceAlert(alert_code=f"{code:04X}", gbcs=gbcs)))


def dcc_alert(code: str, body: DccAlertBody, at: datetime) -> bytes:
    """Return an alert of the DSP itself."""
    return write_duis(DuisResponse(response_code="I0", response_date_time=at, body=DccAlert(alert_code=code, alert=body)))


def message_code_of_alert(code: int) -> int:
    """Return the GBCS message code under which an alert with its own use case travels; generic alerts have none here."""
    return _OWN_USE_CASE.get(code, MessageCode.GNCA)


_OWN_USE_CASE: dict[int, MessageCode] = {
    AlertCode.CHF_DEVICE_LOG_CHANGED: MessageCode.CS14,
    AlertCode.GPF_DEVICE_LOG_CHANGED: MessageCode.GCS62,
    AlertCode.MESSAGE_DISCARDED: MessageCode.DBCH10,
    AlertCode.NOT_DELIVERED_TO_ESME: MessageCode.ALERT_8F84,
    # Critical in one maker's manual (docs/domain.md, "Alerts").
    AlertCode.DEVICE_COMMISSIONED: MessageCode.GCA,
}


def _reference(srv: str) -> str:
    """Return the service reference of a variant: 8.7 of 8.7.2, but 8.9 of 8.9."""
    return srv.rpartition(".")[0] if srv.count(".") == 2 else srv
