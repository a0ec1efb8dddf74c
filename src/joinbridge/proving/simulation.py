"""One simulation, from its plan to its verdict."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from joinbridge.core.attempt import AttemptState
from joinbridge.proving.clock import SimulatedClock
from joinbridge.proving.history import History, read_stored
from joinbridge.proving.invariants import violations
from joinbridge.proving.keeper import SETTINGS
from joinbridge.proving.loop import VirtualLoop
from joinbridge.proving.plan import Plan
from joinbridge.proving.scratch import Scratch
from joinbridge.proving.surroundings import LivingEstate, Surroundings
from joinbridge.proving.trace import Trace
from joinbridge.proving.weather import Weather
from joinbridge.proving.world import World
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.scenario import START
from joinbridge.simulator.score import score

NEVER_LATE: Mapping[datetime, timedelta] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a simulation. `trace` names everything that happened in it, in order; `lines` tell it when they were kept."""

    plan: Plan
    violations: Sequence[str]
    trace: str
    lines: Sequence[str]
    history: History
    weather: Weather
    lived: timedelta
    inferences: int  # announced, each once


def simulate(plan: Plan, scratch: Scratch, *, keep: bool = False) -> Outcome:
    """Live through `plan`. The same plan gives the same trace, in any process."""
    estate = Estate(plan.seed, plan.homes, plan.estate, START, plan.pace)
    lived = live_through(plan, LivingEstate(estate), scratch, keep=keep)
    until = lived.ended_at
    result = score(estate.truth, estate.announced, estate.commands, until, as_proven=True)
    # What is decided in shadow mode nobody hears.
    history = replace(lived.history, truth=estate.truth, score=result if plan.live else None)
    return Outcome(
        plan=plan,
        violations=violations(history),
        trace=lived.trace.digest,
        lines=lived.trace.lines,
        history=history,
        weather=lived.weather,
        lived=lived.ended_at - START,
        inferences=len({(each.request_id, each.pair, each.at) for each in estate.announced if each.state == AttemptState.INFERRED_SUCCESS}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """A world that has come to rest, or has not, and what it left."""

    history: History
    weather: Weather
    trace: Trace
    ended_at: datetime


def live_through(
    plan: Plan, surroundings: Surroundings, scratch: Scratch, *, keep: bool = False, late: Mapping[datetime, timedelta] = NEVER_LATE
) -> Lived:
    """Let a sidecar live through `plan` among `surroundings`. It sees to a deadline that is due at a moment of `late` so much later."""
    random.seed(plan.seed)  # the jitter between tries at once is drawn from there
    due: Mapping[str, Callable[[], datetime | None]] = {
        "deadlines": lambda: _seen_to(scratch.next_deadline(), late),
        "relay": scratch.next_effect,
        "upkeep": lambda: START,
    }
    clock = SimulatedClock(START, lambda task: due[task]())
    trace = Trace(clock.true_now, keep=keep)
    loop = VirtualLoop(clock)

    async def live() -> Lived:
        world = World(plan, surroundings, scratch, clock, trace)
        rested = await world.live()
        trace.add("world", "came to rest" if rested else "never came to rest")
        history = History(
            ledger=world.ledger,
            stored=read_stored(scratch),
            live=plan.live,
            sidecars=plan.sidecars,
            rested=rested,
            policy=SETTINGS.policy(),
            inventory=surroundings.holds(),
            dead_on_bus=world.bus.dead_letters(),
            ended_at=clock.true_now(),
        )
        return Lived(history=history, weather=world.weather, trace=trace, ended_at=clock.true_now())

    try:
        return loop.run_until_complete(live())
    finally:
        loop.close()


def _seen_to(due: datetime | None, late: Mapping[datetime, timedelta]) -> datetime | None:
    return due if due is None or due not in late else due + late[due]
