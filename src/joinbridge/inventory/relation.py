"""What a compare-and-set on the join relation means, the same for every inventory."""

from __future__ import annotations

from joinbridge.core.ids import JoinPair
from joinbridge.errors import InventoryConflictError


def must_change(pair: JoinPair, *, held: bool, joined: bool, expected: bool | None) -> bool:
    """Return whether an inventory that holds `held` is to be changed so that it holds `joined`.

    What it is to hold it may hold already: then the update was carried out before, whatever was expected.

    Raises: InventoryConflictError when it holds neither `joined` nor `expected`.
    """
    if held is joined:
        return False
    if expected is None or held is expected:
        return True
    raise InventoryConflictError(f"the inventory holds {pair} as {_word(held)}, not as {_word(expected)}", held=held)


def _word(joined: bool) -> str:
    return "joined" if joined else "not joined"
