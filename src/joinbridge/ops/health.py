"""Health: whether this instance can do its work now, and if not, why not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from joinbridge.errors import JoinbridgeError
from joinbridge.observing import Observer

PATIENCE_S = 2.0
"""So long may one probe take. Whoever asks wants to know within five seconds."""

FRESH_S = 1.0
"""So long is one look good for: whoever asks often must not load the database."""

Probe = Callable[[], Awaitable[str | None]]
"""Returns why something is not as it should be, None when it is. May raise any error of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one probe found; `reason` is empty when all is well."""

    name: str
    reason: str

    @property
    def is_well(self) -> bool:
        """Whether all is well."""
        return not self.reason


class Readiness:
    """The probes of this instance, which become more as its parts come up; without any it is still starting."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}
        self._looking = asyncio.Lock()
        self._seen: Sequence[Check] = ()
        self._seen_at = -FRESH_S
        self._closing = ""

    def add(self, name: str, probe: Probe) -> None:
        """Let readiness depend on `probe` too."""
        self._probes[name] = probe

    def close(self, reason: str) -> None:
        """Be not ready from now on, whatever the probes say."""
        self._closing = reason

    async def look(self) -> Sequence[Check]:
        """Return what the probes find, in the order they were added; never raises. A look is at most a second old."""
        if self._closing or not self._probes:
            return (Check(name="instance", reason=self._closing or "starting"),)
        async with self._looking:
            if time.monotonic() - self._seen_at >= FRESH_S:
                self._seen = await asyncio.gather(*(_checked(name, probe) for name, probe in self._probes.items()))
                self._seen_at = time.monotonic()
            return self._seen


async def _checked(name: str, probe: Probe) -> Check:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return Check(name=name, reason=await probe() or "")
    except TimeoutError:
        return Check(name=name, reason=f"no answer within {PATIENCE_S:g} s")
    except JoinbridgeError as error:
        return Check(name=name, reason=str(error))


class SweepWatch(Observer):
    """Knows how long ago deadlines were last swept, in true time."""

    def __init__(self, limit: timedelta) -> None:
        self._limit_s = limit.total_seconds()
        self._swept_at: float | None = None

    def swept(self, at: datetime) -> None:  # noqa: ARG002 - how fresh it is shows in true time
        """Note a sweep."""
        self._swept_at = time.monotonic()

    async def probe(self) -> str | None:
        """Return why deadlines may be late; None when they are not."""
        if self._swept_at is None:
            return "deadlines have not been swept yet: they wait until what is on the bus was read"
        age_s = time.monotonic() - self._swept_at
        if age_s <= self._limit_s:
            return None
        return f"deadlines were last swept {age_s:.0f} s ago, more than {self._limit_s:g} s (http.sweep_limit)"
