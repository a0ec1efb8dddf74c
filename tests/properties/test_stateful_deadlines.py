"""Deadlines against a model of one: an answer is lost when it did not come by its moment, then and not before, and once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, rule

from joinbridge.core.attempt import AttemptState, JoinAttempt, LossTrigger, Purpose
from joinbridge.core.effects import PublishEvent
from joinbridge.core.ids import DeviceId
from joinbridge.errors import StaleVersionError, StoreRefusedError
from joinbridge.store.interventions import SqlInterventions
from support.home import CAD
from support.messages import join_answer, join_request
from support.records import device
from support.sidecar import LIVE
from support.stateful import SiteMachine, tried

WAIT, GRACE = LIVE.policy().answer_wait_unknown, LIVE.policy().backlog_grace
minutes = st.integers(0, 150).map(lambda count: timedelta(minutes=count))


@dataclass
class Asked:
    """A request as the model sees it: `due_at` is None once nothing is waited for any more."""

    target: DeviceId
    counter: int
    due_at: datetime | None
    lost_at: datetime | None = None
    answered: bool = False


class DeadlineMachine(SiteMachine):
    """Requests, answers, time, and a person who moves deadlines."""

    asked = Bundle("asked")

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()
        self.running = self.run(self.stack.enter_async_context(self.site.sidecar()))
        self.interventions = SqlInterventions(self.site.database, self.site.clock)
        self.model: list[Asked] = []

    def teardown(self) -> None:
        self.run(self.stack.aclose())

    @rule(target=asked, ago=st.sampled_from([0, 0, 0, 60, 240]).map(lambda count: timedelta(minutes=count)))
    def ask(self, ago: timedelta) -> Asked:
        now, number = self.site.clock.now(), len(self.model) + 1
        one = Asked(device(number), number, max(now - ago + WAIT, now + GRACE))  # each of a target of its own: none proves another
        self.take(join_request(one.target, CAD, number), at=now - ago)
        self.model.append(one)
        return one

    @rule(one=asked)
    def answer(self, one: Asked) -> None:
        self.take(join_answer(one.target, one.counter), at=self.site.clock.now())
        one.answered, one.due_at = True, None

    @rule(one=asked)
    def ask_again(self, one: Asked) -> None:
        self.take(join_request(one.target, CAD, one.counter), at=self.site.clock.now())

    @rule(by=minutes)
    def wait(self, by: timedelta) -> None:
        self.site.clock.jump(self.site.clock.now() + by)
        self.sweep()

    @rule(before=st.sampled_from([timedelta(0), timedelta(microseconds=1)]))
    def wait_for_the_next(self, before: timedelta) -> None:
        due = min((one.due_at for one in self.model if one.due_at is not None), default=None)
        if due is not None and due - before >= self.site.clock.now():
            self.site.clock.jump(due - before)
            self.sweep()

    @rule(one=asked, by=minutes)
    def move(self, one: Asked, by: timedelta) -> None:
        attempt, to = self.attempt(one), self.site.clock.now() + by
        deadline = next((d for d in attempt.deadlines if d.purpose is Purpose.ANSWER), None)
        assert (deadline is None) == (one.due_at is None)
        if deadline is None:
            return
        self.run(self.interventions.move_deadline(attempt.key, deadline, to, by="me", reason="a test"))
        one.due_at = to
        if to != deadline.due_at:
            with pytest.raises(StaleVersionError):
                self.run(self.interventions.move_deadline(attempt.key, deadline, to, by="me", reason="too late"))

    @rule(one=asked)
    def cancel(self, one: Asked) -> None:
        attempt = self.attempt(one)
        if one.due_at is not None:
            with pytest.raises(StoreRefusedError):
                self.run(self.interventions.cancel_deadline(attempt.key, attempt.deadlines[0], by="me", reason="a test"))

    @invariant()
    def each_is_lost_at_its_moment_or_not_at_all(self) -> None:
        found = {a.request_id.counter: a for a in self.attempts()}
        assert {number: (a.lost_at, a.due(Purpose.ANSWER)) for number, a in found.items()} == {
            one.counter: (one.lost_at, one.due_at) for one in self.model
        }
        for one in self.model:
            state = found[one.counter].state
            assert (state in (AttemptState.SUCCEEDED, AttemptState.CONFIRMED_LATE)) == one.answered
            assert found[one.counter].lost_because == (None if one.lost_at is None else LossTrigger.DEADLINE)

    @invariant()
    def each_loss_is_told_once(self) -> None:
        effects = [record.effect for record in self.run(self.site.records.effects())]
        told = [e.request_id for e in effects if isinstance(e, PublishEvent) and e.state is AttemptState.RESPONSE_LOST]
        assert sorted(key.counter for key in told if key is not None) == [one.counter for one in self.model if one.lost_at is not None]

    def sweep(self) -> None:
        now = self.site.clock.now()
        while self.run(self.running.step.fire(3)):
            pass
        for one in self.model:
            if one.due_at is not None and one.due_at <= now:
                one.lost_at, one.due_at = now, None
        assert all(d.due_at > now for a in self.attempts() for d in a.deadlines), "a deadline was passed over"

    def take(self, body: bytes, *, at: datetime) -> None:
        self.run(self.site.send(body, at=at))
        self.run(self.running.intake.turn())

    def attempt(self, one: Asked) -> JoinAttempt:
        return next(a for a in self.attempts() if a.request_id.counter == one.counter)

    def attempts(self) -> Sequence[JoinAttempt]:
        return self.run(self.site.records.attempts())


TestDeadlines = DeadlineMachine.TestCase
TestDeadlines.settings = tried(8, long=1_000)
