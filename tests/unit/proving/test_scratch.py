"""The database of simulations: empty each time, and it knows when a look would find something."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from joinbridge.core.effects import Effect, PublishEvent
from joinbridge.core.ids import Eui64, JoinPair
from joinbridge.core.pair import PairState
from joinbridge.ports import Changes
from joinbridge.proving.scratch import Scratch, own_scratch
from joinbridge.service.clock import ManualClock

START = datetime(2026, 3, 2, tzinfo=UTC)
LEASE = timedelta(minutes=1)
PAIR = JoinPair(Eui64("00-DB-12-34-56-78-90-A0"), Eui64("00-DB-12-34-56-78-90-B0"))
FIRST, SECOND = (PublishEvent(key=f"event {number}", at=START, state=PairState.DISPUTED, pair=PAIR) for number in (1, 2))
OF_ANOTHER = PublishEvent(key="event 3", at=START, state=PairState.DISPUTED, pair=JoinPair(PAIR.other, PAIR.target))


def test_an_effect_that_waits_for_an_older_one_of_its_lane_is_not_what_comes_next() -> None:
    scratch = emptied()

    async def owe_and_lease() -> None:
        await owe(scratch, FIRST, SECOND)
        assert scratch.next_effect() == START
        leased = await scratch.outbox.lease(START, 10, LEASE)
        assert [one.effect.key for one in leased] == [FIRST.key]

    asyncio.run(owe_and_lease())

    assert scratch.next_effect() == START + LEASE


def test_an_effect_of_another_lane_waits_for_nobody() -> None:
    scratch = emptied()

    async def owe_and_lease() -> None:
        await owe(scratch, FIRST)
        await scratch.outbox.lease(START, 10, LEASE)
        await owe(scratch, OF_ANOTHER)

    asyncio.run(owe_and_lease())

    assert scratch.next_effect() == START


def test_what_is_taken_back_was_never_there() -> None:
    scratch = emptied()

    async def owe_and_fail() -> None:
        async with scratch.store.transaction() as unit:
            await unit.save(Changes(effects=[FIRST]))
            assert scratch.next_effect() == START
            raise InterruptedError

    with pytest.raises(InterruptedError):
        asyncio.run(owe_and_fail())

    assert scratch.next_effect() is None


def test_it_is_empty_each_time() -> None:
    scratch = emptied()
    asyncio.run(owe(scratch, FIRST))
    assert scratch.next_effect() == START

    scratch.anew(ManualClock(START))

    assert scratch.next_effect() is None
    assert scratch.next_deadline() is None


def emptied() -> Scratch:
    scratch = own_scratch()
    scratch.anew(ManualClock(START))
    return scratch


async def owe(scratch: Scratch, *effects: Effect) -> None:
    async with scratch.store.transaction() as unit:
        await unit.save(Changes(effects=effects))
