"""Traces: the identities of requests, messages and effects, and what is linked to what, over weeks and instances."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from joinbridge.core.ids import message_key
from joinbridge.errors import ConfigError
from joinbridge.ops.tracing import SEMANTIC_CONVENTIONS, TRACEPARENT, Tracing, exporting, headers_of, message_context, request_context
from joinbridge.ports import Publication
from joinbridge.service.clock import ManualClock
from joinbridge.simulator.scenario import SCENARIOS, build
from joinbridge.simulator.scenario import START as ESTATE_START
from support.home import CAD, ESME, GPF, START, request_id
from support.messages import command_failure, gpf_report, inventory_answer, join_answer, join_request
from support.observed import run_through
from support.sidecar import Running, Site, a_site

UPSTREAM = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REQUEST = request_id(1, target=GPF)


class Traced:
    """A site whose instances are traced, one after the other."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.exporters: list[InMemorySpanExporter] = []

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for exporter in self.exporters for span in exporter.get_finished_spans()]

    @asynccontextmanager
    async def instance(self) -> AsyncIterator[Running]:
        self.exporters.append(InMemorySpanExporter())  # one that was closed takes no more
        tracing = Tracing(SimpleSpanProcessor(self.exporters[-1]))
        async with self.site.sidecar(observer=tracing, headers=headers_of) as running:
            yield running
        tracing.close()

    async def lives(self, *bodies: bytes) -> None:
        """Let an instance of its own take `bodies`."""
        await self.site.send(*bodies)
        async with self.instance() as running:
            await running.sidecar.settle()

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    async with a_site() as site:
        yield Traced(site)


def same(one: SpanContext | None, other: SpanContext) -> bool:
    return one is not None and (one.trace_id, one.span_id) == (other.trace_id, other.span_id)


def linked(span: ReadableSpan, other: SpanContext) -> bool:
    return any(same(link.context, other) for link in span.links)


async def test_the_answer_is_linked_to_its_request_weeks_later_at_another_instance(traced: Traced) -> None:
    await traced.lives(inventory_answer(GPF, CAD), join_request(GPF, CAD))
    traced.site.clock.jump(START + timedelta(weeks=3))

    await traced.lives(answer := join_answer(GPF, 1))

    asked, answered = traced.span("join requested"), traced.span("join succeeded")
    assert same(asked.context, request_context(REQUEST))
    assert asked.parent is None
    assert same(answered.parent, request_context(REQUEST))
    assert linked(answered, request_context(REQUEST))
    assert linked(answered, message_context(message_key(answer)))
    assert answered.start_time is not None
    assert asked.start_time is not None
    assert timedelta(microseconds=(answered.start_time - asked.start_time) / 1000) > timedelta(days=20)


async def test_an_inference_is_linked_to_the_span_of_each_message_it_rests_on(traced: Traced) -> None:
    await traced.lives(inventory_answer(GPF, CAD), join_request(GPF, CAD), command_failure(REQUEST))

    await traced.lives(report := gpf_report([CAD], START))

    inferred = traced.span("join inferred_success")
    rules = [link.attributes["joinbridge.rule"] for link in inferred.links if link.attributes and "joinbridge.rule" in link.attributes]
    assert rules
    assert linked(inferred, message_context(message_key(report)))
    for link in inferred.links:
        assert any(same(span.context, link.context) for span in traced.spans)


async def test_context_that_a_message_brings_becomes_a_link_of_its_span(traced: Traced) -> None:
    body = join_request(GPF, CAD)
    headers = {TRACEPARENT: UPSTREAM}
    message = Publication(key="m", exchange="dsp.sr", route="request.test", body=body, content_type="", headers=headers)
    await traced.site.bus.publish([message])

    await traced.lives()

    span = traced.span("process sr.request")
    (link,) = span.links
    assert f"{link.context.trace_id:032x}" in UPSTREAM
    assert same(span.context, message_context(message_key(body)))
    assert span.attributes is not None
    assert span.attributes["messaging.operation.type"] == "process"
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.schema_url == SEMANTIC_CONVENTIONS


