"""Deadlines fire once and never early, and what they cause is bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from joinbridge.core.attempt import AttemptState, LossTrigger, Purpose
from joinbridge.core.case import Case, DeadlinePassed, Decision
from joinbridge.core.effects import ProbeDeviceLog, ReissueJoin
from joinbridge.core.engine import decide
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import (
    JoinCode,
)
from support.home import (
    CAD,
    CHF,
    ESME,
    after,
    answered,
    described,
    join,
    request_id,
)
from support.world import World

POLICY = Policy()


def test_a_deadline_fires_once_and_never_early() -> None:
    world = World()
    world.see(described(ESME, CAD))
    world.see(join(1))
    due = world.next_deadline()
    assert due is not None

    early = decide(world.case([ESME]), due, policy=POLICY, now=due.deadline.due_at - timedelta(milliseconds=1))
    world.tick(due.deadline.due_at)
    again = decide(world.case([ESME]), due, policy=POLICY, now=due.deadline.due_at)

    lost = world.attempt(request_id(1))
    assert due.deadline.due_at == after(minutes=10)
    assert early == again == Decision()
    assert (lost.lost_at, lost.lost_because) == (after(minutes=10), LossTrigger.DEADLINE)


def test_a_deadline_that_was_armed_again_is_void() -> None:
    world = World()
    world.see(join(1))
    due = world.next_deadline()
    assert due is not None
    moved = replace(due.deadline, due_at=due.deadline.due_at + timedelta(hours=1))
    world.attempts[due.key] = replace(world.attempts[due.key], deadlines=(moved,))

    decision = decide(world.case([ESME]), due, policy=POLICY, now=after(days=1))

    assert decision == Decision()


def test_an_answer_that_is_due_although_its_attempt_was_disproved_is_not_missed() -> None:
    world = World()
    world.see(join(1))
    due = world.next_deadline()
    assert due is not None
    disproved = replace(world.attempts[due.key], state=AttemptState.DISPROVED)
    world.attempts[due.key] = disproved

    decision = decide(world.case([ESME]), due, policy=POLICY, now=due.deadline.due_at)

    assert decision.attempts == (replace(disproved, deadlines=()),)
    assert decision.effects == ()


def test_a_deadline_of_an_unknown_attempt_is_void() -> None:
    world = World()
    world.see(join(1))
    due = world.next_deadline()
    assert due is not None

    assert decide(Case(), DeadlinePassed(key=due.key, deadline=due.deadline), policy=POLICY, now=after(days=1)) == Decision()


def test_retries_and_probes_are_bounded() -> None:
    world = World()
    world.see(described(CHF, CAD))
    world.see(join(1, target=CHF))

    world.tick(timedelta(days=8))

    lost = world.attempt(request_id(1, target=CHF))
    assert [e.number for e in world.owed(ReissueJoin)] == list(range(1, POLICY.max_retries + 1))
    assert len(world.owed(ProbeDeviceLog)) == lost.probes == POLICY.max_probes
    assert (lost.state, lost.deadlines) == (AttemptState.UNRESOLVED, ())


def test_a_refused_repeat_of_the_command_has_the_device_asked_now() -> None:
    world = World()
    world.see(described(CHF, CAD))
    world.see(join(1, target=CHF))
    world.tick(timedelta(minutes=30))

    world.see(answered(1, JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY, target=CHF))

    asked = world.attempt(request_id(1, target=CHF))
    assert asked.is_open
    assert asked.due(Purpose.PROBE) == after(minutes=30)
