"""Named estates: what goes wrong, and over what time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from joinbridge.simulator.estate import Estate, Pace
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.parties import Region

START = datetime(2026, 3, 2, tzinfo=UTC)
"""When a scenario begins, unless told otherwise: a Monday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A kind of estate; `says` describes it in one line."""

    name: str
    says: str
    faults: Faults
    pace: Pace = field(default_factory=Pace)


_ALL = (
    Scenario(name="clean", says="nothing goes wrong", faults=Faults.none()),
    Scenario(name="everyday", says="somewhat worse than the real estate, so that everything shows", faults=Faults.default()),
    Scenario(name="harsh", says="little can be relied on", faults=Faults.harsh()),
    Scenario(
        name="one-firmware-loses",
        says="the gas meters of one firmware lose three answers in ten in CSP North; the rest is everyday",
        faults=replace(Faults.default(), lossy_cells={(Region.NORTH, "G4000031"): 0.3}),
    ),
)

SCENARIOS: Mapping[str, Scenario] = {each.name: each for each in _ALL}


def build(scenario: Scenario, seed: int, homes: int, start: datetime = START) -> Estate:
    """Return the estate of `scenario` with that seed and number of homes."""
    return Estate(seed, homes, scenario.faults, start, scenario.pace)
