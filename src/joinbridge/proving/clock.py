"""The sidecar's clock in a simulation: virtual time, which may be set wrong, and sleep that ends when there is something to do.

A sidecar that has nothing to do looks again every second. To look and find nothing changes nothing, so here it sleeps on until the moment
at which a look would find something: days of quiet cost nothing, and what it does it does at the same moments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joinbridge.service.runtime import IDLE_WAIT, UPKEEP_WAIT

UPKEEP_EVERY = timedelta(days=4)
"""How often the upkeep of a simulated sidecar looks: nothing gets old enough for it in less."""

Due = Callable[[str], datetime | None]
"""Returns when the task of that name has something to do, None when it has not."""


@dataclass(frozen=True, slots=True, eq=False)
class _Dozer:
    task: str
    since: float
    future: asyncio.Future[None]


class SimulatedClock:
    """A `ports.Clock` on the running loop's virtual time, from `origin` on. `due` says what those who idle wait for.

    It is a `loop.Dozers`. `ahead` is how far it goes wrong; taken back, the clock stands still until time has caught up with it.
    """

    def __init__(self, origin: datetime, due: Due) -> None:
        self._origin = origin
        self._due = due
        self._latest = origin
        self._dozers: list[_Dozer] = []
        self._next: list[tuple[float, _Dozer]] = []
        self.ahead = timedelta(0)

    def true_now(self) -> datetime:
        """Return the moment as it is for the rest of the world."""
        return self._origin + timedelta(seconds=asyncio.get_running_loop().time())

    def now(self) -> datetime:
        """Return the moment as the sidecar's machine has it; never goes back."""
        self._latest = max(self._latest, self.true_now() + self.ahead)
        return self._latest

    def sleep(self, duration: timedelta) -> Coroutine[Any, Any, None]:
        """Return after `duration`, or, where nobody waits for anything but something to do, once there is something."""
        task = asyncio.current_task()
        if task is not None and duration in (IDLE_WAIT, UPKEEP_WAIT):
            return self._doze(task.get_name(), duration)
        return asyncio.sleep(max(0.0, duration.total_seconds()))

    async def _doze(self, task: str, least: timedelta) -> None:
        loop = asyncio.get_running_loop()
        until = UPKEEP_EVERY if least == UPKEEP_WAIT else least
        dozer = _Dozer(task, loop.time() + until.total_seconds(), loop.create_future())
        self._dozers.append(dozer)
        await dozer.future

    def next_at(self) -> float | None:
        """Return the moment of the loop at which the first who idles has something to do."""
        self._dozers = [dozer for dozer in self._dozers if not dozer.future.done()]
        self._next = [(at, dozer) for dozer in self._dozers if (at := self._wakes_at(dozer)) is not None]
        return min((at for at, _ in self._next), default=None)

    def wake(self, now: float) -> None:
        """Wake all of whom `next_at` just found that they have something to do, and have it at `now`."""
        for at, dozer in self._next:
            if at <= now:
                dozer.future.set_result(None)

    def _wakes_at(self, dozer: _Dozer) -> float | None:
        due = self._due(dozer.task)
        if due is None:
            return None
        return max(dozer.since, (due - self._origin - self.ahead).total_seconds())
