"""Simulations of the whole sidecar: nothing is broken, and a seed means the same history everywhere and every time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from joinbridge.proving.campaign import figures_of
from joinbridge.proving.plan import draw_plan
from joinbridge.proving.scratch import own_scratch
from joinbridge.proving.simulation import simulate

# To look longer: `joinbridge sim --seeds 100000 --procs 2`.
FIRST, SEEDS = 50_000, 500
REPEATED = range(60_000, 60_006)

_TRACES = """
import json, sys
from joinbridge.proving.plan import draw_plan
from joinbridge.proving.scratch import scratch
from joinbridge.proving.simulation import simulate
with scratch() as database:
    print(json.dumps([simulate(draw_plan(seed), database).trace for seed in json.loads(sys.argv[1])]))
"""


@pytest.mark.slow
def test_five_hundred_seeds_break_nothing_and_miss_next_to_nothing() -> None:
    figures = figures_of(range(FIRST, FIRST + SEEDS), own_scratch())

    assert figures.failures == [], "replay with `joinbridge sim --seed N --trace`"
    assert figures.false == 0
    assert figures.inferences > SEEDS
    assert figures.recall is not None
    assert figures.recall > 0.99
    assert all(times for times in figures.to_json()["faults"].values())  # type: ignore[attr-defined]  # plain JSON


@pytest.mark.slow
def test_a_seed_gives_the_same_trace_in_any_order_and_in_another_process_with_another_hash_seed() -> None:
    seeds = list(REPEATED)

    here = [simulate(draw_plan(seed), own_scratch()).trace for seed in seeds]
    backwards = [simulate(draw_plan(seed), own_scratch()).trace for seed in reversed(seeds)]
    elsewhere = subprocess.run(
        [sys.executable, "-c", _TRACES, json.dumps(seeds)],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=True,
        capture_output=True,
    )

    assert here == backwards[::-1]
    assert here == json.loads(elsewhere.stdout)
    assert len(set(here)) == len(seeds)
