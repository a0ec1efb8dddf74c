"""Upkeep: deletes, portion by portion, what nobody needs any more."""

from __future__ import annotations

from joinbridge.config import Retention
from joinbridge.ports import Clock, Housekeeping


class Upkeep:
    """Housekeeping with the settings and the clock it needs."""

    def __init__(self, *, housekeeping: Housekeeping, retention: Retention, clock: Clock) -> None:
        self._housekeeping = housekeeping
        self._retention = retention
        self._clock = clock

    async def turn(self) -> int:
        """Delete a portion; return 0 when there is nothing left to look at before things get older.

        Raises: StoreError.
        """
        pruned = await self._housekeeping.prune(self._clock.now(), self._retention)
        return 0 if pruned.done else 1
