"""What every Outbox promises: `ports.Outbox`, on each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from joinbridge.core.effects import Effect, NoticeKind, NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import Intent
from joinbridge.ports import Changes, FailedTry, OwedEffect
from joinbridge.store.outbox import EffectStatus
from support.records import NOON, device, event, later, pair_of, pair_record, request, update
from support.store import Instance, counted_statements

LEASE = timedelta(minutes=1)


async def owe(instance: Instance, *effects: Effect) -> None:
    await instance.save(Changes(effects=effects))


async def leased(instance: Instance, now: datetime = NOON, limit: int = 100) -> list[str]:
    return names(await instance.outbox.lease(now, limit, LEASE))


async def settle(instance: Instance, *keys: str) -> None:
    """Settle what was leased at noon."""
    await instance.outbox.settle(keys, NOON, NOON + LEASE)


def names(owed: Sequence[OwedEffect]) -> list[str]:
    return [each.effect.key for each in owed]


def on(target: int, key: str) -> Effect:
    return update(key, pair_of(target, 99))


async def test_every_kind_of_effect_comes_back_as_it_was_owed(one: Instance) -> None:
    effects: list[Effect] = [
        on(1, "update"),
        ReissueJoin(key="reissue", request_id=request(device(2)), other=device(9), number=1),
        ProbeDeviceLog(key="probe", request_id=request(device(3), 2**64 - 1)),
        NotifySupplier(key="notice", request_id=request(device(4)), intent=Intent.UNJOIN, kind=NoticeKind.UNJOIN_AGAIN),
        event("attempt event", request_id=request(device(5))),
        event("pair event", pair=pair_of(6, 7), state=PairState.INFERRED_SUCCESS),
        event("event about nothing"),
    ]
    await owe(one, *effects)

    owed = await one.outbox.lease(NOON, 10, LEASE)

    assert owed == [OwedEffect(effect=effect, since=NOON, tries=0) for effect in effects]
    of_the_pair = owed[5].effect
    assert isinstance(of_the_pair, PublishEvent)
    assert type(of_the_pair.state) is PairState  # not the attempt's state of the same name


async def test_effects_are_leased_oldest_first_up_to_the_limit(one: Instance) -> None:
    await owe(one, on(3, "a"), on(1, "b"))
    await one.clock.advance(by=timedelta(seconds=1))
    await owe(one, on(2, "c"))

    assert await leased(one, limit=2) == ["a", "b"]
    assert await leased(one, later(seconds=1)) == ["c"]


async def test_a_leased_effect_is_kept_from_other_relays_until_its_lease_ends(one: Instance, two: Instance) -> None:
    await owe(one, on(1, "a"))

    assert await leased(one) == ["a"]

    assert await leased(two) == []
    assert await leased(two, NOON + LEASE - timedelta(microseconds=1)) == []
    assert await leased(two, NOON + LEASE) == ["a"]


async def test_tries_count_the_leases_before(one: Instance) -> None:
    await owe(one, on(1, "a"))
    tries = []
    for n in range(3):
        (owed,) = await one.outbox.lease(NOON + n * LEASE, 1, LEASE)
        tries.append(owed.tries)

    assert tries == [0, 1, 2]


async def test_two_relays_never_lease_the_same_effect(one: Instance, two: Instance) -> None:
    await owe(one, *(on(n, str(n)) for n in range(50)))

    batches = await asyncio.gather(*(leased(relay, limit=10) for relay in (one, two, one, two, one, two)))

    assert sorted(key for batch in batches for key in batch) == sorted(str(n) for n in range(50))


async def test_an_effect_waits_for_the_one_before_it_on_its_pair(one: Instance, two: Instance) -> None:
    await owe(one, on(1, "a"), on(1, "b"), on(2, "other pair"))
    assert await leased(one) == ["a", "other pair"]
    assert await leased(two) == []

    await settle(one, "a")

    assert await leased(two) == ["b"]


async def test_a_notice_waits_for_the_correction_of_its_target(one: Instance) -> None:
    await owe(
        one,
        on(1, "correct the inventory"),
        NotifySupplier(key="unjoin again", request_id=request(device(1)), intent=Intent.UNJOIN, kind=NoticeKind.UNJOIN_AGAIN),
        event("tell the world", request_id=request(device(1))),
    )
    order = []
    while owed := await leased(one):
        order += owed
        await settle(one, *owed)

    assert order == ["correct the inventory", "unjoin again", "tell the world"]


async def test_a_settled_effect_is_never_leased_again(one: Instance, two: Instance) -> None:
    await owe(one, on(1, "a"))
    await leased(one)

    await settle(one, "a")

    assert await leased(two, later(days=365)) == []
    (record,) = await one.records.effects()
    assert (record.status, record.settled_at, record.due_at) == (EffectStatus.DONE, NOON, None)


async def test_an_effect_owed_again_under_its_key_is_the_same_effect(one: Instance) -> None:
    await owe(one, on(1, "a"), on(1, "a"))
    await owe(one, on(1, "a"))
    assert await leased(one) == ["a"]
    await settle(one, "a")

    await owe(one, on(1, "a"))

    assert await leased(one, later(days=1)) == []


async def test_settling_is_repeatable_and_passes_by_what_is_unknown(one: Instance) -> None:
    await owe(one, on(1, "a"))

    await leased(one)

    await settle(one)
    await settle(one, "a", "never owed")
    await one.outbox.settle(["a"], later(hours=1), NOON + LEASE)

    (record,) = await one.records.effects()
    assert record.settled_at == NOON


async def test_a_postponed_effect_and_those_behind_it_wait(one: Instance) -> None:
    await owe(one, on(1, "a"), on(1, "b"), on(2, "c"))
    await leased(one)

    await one.outbox.postpone([FailedTry(key="a", until=later(hours=1), error="the inventory is down")], NOON + LEASE)

    assert await leased(one, later(minutes=59)) == ["c"]  # its lease ended
    assert await leased(one, later(hours=1)) == ["a", "c"]
    (record,) = await one.records.effects(statuses=[EffectStatus.LEASED], target=device(1))
    assert record.last_error == "the inventory is down"
    assert record.tries == 2


async def test_what_another_relay_has_leased_since_is_left_to_it(one: Instance, two: Instance) -> None:
    await owe(one, on(1, "a"), on(1, "b"), on(2, "c"))
    assert await leased(one) == ["a", "c"]
    assert await leased(two, NOON + LEASE) == ["a", "c"]

    await settle(one, "a")
    await one.outbox.postpone([FailedTry(key="c", until=NOON, error="too late")], NOON + LEASE)

    assert await leased(one, NOON + LEASE) == []  # neither what comes after the one nor the other
    await two.outbox.settle(["a"], NOON + LEASE, NOON + 2 * LEASE)
    assert await leased(one, NOON + LEASE) == ["b"]


async def test_what_nobody_has_leased_since_may_be_settled_after_its_lease(one: Instance) -> None:
    await owe(one, on(1, "a"))
    await leased(one)

    await one.outbox.settle(["a"], NOON + 2 * LEASE, NOON + LEASE)

    assert await leased(one, later(days=1)) == []


async def test_what_is_settled_cannot_be_postponed(one: Instance) -> None:
    await owe(one, on(1, "a"))
    await leased(one)
    await settle(one, "a")

    await one.outbox.postpone([FailedTry(key="a", until=later(hours=1), error="too late")], NOON + LEASE)

    assert await leased(one, later(days=1)) == []


async def test_effects_of_shadow_mode_are_recorded_and_never_leased(one: Instance) -> None:
    await one.save(Changes(effects=[on(1, "a")], withheld=True))
    await owe(one, on(1, "b"))

    assert await leased(one, later(days=1)) == ["b"]  # and nothing waits for what is withheld
    assert [(r.effect.key, r.status) for r in await one.records.effects()] == [
        ("a", EffectStatus.WITHHELD),
        ("b", EffectStatus.LEASED),
    ]


async def test_a_relay_can_ask_when_to_look_again(one: Instance) -> None:
    assert await one.outbox.next_due() is None

    await owe(one, on(1, "a"), on(2, "b"))
    assert await one.outbox.next_due() == NOON

    await leased(one)
    await settle(one, "b")
    await one.outbox.postpone([FailedTry(key="a", until=later(hours=1), error="down")], NOON + LEASE)
    assert await one.outbox.next_due() == later(hours=1)


@pytest.mark.parametrize("size", [1, 300])
async def test_leasing_takes_two_statements_and_settling_one(one: Instance, size: int) -> None:
    await owe(one, *(on(n, str(n)) for n in range(size)))

    with counted_statements() as leasing:
        owed = await leased(one, limit=size)
    with counted_statements() as settling:
        await settle(one, *owed)

    assert len(owed) == size
    assert (len(leasing), len(settling)) == (2, 1)  # the second reads the pairs of updates


class TestOvertakenUpdates:
    """An update waits while the inventory is away; the devices may be unjoined, and the inventory told so, before it is back."""

    async def test_one_that_a_newer_word_denies_is_carried_out_no_more(self, one: Instance) -> None:
        pair = pair_of(1, 2)
        await one.save(Changes(pairs=[pair_record(pair, held=True)], effects=[update("join", pair)]))
        await one.save(Changes(pairs=[pair_record(pair, held=False, version=1)]))

        assert await leased(one) == []

        assert await one.outbox.next_due() is None
        assert [row.status for row in await one.records.effects()] == [EffectStatus.OVERTAKEN]

    @pytest.mark.parametrize("held", [True, None])
    async def test_one_that_the_latest_word_agrees_with_or_does_not_touch_stays_owed(self, one: Instance, held: bool | None) -> None:
        pair = pair_of(1, 2)
        await one.save(Changes(pairs=[pair_record(pair, held=held)], effects=[update("join", pair)]))
        await one.save(Changes(pairs=[pair_record(pair_of(1, 3), held=False)]))

        assert await leased(one) == ["join"]

    async def test_what_follows_in_its_lane_comes_next(self, one: Instance) -> None:
        pair = pair_of(1, 2)
        await owe(one, update("join", pair), on(1, "another"))
        await one.save(Changes(pairs=[pair_record(pair, held=False)]))

        assert await leased(one) == []
        assert await leased(one) == ["another"]
