"""An event loop on virtual time: whenever nothing can run, time jumps to the next timer. One thread, nothing is ever waited for.

The same program on it runs in the same order every time, as far as the program itself does.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Protocol


class StuckError(RuntimeError):
    """Everybody waits for somebody else, and no timer will wake anyone."""


class Dozers(Protocol):
    """Those who sleep until there is something to do, rather than for a time."""

    def next_at(self) -> float | None:
        """Return the moment of the loop at which the first of them has something to do; None when none will."""
        ...

    def wake(self, now: float) -> None:
        """Wake all who have something to do at `now`; called right after `next_at`."""
        ...


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything runs; it begins at 0, in seconds.

    Files, sockets and threads have no place on it: nobody looks whether they have anything to say.

    Raises: StuckError, from whatever runs it, when nothing can ever run again.
    """

    def __init__(self, dozers: Dozers) -> None:
        self._now = 0.0
        self._dozers = dozers
        super().__init__(_Jumping(self))
        # The machine's nanosecond is less than what a float of some months of seconds can tell apart: a timer would never be due.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def jump(self, timeout: float | None) -> None:
        """Let `timeout` seconds pass, or less when somebody who dozes has something to do before; None: there is no timer."""
        dozer_at = self._dozers.next_at()
        if dozer_at is None and timeout is None:
            raise StuckError("nothing can run, and nothing ever will")
        timer_at = None if timeout is None else self._now + timeout
        self._now = max(self._now, min(at for at in (timer_at, dozer_at) if at is not None))
        if dozer_at is not None and dozer_at <= self._now:
            self._dozers.wake(self._now)


class _Jumping(selectors.SelectSelector):
    """What the loop asks when it has nothing to run: it lets time pass instead of waiting for it."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return at once with nothing; what dozers do next is in the loop already."""
        if timeout is None or timeout > 0:
            self._loop.jump(timeout)
        return []
