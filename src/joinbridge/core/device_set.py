"""Very many devices in little memory: eight octets each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import groupby

from joinbridge.core.ids import DeviceId, eui64_from_bytes


class DeviceSet(AbstractSet[DeviceId]):
    """A set of devices that never changes: their EUI-64s as sorted numbers. A set of texts would take thirty times the memory."""

    __slots__ = ("_numbers",)

    def __init__(self, devices: Iterable[DeviceId] = ()) -> None:
        # Through an array, not a set: what comes may be millions, and comes one after the other.
        numbers = sorted(array("Q", map(_number, devices)))
        self._numbers = array("Q", (number for number, _ in groupby(numbers)))

    def __contains__(self, device: object) -> bool:
        if not isinstance(device, str):
            return False
        number = _number(device)
        index = bisect_left(self._numbers, number)
        return index < len(self._numbers) and self._numbers[index] == number

    def __iter__(self) -> Iterator[DeviceId]:
        return (eui64_from_bytes(number.to_bytes(8, "big")) for number in self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def _number(device: str) -> int:
    return int(device.replace("-", ""), 16)
