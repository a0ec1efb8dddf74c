"""One request on its way through the DSP, and what the way does to it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from joinbridge.core.ids import RequestId
from joinbridge.simulator.devices import Device
from joinbridge.simulator.homes import Home
from joinbridge.simulator.truth import AttemptTruth
from joinbridge.wire.payloads import Payload


@dataclass(slots=True, kw_only=True, eq=False)
class Order:
    """A request for a device. `payload` is None for services whose content matters to nobody here.

    `fronted` says that the device does not know the requester, so the ACB sends in its name. `issued` counts the commands made of it,
    of which all but the first were asked for by joinbridge.
    """

    request_id: RequestId
    home: Home
    device: Device
    srv: str
    message_code: int
    payload: Payload | None
    signed_answer: bool
    fronted: bool
    attempt: AttemptTruth | None = None
    issued: int = 0
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """What chance has in store for one command and its answer; each a number from 0 to 1, always all drawn."""

    loss: float
    report: float
    report_kind: float
    late: float
    fail: float
    fail_code: float
    leg: float
    leg_choice: float
    discard: float
    discard_told: float
    slow: float
    how_slow: float
    time_out: float
    time_out_kind: float
    down: float
    up: float


def draw_fate(random: Random) -> Fate:
    """Return the next fate."""
    draw = random.random
    return Fate(
        draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw(), draw()
    )
