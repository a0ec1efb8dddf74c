"""The clock that the configuration asks for."""

from __future__ import annotations

from joinbridge.config import Settings
from joinbridge.ports import Clock
from joinbridge.service.clock import RehearsalClock, SystemClock


def clock_of(settings: Settings) -> Clock:
    """Return the machine's clock, or the faster one of a rehearsal."""
    rehearsal = settings.rehearsal
    return SystemClock() if rehearsal.origin is None else RehearsalClock(rehearsal.origin, rehearsal.speed)
