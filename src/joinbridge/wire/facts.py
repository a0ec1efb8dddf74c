"""From wire values to the facts that the engine knows. What concerns no join gives no fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from joinbridge.core.facts import (
    Authenticity,
    CommandFailed,
    CommandNotExecuted,
    DeviceAlerted,
    DeviceDescription,
    DeviceLogRead,
    DeviceRetired,
    EventLogRead,
    Fact,
    GpfLogReported,
    GpfLogRestored,
    HubActivityRead,
    HubExchanged,
    HubLogReported,
    InventoryRead,
    JoinAnswered,
    JoinRequested,
    LogEntry,
    LoggedEvent,
    LogKind,
    MessageDiscarded,
    PreCommandReturned,
    RequestAcknowledged,
)
from joinbridge.core.ids import BusinessKey, CommandKey, Eui64, RequestId
from joinbridge.core.vocabulary import INTENT_OF_SRV, AlertCode, Cra, DeviceType, Intent, JoinRole
from joinbridge.errors import DecodeError
from joinbridge.wire.duis import messages as duis
from joinbridge.wire.duis import requests
from joinbridge.wire.gbcs import GbcsMessage, decode_gbcs
from joinbridge.wire.message import Message, in_payload
from joinbridge.wire.payloads import Payload, decode_payload
from joinbridge.wire.payloads import alerts as alert_payloads
from joinbridge.wire.payloads import gpf as gpf_payloads
from joinbridge.wire.payloads import hub as hub_payloads
from joinbridge.wire.payloads import join as join_payloads
from joinbridge.wire.payloads import logs as log_payloads
from joinbridge.wire.signature import verify_signature

_TRANSFORM = 4  # command variants: docs/domain.md, "Command variants"
_LOCAL_ONLY = (2, 6)

_RETIREMENTS = ("MeterDecommissioningOrWithdrawal", "DeviceRemovedFromInventory", "CHFDecommissioning")

_TYPES_OF_DUIS: Mapping[str, DeviceType] = {
    "GSME": DeviceType.GSME,
    "ESME": DeviceType.ESME,
    "CHF": DeviceType.CHF,
    "GPF": DeviceType.GPF,
    "HCALCS": DeviceType.HCALCS,
    "PPMID": DeviceType.PPMID,
    "IHD": DeviceType.TYPE2,
    "CAD": DeviceType.TYPE2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A fact and how far the message proves who made it."""

    fact: Fact
    authenticity: Authenticity = Authenticity.CHANNEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read: the signing keys that are known, and what the DCC Alert codes of a `CommandFailure` mean.

    The XSD binds no code to a payload (docs/domain.md, "DCC Alerts"), so the codes are configuration.
    """

    keys: Mapping[Eui64, EllipticCurvePublicKey] = field(default_factory=dict)
    not_delivered_codes: frozenset[str] = frozenset({"N12"})
    no_response_codes: frozenset[str] = frozenset({"N13"})


def facts_of(message: Message, reading: Reading) -> tuple[Told, ...]:
    """Return what `message` says that may bear on a join; empty for everything else.

    Raises: DecodeError when a GBCS payload in it is malformed, or its signature is not that of its known signer.
    """
    if isinstance(message, GbcsMessage):
        return _of_gbcs(message, reading)
    try:
        return tuple(_of_request(message, reading) if isinstance(message, requests.DuisRequest) else _of_response(message, reading))
    except DecodeError as error:
        raise in_payload(error) from error


def _of_request(request: requests.DuisRequest, reading: Reading) -> Iterator[Told]:
    srv = request.service_reference_variant
    match request.body:
        case requests.JoinService(other_device=other) | requests.UnjoinService(other_device=other):
            intent = Intent.JOIN if isinstance(request.body, requests.JoinService) else Intent.UNJOIN
            yield Told(fact=_requested(request, intent, other))
        case requests.SignedPreCommand(gbcs=octets) if srv in INTENT_OF_SRV:
            command = decode_gbcs(octets)
            match decode_payload(command):
                case join_payloads.JoinCommand() as join:
                    yield Told(fact=_requested(request, Intent.JOIN, join.other, command, join))
                case join_payloads.UnjoinCommand() as unjoin:
                    yield Told(fact=_requested(request, Intent.UNJOIN, unjoin.other, command))
        case requests.ReturnLocalCommandResponse(gbcs=octets):
            for told in _of_gbcs(decode_gbcs(octets), reading):
                handed_in = told.authenticity is Authenticity.CHANNEL
                yield Told(fact=told.fact, authenticity=Authenticity.USER_SUPPLIED) if handed_in else told


def _requested(
    request: requests.DuisRequest,
    intent: Intent,
    other: Eui64,
    command: GbcsMessage | None = None,
    join: join_payloads.JoinCommand | None = None,
) -> JoinRequested:
    return JoinRequested(
        request_id=request.request_id,
        intent=intent,
        srv=request.service_reference_variant,
        other=other,
        submitted=request.command_variant != _TRANSFORM,
        local_only=request.command_variant in _LOCAL_ONLY,
        wire_key=None if command is None else command.wire_key,
        role=None if join is None else _role(join),
        other_type=None if join is None else device_type(join.other_type),
    )


def _of_response(response: duis.DuisResponse, reading: Reading) -> Iterator[Told]:
    match response.body:
        case duis.ServiceResponse(payload=duis.GbcsPayload(gbcs=octets) | duis.LocalCommand(gbcs=octets)):
            yield from _of_gbcs(decode_gbcs(octets), reading)
        case duis.ServiceResponse(payload=duis.PreCommand(gbcs=octets)) if response.request_id is not None:
            yield from _of_pre_command(response.request_id, decode_gbcs(octets))
        case duis.ServiceResponse(payload=duis.InventoryListing(devices=devices)):
            yield Told(fact=InventoryRead(descriptions=tuple(_described(d) for d in devices)))
        case duis.ServiceResponse(service_reference_variant=srv, payload=None) if srv in INTENT_OF_SRV:
            if response.request_id is not None:
                yield Told(fact=_acknowledged(response.request_id, srv, response))
        case duis.DeviceAlert(gbcs=octets):
            yield from _of_gbcs(decode_gbcs(octets), reading)
        case duis.DccAlert() as alert:
            for fact in _of_dcc_alert(alert, reading):
                yield Told(fact=fact)


def _acknowledged(request_id: RequestId, srv: str, response: duis.DuisResponse) -> RequestAcknowledged:
    asynchronous = response.response_id is not None
    return RequestAcknowledged(request_id=request_id, srv=srv, code=response.response_code, asynchronous=asynchronous)


def _of_pre_command(request_id: RequestId, command: GbcsMessage) -> Iterator[Told]:
    match decode_payload(command):
        case join_payloads.JoinCommand() as join:
            yield Told(
                fact=PreCommandReturned(
                    request_id=request_id,
                    intent=Intent.JOIN,
                    other=join.other,
                    role=_role(join),
                    other_type=device_type(join.other_type),
                )
            )
        case join_payloads.UnjoinCommand(other=other):
            yield Told(fact=PreCommandReturned(request_id=request_id, intent=Intent.UNJOIN, other=other, role=None, other_type=None))


def _of_dcc_alert(alert: duis.DccAlert, reading: Reading) -> Iterator[Fact]:
    match alert.alert:
        case duis.CommandFailure(request_id=request_id):
            no_response = True if alert.alert_code in reading.no_response_codes else None
            if alert.alert_code in reading.not_delivered_codes:
                no_response = False
            yield CommandFailed(request_id=request_id, alert_code=alert.alert_code, no_response=no_response)
        case duis.DeviceLogRestored() as restored:
            yield HubExchanged(old_chf=restored.old_chf, new_chf=restored.new_chf, old_gpf=restored.old_gpf, new_gpf=restored.new_gpf)
        case duis.PpmidRemoval(ppmid=device):
            yield DeviceRetired(device=device, reason="PPMIDRemoval")
        case duis.DiscardedDuisMessage(request_id=request_id, cra=cra) if cra != "Alert":
            yield MessageDiscarded(key=request_id, cra=Cra.COMMAND if cra == "Command" else Cra.RESPONSE)
        case duis.DeviceStatusChange(device=device, change=change, associated=associated) if change in _RETIREMENTS:
            for gone in (device, *(a.device for a in associated)):
                yield DeviceRetired(device=gone, reason=change)


def _of_gbcs(message: GbcsMessage, reading: Reading) -> tuple[Told, ...]:
    payload = decode_payload(message)
    if payload is None:
        return ()
    business_key = message.business_key
    if business_key is None:
        facts = tuple(_of_alert(message, payload))
    elif message.cra is Cra.RESPONSE:
        facts = tuple(_of_answer(message, business_key, payload))
    else:
        facts = tuple(_of_command(message, business_key, payload))
    if not facts:
        return ()
    authenticity = _authenticity(message, reading)
    return tuple(Told(fact=fact, authenticity=authenticity) for fact in facts)


def _authenticity(message: GbcsMessage, reading: Reading) -> Authenticity:
    key = reading.keys.get(message.originator) if message.signature else None
    if key is None:
        return Authenticity.CHANNEL
    if not verify_signature(message, key):
        raise DecodeError(f"the signature is not that of {message.originator}", message.content_offset + len(message.content))
    return Authenticity.VERIFIED


def _of_command(message: GbcsMessage, request_id: RequestId, payload: Payload) -> Iterator[Fact]:
    match payload:
        case join_payloads.JoinCommand(other=other):
            intent, role, other_type = Intent.JOIN, _role(payload), device_type(payload.other_type)
        case join_payloads.UnjoinCommand(other=other):
            intent, role, other_type = Intent.UNJOIN, None, None
        case _:
            return
    yield JoinRequested(
        request_id=request_id,
        intent=intent,
        srv=None,
        other=other,
        submitted=message.mac is not None or bool(message.signature),
        wire_key=message.wire_key,
        role=role,
        other_type=other_type,
    )


def _of_answer(message: GbcsMessage, business_key: BusinessKey, payload: Payload) -> Iterator[Fact]:
    wire_key = message.wire_key
    match payload:
        case join_payloads.JoinResponse(code=code) | join_payloads.UnjoinResponse(code=code):
            intent = Intent.JOIN if isinstance(payload, join_payloads.JoinResponse) else Intent.UNJOIN
            yield JoinAnswered(business_key=business_key, wire_key=wire_key, intent=intent, code=code, message_code=message.message_code)
        case join_payloads.JoinDetails(code=code, entries=entries):
            listed = None if code != 0 or entries is None else tuple(_entry(e) for e in entries)
            yield DeviceLogRead(business_key=business_key, wire_key=wire_key, entries=listed)
        case gpf_payloads.GpfLogRestored(results=results):
            restored = tuple((_entry(e), code) for e, code in results)
            yield GpfLogRestored(business_key=business_key, wire_key=wire_key, results=restored)
        case hub_payloads.HubLogs(current=current) if current is not None:
            yield HubLogReported(device=message.device, device_time=current.backup_time, entries=_listed(current.entries))
        case hub_payloads.ActiveDevices(entries=active) if active is not None:
            yield HubActivityRead(device=message.device, entries=tuple((d.device, d.last_communication) for d in active))
        case log_payloads.EventLog(entries=logged) if logged is not None:
            yield EventLogRead(
                business_key=business_key,
                wire_key=wire_key,
                kind=LogKind(payload.kind),
                entries=tuple(LoggedEvent(e.at, e.code, _command_code(e)) for e in logged),
            )


def _of_alert(message: GbcsMessage, payload: Payload) -> Iterator[Fact]:
    match payload:
        case gpf_payloads.GpfLogChanged(at=at, entries=entries):
            yield GpfLogReported(device=message.device, device_time=at, entries=tuple(_entry(e) for e in entries))
        case hub_payloads.HubLogChanged(at=at, entries=hub_entries):
            yield HubLogReported(device=message.device, device_time=at, entries=_listed(hub_entries))
        case alert_payloads.UnsupportedCommand(alert_code=alert_code, message_code=message_code, counter=counter):
            # In a fixed order, as the place of a fact in its message is a part of its name.
            for remote in dict.fromkeys((message.recipient, message.supplementary_party or message.recipient)):
                key = CommandKey(remote, message.device, counter)
                yield CommandNotExecuted(key=key, alert_code=alert_code, message_code=message_code)
        case alert_payloads.GenericAlert(alert_code=alert_code, at=at):
            yield DeviceAlerted(device=message.device, code=alert_code, device_time=at)
        case alert_payloads.DiscardedMessage(alert_code=AlertCode.NOT_DELIVERED_TO_ESME) as undelivered:
            yield CommandNotExecuted(key=_quoted(undelivered), alert_code=undelivered.alert_code)
        case alert_payloads.DiscardedMessage(cra=Cra.COMMAND) as dropped:
            yield MessageDiscarded(key=_quoted(dropped), cra=Cra.COMMAND)
        case alert_payloads.DiscardedMessage(cra=Cra.RESPONSE) as dropped:
            # The two ids are those of its header, so a response has the device first. No sample of a dropped response exists, and the
            # field names of the alert suggest the request's order: both are given, since only one of them can name a request.
            yield MessageDiscarded(key=CommandKey(dropped.target, dropped.originator, dropped.counter), cra=Cra.RESPONSE)
            yield MessageDiscarded(key=_quoted(dropped), cra=Cra.RESPONSE)


def _quoted(quoting: alert_payloads.DiscardedMessage) -> CommandKey:
    """Return the reference to a dropped message (8F2C) or undelivered command (8F84), read as that of a command."""
    return CommandKey(quoting.originator, quoting.target, quoting.counter)


def _described(device: duis.InventoryDevice) -> DeviceDescription:
    return DeviceDescription(
        device.device,
        _TYPES_OF_DUIS.get(device.device_type),
        device.manufacturer,
        device.model,
        device.firmware_version,
        device.csp_region,
    )


def _entry(entry: join_payloads.DeviceEntry) -> LogEntry:
    return LogEntry(entry.device, device_type(entry.device_type))


def _listed(entries: tuple[hub_payloads.HubEntry, ...]) -> tuple[tuple[Eui64, bool], ...]:
    return tuple((e.device, bool(e.link_key_hash)) for e in entries)


def _command_code(entry: log_payloads.LoggedEntry) -> int | None:
    return int.from_bytes(entry.other_info, "big") if len(entry.other_info) == 2 else None


def device_type(number: int) -> DeviceType | None:
    """Return the device type with GBCS number `number`; None for one that GBCS does not have."""
    return DeviceType(number) if number in _TYPE_NUMBERS else None


_TYPE_NUMBERS = frozenset(DeviceType)
_ROLE_NUMBERS = frozenset(JoinRole)


def _role(join: join_payloads.JoinCommand) -> JoinRole | None:
    return JoinRole(join.role) if join.role in _ROLE_NUMBERS else None
