"""The estate's SMI behind the `Inventory` port, so that joinbridge corrects the very relation that the DSP reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from joinbridge.core.ids import JoinPair
from joinbridge.errors import InventoryConflictError, InventoryError
from joinbridge.simulator.estate import Estate


class EstateInventory:
    """The join relation of an estate's SMI. Each call is one step: nothing can come between its reading and its writing.

    `reachable` False makes every call fail, as when the database of record is down.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self.reachable = True

    async def joined(self, pairs: Sequence[JoinPair]) -> Mapping[JoinPair, bool]:
        """Return what the inventory holds for each of `pairs`; a pair it does not know is not joined."""
        self._reach()
        return {pair: self._estate.smi.get(pair, False) for pair in pairs}

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        """Set the relation if it holds `expected` (None: whatever it holds); return whether anything changed.

        Raises: InventoryConflictError when it holds neither `expected` nor already `joined`; InventoryError when it is unreachable.
        """
        self._reach()
        held = self._estate.smi.get(pair, False)
        if held is joined:
            return False
        if expected is not None and held is not expected:
            raise InventoryConflictError(f"the inventory says {held} of {pair}, {expected} was expected", held=held)
        self._estate.correct(pair, joined=joined)
        return True

    def _reach(self) -> None:
        if not self.reachable:
            raise InventoryError("the inventory cannot be reached")
