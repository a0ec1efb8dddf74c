"""Crashes at will: every call that a sidecar makes of the world passes a point at which something may happen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from joinbridge.config import Retention
from joinbridge.ports import Pruned
from joinbridge.proving.points import WRITES, Call, gated
from joinbridge.proving.weather import KilledError as Killed
from joinbridge.wiring.assembly import Parts as AllParts
from support.sidecar import Parts

__all__ = ["WRITES", "Happening", "Killed", "Points", "be_away", "cancel", "kill"]

Happening = Callable[[type[Exception]], Awaitable[None]]
"""What happens at a point; it is told what the call raises when the other side is away."""


async def kill(_: type[Exception]) -> None:
    """End the process."""
    raise Killed


async def cancel(_: type[Exception]) -> None:
    """Cancel the task; it notices at the first await within the call, which may be carried out all the same."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def be_away(error: type[Exception]) -> None:
    """Fail as one that cannot be reached does."""
    raise error("away")


class Points:
    """Counts the points that are passed; `happening` comes at the one with the number `at`, counted from 1. It is a `points.Gate`."""

    def __init__(self, at: int | None = None, happening: Happening = kill) -> None:
        self._at = at
        self._happening = happening
        self.passed: list[str] = []

    async def before(self, call: Call) -> bool:
        """Pass a point before `call`; there is none at the start, before anything can be lost."""
        if call.name != "watched":
            self.passed.append(call.name)
            if len(self.passed) == self._at:
                await self._happening(call.error)
        return True

    async def after(self, call: Call) -> None:
        """Pass on."""

    def around(self, parts: Parts) -> Parts:
        """Return `parts` with a point before each of their calls."""
        whole = AllParts(
            store=parts.store,
            outbox=parts.outbox,
            housekeeping=_NoUpkeep(),
            sources=[parts.source],
            publisher=parts.publisher,
            inventory=parts.inventory,
        )
        made = gated(whole, self)
        return Parts(store=made.store, outbox=made.outbox, source=made.sources[0], publisher=made.publisher, inventory=made.inventory)


class _NoUpkeep:
    async def prune(self, now: datetime, retention: Retention) -> Pruned:
        raise AssertionError((now, retention))
