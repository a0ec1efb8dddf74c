"""What can go wrong around a sidecar, as data: a schedule is a list of faults, and taking one out of it leaves the others as they are.

What goes wrong in the estate itself (answers lost, messages duplicated, delayed, corrupted) is `simulator.faults`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from joinbridge.proving.points import DIVISIBLE, WRITES


class FaultKind(StrEnum):
    """A way in which the world fails. The first six happen at a call of the sidecar's, the others at a moment."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    CRASH_HALFWAY = "crash halfway"
    FAIL_BEFORE = "fail before"
    FAIL_AFTER = "outcome unknown"  # carried out, and reported as failed
    FAIL_HALFWAY = "fail halfway"
    PAUSE = "pause"  # the call takes its time, and everybody else goes on
    KILL = "kill"
    RESTART = "restart in order"
    CONSUMER_LOST = "consumer lost"
    BUS_AWAY = "bus away"
    DATABASE_AWAY = "database away"
    INVENTORY_AWAY = "inventory away"
    INVENTORY_CONFLICTS = "inventory conflicts"
    CLOCK_AHEAD = "clock ahead"
    SWIZZLE = "swizzle"  # everything stops, and comes back in a random order
    STANDSTILL = "standstill"  # one process of several does not run, and what it asked for is done meanwhile


AT_CALLS = frozenset(
    {
        FaultKind.CRASH_BEFORE,
        FaultKind.CRASH_AFTER,
        FaultKind.CRASH_HALFWAY,
        FaultKind.FAIL_BEFORE,
        FaultKind.FAIL_AFTER,
        FaultKind.FAIL_HALFWAY,
        FaultKind.PAUSE,
    }
)
HALFWAY = frozenset({FaultKind.CRASH_HALFWAY, FaultKind.FAIL_HALFWAY})
CRASHES = frozenset({FaultKind.CRASH_BEFORE, FaultKind.CRASH_AFTER, FaultKind.CRASH_HALFWAY})
CONSUMERS = frozenset({"receive", "ack", "requeue"})
"""Calls of a consumer: when one fails the consumer is lost, and what it held comes again."""

SAFE = frozenset({"ack", "requeue"})
"""Calls that never fail by their contract: whoever loses the consumer in them is only not heard."""

IN_TRANSACTION = frozenset({"begin", "fresh", "load", "due", "save"})
"""Calls after which a transaction is open: it would keep all others waiting."""

UNMADE = frozenset({"reject"})
"""Calls that no simulated sidecar makes: nothing that the estate sends is refused by the database."""

AMONG_SEVERAL = frozenset({FaultKind.STANDSTILL})
"""What concerns nobody else where there is only one sidecar."""

_DRAWN = tuple(kind for kind in FaultKind if kind not in AMONG_SEVERAL)
_RARE = {"postpone": 2, "requeue": 1, "set joined": 3}
_CALLS = (*sorted(WRITES - UNMADE), "receive", "fresh", "load", "due", "commit", "commit", "publish", "ack", "set joined")
_NTH_MAX = 16


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """One fault: at the call `call` of any sidecar, the `nth` by that name; or at `at_s` seconds from the start, for `for_s` seconds."""

    kind: FaultKind
    call: str = ""
    nth: int = 0
    at_s: float = 0.0
    for_s: float = 0.0

    def __str__(self) -> str:
        if self.call:
            lasting = f" for {self.for_s:.3f} s" if self.for_s else ""
            return f"{self.kind}: {self.call} {self.nth}{lasting}"
        return f"{self.kind}: at {self.at_s:.3f} s for {self.for_s:.3f} s"

    @property
    def label(self) -> str:
        """What it counts as."""
        return f"{self.kind}: {self.call}" if self.call and self.kind is not FaultKind.PAUSE else self.kind.value


def draw_schedule(dice: Random, number: int, days: float) -> Sequence[Fault]:
    """Return `number` random faults within the first `days` of virtual time, and what some of them need to come about."""
    drawn = [_draw(dice, days) for _ in range(number)]
    needed = [_NEEDS[fault.call] for fault in drawn if fault.call in _NEEDS]
    return tuple(sorted({*drawn, *needed}, key=str))


_HOUR_S = 3600.0
_NEEDS = {
    "requeue": Fault(kind=FaultKind.FAIL_BEFORE, call="commit", nth=2),
    "postpone": Fault(kind=FaultKind.INVENTORY_CONFLICTS, at_s=8 * _HOUR_S, for_s=12 * _HOUR_S),
}
"""Calls that are only made when something else has failed."""


def _draw(dice: Random, days: float) -> Fault:
    kind = dice.choice(_DRAWN)
    if kind in AT_CALLS:
        call = dice.choice(sorted(DIVISIBLE) if kind in HALFWAY else _CALLS)
        lasting = round(dice.expovariate(1 / 20), 3) if kind is FaultKind.PAUSE else 0.0
        return Fault(kind=kind, call=call, nth=dice.randint(1, _RARE.get(call, _NTH_MAX)), for_s=lasting)
    hours = _hours(dice, days)
    if kind is FaultKind.CLOCK_AHEAD:
        return Fault(kind=kind, at_s=round(hours * _HOUR_S, 3), for_s=round(dice.uniform(0.1, MOST_AHEAD_S), 3))
    lasting = min(dice.expovariate(1 / dice.choice((2, 60, 600))), 1800)
    return Fault(kind=kind, at_s=round(hours * _HOUR_S, 3), for_s=round(lasting, 3))


def draw_standstills(dice: Random, number: int, days: float) -> Sequence[Fault]:
    """Return `number` times within the first `days` at which one of several sidecars does not run for a while, up to hours."""
    return [
        Fault(
            kind=FaultKind.STANDSTILL,
            at_s=round(_hours(dice, days) * _HOUR_S, 3),
            for_s=round(min(dice.expovariate(1 / dice.choice((30, 300, 3600))), 4 * _HOUR_S), 3),
        )
        for _ in range(number)
    ]


def _hours(dice: Random, days: float) -> float:
    # Half of them while homes are installed, where most happens.
    return dice.uniform(8, 19) if dice.random() < 0.5 else dice.uniform(0, days * 24)


MOST_AHEAD_S = 50.0
"""The furthest that a clock goes wrong: what the policy allows between two clocks is a minute, and the estate's have some of it."""
