"""Upkeep in a sidecar that runs: what is too old goes, portion by portion, without being asked."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from joinbridge.config import Retention
from joinbridge.ports import Pruned
from joinbridge.service.clock import ManualClock
from joinbridge.service.runtime import UPKEEP_WAIT, Sidecar
from joinbridge.service.upkeep import Upkeep
from support.eventually import eventually
from support.home import START
from support.sidecar import Site


class Counted:
    """Housekeeping that has something left to do `left` times."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.asked: list[tuple[datetime, Retention]] = []

    async def prune(self, now: datetime, retention: Retention) -> Pruned:
        self.asked.append((now, retention))
        self.left -= 1
        return Pruned(done=self.left < 0)


async def test_a_turn_says_whether_something_is_left() -> None:
    retention, counted = Retention(inbox=timedelta(days=1)), Counted(left=1)
    upkeep = Upkeep(housekeeping=counted, retention=retention, clock=ManualClock(START))

    assert [await upkeep.turn(), await upkeep.turn()] == [1, 0]
    assert counted.asked == [(START, retention)] * 2


async def test_it_goes_on_until_nothing_is_left_and_looks_again_after_a_while(site: Site) -> None:
    counted = Counted(left=3)
    async with site.sidecar() as running:
        upkeep = Upkeep(housekeeping=counted, retention=Retention(), clock=site.clock)
        parts = running.sidecar
        sidecar = Sidecar(
            intakes=parts.intakes,
            step=running.step,
            relay=running.relay,
            store=parts._store,
            outbox=parts._outbox,
            clock=site.clock,
            upkeep=upkeep,
        )
        stop = asyncio.Event()
        task = asyncio.create_task(sidecar.run(stop, on_error=lambda *_: None))
        await eventually(lambda: len(counted.asked) == 4)

        await site.clock.advance(by=UPKEEP_WAIT)

        await eventually(lambda: len(counted.asked) == 5)
        stop.set()
        await site.clock.advance(by=timedelta(seconds=1))
        await task
