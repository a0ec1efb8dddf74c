"""Describing: what the inventory says of the devices that requests are about, asked for before the requests are decided.

Type, make, model, firmware and region decide how long an answer is waited for, and what a lost one is counted under. Nothing waits for
them for long: an inventory that is away is left alone for a while, and what comes meanwhile is decided without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from joinbridge.core.facts import Authenticity, DeviceDescription, Fact, InventoryRead, JoinRequested, PreCommandReturned, Sighting
from joinbridge.core.ids import DeviceId, MessageKey
from joinbridge.core.relevance import touched
from joinbridge.errors import InventoryError
from joinbridge.observing import SILENT, Observer
from joinbridge.ports import Clock, Devices

PATIENCE_S = 2.0
"""So long may a batch wait for the inventory; in true time."""
AWAY = timedelta(minutes=1)
"""So long is an inventory that failed left alone."""
AGAIN = timedelta(minutes=10)
"""So long is an answer good for: firmware changes now and then, and a home is installed with many requests at once."""
REMEMBERED = 20_000
"""Devices; of more than so many the one that was asked about first is asked about again."""


@dataclass(frozen=True, slots=True)
class _Told:
    at: datetime
    description: DeviceDescription | None


class Describing:
    """Asks `devices`, leaves them alone for `away` when that fails, and tells `observer` of it."""

    def __init__(self, devices: Devices, *, clock: Clock, observer: Observer = SILENT, away: timedelta = AWAY) -> None:
        self._devices = devices
        self._clock = clock
        self._observer = observer
        self._away = away
        self._told: dict[DeviceId, _Told] = {}
        self._away_until = datetime.min.replace(tzinfo=UTC)

    async def sightings(self, facts: Iterable[Fact]) -> Sequence[Sighting]:
        """Return what is to be known before `facts` are decided: one sighting, or none. Never raises for an inventory that is away."""
        asked = {device for fact in facts if isinstance(fact, JoinRequested | PreCommandReturned) for device in touched(fact)}
        now = self._clock.now()
        await self._ask([device for device in sorted(asked) if self._is_old(device, now)], now)
        told = (self._told.get(device) for device in sorted(asked))
        descriptions = tuple(one.description for one in told if one is not None and one.description is not None)
        if not descriptions:
            return ()
        # The inventory of record is asked directly: there is no producer between it and us to be trusted or not.
        fact, key = InventoryRead(descriptions=descriptions), MessageKey(f"inventory:{descriptions[0].device}:{now.isoformat()}")
        return (Sighting(fact=fact, key=key, at=now, source="inventory", authenticity=Authenticity.VERIFIED),)

    def _is_old(self, device: DeviceId, now: datetime) -> bool:
        told = self._told.get(device)
        return told is None or now - told.at >= AGAIN

    async def _ask(self, devices: Collection[DeviceId], now: datetime) -> None:
        if not devices or now < self._away_until:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await self._devices.described(list(devices))
        except TimeoutError:
            self._failed(InventoryError(f"the inventory said nothing about devices within {PATIENCE_S:g} s"), now)
            return
        except InventoryError as error:
            self._failed(error, now)
            return
        for device in devices:
            self._told.pop(device, None)  # what was asked last stands last
            self._told[device] = _Told(now, found.get(device))
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]

    def _failed(self, error: InventoryError, now: datetime) -> None:
        self._away_until = now + self._away
        self._observer.failed("devices", error)
