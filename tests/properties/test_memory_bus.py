"""The bus in memory against a model of it that is too simple to be wrong: one list of messages and where each of them is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from joinbridge.bus.memory import MemoryBus, MemorySource
from joinbridge.bus.topics import estate_bindings
from joinbridge.errors import TransportError
from joinbridge.ports import Delivery
from joinbridge.service.clock import ManualClock
from support.bus import QUEUE, START, alert
from support.stateful import Machine

CONSUMERS = 2
PREFETCH = 3
READY, ACKNOWLEDGED, DEAD = "ready", "acknowledged", "dead"

consumers = st.integers(0, CONSUMERS - 1)


@dataclass
class Modelled:
    """One message of the model: `place` is READY, ACKNOWLEDGED, DEAD or the number of the consumer that holds it."""

    place: str | int = READY
    attempts: int = 0
    held_by_tag: tuple[int, int] | None = None  # (consumer, tag) of the delivery that can settle it


class BusModel(Machine):
    """Everything that publishers and two consumers can do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        clock = ManualClock(START)
        self.bus = MemoryBus(clock)
        self.bus.bind(QUEUE, *estate_bindings())
        self.sources: list[MemorySource] = []
        self.messages: list[Modelled] = []
        self.dead: list[int] = []
        # All that was ever handed over, to be settled once, twice, late or never: (consumer, its source then, delivery).
        self.handed_over: list[tuple[int, MemorySource, Delivery]] = []

    @initialize()
    def open(self) -> None:
        self.sources = [self.bus.source(QUEUE, prefetch=PREFETCH) for _ in range(CONSUMERS)]

    @rule(count=st.integers(1, 4), confirmed=st.booleans())
    def publish(self, count: int, confirmed: bool) -> None:
        first = len(self.messages)
        publications = [alert(str(first + number)) for number in range(count)]
        if confirmed:
            self.runner.run(self.bus.publish(publications))
        else:
            # All of it arrives, and the publisher does not know.
            with self.bus.outage(arriving=count), pytest.raises(TransportError):
                self.runner.run(self.bus.publish(publications))
        self.messages += [Modelled() for _ in range(count)]

    @rule(consumer=consumers, limit=st.integers(0, 5))
    def receive(self, consumer: int, limit: int) -> None:
        room = PREFETCH - len(self.of(consumer))
        expected = self.of(READY)[: min(limit, room)]

        received = self.runner.run(self.sources[consumer].receive(limit, timedelta(0)))

        assert [int(delivery.body) for delivery in received] == expected
        for delivery in received:
            message = self.messages[int(delivery.body)]
            message.attempts += 1
            message.place = consumer
            message.held_by_tag = (consumer, delivery.tag)
            assert delivery.attempts == message.attempts
            assert delivery.redelivered == (message.attempts > 1)
            self.handed_over.append((consumer, self.sources[consumer], delivery))

    @precondition(lambda self: self.handed_over)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        for consumer, source, delivery in data.draw(st.lists(st.sampled_from(self.handed_over), max_size=4)):
            late = source.late_settlements
            self.runner.run(source.ack([delivery]))
            self.settle(consumer, source, delivery, late, ACKNOWLEDGED)

    @precondition(lambda self: self.handed_over)
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        for consumer, source, delivery in data.draw(st.lists(st.sampled_from(self.handed_over), max_size=4)):
            late = source.late_settlements
            self.runner.run(source.requeue([delivery]))
            self.settle(consumer, source, delivery, late, READY)

    @precondition(lambda self: self.handed_over)
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        consumer, source, delivery = data.draw(st.sampled_from(self.handed_over))
        late = source.late_settlements
        self.runner.run(source.reject(delivery, "poison", 0))
        if self.settle(consumer, source, delivery, late, DEAD):
            self.dead.append(int(delivery.body))

    @precondition(lambda self: self.handed_over)
    @rule(data=st.data())
    def fail_to_reject(self, data: st.DataObject) -> None:
        consumer, source, delivery = data.draw(st.sampled_from(self.handed_over))
        with self.bus.outage():
            if self.can_settle(consumer, source, delivery):
                with pytest.raises(TransportError):
                    self.runner.run(source.reject(delivery, "poison", 0))
            else:
                self.runner.run(source.reject(delivery, "poison", 0))

    @rule(consumer=consumers)
    def lose(self, consumer: int) -> None:
        self.sources[consumer].lose()
        self.give_up(consumer)

    @rule(consumer=consumers)
    def replace(self, consumer: int) -> None:
        self.sources[consumer].close()
        self.sources[consumer] = self.bus.source(QUEUE, prefetch=PREFETCH)
        self.give_up(consumer)

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        assert self.bus.ready(QUEUE) == len(self.of(READY))
        assert [source.unsettled for source in self.sources] == [len(self.of(number)) for number in range(len(self.sources))]
        assert [int(letter.body) for letter in self.bus.dead_letters()] == self.dead
        assert len(self.dead) == len(self.of(DEAD))

    def teardown(self) -> None:
        self.runner.close()

    def of(self, place: str | int) -> list[int]:
        return [number for number, message in enumerate(self.messages) if message.place == place]

    def can_settle(self, consumer: int, source: MemorySource, delivery: Delivery) -> bool:
        """Return whether it is this very delivery that holds its message."""
        held = self.messages[int(delivery.body)].held_by_tag
        return source is self.sources[consumer] and held == (consumer, delivery.tag)

    def settle(self, consumer: int, source: MemorySource, delivery: Delivery, late: int, place: str) -> bool:
        """Model a settlement, and check that a late one was counted; return whether it was in time."""
        in_time = self.can_settle(consumer, source, delivery)
        assert source.late_settlements == late + (not in_time)
        if in_time:
            message = self.messages[int(delivery.body)]
            message.place, message.held_by_tag = place, None
        return in_time

    def give_up(self, consumer: int) -> None:
        for number in self.of(consumer):
            self.messages[number].place, self.messages[number].held_by_tag = READY, None


TestBusModel = BusModel.TestCase
