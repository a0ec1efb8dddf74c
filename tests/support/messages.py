"""Messages of the home in `home`, as octets made by our own encoders: requests, answers, alerts, each with fixed defaults."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from joinbridge.core.ids import DeviceId, Eui64, RequestId
from joinbridge.core.vocabulary import AlertCode, Cra, DeviceType, MessageCode
from joinbridge.wire.duis.messages import (
    CommandFailure,
    DccAlert,
    DccAlertBody,
    DuisResponse,
    GbcsPayload,
    InventoryDevice,
    InventoryListing,
    ResponsePayload,
    ServiceResponse,
)
from joinbridge.wire.duis.requests import DuisRequest, JoinService, RequestBody, UnjoinService
from joinbridge.wire.duis.write import write_duis
from joinbridge.wire.gbcs import MAC_SIZE, GbcsMessage, encode_gbcs
from joinbridge.wire.payloads import Payload, encode_payload
from joinbridge.wire.payloads.alerts import GenericAlert
from joinbridge.wire.payloads.gpf import GpfLogChanged
from joinbridge.wire.payloads.hub import HubEntry, HubLogChanged
from joinbridge.wire.payloads.join import DeviceEntry, JoinDetails, JoinResponse, UnjoinResponse
from support.home import ACB, CHF, GPF, START, SUPPLIER, TYPES


def request_id(target: DeviceId, counter: int = 1) -> RequestId:
    """Return the RequestID of the Supplier's request to `target` with that counter."""
    return RequestId(SUPPLIER, target, counter)


def request(key: RequestId, srv: str, body: RequestBody, *, variant: int = 1) -> bytes:
    """Return a request to the DSP."""
    return write_duis(
        DuisRequest(request_id=key, command_variant=variant, service_reference=_reference(srv), service_reference_variant=srv, body=body)
    )


def join_request(target: DeviceId, other: DeviceId, counter: int = 1, *, srv: str = "8.7.2", variant: int = 1) -> bytes:
    """Return the request that `target` authorise `other`."""
    return request(request_id(target, counter), srv, JoinService(other_device=other, critical=srv == "8.7.1"), variant=variant)


def unjoin_request(target: DeviceId, other: DeviceId, counter: int = 1) -> bytes:
    """Return the request that `target` forget `other`."""
    return request(request_id(target, counter), "8.8.2", UnjoinService(other_device=other, critical=False))


def response(key: RequestId, srv: str, payload: ResponsePayload | None, *, code: str = "I0", asynchronous: bool = True) -> bytes:
    """Return a response of the DSP; an asynchronous one has a ResponseID."""
    return write_duis(
        DuisResponse(
            request_id=key,
            response_id=RequestId(key.device, key.remote, key.counter) if asynchronous else None,
            response_code=code,
            response_date_time=START,
            body=ServiceResponse(service_reference=_reference(srv), service_reference_variant=srv, payload=payload),
        )
    )


def acknowledgement(key: RequestId, code: str = "I99", *, srv: str = "8.7.2") -> bytes:
    """Return the DSP's synchronous word on a request."""
    return response(key, srv, None, code=code, asynchronous=False)


def answer(key: RequestId, message_code: int, payload: Payload) -> GbcsMessage:
    """Return a device's MAC'd answer to the command that `key` names by wire and by business."""
    return GbcsMessage(
        cra=Cra.RESPONSE,
        counter=key.counter,
        originator=key.device,
        recipient=key.remote,
        message_code=message_code,
        content=encode_payload(payload),
        mac=bytes(MAC_SIZE),
    )


def join_answer(target: DeviceId, counter: int = 1, code: int = 0) -> bytes:
    """Return the response that brings the answer of `target` to a join."""
    key = request_id(target, counter)
    return response(key, "8.7.2", GbcsPayload(gbcs=encode_gbcs(answer(key, MessageCode.CS03B, JoinResponse(code=code)))))


def unjoin_answer(target: DeviceId, counter: int = 1, code: int = 0) -> bytes:
    """Return the response that brings the answer of `target` to an unjoin."""
    key = request_id(target, counter)
    return response(key, "8.8.2", GbcsPayload(gbcs=encode_gbcs(answer(key, MessageCode.CS04B, UnjoinResponse(code=code)))))


def device_log(key: RequestId, others: Iterable[DeviceId]) -> bytes:
    """Return the response that brings the Device Log which the read `key` asked for."""
    payload = JoinDetails(code=0, entries=tuple(entry(other) for other in others))
    return response(key, "8.9", GbcsPayload(gbcs=encode_gbcs(answer(key, MessageCode.CS07, payload))))


def inventory_answer(*devices: DeviceId) -> bytes:
    """Return the answer of the inventory that tells the types of `devices`."""
    names = {device: "CAD" if TYPES[device] is DeviceType.TYPE2 else TYPES[device].name for device in devices}
    listed = tuple(InventoryDevice(device=d, device_type=name, manufacturer="Acme", model="M1") for d, name in names.items())
    return response(RequestId(SUPPLIER, ACB, 1), "8.2", InventoryListing(devices=listed))


def alert(device: DeviceId, message_code: int, payload: Payload, *, counter: int = 1, recipient: Eui64 = SUPPLIER) -> bytes:
    """Return a MAC'd alert of `device` as it comes from the CSP."""
    return encode_gbcs(
        GbcsMessage(
            cra=Cra.ALERT,
            counter=counter,
            originator=device,
            recipient=recipient,
            message_code=message_code,
            content=encode_payload(payload),
            mac=bytes(MAC_SIZE),
        )
    )


def gpf_report(others: Iterable[DeviceId], at: datetime, *, gpf: DeviceId = GPF) -> bytes:
    """Return the alert 8071 in which a Gas Proxy Function reports its whole Device Log as of `at`."""
    entries = tuple(entry(other) for other in others)
    return alert(gpf, MessageCode.GCS62, GpfLogChanged(alert_code=AlertCode.GPF_DEVICE_LOG_CHANGED, at=at, entries=entries))


def hub_report(others: Iterable[DeviceId], at: datetime, *, hub: DeviceId = CHF) -> bytes:
    """Return the alert 8F12 in which a hub lists its whitelist as of `at`; each device has a key."""
    entries = tuple(HubEntry(device=other, link_key_hash=bytes(range(16))) for other in others)
    payload = HubLogChanged(alert_code=AlertCode.CHF_DEVICE_LOG_CHANGED, at=at, backup_time=at, extended_pan_id=bytes(8), entries=entries)
    return alert(hub, MessageCode.CS14, payload)


def generic_alert(device: DeviceId, code: int, at: datetime, *, counter: int = 1) -> bytes:
    """Return an alert that is a code and a time."""
    return alert(device, MessageCode.GNCA, GenericAlert(alert_code=code, at=at), counter=counter)


def dcc_alert(code: str, body: DccAlertBody) -> bytes:
    """Return an alert of the DSP."""
    return write_duis(DuisResponse(response_code="I0", response_date_time=START, body=DccAlert(alert_code=code, alert=body)))


def command_failure(key: RequestId, code: str = "N13") -> bytes:
    """Return the DSP's word that the command of `key` failed; N13 is that the device did not answer."""
    return dcc_alert(code, CommandFailure(request_id=key, device=key.device))


def entry(other: DeviceId) -> DeviceEntry:
    """Return the entry of a Device Log for `other`."""
    return DeviceEntry(device=other, device_type=TYPES.get(other, DeviceType.TYPE2))


def _reference(srv: str) -> str:
    return srv.rpartition(".")[0] if srv.count(".") == 2 else srv
