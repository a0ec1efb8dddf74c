"""Sets of very many devices."""

from __future__ import annotations

import sys
from collections.abc import Container
from collections.abc import Set as AbstractSet

from hypothesis import given
from hypothesis import strategies as st

from joinbridge.core.device_set import DeviceSet
from joinbridge.core.ids import DeviceId, eui64_from_bytes

devices = st.binary(min_size=8, max_size=8).map(eui64_from_bytes)


@given(st.lists(devices), devices)
def test_it_is_the_set_of_what_it_was_made_from(held: list[DeviceId], other: DeviceId) -> None:
    made: AbstractSet[DeviceId] = DeviceSet(held)

    assert made == set(held)
    assert sorted(made) == sorted(set(held))
    assert len(made) == len(set(held))
    assert all(device in made for device in held)
    assert (other in made) is (other in held)


def test_what_is_no_device_is_not_in_it() -> None:
    numbers: Container[object] = DeviceSet([eui64_from_bytes(bytes(7) + b"\x05")])

    assert 5 not in numbers


def test_the_lowest_and_the_highest_numbers_are_devices_like_any_other() -> None:
    held = [eui64_from_bytes(number.to_bytes(8, "big")) for number in (0, 1, 2, 2**64 - 1)]

    for lowest in range(len(held)):
        assert list(DeviceSet(held[lowest:])) == held[lowest:]


@given(st.lists(devices), st.lists(devices))
def test_it_can_be_joined_with_another(one: list[DeviceId], two: list[DeviceId]) -> None:
    both: AbstractSet[DeviceId] = DeviceSet(one) | DeviceSet(two)

    assert both == {*one, *two}


def test_it_takes_eight_octets_for_each() -> None:
    made = DeviceSet(eui64_from_bytes(number.to_bytes(8, "big")) for number in range(10_000))

    assert sys.getsizeof(made._numbers) < 10_000 * 9