@pytest.mark.parametrize("nonsense", ["", "nonsense", "00-00000000000000000000000000000000-0000000000000000-00", "\x00", "ü" * 1000])
async def test_a_context_that_makes_no_sense_is_passed_by(traced: Traced, nonsense: str) -> None:
    headers = {TRACEPARENT: nonsense}
    body = join_request(GPF, CAD)
    message = Publication(key="m", exchange="dsp.sr", route="request.test", body=body, content_type="", headers=headers)
    await traced.site.bus.publish([message])

    await traced.lives()

    assert traced.span("process sr.request").links == ()


async def test_what_is_published_carries_the_trace_of_its_request(traced: Traced) -> None:
    await traced.lives(inventory_answer(GPF, CAD), join_request(GPF, CAD), command_failure(REQUEST))

    told = [one for one in traced.site.published if one.route == "join.response_lost"]
    (event,) = told
    _, trace_id, span_id, flags = event.headers[TRACEPARENT].split("-")
    assert int(trace_id, 16) == request_context(REQUEST).trace_id
    assert flags == "01"
    published = [span for span in traced.spans if span.context and f"{span.context.span_id:016x}" == span_id]
    assert [span.name for span in published] == ["carry out PublishEvent"]


async def test_no_message_and_no_secret_is_in_a_span(traced: Traced) -> None:
    bodies = [join_request(GPF, CAD), command_failure(REQUEST), gpf_report([CAD], START)]

    await traced.lives(inventory_answer(GPF, CAD), *bodies)

    for span in traced.spans:
        assert span.attributes is not None
        assert all(len(str(value)) < 200 for value in span.attributes.values())
        assert set(span.attributes) <= {
            "joinbridge.fact",
            "joinbridge.intent",
            "joinbridge.request_id",
            "joinbridge.source",
            "joinbridge.state",
            "messaging.message.id",
            "messaging.operation.type",
        }


async def test_a_probe_is_in_no_request_and_the_step_that_asked_for_it_leads_there(traced: Traced) -> None:
    await traced.lives(inventory_answer(ESME, CAD), join_request(ESME, CAD, srv="8.7.1"), command_failure(request_id(1, target=ESME)))

    probe = traced.span("carry out ProbeDeviceLog")
    asking = [span.name for span in traced.spans if probe.context is not None and linked(span, probe.context)]
    assert probe.parent is None
    assert asking == ["join probed"]


@pytest.mark.slow
async def test_in_the_traces_of_a_harsh_estate_every_identity_is_one_spans_and_every_link_and_parent_leads_to_a_span(
    tmp_path: Path,
) -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(SimpleSpanProcessor(exporter))
    url = f"sqlite:///{tmp_path / 'records.db'}"

    await run_through(build(SCENARIOS["harsh"], 7, 40), ManualClock(ESTATE_START), observer=tracing, database_url=url)

    spans = {(span.context.trace_id, span.context.span_id): span for span in exporter.get_finished_spans() if span.context is not None}
    assert len(spans) == len(exporter.get_finished_spans()) > 1000
    links = [(span, link) for span in spans.values() for link in span.links]
    assert [span.name for span, link in links if (link.context.trace_id, link.context.span_id) not in spans] == []
    assert [span.name for span in spans.values() if span.parent and (span.parent.trace_id, span.parent.span_id) not in spans] == []
    # Some rest on one message, and some on two that are proof only together.
    inferred = [span for span in spans.values() if span.name == "join inferred_success"]
    assert {sum(1 for link in span.links if link.attributes) for span in inferred} == {1, 2}


def test_an_exporter_that_is_not_installed_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"tracing\.exporter: there is no 'nonsense'; installed are .*console"), exporting("nonsense"):
        pytest.fail("there is none")
