"""Shrinking leaves exactly the faults without which nothing breaks."""

from __future__ import annotations

from itertools import combinations

import pytest

from joinbridge.proving.faults import Fault, FaultKind
from joinbridge.proving.plan import Plan
from joinbridge.proving.shrinking import broken, shrunk

FAULTS = [Fault(kind=FaultKind.KILL, at_s=float(second)) for second in range(7)]


@pytest.mark.parametrize("guilty", [*combinations(FAULTS, 1), *combinations(FAULTS, 2), *combinations(FAULTS, 3)])
def test_only_the_guilty_are_left(guilty: tuple[Fault, ...]) -> None:
    plan = Plan(seed=1, schedule=FAULTS)

    found = shrunk(plan, lambda candidate: set(guilty) <= set(candidate.schedule))

    assert tuple(found.schedule) == guilty


def test_what_breaks_by_itself_needs_no_fault() -> None:
    assert tuple(shrunk(Plan(seed=1, schedule=FAULTS), lambda _: True).schedule) == ()


def test_what_is_broken_is_known_by_its_number() -> None:
    assert broken(["3: something", "3: something else", "12: another"]) == {"3", "12"}
