"""Hubs and devices that come and go."""

from __future__ import annotations

from datetime import datetime

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.facts import (
    DeviceDescription,
    DeviceRetired,
    GpfLogRestored,
    HubExchanged,
    InventoryRead,
    LogEntry,
)
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.vocabulary import (
    DeviceType,
)
from support.histories import inferred_on_the_gpf, joined_by_answer
from support.home import (
    CAD,
    CHF,
    ESME,
    GPF,
    NEW_CHF,
    NEW_GPF,
    PPMID,
    after,
    described,
    join,
    pair,
    request_id,
)
from support.world import World

GPF_CAD = pair(GPF, CAD)


def exchanged() -> HubExchanged:
    return HubExchanged(old_chf=CHF, new_chf=NEW_CHF, old_gpf=GPF, new_gpf=NEW_GPF)


def test_an_exchange_of_the_hub_moves_the_pairs_of_its_gpf() -> None:
    world = inferred_on_the_gpf()

    world.see(exchanged(), at=after(days=1))
    moved = world.pairs[pair(NEW_GPF, CAD)]
    restored = GpfLogRestored(
        business_key=request_id(9, target=NEW_GPF), wire_key=request_id(9, target=NEW_GPF), results=((LogEntry(CAD, DeviceType.TYPE2), 0),)
    )
    world.see(restored, at=after(days=1, minutes=1))
    world.see(exchanged(), at=after(days=1, minutes=2))

    assert moved == PairRecord(pair=pair(NEW_GPF, CAD), since=after(days=1), restored_at=after(days=1), version=1)
    assert world.state(GPF_CAD) is PairState.UNKNOWN
    assert world.pairs[GPF_CAD].expired_at == after(days=1, minutes=2)
    assert world.state(pair(NEW_GPF, CAD)) is PairState.INFERRED_SUCCESS
    assert world.rows(pair(NEW_GPF, CAD)) == [11]
    assert world.devices[NEW_GPF].device_type is DeviceType.GPF


def test_the_pairs_of_a_device_that_left_expire_and_its_searches_end() -> None:
    world = joined_by_answer()
    world.see(join(2, other=PPMID))
    world.see(join(3, target=CAD, other=ESME), at=after(days=2))

    world.see(DeviceRetired(device=CAD, reason="withdrawn"), at=after(days=1))

    assert world.state(pair()) is PairState.UNKNOWN
    assert world.state(pair(ESME, PPMID)) is PairState.PENDING
    assert world.attempt(request_id(3, target=CAD)).is_open  # it was asked for after that
    assert world.attempt(request_id(2)).is_open


@pytest.mark.parametrize(
    ("requested_at", "state"),
    [(after(minutes=-1), AttemptState.UNRESOLVED), (after(), AttemptState.UNRESOLVED), (after(minutes=1), AttemptState.REQUESTED)],
    ids=["before it left", "at that moment", "since"],
)
def test_what_was_asked_of_a_device_by_the_moment_it_left_is_given_up(requested_at: datetime, state: AttemptState) -> None:
    world = World()
    world.see(join(1), at=requested_at)

    world.see(DeviceRetired(device=ESME, reason="withdrawn"), at=after())

    assert world.attempt(request_id(1)).state is state


@pytest.mark.parametrize(
    "fact", [exchanged(), DeviceRetired(device=GPF, reason="withdrawn"), described(GPF)], ids=["exchange", "retirement", "inventory"]
)
def test_nobody_untrusted_moves_retires_or_describes_devices(fact: HubExchanged | DeviceRetired | InventoryRead) -> None:
    world = inferred_on_the_gpf()

    decision = world.see(fact, at=after(days=1), source="somewhere")

    assert (decision.attempts, decision.pairs, decision.devices) == ((), (), ())
    assert decision.surprises == (f"a {type(fact).__name__} from somewhere, which is not trusted",)


def test_what_the_inventory_does_not_say_is_not_forgotten() -> None:
    world = World()
    world.see(InventoryRead(descriptions=(DeviceDescription(ESME, DeviceType.ESME, "Maker", "Model", "1.0", "North"),)))

    world.see(InventoryRead(descriptions=(DeviceDescription(ESME, None, firmware="2.0"),)))

    assert world.devices[ESME] == DeviceDescription(ESME, DeviceType.ESME, "Maker", "Model", "2.0", "North")
