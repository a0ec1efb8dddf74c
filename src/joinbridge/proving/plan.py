"""Plans: what one seed means. Everything in a simulation that chance decides is drawn from its plan's seed, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from random import Random
from typing import Any

from joinbridge.proving.faults import Fault, draw_schedule, draw_standstills
from joinbridge.simulator.dice import stream
from joinbridge.simulator.estate import Pace
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.later import CHANCES, Turn

DAYS = 2
"""Virtual days in which homes are installed and lived in, and in which faults happen; then all must come to rest."""

_TURNS = {
    **CHANCES,
    Turn.REPEAT: 0.2,
    Turn.READ_LOG: 0.2,
    Turn.READ_SECURITY: 0.3,
    Turn.UNJOIN: 0.25,
    Turn.UNJOIN_AND_JOIN: 0.2,
    Turn.EXCHANGE_HUB: 0.06,
    Turn.FORGET: 0.08,
}
PACE = Pace(installing=timedelta(days=1), active=timedelta(days=DAYS), duration=timedelta(days=DAYS + 9), noise_per_home=1, turns=_TURNS)

HURRIED = replace(
    PACE,
    active=timedelta(hours=20),
    turns={**_TURNS, Turn.READ_SECURITY: 0.8, Turn.EXCHANGE_DISPLAY: 0.4, Turn.EXCHANGE_TYPE2: 0.4, Turn.EXCHANGE_HUB: 0.2},
    checks=1.0,
)
"""As `PACE`, but all that happens to a home happens within some hours of its installation, while answers are still waited for."""

DENSE = replace(
    Faults.harsh(),
    answer_lost_radio=0.10,
    answer_lost_wan=0.10,
    answer_lost_dsp=0.07,
    answer_lost_user=0.07,
    alert_lost=0.08,
    probe_answer_lost=0.15,
    read_fails=0.15,
    corrupted=0.01,
    join_fails_and_lost=0.05,
)
"""An estate that loses answer upon answer: a few homes show what a nation shows in a month."""

_LATE_COMMANDS: Mapping[str, Any] = {
    "command_lost": 0.4,
    "command_loss_reported": 1.0,
    "command_late_after_all": 0.8,
    "answer_lost_radio": 0.3,
    "discard_reported": 1.0,
}
"""Commands that are reported as lost and yet carried out hours later, and whose answers are dropped then. Any: as `_some_of` has it."""

_LATE_TYPES: Mapping[str, Any] = {"types_late": 0.8, "stale_entry": 0.5}
"""Devices whose types are told days after the Joins that need them, while logs hold entries of other types from before."""

_WITH_LATE_COMMANDS = 0.15
_HURRIED, _HURRIED_WITH_LATE_COMMANDS = 0.1, 0.6
_WITH_UPKEEP = 0.05
_IN_SHADOW = 0.04
_WITH_LATE_TYPES = 0.05
_LEFT_OUT = 0.3  # share of the estate's faults that one seed does without, so that each is seen with and without each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One simulation: the estate and what goes wrong in it, how the sidecar is set up, and what goes wrong around it.

    `stride_s` is how far the estate's messages are held together on their way to the bus; `latency_s` the mean time that a call takes,
    0 for none; `restarts_s` how long it may take until a sidecar that is gone is started again; one that is not `live` is in shadow mode.
    Several `sidecars` share the queue and the database.
    With `heals` nothing goes wrong any more once the estate has lived.
    """

    seed: int
    homes: int = 1
    estate: Faults = DENSE
    pace: Pace = PACE
    stride_s: float = 5.0
    batch_limit: int = 200
    tries_at_once: int = 1
    latency_s: float = 0.0
    restarts_s: Sequence[float] = (0.0, 0.5, 5.0, 60.0, 900.0)
    upkeep: bool = False
    live: bool = True
    heals: bool = True
    sidecars: int = 1
    schedule: Sequence[Fault] = ()


def draw_plan(seed: int, sidecars: int = 1) -> Plan:
    """Return the plan of `seed`. With several `sidecars` it is the same estate and the same faults, and now and then one stands still."""
    dice, homes, estate = _begun(seed)
    plan = Plan(
        seed=seed,
        homes=homes,
        estate=estate,
        stride_s=dice.choice((1.0, 60.0, 300.0, 300.0, 900.0, 900.0)),
        batch_limit=dice.choice((3, 200, 200, 200)),
        tries_at_once=dice.choice((1, 3)),
        latency_s=dice.choice((0.0, 0.0, 0.0, 0.02, 1.0)),
        upkeep=dice.random() < _WITH_UPKEEP,
        schedule=draw_schedule(dice, dice.choice((0, 2, 4, 8)), DAYS),
    )
    late = dice.random() < _WITH_LATE_COMMANDS
    hurried = dice.random() < (_HURRIED_WITH_LATE_COMMANDS if late else _HURRIED)
    live = dice.random() >= _IN_SHADOW
    if late:
        estate = replace(estate, **_LATE_COMMANDS)
    if live and dice.random() < _WITH_LATE_TYPES:
        estate = replace(estate, **_LATE_TYPES)
    plan = replace(plan, estate=estate, pace=HURRIED if hurried else PACE, live=live)
    return plan if sidecars == 1 else _with_several(plan, sidecars)


def _with_several(plan: Plan, sidecars: int) -> Plan:
    dice = stream(plan.seed, "sidecars")
    return replace(plan, sidecars=sidecars, schedule=(*plan.schedule, *draw_standstills(dice, dice.choice((0, 1, 2, 3)), DAYS)))


def calm_plan(seed: int, *, stride_s: float, batch_limit: int) -> Plan:
    """Return a plan with the estate of `seed`, of one home, in which nothing goes wrong around the sidecar."""
    _, _, estate = _begun(seed)
    return Plan(seed=seed, estate=estate, stride_s=stride_s, batch_limit=batch_limit, restarts_s=(0.0,))


def _begun(seed: int) -> tuple[Random, int, Faults]:
    dice = stream(seed, "plan")
    return dice, dice.choices((1, 2, 3), (96, 3, 1))[0], _some_of(DENSE, dice)


def _some_of(faults: Faults, dice: Random) -> Faults:
    """Return `faults` without some of them."""
    rates = [each.name for each in fields(faults) if isinstance(getattr(faults, each.name), float)]
    without: dict[str, Any] = {name: 0.0 for name in rates if dice.random() < _LEFT_OUT}  # Any: fields have types of their own
    return replace(faults, **without)
