"""What surrounds a simulated sidecar: an estate that lives and answers, or the recording of one that says the same whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from joinbridge.core.ids import JoinPair, parse_eui64
from joinbridge.ports import Inventory, Publication
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.inventory import EstateInventory

Changed = Callable[[JoinPair, bool], None]
"""Hears which pair is held how from now on."""


class Surroundings(Protocol):
    """Who sends messages, takes what joinbridge sends, and keeps the inventory."""

    @property
    def ends_at(self) -> datetime:
        """When nothing more happens here."""
        ...

    @property
    def inventory(self) -> Inventory:
        """The inventory of record."""
        ...

    def next_at(self) -> datetime | None:
        """Return when something happens next by itself, None when nothing does."""
        ...

    def advance(self, to: datetime) -> list[Publication]:
        """Let time pass up to and including `to`; return what is to be published meanwhile, in its order."""
        ...

    def receive(self, route: str, body: bytes, at: datetime) -> None:
        """Take what joinbridge sent."""
        ...

    def holds(self) -> dict[JoinPair, bool]:
        """Return what the inventory holds."""
        ...

    def on_change(self, told: Changed) -> None:
        """Tell `told` of every change of the inventory from now on, whoever makes it."""
        ...


class LivingEstate:
    """An estate of `simulator`, with its inventory."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._inventory = EstateInventory(estate)

    @property
    def ends_at(self) -> datetime:
        """When nothing more happens here."""
        return self._estate.ends_at

    @property
    def inventory(self) -> Inventory:
        """The estate's inventory."""
        return self._inventory

    def next_at(self) -> datetime | None:
        """Return when something happens next by itself, None when nothing does."""
        return self._estate.next_at()

    def advance(self, to: datetime) -> list[Publication]:
        """Let the estate live until `to`; return what is to be published."""
        return self._estate.advance(to)

    def receive(self, route: str, body: bytes, at: datetime) -> None:
        """Hand the estate what joinbridge sent.

        Raises: DecodeError when it is not what its route promises.
        """
        self._estate.receive(route, body, at)

    def holds(self) -> dict[JoinPair, bool]:
        """Return what the estate's inventory holds."""
        return dict(self._estate.smi)

    def on_change(self, told: Changed) -> None:
        """Tell `told` of every change of the inventory from now on."""

        def tell(change: Mapping[str, object]) -> None:
            if "inventory" in change:
                target, other = (parse_eui64(str(change[end])) for end in ("target", "other"))
                told(JoinPair(target, other), bool(change["inventory"]))

        self._estate.truth.tell = tell
