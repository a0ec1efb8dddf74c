"""A decoded message as plain JSON values, for `decode` and for people. Key material is never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from enum import Enum
from typing import Any

from joinbridge.core.ids import CommandKey
from joinbridge.core.vocabulary import JOIN_MESSAGE_CODES, UNJOIN_MESSAGE_CODES, AlertCode, JoinCode, MessageCode, UnjoinCode
from joinbridge.errors import DecodeError
from joinbridge.wire.duis import messages as duis
from joinbridge.wire.duis import requests
from joinbridge.wire.gbcs import GbcsMessage, decode_gbcs
from joinbridge.wire.message import Message, in_payload
from joinbridge.wire.payloads import Payload, decode_payload
from joinbridge.wire.payloads.join import JoinResponse, UnjoinResponse
from joinbridge.wire.payloads.logs import LoggedEntry
from joinbridge.wire.use_cases import use_case_name

_UNSHOWN = ("gbcs", "install_code", "key")
"""The nested message, which is described beside its holder, and key material."""

_HEXADECIMAL = ("alert_code", "message_code")


def describe(message: Message) -> dict[str, object]:
    """Return what `message` is and says, as plain JSON values.

    A payload that joinbridge knows but no decision rests on may be unreadable: then `payload` is None and `payload_error` says why.
    Raises: DecodeError when a payload that a decision can rest on is malformed.
    """
    if isinstance(message, GbcsMessage):
        return {"format": "gbcs", **_gbcs(message)}
    return {"format": "duis", **_duis(message)}


_MUST_BE_READ = JOIN_MESSAGE_CODES | UNJOIN_MESSAGE_CODES | {MessageCode.CS07, MessageCode.GCS62, MessageCode.GCS59, MessageCode.CS14}
"""Use cases that a decision can rest on: with these, a payload that cannot be read is a message that cannot be read."""


def _gbcs(message: GbcsMessage) -> dict[str, object]:
    payload: Payload | None = None
    unread: dict[str, object] = {}
    try:
        payload = decode_payload(message)
    except DecodeError as error:
        if message.message_code in _MUST_BE_READ:
            raise
        unread = {"payload_error": {"error": error.reason, "offset": error.offset}}
    return {
        "cra": message.cra.name.lower(),
        "originator": message.originator,
        "recipient": message.recipient,
        "originator_counter": message.counter,
        "message_code": f"{message.message_code:04X}",
        "use_case": use_case_name(message.message_code),
        "supplementary_party": message.supplementary_party,
        "supplementary_counter": message.supplementary_counter,
        "supplementary_originator_counter": message.supplementary_originator_counter,
        "business_key": None if message.business_key is None else str(message.business_key),
        "wire_key": str(message.wire_key),
        "mac": message.mac is not None,
        "signature": bool(message.signature),
        "payload": None if payload is None else {**_fields(payload), **_meaning(payload)},
        **unread,
    }


def _meaning(payload: object) -> Mapping[str, object]:
    match payload:
        case JoinResponse(code=code) if code in set(JoinCode):
            return {"meaning": JoinCode(code).name.lower()}
        case UnjoinResponse(code=code) if code in set(UnjoinCode):
            return {"meaning": UnjoinCode(code).name.lower()}
    alert = getattr(payload, "alert_code", None)
    return {"meaning": AlertCode(alert).name.lower()} if alert in set(AlertCode) else {}


def _duis(document: duis.DuisDocument) -> dict[str, object]:
    response = document if isinstance(document, duis.DuisResponse) else None
    request = document if isinstance(document, requests.DuisRequest) else None
    octets = _gbcs_octets(document)
    return {
        "kind": duis.kind_of(document),
        "schema_version": document.schema_version,
        "request_id": None if document.request_id is None else str(document.request_id),
        "response_id": None if response is None or response.response_id is None else str(response.response_id),
        "response_code": None if response is None else response.response_code,
        "response_date_time": None if response is None else response.response_date_time.isoformat(),
        "service_reference": _attribute(document, "service_reference"),
        "service_reference_variant": _attribute(document, "service_reference_variant"),
        "command_variant": None if request is None else request.command_variant,
        "other_device": _attribute(document.body, "other_device"),
        "alert_code": _attribute(document.body, "alert_code"),
        "body": _fields(document.body),
        "gbcs": None if octets is None else _nested(octets),
    }


def _nested(octets: bytes) -> dict[str, object]:
    try:
        return _gbcs(decode_gbcs(octets))
    except DecodeError as error:
        raise in_payload(error) from error


def _gbcs_octets(document: duis.DuisDocument) -> bytes | None:
    holder: object = document.body
    if isinstance(holder, duis.ServiceResponse):
        holder = holder.payload
    octets = getattr(holder, "gbcs", None)
    return octets if isinstance(octets, bytes) else None


def _attribute(holder: object, name: str) -> object:
    value = getattr(holder, name, None)
    if value is None and isinstance(holder, duis.DuisResponse):
        value = getattr(holder.body, name, None)
    return value


# Any: a dataclass of any kind, for which there is no public type.
def _fields(value: Any) -> dict[str, object]:
    """Return a dataclass as a mapping with its type's name; what is kept only for re-encoding, or secret, is left out."""
    shown = (one.name for one in fields(value) if one.repr and one.name not in _UNSHOWN)
    return {"type": type(value).__name__, **{name: _as_the_field_says(value, name) for name in shown}}


def _as_the_field_says(holder: object, name: str) -> object:
    """Return a field as plain JSON: codes of alerts, events and messages as four hexadecimal digits, since nobody knows 8F12 as 36626."""
    value = getattr(holder, name)
    if isinstance(value, int) and (name in _HEXADECIMAL or (name == "code" and isinstance(holder, LoggedEntry))):
        return f"{value:04X}"
    return _plain(value)


def _plain(value: object) -> object:
    match value:
        case bytes():
            return value.hex().upper()
        case date():  # datetimes are dates too
            return value.isoformat()
        case Enum():
            return value.value
        case tuple():
            return [_plain(one) for one in value]
        case None | bool() | int() | str():
            return value
        case CommandKey():
            return str(value)
        case _:
            return _fields(value)
