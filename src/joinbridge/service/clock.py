"""The clocks: the machine's, a faster one for rehearsals, and one that a test, a replay or the demo turns by hand.

All keep the promises of `ports.Clock`.
"""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

# A woken task reaches its next await within one turn of the event loop; one that waits for it through a task of its own,
# a queue or a callback needs two or three more. Each turn costs some microseconds.
SETTLING_TURNS = 16


class SystemClock:
    """The machine's clock. When that is set back, time stands still here until it has caught up."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the present moment, aware UTC; never goes back."""
        self._latest = max(self._latest, datetime.now(UTC))
        return self._latest

    async def sleep(self, duration: timedelta) -> None:
        """Return after `duration`; a duration of zero or less lets other tasks run once."""
        await asyncio.sleep(max(0.0, duration.total_seconds()))


class RehearsalClock:
    """A clock that runs `speed` times as fast as the machine's; both showed the same at `origin`.

    Every process that is given the same two values reads the same time. A sleep is shorter by `speed`, but never so short that whoever
    waits for another to come back would do nothing else.
    """

    LEAST_SLEEP_S = 0.05

    def __init__(self, origin: datetime, speed: float) -> None:
        self._machine = SystemClock()
        self._origin = origin.astimezone(UTC)
        self._speed = speed

    def now(self) -> datetime:
        """Return the present moment of the rehearsal, aware UTC; never goes back."""
        return self._origin + (self._machine.now() - self._origin) * self._speed

    async def sleep(self, duration: timedelta) -> None:
        """Return after `duration` of the rehearsal, or a twentieth of a true second when that is longer, but not than `duration`."""
        seconds = max(0.0, duration.total_seconds())
        await asyncio.sleep(min(seconds, max(self.LEAST_SLEEP_S, seconds / self._speed)))


class ManualClock:
    """A clock that moves only when it is told to, so that days pass in milliseconds and every run is the same run.

    It belongs to one event loop. Whoever waits on something else than this clock (a thread, a socket) is not waited for:
    let such work come to rest before the next `advance`.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        # (wakes at, order of falling asleep, sleeper): the order settles who wakes first at the same moment.
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._slept = 0

    def now(self) -> datetime:
        """Return the moment it was last advanced to, aware UTC."""
        return self._now

    async def sleep(self, duration: timedelta) -> None:
        """Return when the clock was advanced by `duration`; a duration of zero or less lets other tasks run once."""
        if duration <= timedelta(0):
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._slept += 1
        heapq.heappush(self._sleepers, (self._now + duration, self._slept, sleeper))
        await sleeper

    @property
    def next_wake(self) -> datetime | None:
        """When the next sleeper wakes; None when nobody sleeps. What a driver advances to when all else is at rest."""
        # A cancelled sleep leaves its entry behind; it goes when it comes to the front.
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    @property
    def sleeping(self) -> int:
        """How many sleep on this clock."""
        return sum(not sleeper.done() for _, _, sleeper in self._sleepers)

    async def advance(self, *, by: timedelta | None = None, to: datetime | None = None) -> None:
        """Move on `by` a duration or `to` a moment, waking each sleeper at its own moment and letting it run before the next.

        A sleeper that falls asleep again wakes again when that is due on the way. Cancelling leaves the clock where it got to.

        Raises: ValueError for a moment that is past: time never goes back.
        """
        target = self._target(by, to)
        await _settle()
        while (wake := self.next_wake) is not None and wake <= target:
            self._now = max(self._now, wake)  # another task may be advancing it too
            _, _, sleeper = heapq.heappop(self._sleepers)
            sleeper.set_result(None)
            await _settle()
        self._now = max(self._now, target)

    def jump(self, to: datetime) -> None:
        """Move on to a moment at once, giving nobody a turn: for a driver that is alone on this clock.

        Raises: ValueError for a moment that is past, or when somebody sleeps until before it and would be passed by.
        """
        target = self._target(None, to)
        wake = self.next_wake
        if wake is not None and wake <= target:
            raise ValueError(f"somebody sleeps until {wake.isoformat()}: advance instead")
        self._now = target

    def _target(self, by: timedelta | None, to: datetime | None) -> datetime:
        if (by is None) == (to is None):
            raise ValueError("advance takes either `by` or `to`")
        target = to.astimezone(UTC) if to is not None else self._now + (by or timedelta(0))
        if target < self._now:
            raise ValueError(f"time never goes back: it is {self._now.isoformat()}, not yet or again {target.isoformat()}")
        return target


async def _settle() -> None:
    """Let every task that can run do so until it waits for something."""
    for _ in range(SETTLING_TURNS):
        await asyncio.sleep(0)
