"""The bus contract: an AsyncAPI document, and one that the messages keep."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from pydantic import ValidationError

from joinbridge.bus.amqp.topology import topology
from joinbridge.bus.topics import find_origin
from joinbridge.config import Settings
from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import NoticeKind, NotifySupplier, PublishEvent, UpdateInventory
from joinbridge.core.ids import JoinPair
from joinbridge.core.vocabulary import Intent
from joinbridge.observing import SILENT
from joinbridge.ops.asyncapi import asyncapi_yaml, document
from joinbridge.ops.asyncapi.messages import told_states
from joinbridge.service.clock import ManualClock
from joinbridge.simulator.scenario import SCENARIOS, START, build
from joinbridge.store.opening import open_database
from joinbridge.store.records import Records
from joinbridge.wire.effects import CLOUD_EVENT, Outgoing, outgoing
from support.home import CAD, ESME, request_id
from support.observed import run_through

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: run make install-dev")

Json = Mapping[str, Any]  # Any: what JSON holds
DOCUMENT: Json = document(Settings())


def is_valid(document: Json) -> bool:
    """Return whether FastStream's models of AsyncAPI 3 take the document, given two fields that only they require."""
    whole = deepcopy(document)
    for server in whole["servers"].values():
        server.setdefault("pathname", "/")
    for operation in whole["operations"].values():
        operation.get("bindings", {}).get("amqp", {}).setdefault("ack", False)
    try:
        ApplicationSchema.model_validate(whole)
    except ValidationError:
        return False
    return True


def references(value: object) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for inner in value.values():
                yield from references(inner)
        case list() | tuple():
            for inner in value:
                yield from references(inner)


def problems(message: Outgoing) -> list[str]:
    """Return what of a message is not as the contract says."""
    channels = {name: channel for name, channel in DOCUMENT["channels"].items() if fits(channel, message)}
    if len(channels) != 1:
        return [f"{message.route} fits {list(channels)}"]
    [channel] = channels.values()
    [name] = channel["messages"]
    promised = DOCUMENT["components"]["messages"][name]
    if promised["contentType"] != message.content_type:
        return [f"{message.route} is {message.content_type}"]
    if message.content_type != CLOUD_EVENT:
        return []
    schema = {**promised["payload"], "components": {"schemas": DOCUMENT["components"]["schemas"]}}
    return [str(error) for error in jsonschema_rs.validator_for(schema).iter_errors(json.loads(message.body))]


def fits(channel: Json, message: Outgoing) -> bool:
    """Return whether the message goes to the channel's exchange with a routing key that the channel's address allows."""
    exchange = {"commands": "joinbridge.commands", "events": "joinbridge.events"}[message.channel]
    if channel.get("bindings", {}).get("amqp", {}).get("exchange", {}).get("name") != exchange:
        return False
    allowed = {name: "|".join(map(re.escape, parameter["enum"])) for name, parameter in channel.get("parameters", {}).items()}
    return re.fullmatch(re.sub(r"\{(\w+)\}", lambda found: f"({allowed[found[1]]})", channel["address"]), message.route) is not None


class TestTheDocument:
    def test_is_one_of_asyncapi_3(self) -> None:
        assert is_valid(DOCUMENT)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"operations": {"read": {"action": "listen", "channel": {"$ref": "#/channels/joinEvents"}}}},
            {"operations": {"read": {"action": "receive"}}},
            {"channels": {"joinEvents": {"address": 1}}},
            {"info": {"version": "1"}},
            {"servers": {"amqp": {"protocol": "amqp"}}},
        ],
        ids=["an action that is none", "an operation without a channel", "a number for an address", "no title", "a server without a host"],
    )
    def test_would_not_be_with_an_error_in_it(self, wrong: Json) -> None:
        assert not is_valid({**DOCUMENT, **wrong})

    def test_refers_to_nothing_that_is_not_in_it(self) -> None:
        for reference in set(references(DOCUMENT)):
            found: Any = DOCUMENT
            for name in reference.removeprefix("#/").split("/"):
                found = found[name]
            assert found

    def test_uses_every_message_and_every_channel(self) -> None:
        used = set(references({"channels": DOCUMENT["channels"], "operations": DOCUMENT["operations"]}))

        assert {f"#/components/messages/{name}" for name in DOCUMENT["components"]["messages"]} <= used
        assert {f"#/channels/{name}" for name in DOCUMENT["channels"]} <= used

    def test_names_what_the_configuration_names(self) -> None:
        settings = Settings.model_validate({"bus": {"events": "estate.joins"}, "amqp": {"queue": "tap", "partitions": 2}})

        named = document(settings)

        channels: Any = named["channels"]
        assert channels["joinEvents"]["bindings"]["amqp"]["exchange"]["name"] == "estate.joins"
        made: Any = named["x-topology"]
        assert [queue["name"] for queue in made["queues"]] == ["joinbridge.dead", "tap.0", "tap.1"]


class TestWhatIsRead:
    @pytest.mark.parametrize("channel", ["serviceRequests", "serviceResponses", "deviceAlerts"])
    def test_every_channel_that_is_read_is_bound_to_our_queue(self, channel: str) -> None:
        made = DOCUMENT["channels"][channel]

        route = made["address"].format(srv="8.7.2", region="north", code="8F12")
        assert find_origin(topology(Settings()).bindings, made["bindings"]["amqp"]["exchange"]["name"], route) is not None


class TestWhatIsSent:
    def test_states_that_nobody_is_told_of_are_in_no_event(self) -> None:
        assert {"inferred_success", "response_lost", "disputed"} <= set(told_states())
        assert not {AttemptState.REQUESTED, AttemptState.ACCEPTED, "unknown", "pending"} & set(told_states())

    @pytest.mark.parametrize("kind", NoticeKind)
    def test_a_notice_is_as_described(self, kind: NoticeKind) -> None:
        notice = NotifySupplier(key="notice:1", request_id=request_id(1), intent=Intent.UNJOIN, kind=kind)

        assert problems(outgoing(notice, START)) == []

    @pytest.mark.parametrize("pair", [JoinPair(ESME, CAD), None], ids=["with a pair", "without"])
    def test_an_event_is_as_described(self, pair: JoinPair | None) -> None:
        event = PublishEvent(key="event:1", at=START, state=AttemptState.NOT_SENT, pair=pair, request_id=request_id(1), intent=Intent.JOIN)

        assert problems(outgoing(event, START)) == []

    def test_an_event_of_a_state_that_is_not_told_would_break_the_contract(self) -> None:
        event = PublishEvent(key="event:1", at=START, state=AttemptState.REQUESTED, pair=JoinPair(ESME, CAD))

        assert problems(outgoing(event, START)) == ["join.requested fits []"]

    @pytest.mark.slow
    async def test_all_that_an_estate_is_sent_in_two_weeks_is_as_described(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'records.db'}"
        await run_through(build(SCENARIOS["harsh"], 7, 10), ManualClock(START), observer=SILENT, database_url=url)

        async with open_database(url) as database:
            effects = [record.effect for record in await Records(database).effects(limit=100_000)]
        sent = [outgoing(effect, START) for effect in effects if not isinstance(effect, UpdateInventory)]
        assert {"retry.join", "probe.device-log", "notice.supplier", "join.inferred_success"} <= {message.route for message in sent}
        assert [problem for message in sent for problem in problems(message)] == []


def test_the_document_reads_back_as_it_was() -> None:
    assert yaml.safe_load(asyncapi_yaml(Settings(), "A note.")) == json.loads(json.dumps(DOCUMENT))
