"""Faults and scenarios: probabilities that are probabilities, and names that can be built."""

from __future__ import annotations

from dataclasses import fields

import pytest

from joinbridge.simulator.faults import Faults
from joinbridge.simulator.scenario import SCENARIOS, START, build


@pytest.mark.parametrize("value", [-0.1, 1.1, 7])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="alert_lost is a probability"):
        Faults(alert_lost=value)


def test_the_harsh_world_is_worse_than_the_everyday_one_and_that_is_worse_than_none() -> None:
    rates = [each.name for each in fields(Faults) if isinstance(each.default, float)]

    for name in rates:
        assert getattr(Faults.none(), name) == 0 <= getattr(Faults.default(), name) <= getattr(Faults.harsh(), name), name


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_each_scenario_lives_under_its_own_name(name: str) -> None:
    scenario = SCENARIOS[name]

    estate = build(scenario, seed=1, homes=2)

    assert scenario.name == name
    assert estate.advance(estate.ends_at)
    assert estate.ends_at == START + scenario.pace.duration
