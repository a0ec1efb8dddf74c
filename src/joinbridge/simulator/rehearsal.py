"""A rehearsal: an estate that lives on real brokers and a real SMI, at the pace of a clock that all share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from joinbridge.errors import InventoryError, TransportError
from joinbridge.ports import Clock
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.link import EstateLink
from joinbridge.simulator.smi import SmiTable

_LISTEN = timedelta(milliseconds=20)
_AWAY_S = 0.5  # until a broker that is away is tried again
_SYNC_S = 0.25


@dataclass(slots=True)
class Progress:
    """How far a rehearsal is: messages published and heard, and how often something was away."""

    published: int = 0
    heard: int = 0
    failures: int = 0


class Rehearsal:
    """Drives an estate in true time. Brokers and the SMI may go away meanwhile; what is due then happens when they are back."""

    def __init__(self, *, estate: Estate, link: EstateLink, smi: SmiTable, clock: Clock, rate: float | None = None) -> None:
        self._estate = estate
        self._link = link
        self._smi = smi
        self._clock = clock
        self._rate = rate
        self.progress = Progress()
        self.lived_until = clock.now()
        """Up to when the estate has lived: what was to happen later never did."""

    @property
    def repeated(self) -> int:
        """How many messages of joinbridge came a second time under their key, and were dropped."""
        return self._link.repeated

    async def live(self, stop: asyncio.Event, *, on_error: Callable[[Exception], None], on_progress: Callable[[Progress], None]) -> None:
        """Live until the estate's end or until `stop` is set."""
        last_sync = 0.0
        loop = asyncio.get_running_loop()
        while not stop.is_set() and (self.lived_until < self._estate.ends_at or self._link.unconfirmed):
            began = loop.time()
            try:
                await self._turn()
                if began - last_sync >= _SYNC_S:
                    await self._smi.read(self._estate)
                    last_sync = began
            except (TransportError, InventoryError) as error:
                self.progress.failures += 1
                on_error(error)
                await asyncio.sleep(_AWAY_S)
            on_progress(self.progress)

    async def hear_out(self, stop: asyncio.Event, *, quiet: timedelta, patience: timedelta) -> None:
        """Listen until nothing has come for `quiet` or until `stop` is set, at most for `patience`; then bring the SMI up to date.

        Raises: TransportError, InventoryError.
        """
        loop = asyncio.get_running_loop()
        end, last = loop.time() + patience.total_seconds(), loop.time()
        while loop.time() < end and loop.time() - last < quiet.total_seconds() and not stop.is_set():
            if heard := await self._link.listen(self._estate.ends_at, _LISTEN):
                self.progress.heard += heard
                last = loop.time()
        await self._smi.write(self._estate)
        await self._smi.read(self._estate)

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.lived_until = min(self._clock.now(), self._estate.ends_at)
        self._link.live(self.lived_until)
        # The DSP sets the SMI before it passes the answer on.
        await self._smi.write(self._estate)
        published = await self._link.publish()
        self.progress.published += published
        self.progress.heard += await self._link.listen(self._clock.now(), _LISTEN)
        if self._rate is not None and (early := published / self._rate - (loop.time() - began)) > 0:
            await asyncio.sleep(early)
