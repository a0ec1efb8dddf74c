"""Which queue gets which message, against a model that compares words one by one: exchanges, bindings and publications in any order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from joinbridge.bus.memory import MemoryBus
from joinbridge.bus.topics import Binding
from joinbridge.errors import TransportError
from joinbridge.ports import Publication
from joinbridge.service.clock import ManualClock
from support.home import START
from support.stateful import Machine, tried

QUEUES, EXCHANGES = ("q1", "q2", "q3"), ("x", "y")
exchanges = st.sampled_from(EXCHANGES)
routes = st.lists(st.sampled_from("abc"), max_size=4).map(".".join)
patterns = st.lists(st.sampled_from([*"abc", "*", "#"]), max_size=4).map(".".join)


class RoutingMachine(Machine):
    """Everything that decides where a message goes."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.bus = MemoryBus(ManualClock(START))
        self.declared: set[str] = set()
        self.bound: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self.waiting: defaultdict[str, list[str]] = defaultdict(list)
        self.number = 0

    @rule(exchange=exchanges)
    def declare(self, exchange: str) -> None:
        self.bus.declare(exchange)
        self.declared.add(exchange)

    @rule(queue=st.sampled_from(QUEUES), exchange=exchanges, pattern=patterns)
    def bind(self, queue: str, exchange: str, pattern: str) -> None:
        self.bus.bind(queue, Binding(exchange=exchange, pattern=pattern))
        self.bound[queue].append((exchange, pattern))
        self.declared.add(exchange)

    @rule(several=st.lists(st.tuples(exchanges, routes, st.booleans()), min_size=1, max_size=3))
    def publish(self, several: Sequence[tuple[str, str, bool]]) -> None:
        publications, refused = [], False
        for exchange, route, mandatory in several:
            self.number += 1
            body = str(self.number)
            publications.append(
                Publication(key=body, exchange=exchange, route=route, body=body.encode(), content_type="", mandatory=mandatory)
            )
            takers = [queue for queue, bindings in self.bound.items() if any(x == exchange and fits(p, route) for x, p in bindings)]
            for queue in takers:
                self.waiting[queue].append(body)
            refused |= exchange not in self.declared or (mandatory and not takers)
        assert self.is_refused(publications) == refused

    @precondition(lambda self: self.bound)
    @rule(data=st.data(), limit=st.integers(1, 5))
    def read(self, data: st.DataObject, limit: int) -> None:
        queue = data.draw(st.sampled_from(sorted(self.bound)))
        source = self.bus.source(queue)
        deliveries = self.runner.run(source.receive(limit, timedelta(0)))
        self.runner.run(source.ack(deliveries))
        source.close()

        assert [delivery.body.decode() for delivery in deliveries] == self.waiting[queue][:limit]
        del self.waiting[queue][:limit]

    @invariant()
    def each_queue_has_what_fits_it_once(self) -> None:
        assert {queue: self.bus.ready(queue) for queue in self.bound} == {queue: len(self.waiting[queue]) for queue in self.bound}

    def is_refused(self, publications: Sequence[Publication]) -> bool:
        try:
            self.runner.run(self.bus.publish(publications))
        except TransportError:
            return True
        return False

    def teardown(self) -> None:
        self.runner.close()


def fits(pattern: str, route: str) -> bool:
    """Whether `route` fits `pattern`, word by word."""
    return _fit(pattern.split(".") if pattern else [], route.split(".") if route else [])


def _fit(pattern: Sequence[str], words: Sequence[str]) -> bool:
    if not pattern:
        return not words
    first, *rest = pattern
    if first == "#":
        return _fit(rest, words) or (bool(words) and _fit(pattern, words[1:]))
    return bool(words) and first in ("*", words[0]) and _fit(rest, words[1:])


TestRouting = RoutingMachine.TestCase
TestRouting.settings = tried(40, long=8_500)
