"""How fast messages are read. Each figure stands beside its floor: the XML library alone, or the copy of the octets alone."""

from __future__ import annotations

import pytest
from lxml import etree
from pytest_benchmark.fixture import BenchmarkFixture

from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.facts import Reading, facts_of
from joinbridge.wire.gbcs import decode_gbcs, encode_gbcs
from joinbridge.wire.message import decode_message
from joinbridge.wire.payloads import decode_payload
from support import traffic

pytestmark = pytest.mark.bench


@pytest.mark.benchmark(group="GBCS envelope")
@pytest.mark.parametrize("what", ["command", "answer", "alert"])
def test_gbcs_envelope(benchmark: BenchmarkFixture, what: str) -> None:
    octets = {
        "command": encode_gbcs(traffic.join_command(1)),
        "answer": encode_gbcs(traffic.join_answer(1)),
        "alert": traffic.alert(1),
    }[what]

    message = benchmark(decode_gbcs, octets)

    assert encode_gbcs(message) == octets


@pytest.mark.benchmark(group="DUIS envelope")
@pytest.mark.parametrize("what", ["request", "response"])
def test_duis_envelope(benchmark: BenchmarkFixture, what: str) -> None:
    document = {"request": traffic.join_request(1), "response": traffic.join_response(1)}[what]

    parsed = benchmark(parse_duis, document)

    assert parsed.request_id is not None


@pytest.mark.benchmark(group="DUIS envelope")
@pytest.mark.parametrize("what", ["request", "response"])
def test_duis_floor_is_the_xml_library_alone(benchmark: BenchmarkFixture, what: str) -> None:
    document = {"request": traffic.join_request(1), "response": traffic.join_response(1)}[what]
    parser = etree.XMLParser(resolve_entities=False, no_network=True)

    root = benchmark(etree.fromstring, document, parser)

    assert root.tag.endswith(what.title())


@pytest.mark.benchmark(group="join payload")
@pytest.mark.parametrize("what", ["command", "answer"])
def test_join_payload(benchmark: BenchmarkFixture, what: str) -> None:
    message = {"command": traffic.join_command(1), "answer": traffic.join_answer(1)}[what]

    payload = benchmark(decode_payload, message)

    assert payload is not None


@pytest.mark.benchmark(group="message to facts")
@pytest.mark.parametrize("what", ["join request", "join response", "alert"])
def test_message_to_facts(benchmark: BenchmarkFixture, what: str) -> None:
    body = {"join request": traffic.join_request(1), "join response": traffic.join_response(1), "alert": traffic.alert(1)}[what]
    reading = Reading()

    told = benchmark(lambda: facts_of(decode_message(body), reading))

    assert len(told) == 1
