"""What is deleted when it is old, and what never is: `ports.Housekeeping`, on each kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from joinbridge.config import Retention
from joinbridge.core.attempt import AttemptState
from joinbridge.core.ids import MessageKey
from joinbridge.core.pair import PairState
from joinbridge.ports import Changes, FailedTry, Pruned
from joinbridge.store.retention import LATENESS
from joinbridge.store.tables import device_versions
from support.records import (
    NOON,
    attempt,
    audit_record,
    dead_letter,
    deadline,
    device,
    finding,
    later,
    pair_of,
    pair_record,
    sighting,
    update,
)
from support.store import PORTION, Instance, counted_statements

A, B, C = device(1), device(2), device(3)
RETENTION = Retention(inbox=timedelta(days=10), evidence=timedelta(days=100), effects=timedelta(days=20), dead_letters=timedelta(days=30))
LEASE = timedelta(minutes=1)
MUCH_LATER = NOON + timedelta(days=1000)


async def prune(instance: Instance, now: datetime = MUCH_LATER) -> Pruned:
    """Prune until there is no more to do; return what was deleted."""
    total = Pruned()
    for _ in range(100):
        part = await instance.housekeeping.prune(now, RETENTION)
        total = Pruned(
            inbox=total.inbox + part.inbox,
            ledger=total.ledger + part.ledger,
            evidence=total.evidence + part.evidence,
            outbox=total.outbox + part.outbox,
            dead_letters=total.dead_letters + part.dead_letters,
        )
        if part.done:
            return total
    raise AssertionError("there is always more to do")


# Messages


async def test_messages_are_forgotten_when_they_are_older_than_is_said(one: Instance) -> None:
    edge = NOON + RETENTION.inbox
    async with one.store.transaction() as unit:
        await unit.fresh({MessageKey("old"): NOON, MessageKey("new"): later(microseconds=1)})

    assert await prune(one, edge) == Pruned()
    assert await prune(one, edge + timedelta(microseconds=1)) == Pruned(inbox=1)

    async with one.store.transaction() as unit:
        assert await unit.fresh({MessageKey("old"): NOON, MessageKey("new"): NOON}) == {"old"}


async def test_what_is_much_goes_in_portions(one: Instance) -> None:
    count = 3 * PORTION + 1
    async with one.store.transaction() as unit:
        await unit.fresh({MessageKey(str(n)): later(minutes=n) for n in range(count)})
    await one.save(
        Changes(
            kept=[(device(100 + n), sighting("m")) for n in range(count)],
            effects=[update(str(n), pair_of(100 + n, 2)) for n in range(count)],
            withheld=True,
        )
    )

    first = await one.housekeeping.prune(MUCH_LATER, RETENTION)
    assert first == Pruned(inbox=PORTION, outbox=PORTION, ledger=PORTION, done=False)

    assert await prune(one) == Pruned(inbox=count - PORTION, outbox=count - PORTION, ledger=count - PORTION)
    assert await prune(one) == Pruned()


@pytest.mark.parametrize("size", [1, PORTION])
async def test_a_portion_takes_as_many_statements_however_much_there_is(one: Instance, size: int) -> None:
    await one.save(Changes(kept=[(device(100 + n), sighting("m")) for n in range(size)]))

    with counted_statements() as sent:
        await one.housekeeping.prune(MUCH_LATER, RETENTION)

    assert len(sent) == 9


async def test_how_often_a_device_was_changed_goes_with_the_last_that_is_kept_of_it(one: Instance) -> None:
    for changes in (
        Changes(kept=[(device(7), sighting("old"))]),
        Changes(kept=[(device(8), sighting("old"))], pairs=[pair_record(pair_of(8, 9))]),
    ):
        async with one.store.transaction() as unit:
            await unit.load([device(7), device(8), device(9)])
            await unit.save(changes)

    await prune(one)

    def counted(connection: Connection) -> list[str]:
        return list(connection.execute(select(device_versions.c.device).order_by(device_versions.c.device)).scalars())

    assert await one.database.read(counted) == [device(8), device(9)]


# Effects


async def settle(instance: Instance, *keys: str, at: datetime = NOON) -> None:
    """Lease what is owed, and settle some of it."""
    await instance.outbox.lease(NOON, 10, LEASE)
    await instance.outbox.settle(keys, at, NOON + LEASE)


async def test_effects_that_were_carried_out_or_withheld_go_and_those_owed_stay(one: Instance) -> None:
    await one.save(Changes(effects=[update("done", pair_of(1, 9)), update("owed", pair_of(2, 9)), update("leased", pair_of(3, 9))]))
    await one.save(Changes(effects=[update("withheld", pair_of(4, 9))], withheld=True))
    await settle(one, "done")
    await one.outbox.postpone([FailedTry(key="owed", until=later(days=1), error="down")], NOON + LEASE)

    assert await prune(one) == Pruned(outbox=2)

    assert [record.effect.key for record in await one.records.effects()] == ["owed", "leased"]


async def test_an_effect_stays_for_its_time_after_it_was_carried_out(one: Instance) -> None:
    await one.save(Changes(effects=[update("u")]))
    await settle(one, "u", at=later(days=5))

    assert await prune(one, later(days=25)) == Pruned()
    assert await prune(one, later(days=25, microseconds=1)) == Pruned(outbox=1)


async def test_an_effect_stays_as_long_as_an_open_attempt_could_owe_it_again(one: Instance) -> None:
    await one.save(Changes(attempts=[attempt(A, B)], effects=[update("target", pair_of(1, 9)), update("other", pair_of(2, 9))]))
    await settle(one, "target", "other")

    assert await prune(one) == Pruned()

    await one.save(Changes(attempts=[attempt(A, B, state=AttemptState.SUCCEEDED, version=1)]))
    assert await prune(one) == Pruned(outbox=2)


# Dead letters


async def test_dead_letters_go_when_they_are_settled_and_never_before(one: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("open"), dead_letter("begun"), dead_letter("sent"), dead_letter("dismissed")]))
    await one.interventions.begin_requeue(MessageKey("begun"), by="Ada", reason="x")
    sent = await one.interventions.begin_requeue(MessageKey("sent"), by="Ada", reason="x")
    assert sent is not None
    await one.interventions.finish_requeue(sent)
    await one.interventions.dismiss(MessageKey("dismissed"), by="Ada", reason="x")

    assert await prune(one, NOON + RETENTION.dead_letters) == Pruned()
    assert await prune(one) == Pruned(dead_letters=2)

    assert sorted(letter.key for letter in await one.records.dead_letters(statuses=())) == ["begun", "open"]


# The ledger


AT_REST = Changes(
    attempts=[attempt(A, B, state=AttemptState.REJECTED)],
    pairs=[pair_record(state=PairState.NOT_JOINED)],
    kept=[(A, sighting("m1")), (A, sighting("m2"))],
    evidence=[finding(message="m1")],
)


async def test_what_is_known_of_a_device_at_rest_goes_but_for_its_attempts_and_pairs(one: Instance) -> None:
    await one.save(AT_REST)
    before = await one.load(A)

    assert await prune(one) == Pruned(ledger=2, evidence=1)

    assert await one.load(A) == replace(before, ledger={})
    assert await one.records.evidence(pair_of()) == []


async def test_what_is_not_old_yet_stays(one: Instance) -> None:
    await one.save(AT_REST)

    assert await prune(one, NOON + RETENTION.evidence) == Pruned()


NEEDED = {
    "an open attempt on the device": Changes(attempts=[attempt(A, C, counter=2)]),
    "an open attempt that names the device": Changes(attempts=[attempt(C, A)]),
    "a deadline": Changes(attempts=[attempt(A, C, counter=2, state=AttemptState.REJECTED, deadlines=(deadline(),))]),
    "an attempt that is not old": Changes(
        attempts=[attempt(A, C, counter=2, state=AttemptState.REJECTED, requested_at=MUCH_LATER - RETENTION.evidence)]
    ),
    "a sighting that is not old": Changes(kept=[(A, sighting("new", at=MUCH_LATER - RETENTION.evidence))]),
    "an effect that is owed": Changes(effects=[update(pair=pair_of(1, 9))]),
    "a pair that changed lately": Changes(pairs=[pair_record(pair_of(1, 3), state=PairState.UNKNOWN, since=MUCH_LATER)]),
    **{
        f"a pair that is {state}": Changes(pairs=[pair_record(pair_of(1, 3), state=state)])
        for state in (PairState.PENDING, PairState.JOINED, PairState.INFERRED_SUCCESS, PairState.DISPUTED)
    },
    "a dead letter of that time": Changes(dead_letters=[dead_letter(first_seen=NOON + LATENESS)]),
}


@pytest.mark.parametrize("why", NEEDED)
async def test_whatever_may_be_needed_keeps_all_that_is_known_of_its_device(one: Instance, why: str) -> None:
    await one.save(AT_REST)
    await one.save(NEEDED[why])
    await one.save(Changes(kept=[(device(50), sighting("m", at=NOON - timedelta(days=1)))]))  # somebody else's
    before = await one.load(A)

    assert await prune(one) == Pruned(ledger=1)

    assert await one.load(A) == before
    assert len(await one.records.evidence(pair_of())) == 1


async def test_a_dead_letter_that_is_settled_keeps_nothing(one: Instance) -> None:
    await one.save(AT_REST)
    await one.save(Changes(dead_letters=[dead_letter()]))
    await one.interventions.dismiss(MessageKey("d1"), by="Ada", reason="noise")

    assert (await prune(one)).ledger == 2


async def test_of_a_device_that_nobody_asked_about_what_is_old_goes_one_by_one(one: Instance) -> None:
    new = sighting("new", at=MUCH_LATER)
    await one.save(Changes(kept=[(A, sighting("old")), (A, new)]))

    assert await prune(one) == Pruned(ledger=1)

    assert (await one.load(A)).ledger == {A: (new,)}


async def test_a_walk_through_many_devices_comes_round_again(one: Instance) -> None:
    devices = [device(100 + n) for n in range(2 * PORTION)]
    joined = [replace(pair_of(), target=d) for d in devices]
    await one.save(Changes(pairs=[pair_record(p, state=PairState.JOINED) for p in joined], kept=[(d, sighting()) for d in devices]))
    assert await prune(one) == Pruned()

    await one.save(Changes(pairs=[pair_record(joined[0], state=PairState.NOT_JOINED, version=1)]))

    assert await prune(one) == Pruned(ledger=1)


async def test_the_audit_chain_is_never_touched(one: Instance) -> None:
    await one.save(replace(AT_REST, audit=[audit_record(str(n)) for n in range(10)]))

    await prune(one)

    assert (await one.audit.verify()).sequence == 10
