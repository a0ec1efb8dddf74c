"""Shrinking: the fewest faults that still break what a seed broke."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from joinbridge.proving.faults import Fault
from joinbridge.proving.plan import Plan

Breaks = Callable[[Plan], bool]
"""Whether a plan still breaks what is looked for."""


def shrunk(plan: Plan, breaks: Breaks) -> Plan:
    """Return `plan` with as few faults as `breaks` allows: first large parts are left out, then one fault after the other.

    What is left breaks it, and without any one of its faults it does not.
    """
    schedule = tuple(plan.schedule)
    part = len(schedule)
    while part >= 1:
        smaller = _without_a_part(plan, schedule, part, breaks)
        if smaller is None:
            part //= 2
        else:
            schedule = tuple(smaller)
            part = min(part, len(schedule))
    return replace(plan, schedule=schedule)


def _without_a_part(plan: Plan, schedule: Sequence[Fault], part: int, breaks: Breaks) -> Sequence[Fault] | None:
    for start in range(0, len(schedule), part):
        candidate = (*schedule[:start], *schedule[start + part :])
        if breaks(replace(plan, schedule=candidate)):
            return candidate
    return None


def broken(violations: Sequence[str]) -> frozenset[str]:
    """Return the numbers of the invariants that `violations` break."""
    return frozenset(each.split(":")[0] for each in violations)
