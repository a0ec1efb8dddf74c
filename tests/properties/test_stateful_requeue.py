"""Dead letters that are sent again, against a model of where each message is: whatever fails on the way, none is nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, invariant, rule

from joinbridge.bus.amqp.connecting import AmqpBus
from joinbridge.bus.letters import to_requeue
from joinbridge.bus.topics import Binding
from joinbridge.core.ids import MessageKey, message_key
from joinbridge.errors import StaleVersionError, TransportError
from joinbridge.ports import DeadLetter, DeadLetterStatus, Publisher
from joinbridge.store.interventions import SqlInterventions
from joinbridge.wiring.requeueing import REQUEUED, _requeue
from support.sidecar import INTAKE
from support.stateful import SiteMachine, tried

SETTLED = (DeadLetterStatus.REQUEUED, DeadLetterStatus.DISMISSED)


@dataclass
class Modelled:
    """An unreadable message: how many copies of it are on the bus, and the dead letter it became, if it did."""

    body: bytes
    on_the_bus: int = 0
    status: DeadLetterStatus | None = None
    attempts: int = 0
    begun_at: datetime | None = None

    @property
    def key(self) -> MessageKey:
        return message_key(self.body)


@dataclass(frozen=True)
class OneQueue:
    """As much of a connected bus as sending letters again needs."""

    publisher: Publisher
    queues: Sequence[str] = (INTAKE,)


class RequeueMachine(SiteMachine):
    """Messages that die, persons who send them again or do not, and a broker that fails them."""

    messages = Bundle("messages")
    begun = Bundle("begun")

    def __init__(self) -> None:
        super().__init__()
        # The broker's own exchange leads straight to a queue.
        self.site.bus.bind(INTAKE, Binding(exchange="", pattern="joinbridge.in"))
        self.stack = AsyncExitStack()
        self.running = self.run(self.stack.enter_async_context(self.site.sidecar()))
        self.interventions = SqlInterventions(self.site.database, self.site.clock)
        self.bus = cast("AmqpBus", OneQueue(self.site.bus))
        self.model: list[Modelled] = []

    def teardown(self) -> None:
        self.run(self.stack.aclose())

    @rule(target=messages)
    def arrive(self) -> Modelled:
        one = Modelled(b"<unreadable %d" % len(self.model))
        self.model.append(one)
        self.arrive_again(one)
        return one

    @rule(one=messages)
    def arrive_again(self, one: Modelled) -> None:
        self.run(self.site.send(one.body))
        one.on_the_bus += 1

    @rule()
    def take(self) -> None:
        self.run(self.running.intake.turn())
        for one in self.model:
            if one.on_the_bus:
                one.status = DeadLetterStatus.OPEN
            one.attempts += one.on_the_bus
            one.on_the_bus = 0

    @rule(seconds=st.integers(1, 100))
    def wait(self, seconds: int) -> None:
        self.site.clock.jump(self.site.clock.now() + timedelta(seconds=seconds))

    @rule(one=messages, arriving=st.sampled_from([None, None, 0, 1]))
    def send_again(self, one: Modelled, arriving: int | None) -> None:
        """As a person does: `arriving` copies get there although the broker does not confirm; None when all is well."""
        with nullcontext() if arriving is None else self.site.bus.outage(arriving=arriving):
            try:
                said = self.run(_requeue(self.interventions, self.bus, one.key, by="me", reason="a test"))
            except TransportError:
                said = "not confirmed"

        if one.status is None or one.status in SETTLED:
            assert said not in (REQUEUED, "not confirmed")
            return
        self.has_begun(one)
        one.on_the_bus += 1 if arriving is None else arriving
        if arriving is None:
            one.status = DeadLetterStatus.REQUEUED
        assert said == (REQUEUED if arriving is None else "not confirmed")

    @rule(target=begun, one=messages)
    def begin(self, one: Modelled) -> tuple[Modelled, DeadLetter | None]:
        """Begin, and get no further for now."""
        if one.status in SETTLED:
            with pytest.raises(StaleVersionError):
                self.run(self.interventions.begin_requeue(one.key, by="me", reason="a test"))
            return one, None
        letter = self.run(self.interventions.begin_requeue(one.key, by="me", reason="a test"))
        assert (letter is None) == (one.status is None)
        if letter is not None:
            self.has_begun(one)
        return one, letter

    @rule(begun=consumes(begun))
    def finish(self, begun: tuple[Modelled, DeadLetter | None]) -> None:
        """Go on where `begin` stopped, whatever has happened since."""
        one, letter = begun
        if letter is None:
            return
        self.run(self.site.bus.publish([to_requeue(letter, INTAKE)]))
        one.on_the_bus += 1

        finished = self.run(self.interventions.finish_requeue(letter))

        assert finished == (one.status is DeadLetterStatus.REQUEUEING and one.begun_at == letter.requeue_at)
        if finished:
            one.status = DeadLetterStatus.REQUEUED

    @rule(one=messages)
    def dismiss(self, one: Modelled) -> None:
        dismissed = self.run(self.interventions.dismiss(one.key, by="me", reason="a test"))

        assert dismissed == (one.status is not None and one.status not in SETTLED)
        if dismissed:
            one.status = DeadLetterStatus.DISMISSED

    @invariant()
    def every_letter_is_as_the_model_has_it(self) -> None:
        # Any: the columns of a row.
        letters: dict[str, Any] = {one.key: one for one in self.run(self.site.records.dead_letters(statuses=list(DeadLetterStatus)))}
        assert {key: (one.status, one.attempts) for key, one in letters.items()} == {
            one.key: (one.status, one.attempts) for one in self.model if one.status is not None
        }
        assert all(one.reason and (one.settled_at is not None) == (one.status in SETTLED) for one in letters.values())
        assert self.site.bus.ready(INTAKE) == sum(one.on_the_bus for one in self.model)

    def has_begun(self, one: Modelled) -> None:
        if one.status is DeadLetterStatus.OPEN:
            one.status, one.begun_at = DeadLetterStatus.REQUEUEING, self.site.clock.now()


TestRequeue = RequeueMachine.TestCase
TestRequeue.settings = tried(60, long=8_500)
