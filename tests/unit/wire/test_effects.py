"""The messages that carry effects; what they look like on the bus is tested with the relay."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import NoticeKind, NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin
from joinbridge.core.ids import JoinPair
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import Intent
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import DuisRequest, JoinService, ReadDeviceLog
from joinbridge.wire.effects import CLOUD_EVENT, DUIS_XML, outgoing
from support.home import CAD, ESME, GPF, START, request_id
from support.schema import needs_duis_schema, schema_errors

LATER = START + timedelta(hours=1)
PAIR = JoinPair(ESME, CAD)

RETRY = ReissueJoin(key="retry:1", request_id=request_id(2**64 - 1), other=CAD, number=2)
PROBE = ProbeDeviceLog(key="probe:1", request_id=request_id(7, target=GPF))


def test_a_retry_asks_for_the_same_join_again() -> None:
    message = outgoing(RETRY, LATER)

    assert (message.key, message.channel, message.route, message.content_type) == ("retry:1", "commands", "retry.join", DUIS_XML)
    assert parse_duis(message.body) == DuisRequest(
        request_id=request_id(2**64 - 1),
        command_variant=1,
        service_reference="8.7",
        service_reference_variant="8.7.2",
        body=JoinService(other_device=CAD, critical=False),
    )


def test_a_probe_reads_the_device_log() -> None:
    message = outgoing(PROBE, LATER)

    assert (message.key, message.channel, message.route, message.content_type) == ("probe:1", "commands", "probe.device-log", DUIS_XML)
    assert parse_duis(message.body) == DuisRequest(
        request_id=request_id(7, target=GPF),
        command_variant=1,
        service_reference="8.9",
        service_reference_variant="8.9",
        body=ReadDeviceLog(),
    )


@needs_duis_schema
@pytest.mark.parametrize("effect", [RETRY, PROBE], ids=["retry", "probe"])
def test_requests_are_valid_by_the_duis_schema(effect: ReissueJoin | ProbeDeviceLog) -> None:
    assert schema_errors(outgoing(effect, LATER).body) == []


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_says_why(kind: NoticeKind) -> None:
    message = outgoing(NotifySupplier(key="notice:1", request_id=request_id(1), intent=Intent.UNJOIN, kind=kind), LATER)

    assert (message.channel, message.route, message.content_type) == ("commands", "notice.supplier", CLOUD_EVENT)
    told = json.loads(message.body)
    assert (told["id"], told["type"], told["subject"], told["time"]) == (
        "notice:1",
        "notice.supplier",
        str(request_id(1)),
        LATER.isoformat(),
    )
    assert told["data"] == {"request_id": str(request_id(1)), "intent": "unjoin", "kind": kind.value}


@pytest.mark.parametrize("state", [*AttemptState, *PairState], ids=lambda state: f"{type(state).__name__}-{state}")
def test_an_event_goes_by_the_name_of_its_state(state: AttemptState | PairState) -> None:
    message = outgoing(PublishEvent(key="event:1", at=START, state=state, pair=PAIR), LATER)

    assert (message.key, message.channel, message.route) == ("event:1", "events", f"join.{state.value}")
    assert json.loads(message.body)["type"] == f"join.{state.value}"


def test_an_event_of_an_attempt_says_all_that_is_known() -> None:
    event = PublishEvent(
        key="event:1",
        at=START,
        state=AttemptState.REJECTED,
        pair=PAIR,
        request_id=request_id(1),
        intent=Intent.JOIN,
        response_code=3,
        rules=("repeat-refused",),
        proven_between=(START, LATER),
    )

    told = json.loads(outgoing(event, LATER).body)

    assert (told["specversion"], told["source"], told["datacontenttype"]) == ("1.0", "joinbridge", "application/json")
    assert (told["subject"], told["time"]) == (str(request_id(1)), START.isoformat())
    assert told["data"] == {
        "target": ESME,
        "other": CAD,
        "request_id": str(request_id(1)),
        "intent": "join",
        "state": "rejected",
        "response_code": 3,
        "rules": ["repeat-refused"],
        "proven_between": [START.isoformat(), LATER.isoformat()],
    }


def test_an_event_about_a_request_whose_other_device_is_not_known() -> None:
    event = PublishEvent(key="event:1", at=START, state=AttemptState.NOT_SENT, pair=None, request_id=request_id(1), intent=Intent.JOIN)

    told = json.loads(outgoing(event, LATER).body)

    assert told["subject"] == str(request_id(1))
    assert (told["data"]["target"], told["data"]["other"]) == (None, None)


def test_the_same_effect_is_always_the_same_message() -> None:
    event = PublishEvent(key="event:1", at=START, state=AttemptState.SUCCEEDED, pair=PAIR)

    assert outgoing(event, START) == outgoing(event, LATER)
    assert outgoing(RETRY, START) == outgoing(RETRY, LATER)
    assert outgoing(PROBE, START) == outgoing(PROBE, LATER)
