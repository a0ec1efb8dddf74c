"""From effects to the messages that carry them: DUIS XML for the DSP, CloudEvents 1.0 JSON for everyone else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from joinbridge.core.effects import NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin
from joinbridge.core.vocabulary import SRV_JOIN_NON_CRITICAL, SRV_READ_DEVICE_LOG
from joinbridge.wire.duis.requests import DuisRequest, JoinService, ReadDeviceLog
from joinbridge.wire.duis.write import write_duis

DUIS_XML = "application/xml"
CLOUD_EVENT = "application/cloudevents+json"

EVENT_SOURCE = "joinbridge"
"""The CloudEvents `source`; together with the id, which is the effect's key, it names an event for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to publish; `channel` is `commands` or `events`, which the configuration maps to an exchange."""

    key: str
    channel: str
    route: str
    body: bytes
    content_type: str


def outgoing(effect: ReissueJoin | ProbeDeviceLog | NotifySupplier | PublishEvent, at: datetime) -> Outgoing:
    """Return the message that carries `effect`; `at` is the time of an event that has none of its own."""
    match effect:
        case ReissueJoin():
            return _command(effect.key, "retry.join", _reissue(effect))
        case ProbeDeviceLog():
            return _command(effect.key, "probe.device-log", _probe(effect))
        case NotifySupplier():
            body = _cloud_event(effect.key, "notice.supplier", str(effect.request_id), at, _notice(effect))
            return Outgoing(key=effect.key, channel="commands", route="notice.supplier", body=body, content_type=CLOUD_EVENT)
        case _:
            kind = f"join.{effect.state}"
            body = _cloud_event(effect.key, kind, str(effect.request_id or effect.pair), effect.at, _state(effect))
            return Outgoing(key=effect.key, channel="events", route=kind, body=body, content_type=CLOUD_EVENT)


def _command(key: str, route: str, request: DuisRequest) -> Outgoing:
    return Outgoing(key=key, channel="commands", route=route, body=write_duis(request), content_type=DUIS_XML)


def _reissue(effect: ReissueJoin) -> DuisRequest:
    return DuisRequest(
        request_id=effect.request_id,
        command_variant=1,
        service_reference=SRV_JOIN_NON_CRITICAL.rpartition(".")[0],
        service_reference_variant=SRV_JOIN_NON_CRITICAL,
        body=JoinService(other_device=effect.other, critical=False),
    )


def _probe(effect: ProbeDeviceLog) -> DuisRequest:
    return DuisRequest(
        request_id=effect.request_id,
        command_variant=1,
        service_reference=SRV_READ_DEVICE_LOG,
        service_reference_variant=SRV_READ_DEVICE_LOG,
        body=ReadDeviceLog(),
    )


def _notice(effect: NotifySupplier) -> Mapping[str, object]:
    return {"request_id": str(effect.request_id), "intent": effect.intent, "kind": effect.kind}


def _state(effect: PublishEvent) -> Mapping[str, object]:
    return {
        "target": None if effect.pair is None else effect.pair.target,
        "other": None if effect.pair is None else effect.pair.other,
        "request_id": None if effect.request_id is None else str(effect.request_id),
        "intent": effect.intent,
        "state": effect.state,
        "response_code": effect.response_code,
        "rules": list(effect.rules),
        "proven_between": None if effect.proven_between is None else [moment.isoformat() for moment in effect.proven_between],
    }


def _cloud_event(key: str, kind: str, subject: str, at: datetime, data: Mapping[str, object]) -> bytes:
    event = {
        "specversion": "1.0",
        "id": key,
        "source": EVENT_SOURCE,
        "type": kind,
        "subject": subject,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
