"""The in-memory bus as the two sides of a simulation see it: away at times, and quiet without anybody having to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from joinbridge.bus.memory import MemoryBus, MemorySource
from joinbridge.errors import TransportError
from joinbridge.ports import Delivery, Publication
from joinbridge.proving.faults import FaultKind
from joinbridge.proving.weather import Weather

_AT_ONCE = timedelta(0)
_REGISTERING_S = 1.0  # how long a consumer that comes back takes until it is handed what waits


class Stir:
    """Wakes whoever waits for something to happen on the bus."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def stir(self) -> None:
        """Wake everybody."""
        for each in self._waiting:
            if not each.done():
                each.set_result(None)
        self._waiting.clear()

    async def wait(self) -> None:
        """Return when somebody stirs."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def wait_for(self, seconds: float) -> None:
        """Return when somebody stirs, or after `seconds`."""
        timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), self.stir)
        try:
            await self.wait()
        finally:
            timer.cancel()


class QuietSource:
    """A consumer that asks again only when there is something: a `ports.Source` on one of the bus in memory.

    The first time that nothing comes it takes the caller's time to say so, as any source does. After that there is nothing new to say, and
    it returns when the bus stirs. Of up to `limit` deliveries it is handed `share` of the limit at a time: others are handed the rest.
    """

    def __init__(self, source: MemorySource, weather: Weather, stir: Stir, share: Callable[[int], int]) -> None:
        self._source = source
        self._weather = weather
        self._stir = stir
        self._share = share
        self._quiet = False
        self._live_at = 0.0

    @property
    def is_live(self) -> bool:
        """Whether a consumer has been there for long enough."""
        return not self._weather.away(FaultKind.BUS_AWAY) and asyncio.get_running_loop().time() >= self._live_at

    def lose(self, for_s: float = 0.0) -> None:
        """Lose the consumer, for `for_s` and a moment: what is unsettled comes again, to it or to another."""
        self._source.lose()
        self._live_at = asyncio.get_running_loop().time() + for_s + _REGISTERING_S
        self._quiet = False
        self._stir.stir()

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        """Return up to `limit` deliveries, none once there are none.

        Raises: TransportError while the bus is away.
        """
        taken = await self._take(limit)
        if taken:
            return taken
        if self._quiet:
            await self._stir.wait()
        else:
            until_live_s = self._live_at - asyncio.get_running_loop().time()
            await asyncio.sleep(max(wait.total_seconds(), until_live_s))
            self._quiet = self.is_live
        return await self._take(limit)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Settle deliveries."""
        await self._source.ack(deliveries)

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Hand deliveries back."""
        await self._source.requeue(deliveries)
        self._stir.stir()

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        """Send one delivery to the dead letters.

        Raises: TransportError while the bus is away.
        """
        self._require_bus()
        await self._source.reject(delivery, reason, offset)

    async def _take(self, limit: int) -> Sequence[Delivery]:
        self._require_bus()
        taken = await self._source.receive(self._share(limit), _AT_ONCE) if self.is_live else ()
        self._quiet = self._quiet and not taken
        return taken

    def _require_bus(self) -> None:
        if self._weather.away(FaultKind.BUS_AWAY):
            raise TransportError("the bus is away")


class EstatesBus:
    """The bus as the estate publishes to it: `confirmed` hears of what it took."""

    def __init__(self, bus: MemoryBus, weather: Weather, confirmed: Callable[[Sequence[Publication]], None]) -> None:
        self._bus = bus
        self._weather = weather
        self._confirmed = confirmed

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish.

        Raises: TransportError while the bus is away.
        """
        if self._weather.away(FaultKind.BUS_AWAY):
            raise TransportError("the bus is away")
        await self._bus.publish(publications)
        self._confirmed(publications)


class Announcing:
    """The bus as a sidecar publishes to it; whoever listens hears that something came."""

    def __init__(self, bus: MemoryBus, heard: Stir) -> None:
        self._bus = bus
        self._heard = heard

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish.

        Raises: TransportError when one could not be routed.
        """
        await self._bus.publish(publications)
        self._heard.stir()
