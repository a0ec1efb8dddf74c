"""The inventory in memory: for the demo, for `replay`, and for whoever runs joinbridge without an inventory to correct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from joinbridge.core.ids import JoinPair
from joinbridge.errors import InventoryError
from joinbridge.inventory.relation import must_change


class MemoryInventory:
    """The Inventory port on a set of pairs. Set `reachable` to False, and it behaves as one that is down."""

    def __init__(self, held: Mapping[JoinPair, bool] | None = None) -> None:
        self._joined = {pair for pair, joined in (held or {}).items() if joined}
        self.reachable = True

    async def joined(self, pairs: Sequence[JoinPair]) -> Mapping[JoinPair, bool]:
        """Return what is held for each of `pairs`; a pair that is not known is not joined.

        Raises: InventoryError while it is not reachable.
        """
        self._require_reachable()
        return {pair: pair in self._joined for pair in pairs}

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        """Set the relation if it holds `expected` (None: whatever it holds); return whether anything changed.

        Raises: InventoryConflictError when it holds neither `expected` nor already `joined`; InventoryError while it is not reachable.
        """
        self._require_reachable()
        if not must_change(pair, held=pair in self._joined, joined=joined, expected=expected):
            return False
        (self._joined.add if joined else self._joined.discard)(pair)
        return True

    def _require_reachable(self) -> None:
        if not self.reachable:
            raise InventoryError("the inventory in memory is set to be unreachable")
