"""A simulated estate that is run through a whole sidecar with somebody who observes it."""

from __future__ import annotations

from datetime import timedelta

from joinbridge.config import Settings
from joinbridge.observing import Observer
from joinbridge.service.clock import ManualClock
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.inventory import EstateInventory
from joinbridge.simulator.link import EstateLink
from joinbridge.wiring.embedded import OUTPUT_QUEUE, embedded

STRIDE = timedelta(minutes=1)


async def run_through(estate: Estate, clock: ManualClock, *, observer: Observer, database_url: str, live: bool = True) -> int:
    """Let `estate` live its two weeks with a sidecar beside it, until both are at rest; return how many messages there were."""
    messages = 0
    async with (
        embedded(
            Settings(), clock=clock, inventory=EstateInventory(estate), database_url=database_url, live=live, observer=observer
        ) as bridge,
        bridge.bus.source(OUTPUT_QUEUE) as output,
    ):
        link = EstateLink(estate, bridge.bus, output)
        while True:
            await bridge.sidecar.settle()
            if await link.listen(clock.now()):
                continue
            moments = [at for at in (estate.next_at(), await bridge.sidecar.next_due()) if at is not None]
            if not moments or min(moments) > estate.ends_at:
                return messages
            clock.jump(max(clock.now(), min(min(moments) + STRIDE, estate.ends_at)))
            messages += await link.advance(clock.now())
