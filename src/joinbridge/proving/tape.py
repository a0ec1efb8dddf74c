"""Tapes: an estate's life as it was recorded once, which goes on in the same way whatever becomes of the sidecar that listens.

Two runs on one tape can be compared to the last record: what differs comes from the sidecar, not from an estate that reacted otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from joinbridge.core.ids import JoinPair
from joinbridge.inventory.memory import MemoryInventory
from joinbridge.ports import Inventory, Publication
from joinbridge.proving.surroundings import Changed, Surroundings


@dataclass(frozen=True, slots=True)
class Tape:
    """What an estate published, and what its DSP wrote into the inventory, each at its moment."""

    ends_at: datetime
    published: list[tuple[datetime, list[Publication]]] = field(default_factory=list)
    written: list[tuple[datetime, JoinPair, bool]] = field(default_factory=list)

    @property
    def moments(self) -> Sequence[datetime]:
        """When there is something on it."""
        return sorted({at for at, _ in self.published} | {at for at, _, _ in self.written})


class Recorded:
    """Surroundings that write themselves down on a tape; `ours` tells whether a change of the inventory is joinbridge's."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._now = surroundings.ends_at
        self._writing = False
        self.tape = Tape(surroundings.ends_at)

    @property
    def ends_at(self) -> datetime:
        """When nothing more happens."""
        return self._surroundings.ends_at

    @property
    def inventory(self) -> Inventory:
        """The inventory of record."""
        return self._surroundings.inventory

    def next_at(self) -> datetime | None:
        """Return when something happens next by itself."""
        return self._surroundings.next_at()

    def advance(self, to: datetime) -> list[Publication]:
        """Let time pass, and write down what is published."""
        self._now, self._writing = to, True
        try:
            published = self._surroundings.advance(to)
        finally:
            self._writing = False
        if published:
            self.tape.published.append((to, published))
        return published

    def receive(self, route: str, body: bytes, at: datetime) -> None:
        """Take what joinbridge sent."""
        self._surroundings.receive(route, body, at)

    def holds(self) -> dict[JoinPair, bool]:
        """Return what the inventory holds."""
        return self._surroundings.holds()

    def on_change(self, told: Changed) -> None:
        """Tell `told` of every change of the inventory; those that the DSP makes while the estate lives go onto the tape."""

        def tell(pair: JoinPair, joined: bool) -> None:
            if self._writing:
                self.tape.written.append((self._now, pair, joined))
            told(pair, joined)

        self._surroundings.on_change(tell)


class Replayed:
    """Surroundings that say what is on a tape, and listen to nobody."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._said = 0
        self._wrote = 0
        self._inventory = _ToldInventory()

    @property
    def ends_at(self) -> datetime:
        """When the tape ends."""
        return self._tape.ends_at

    @property
    def inventory(self) -> Inventory:
        """An inventory that the DSP of the tape writes to."""
        return self._inventory

    def next_at(self) -> datetime | None:
        """Return when something is on the tape next."""
        said = self._tape.published[self._said : self._said + 1]
        return said[0][0] if said else None

    def advance(self, to: datetime) -> list[Publication]:
        """Return what is on the tape up to `to`; the DSP writes before it passes an answer on."""
        published: list[Publication] = []
        while self._wrote < len(self._tape.written) and self._tape.written[self._wrote][0] <= to:
            _, pair, joined = self._tape.written[self._wrote]
            self._inventory.put(pair, joined=joined)
            self._wrote += 1
        while self._said < len(self._tape.published) and self._tape.published[self._said][0] <= to:
            published += self._tape.published[self._said][1]
            self._said += 1
        return published

    def receive(self, route: str, body: bytes, at: datetime) -> None:
        """Hear it, and do nothing."""

    def holds(self) -> dict[JoinPair, bool]:
        """Return what the inventory holds."""
        return dict(self._inventory.held)

    def on_change(self, told: Changed) -> None:
        """Tell `told` of every change of the inventory from now on."""
        self._inventory.told = told


class _ToldInventory(MemoryInventory):
    """An inventory in memory that tells of each change; `held` is what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[JoinPair, bool] = {}
        self.told: Changed = lambda *_: None

    def put(self, pair: JoinPair, *, joined: bool) -> None:
        """Let it hold `pair` so, whoever says so."""
        if self.held.get(pair, False) is not joined:
            (self._joined.add if joined else self._joined.discard)(pair)
            self.held[pair] = joined
            self.told(pair, joined)

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        changed = await super().set_joined(pair, joined=joined, expected=expected)
        if changed:
            self.held[pair] = joined
            self.told(pair, joined)
        return changed
