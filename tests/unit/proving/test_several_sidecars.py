"""Several sidecars in one simulation: they share the queue and the database, and each fails by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.proving.faults import Fault, FaultKind
from joinbridge.proving.keeper import GONE_AFTER_S
from joinbridge.proving.plan import Plan, draw_plan
from joinbridge.proving.scratch import own_scratch
from joinbridge.proving.simulation import Outcome, simulate

SEED = 1
IN_THE_MIDDLE_S = 32_000.0  # of its installation


def plan(*schedule: Fault, sidecars: int = 2) -> Plan:
    return replace(draw_plan(SEED, sidecars), schedule=schedule, latency_s=0.0)


def lived(*schedule: Fault, sidecars: int = 2) -> Outcome:
    return simulate(plan(*schedule, sidecars=sidecars), own_scratch(), keep=True)


def test_the_estate_and_what_goes_wrong_in_it_are_those_of_the_seed() -> None:
    alone, several = draw_plan(SEED), draw_plan(SEED, 3)

    assert several.sidecars == 3
    assert set(alone.schedule) <= set(several.schedule)
    assert {fault.kind for fault in set(several.schedule) - set(alone.schedule)} <= {FaultKind.STANDSTILL}
    assert replace(several, sidecars=1, schedule=alone.schedule) == alone


@pytest.mark.parametrize("sidecars", [2, 3])
def test_they_come_to_what_one_alone_comes_to(sidecars: int) -> None:
    alone, several = lived(sidecars=1), lived(sidecars=sidecars)

    assert several.violations == []
    assert {key: a.state for key, a in several.history.attempts.items()} == {key: a.state for key, a in alone.history.attempts.items()}


def test_each_has_its_share_of_the_messages() -> None:
    found = lived()

    handed = [sum(len(line.split()) - 4 for line in found.lines if f" {who} handed over " in line) for who in ("   bus", " bus 2")]
    assert min(handed) > sum(handed) / 5


def test_the_same_seed_gives_the_same_trace() -> None:
    assert lived().trace == lived().trace


def test_one_that_stands_still_is_taken_for_gone_and_goes_on_where_it_was() -> None:
    found = lived(Fault(kind=FaultKind.STANDSTILL, at_s=IN_THE_MIDDLE_S, for_s=10 * GONE_AFTER_S))

    assert found.weather.happened == {"standstill": 1}
    assert sum("stands still" in line for line in found.lines) == 1
    assert found.violations == []


@pytest.mark.parametrize("kind", [FaultKind.KILL, FaultKind.SWIZZLE, FaultKind.RESTART, FaultKind.BUS_AWAY])
def test_what_happens_to_one_or_to_all_comes_to_rest(kind: FaultKind) -> None:
    found = lived(Fault(kind=kind, at_s=IN_THE_MIDDLE_S, for_s=30.0))

    assert found.weather.happened == {str(kind): 1}
    assert found.violations == []
