"""What is fuzzed: everything that reads what somebody else wrote. Each target gives a value or the documented error, whatever the octets.

A target is called with the octets, returns when all is well, and raises whatever is not documented: that is a finding.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from joinbridge.bus.amqp.leniency import be_lenient
from joinbridge.bus.amqp.messages import to_delivery as from_amqp
from joinbridge.bus.letters import as_it_was, from_delivery
from joinbridge.bus.mqtt.messages import Arrival
from joinbridge.bus.mqtt.messages import to_delivery as from_mqtt
from joinbridge.bus.mqtt.topics import alert_topics
from joinbridge.bus.topics import Origin
from joinbridge.config import load
from joinbridge.core.case import Case, DeadlinePassed, Event
from joinbridge.core.engine import decide
from joinbridge.core.ids import DeviceId
from joinbridge.core.pair import PairState
from joinbridge.core.policy import Policy
from joinbridge.core.relevance import touched
from joinbridge.errors import ConfigError, DecodeError
from joinbridge.ports import Delivery
from joinbridge.service.reading import read
from joinbridge.service.working_set import WorkingSet
from joinbridge.store import codec
from joinbridge.wire.capture import parse_line, write_line
from joinbridge.wire.describe import describe
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.facts import Reading, facts_of
from joinbridge.wire.gbcs import GbcsMessage, decode_gbcs
from joinbridge.wire.message import Message, decode_message
from joinbridge.wire.payloads import _READERS, Payload, decode_payload, encode_payload

Target = Callable[[bytes], None]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BETWEEN = b"\n\x00--\n"
"""What stands between two messages of a history."""

_READING = Reading()
_POLICY = Policy()
_PATTERNS = (alert_topics(),)


class BrokenPromiseError(AssertionError):
    """A target gave something that its documentation rules out."""


def duis(data: bytes) -> None:
    """A DUIS document, and the facts in it."""
    _told_by(parse_duis, data)


def gbcs(data: bytes) -> None:
    """A GBCS message, its payload, and the facts in it."""
    _told_by(decode_gbcs, data)


def message(data: bytes) -> None:
    """Octets of which nobody says what they are, as they come from the bus, to facts and to words."""
    _told_by(decode_message, data)


def payload(data: bytes) -> None:
    """Each decoder of a payload by itself, chosen by the first octet; what it reads can be written, and is then read as the same."""
    readers = _readers()
    reader = readers[data[0] % len(readers)] if data else readers[0]
    try:
        read_first = reader(data[1:])
    except DecodeError as error:
        _judge(error, data)
        return
    _insist(reader(encode_payload(read_first)) == read_first, "what was written is read as something else")


def capture(data: bytes) -> None:
    """A line of a capture, and the body in it; a line that was read can be written, and is then read as the same."""
    try:
        line = parse_line(data)
        line.octets()
    except DecodeError as error:
        _judge(error, data)
        return
    _insist(parse_line(write_line(line)) == line, "what was written is read as something else")


def history(data: bytes) -> None:
    """Messages that come one after the other: the engine decides on each, and a week later on every deadline; all of it can be stored."""
    working = WorkingSet(Case())
    now = NOON
    for number, body in enumerate(data.split(BETWEEN)[:8]):
        now += timedelta(minutes=1)
        delivery = Delivery(body=body, source=("sr.request", "sr.response", "csp.alert")[number % 3], route="r", at=now)
        result = read(delivery, _READING)
        if result.letter is not None:
            _insist(bool(result.letter.reason), "a dead letter without a reason")
        for sighting in result.sightings:
            kept = codec.decode_fact(codec.fact_kind(sighting.fact), codec.encode(sighting.fact))
            _insist(kept == sighting.fact, "what was stored is read as something else")
            _decide(working, sighting, touched(sighting.fact), now)
    for attempt in list(working.attempts):
        for deadline in attempt.deadlines:
            passed = DeadlinePassed(key=attempt.key, deadline=deadline)
            _decide(working, passed, (attempt.target,), deadline.due_at)


def configuration(data: bytes) -> None:
    """A configuration file."""
    path = _file()
    path.write_bytes(data)
    try:
        load(path)
    except ConfigError as error:
        _insist(bool(str(error)), "an error that says nothing")


def environment(data: bytes) -> None:
    """Environment variables, one a line. Those that name a file are left out: there is no telling what the file is."""
    lines = data.decode("utf-8", errors="ignore").replace("\0", "").splitlines()
    ours = dict(line.split("=", 1) for line in lines if line.startswith("JOINBRIDGE_") and "=" in line)
    ours = {name: value for name, value in ours.items() if not name.endswith("_FILE") and name != "JOINBRIDGE_CONFIG"}
    os.environ.update(ours)
    try:
        load()
    except ConfigError as error:
        _insist(bool(str(error)), "an error that says nothing")
    finally:
        for name in ours:
            del os.environ[name]


def amqp(data: bytes) -> None:
    """The properties and headers of an AMQP message, octets of a publisher's that no broker looks into: a delivery, perhaps a dead letter.

    Where their form is broken, which a broker does look at, the library may refuse them.
    """
    be_lenient()
    header = ContentHeader()
    try:
        header.unmarshal(data)
    except UnicodeError:
        raise
    except (ValueError, struct.error):
        return
    frame = Basic.Deliver(delivery_tag=1, redelivered=len(data) % 2 == 0, exchange="", routing_key="joinbridge.in")
    delivered = DeliveredMessage(frame, header, b"body", channel=None)  # type: ignore[arg-type]  # not used
    _use(from_amqp(frame, delivered, tag=1, origin=Origin("csp.alert"), now=NOON))


def mqtt(data: bytes) -> None:
    """Topic, content type and user properties of an MQTT message, one a line: a delivery, and perhaps a dead letter in it."""
    topic, content_type, *lines = [*data.decode("utf-8", errors="replace").split("\n")[:10], "", ""]
    properties = tuple((name, value) for name, _, value in (line.partition("=") for line in lines if line))
    arrival = Arrival(
        topic=topic, body=b"body", at=NOON, qos=1, mid=1, duplicate=False, content_type=content_type or None, properties=properties
    )
    _use(from_mqtt(arrival, _PATTERNS, 1))


TARGETS: Mapping[str, Target] = {
    target.__name__: target for target in (duis, gbcs, message, payload, capture, history, configuration, environment, amqp, mqtt)
}


def _told_by(reader: Callable[[bytes], Message], data: bytes) -> None:
    try:
        found = reader(data)
    except DecodeError as error:
        _judge(error, data)
        return
    for further in (_described, _facts):
        try:
            further(found)
        except DecodeError as error:
            _judge(error, data)


def _described(found: Message) -> None:
    json.dumps(describe(found), allow_nan=False)
    if isinstance(found, GbcsMessage):
        decode_payload(found)


def _facts(found: Message) -> None:
    for told in facts_of(found, _READING):
        touched(told.fact)


def _decide(working: WorkingSet, event: Event, devices: Iterable[DeviceId], now: datetime) -> None:
    decision = decide(working.case(devices), event, policy=_POLICY, now=now)
    working.apply(decision)
    for record in (*decision.attempts, *decision.pairs, *decision.evidence):
        _insist(codec.decode(type(record), codec.encode(record)) == record, "what was stored is read as something else")
    for effect in decision.effects:
        _insist(codec.decode_effect(codec.effect_kind(effect), codec.encode(effect)) == effect, "an effect is stored as another")
    for pair in decision.pairs:
        _insist(pair.state is not PairState.INFERRED_SUCCESS or bool(pair.basis), "inferred from nothing")


def _use(delivery: Delivery) -> None:
    _insist(delivery.at.tzinfo is not None, "a moment without a time zone")
    _insist(abs(delivery.at - NOON) < timedelta(days=3_000_000), "a moment that cannot be reckoned with")
    _insist(delivery.attempts >= 1, "a delivery that never came")
    _insist(all(isinstance(text, str) for text in (*delivery.headers, *delivery.headers.values())), "a header that is no text")
    as_it_was(delivery)
    try:
        letter = from_delivery(delivery)
    except DecodeError as error:
        _judge(error, delivery.body)
        return
    _insist(None not in (letter.first_seen.tzinfo, letter.last_seen.tzinfo), "a dead letter without a time zone")


def _judge(error: DecodeError, data: bytes) -> None:
    _insist(bool(error.reason), "an error without a reason")
    _insist(0 <= error.offset <= max(1, len(data)), f"an error at byte {error.offset} of {len(data)}: {error.reason}")


def _insist(promised: bool, otherwise: str) -> None:
    if not promised:
        raise BrokenPromiseError(otherwise)


@cache
def _readers() -> list[Callable[[bytes], Payload]]:
    return list(dict.fromkeys(_READERS.values()))


@cache
def _file() -> Path:
    return Path(mkdtemp(prefix="joinbridge-fuzz-")) / "joinbridge.toml"
