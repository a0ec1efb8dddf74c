"""Every kind of fault comes about, and breaks nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.pair import PairState
from joinbridge.proving.faults import AT_CALLS, HALFWAY, Fault, FaultKind, draw_schedule
from joinbridge.proving.plan import Plan, draw_plan
from joinbridge.proving.scratch import own_scratch
from joinbridge.proving.simulation import Outcome, simulate
from joinbridge.proving.sometimes import MANY_SEEDS, OUT_OF_REACH, RARE, declared
from joinbridge.simulator.dice import stream

SEED = 1
IN_THE_MIDDLE_S = 32_000.0  # of its installation


def lived(*schedule: Fault) -> Outcome:
    return simulate(replace(quiet(), schedule=schedule), own_scratch())


def quiet() -> Plan:
    return replace(draw_plan(SEED), schedule=(), latency_s=0.0)


@pytest.mark.parametrize("kind", FaultKind)
def test_it_comes_about_once_and_everything_comes_to_rest(kind: FaultKind) -> None:
    call = ("publish" if kind in HALFWAY else "commit") if kind in AT_CALLS else ""
    fault = Fault(kind=kind, call=call, nth=3 if call else 0, at_s=0.0 if call else IN_THE_MIDDLE_S, for_s=30.0)

    found = lived(fault)

    assert found.weather.happened == {fault.label: 1}
    assert found.violations == []


@pytest.mark.parametrize("kind", sorted(AT_CALLS - HALFWAY))
@pytest.mark.parametrize("call", ["begin", "fresh", "save", "ack", "lease", "settle", "receive"])
def test_at_any_call(kind: FaultKind, call: str) -> None:
    fault = Fault(kind=kind, call=call, nth=2, for_s=30.0 if kind is FaultKind.PAUSE else 0.0)

    found = lived(fault)

    assert found.weather.happened == {fault.label: 1}
    assert found.violations == []


def test_a_crash_is_followed_by_another_start() -> None:
    calm, crashed = lived(), lived(Fault(kind=FaultKind.CRASH_AFTER, call="commit", nth=2))

    assert crashed.weather.calls["watched"] == calm.weather.calls["watched"] + 1


def test_whatever_happens_to_the_sidecar_it_ends_with_the_same_records() -> None:
    calm, crashed = lived(), lived(Fault(kind=FaultKind.CRASH_AFTER, call="commit", nth=2))

    assert states(crashed) == states(calm)


def states(found: Outcome) -> dict[str, AttemptState | PairState]:
    history = found.history
    return {str(key): a.state for key, a in history.attempts.items()} | {str(pair): p.state for pair, p in history.pairs.items()}


def test_a_schedule_is_as_long_as_asked_for_and_comes_from_its_dice() -> None:
    first, again, other = (draw_schedule(stream(seed), 8, 2) for seed in (1, 1, 2))

    assert len(first) == 8
    assert first == again != other


def test_a_fault_says_what_it_is() -> None:
    assert str(Fault(kind=FaultKind.FAIL_AFTER, call="commit", nth=3)) == "outcome unknown: commit 3"
    assert str(Fault(kind=FaultKind.KILL, at_s=5, for_s=1)) == "kill: at 5.000 s for 1.000 s"


def test_what_is_out_of_reach_has_a_reason_and_would_be_declared_without_it() -> None:
    assert all(OUT_OF_REACH.values())
    assert not OUT_OF_REACH.keys() & declared()


def test_what_is_rare_must_happen_in_a_run_that_is_long_enough_and_in_no_shorter_one() -> None:
    assert declared(MANY_SEEDS) - declared(MANY_SEEDS - 1) == RARE
