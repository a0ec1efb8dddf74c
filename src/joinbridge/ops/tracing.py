"""Traces (OpenTelemetry): what became of a request, over weeks and over instances, and what each conclusion rests on.

Identities are derived, not kept: the trace of a request follows from its RequestID, the span of a message from its key. So the answer that
comes weeks later, at another instance, is in the trace of its request and linked to it, and an inference is linked to the spans of all the
messages it rests on, without a word about traces in any record.

W3C context that a message brings becomes a link of its span; commands and events that we publish carry the context of their request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from importlib.metadata import entry_points

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import joinbridge
from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.effects import Effect, ProbeDeviceLog, UpdateInventory
from joinbridge.core.facts import Sighting
from joinbridge.core.ids import MessageKey, RequestId, message_key
from joinbridge.errors import ConfigError
from joinbridge.observing import Committed, Decided, Observer, Taken
from joinbridge.ports import Delivery

SEMANTIC_CONVENTIONS = "https://opentelemetry.io/schemas/1.37.0"
"""The version of the conventions that the attributes are named by."""

TRACEPARENT = "traceparent"

_W3C = TraceContextTextMapPropagator()


def _number(kind: str, what: object, size: int) -> int:
    return int.from_bytes(blake2b(f"{kind}:{what}".encode(), digest_size=size).digest()) or 1


def request_context(request_id: RequestId) -> SpanContext:
    """Return the identity of the span that opens the trace of a request."""
    return _context(_number("request", request_id, 16), _number("request", request_id, 8))


def message_context(key: MessageKey) -> SpanContext:
    """Return the identity of the span of a message."""
    return _context(_number("message", key, 16), _number("message", key, 8))


def effect_context(effect: Effect) -> SpanContext:
    """Return the identity of the span of an effect: in the trace of its request, or in one of its own where it names none."""
    request_id = None if isinstance(effect, UpdateInventory) else effect.request_id
    trace_id = _number("effect", effect.key, 16) if request_id is None else request_context(request_id).trace_id
    return _context(trace_id, _number("effect", effect.key, 8))


def headers_of(effect: Effect) -> Mapping[str, str]:
    """Return the headers that let whoever takes `effect` go on with its trace."""
    context = effect_context(effect)
    return {TRACEPARENT: f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}-01"}


class Tracing(Observer):
    """Makes spans of what was committed and carried out, and gives them to `processor`."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._ids = _GivenIds()
        resource = Resource.create({"service.name": "joinbridge", "service.version": joinbridge.__version__})
        self._provider = TracerProvider(id_generator=self._ids, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("joinbridge", joinbridge.__version__, schema_url=SEMANTIC_CONVENTIONS)
        self._upstream: dict[MessageKey, SpanContext] = {}

    def close(self) -> None:
        """Export what is left, and end."""
        self._provider.shutdown()

    def received(self, deliveries: Sequence[Delivery]) -> None:
        """Remember the contexts that messages bring, until they are settled."""
        for delivery in deliveries:
            if TRACEPARENT in delivery.headers:
                context = trace.get_current_span(_W3C.extract(dict(delivery.headers), Context())).get_span_context()
                if context.is_valid:
                    self._upstream[message_key(delivery.body)] = context

    def settled(self, deliveries: Sequence[Delivery], taken: Taken) -> None:  # noqa: ARG002 - all are forgotten alike
        """Forget them."""
        self._forget(deliveries)

    def handed_back(self, deliveries: Sequence[Delivery]) -> None:
        """Forget them; they come again."""
        self._forget(deliveries)

    def committed(self, committed: Committed) -> None:
        """Make a span of each message that was judged, and one of each step that a request took."""
        started_at = committed.at - timedelta(seconds=committed.took_s)
        for decided in committed.decisions:
            event, links = decided.event, list[Link]()
            if isinstance(event, Sighting):
                upstream = self._upstream.get(_of_body(event.key))
                brought = [] if upstream is None else [Link(upstream)]
                facts = {"messaging.operation.type": "process", "messaging.message.id": event.key, "joinbridge.source": event.source}
                facts["joinbridge.fact"] = type(event.fact).__name__
                ours = message_context(event.key)
                self._span(f"process {event.source}", ours, None, brought, facts, SpanKind.CONSUMER, started_at, committed.at)
                links = [Link(ours)]
            if not committed.withheld:
                # A read of the Device Log serves all that waits at the target: it belongs to no request, and what asked for it leads there.
                links += [Link(effect_context(effect)) for effect in decided.decision.effects if isinstance(effect, ProbeDeviceLog)]
            for attempt in decided.decision.attempts:
                before = decided.case.attempts.get(attempt.key)
                if before is None or before.state is not attempt.state:
                    self._step(before, attempt, [*links, *_rests_on(attempt, decided)], started_at, committed.at)

    def carried_out(self, effects: Sequence[Effect], at: datetime) -> None:
        """Make a span of each effect that was published or written."""
        for effect in effects:
            request_id = None if isinstance(effect, UpdateInventory | ProbeDeviceLog) else effect.request_id
            parent = None if request_id is None else request_context(request_id)
            kind = SpanKind.CLIENT if isinstance(effect, UpdateInventory) else SpanKind.PRODUCER
            facts = {"messaging.operation.type": "send", "messaging.message.id": effect.key}
            self._span(f"carry out {type(effect).__name__}", effect_context(effect), parent, (), facts, kind, at, at)

    def _step(self, before: JoinAttempt | None, after: JoinAttempt, links: Sequence[Link], started_at: datetime, at: datetime) -> None:
        root = request_context(after.request_id)
        facts = {
            "joinbridge.request_id": str(after.request_id),
            "joinbridge.intent": str(after.intent),
            "joinbridge.state": str(after.state),
        }
        if before is None:
            self._span(f"{after.intent} {after.state}", root, None, links, facts, SpanKind.INTERNAL, started_at, at)
            return
        # An attempt may come to a state again, after an outage or a dispute: the version tells the two apart.
        ours = _context(root.trace_id, _number("step", f"{after.key}:{after.state}:{before.version}", 8))
        self._span(f"{after.intent} {after.state}", ours, root, [Link(root), *links], facts, SpanKind.INTERNAL, started_at, at)

    def _span(
        self,
        name: str,
        ours: SpanContext,
        parent: SpanContext | None,
        links: Sequence[Link],
        facts: Mapping[str, str],
        kind: SpanKind,
        started_at: datetime,
        ended_at: datetime,
    ) -> None:
        self._ids.given = ours
        within = Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())
        span = self._tracer.start_span(name, within, kind, dict(facts), links, start_time=_nanoseconds(started_at))
        span.end(_nanoseconds(ended_at))

    def _forget(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if TRACEPARENT in delivery.headers:
                self._upstream.pop(message_key(delivery.body), None)


class _GivenIds(IdGenerator):
    """Gives the next span the identity it was `given`."""

    given = trace.INVALID_SPAN_CONTEXT

    def generate_span_id(self) -> int:
        """Return the span's."""
        return self.given.span_id

    def generate_trace_id(self) -> int:
        """Return the trace's."""
        return self.given.trace_id


@contextmanager
def exporting(exporter: str) -> Iterator[Tracing]:
    """Trace to the exporter of that name, as installed packages register them: `console` or `otlp_proto_http`, say.

    Raises: ConfigError when none of that name is installed.
    """
    known = {point.name: point for point in entry_points(group="opentelemetry_traces_exporter")}
    if exporter not in known:
        raise ConfigError(f"tracing.exporter: there is no {exporter!r}; installed are {', '.join(sorted(known))}")
    tracing = Tracing(BatchSpanProcessor(known[exporter].load()()))
    try:
        yield tracing
    finally:
        tracing.close()


def _rests_on(attempt: JoinAttempt, decided: Decided) -> Iterable[Link]:
    """Return links to every message that an inferred success rests on, however long ago it came."""
    if attempt.state is not AttemptState.INFERRED_SUCCESS or attempt.pair is None:
        return ()
    pairs = {**decided.case.pairs, **{record.pair: record for record in decided.decision.pairs}}
    record = pairs.get(attempt.pair)
    basis = () if record is None else record.basis
    return [Link(message_context(_seen_as(found.message)), {"joinbridge.rule": found.rule}) for found in basis]


def _of_body(key: MessageKey) -> MessageKey:
    """Return the key of the whole message of which a sighting with `key` is a part."""
    return MessageKey(key.partition("#")[0])


def _seen_as(key: MessageKey) -> MessageKey:
    """Return the key of the sighting that evidence with `key` comes from, perhaps by way of a partner."""
    return MessageKey(key.partition("/")[0])


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id=trace_id, span_id=span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
