"""Simulations for tests, each lived through once."""

from __future__ import annotations

from functools import cache

from joinbridge.proving.plan import draw_plan
from joinbridge.proving.scratch import own_scratch
from joinbridge.proving.simulation import Outcome, simulate


@cache
def outcome(seed: int) -> Outcome:
    """Return what came of a seed."""
    return simulate(draw_plan(seed), own_scratch())
