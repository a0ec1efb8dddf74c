"""The messages of the contract: bodies, headers and their schemas. A test holds them to the messages that are really sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from joinbridge.bus.letters import to_publication
from joinbridge.bus.mqtt.messages import KEY, TIME
from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.case import Case
from joinbridge.core.draft import Draft
from joinbridge.core.effects import NoticeKind
from joinbridge.core.ids import RequestId, parse_eui64
from joinbridge.core.pair import PairState
from joinbridge.core.policy import Policy
from joinbridge.core.rules import RULES
from joinbridge.core.vocabulary import Intent
from joinbridge.ports import DeadLetter, Delivery
from joinbridge.wire.effects import CLOUD_EVENT, DUIS_XML, EVENT_SOURCE

Plain = Mapping[str, "Plain"] | Sequence["Plain"] | str | int | bool | None
Object = Mapping[str, Plain]

_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
_EUI64 = "([0-9A-F]{2}-){7}[0-9A-F]{2}"
_KEY = "The AMQP property message_id is the message's key: a copy has the same one, and the second of two can be dropped."
_PUBLISHED = "The AMQP property timestamp is when it was published; the time of arrival stands in for one that is not there."
_TRACE: Object = {"traceparent": {"type": "string", "description": "W3C trace context, where traces are exported"}}


def told_states() -> Sequence[str]:
    """Return the states that events are published of, found by trying each."""
    request_id = RequestId(parse_eui64("90-B3-D5-1F-30-01-00-00"), parse_eui64("00-11-22-33-44-55-66-01"), 1)
    told = []
    for state in AttemptState:
        draft = Draft(Case(), Policy(), _AT)
        draft.put(JoinAttempt(request_id=request_id, intent=Intent.JOIN, requested_at=_AT, state=state))
        told += [state.value] if draft.decision().effects else []
    # A pair that comes to be inferred without an attempt, and one whose proofs disagree.
    pairs = (PairState.INFERRED_SUCCESS.value, PairState.DISPUTED.value)
    return list(dict.fromkeys([*told, *pairs]))


def messages(partition_header: str) -> Object:
    """Return `components.messages`. `partition_header` chooses the partition where there are several."""
    read: Object = {**_TRACE, partition_header: {"type": "string", "description": "target device; wanted where amqp.partitions is above 1"}}
    return {
        "serviceRequest": _message("A Service Request of a User, or its Pre-Command or signed one", DUIS_XML, "duis", read),
        "serviceResponse": _message("An answer or acknowledgement of the DSP, or a DCC Alert", DUIS_XML, "duis", read),
        "deviceAlertBinary": _message("A device alert in GBCS", "application/octet-stream", "gbcsBinary", read),
        "deviceAlertHex": _message("A device alert in GBCS, in hex digits", "application/vnd.gbcs+hex", "gbcsHex", read),
        "deviceAlertBase64": _message("A device alert in GBCS, in base64", "application/vnd.gbcs+base64", "gbcsBase64", read),
        "deviceAlertDuis": _message("A device alert in a DUIS DeviceAlertMessage", DUIS_XML, "duis", read),
        "retryJoin": _message("Ask the DSP to issue an ACB-fronted Join again, under its RequestID", DUIS_XML, "duis", _TRACE),
        "probeDeviceLog": _message("Ask the DSP to read the target's Device Log (SRV 8.9)", DUIS_XML, "duis", _TRACE),
        "noticeSupplier": _message("Tell the originator of a request what became of it", CLOUD_EVENT, "notice", _TRACE),
        "joinEvent": _message("A join, an unjoin or a pair came to a state", CLOUD_EVENT, "event", _TRACE),
        "deadLetter": _message("A message that could not be processed: its body as it came", "application/octet-stream", "any", _dead()),
        "mqttAlert": {
            **_message("A device alert in any of these forms; told apart by content", "application/octet-stream", "any", _mqtt()),
            "description": "Headers are user properties of MQTT 5, which has no properties for them of its own.",
        },
    }


def schemas() -> Object:
    """Return `components.schemas`."""
    return {
        "duis": _text("DUIS 5.x XML, in UTF-8; told from GBCS by content, whatever the content type says", contentMediaType=DUIS_XML),
        "gbcsBinary": _text("A GBCS message; it begins with octet DD or DF", contentMediaType="application/octet-stream"),
        "gbcsHex": _text("The same in hex digits; white space is skipped", pattern=r"^[0-9A-Fa-f\s]+$"),
        "gbcsBase64": _text("The same in base64; white space is skipped", contentEncoding="base64"),
        "any": {"description": "Any octets"},
        "eui64": _text("A device or party", pattern=f"^{_EUI64}$"),
        "requestId": _text("originator:target:counter, the DUIS RequestID", pattern=f"^{_EUI64}:{_EUI64}:[0-9]+$"),
        "notice": _cloud_event(
            {"const": "notice.supplier"},
            _object({"request_id": _ref("requestId"), "intent": _enum(Intent), "kind": _enum(NoticeKind)}),
        ),
        "event": _cloud_event(
            {"type": "string", "enum": [f"join.{state}" for state in told_states()]},
            _object(
                {
                    "target": _or_null(_ref("eui64")),
                    "other": _or_null(_ref("eui64")),
                    "request_id": {**_or_null(_ref("requestId")), "description": "null when it is about a pair and no request"},
                    "intent": {"enum": [*(intent.value for intent in Intent), None]},
                    "state": {"type": "string", "enum": told_states()},
                    "response_code": {"type": ["integer", "null"], "description": "what the device answered"},
                    "rules": {"type": "array", "items": _enum(rule.name for rule in RULES), "description": "what it rests on"},
                    "proven_between": {
                        "type": ["array", "null"],
                        "items": _moment(),
                        "minItems": 2,
                        "maxItems": 2,
                        "description": "it was true at some moment between the two",
                    },
                }
            ),
        ),
    }


def _message(title: str, content_type: str, schema: str, headers: Object) -> Object:
    made: Object = {
        "title": title,
        "contentType": content_type,
        "headers": {"type": "object", "properties": headers},
        "payload": _ref(schema),
    }
    return {**made, "description": f"{_KEY} {_PUBLISHED}"}


def _dead() -> Object:
    """Return the headers of a dead letter, read off one that has everything."""
    letter = DeadLetter.of(Delivery(body=b"", source="", route="", at=_AT, region=""), reason="", offset=0, first_seen=_AT, last_seen=_AT)
    says = {
        "source": "what it was: `sr.request`, `sr.response` or `csp.alert`",
        "region": "its CSP region, where the route named one",
        "reason": "why it could not be processed",
        "offset": "the byte of its body that is to blame, where there is one",
        "attempts": "how often it was handed over",
        "first-seen": "RFC 3339",
        "last-seen": "RFC 3339",
    }
    sent = to_publication(letter, Delivery(body=b"", source="", route="", at=_AT), "").headers
    return {name: {"type": "string", "description": says[name.removeprefix("x-joinbridge-")]} for name in sent}


def _mqtt() -> Object:
    return {KEY: {"type": "string", "description": "the message's key"}, TIME: {**_moment(), "description": "when it was published"}}


def _cloud_event(kind: Object, data: Object) -> Object:
    return _object(
        {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "description": "the key of the effect; the same for a copy"},
            "source": {"const": EVENT_SOURCE},
            "type": kind,
            "subject": {"type": "string", "description": "the RequestID, or the pair"},
            "time": _moment(),
            "datacontenttype": {"const": "application/json"},
            "data": data,
        }
    )


def _object(properties: Object) -> Object:
    """Return the schema of an object that has all of `properties` and no others."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _text(says: str, **more: str) -> Object:
    return {"type": "string", "description": says, **more}


def _moment() -> Object:
    return {"type": "string", "format": "date-time"}


def _enum(values: Iterable[str]) -> Object:
    return {"type": "string", "enum": [str(value) for value in values]}


def _or_null(schema: Object) -> Object:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(schema: str) -> Object:
    return {"$ref": f"#/components/schemas/{schema}"}
