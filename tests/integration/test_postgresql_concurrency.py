"""Several instances on one PostgreSQL: nothing is lost, nothing is done twice, and nobody waits for ever for anybody."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from joinbridge.config import Retention, Settings
from joinbridge.core.attempt import AttemptState, fired
from joinbridge.core.case import Case
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.errors import StaleVersionError
from joinbridge.ports import Changes, Delivery, Unit
from joinbridge.service.clock import ManualClock
from joinbridge.service.step import Step
from joinbridge.service.watch import Watch
from joinbridge.store import schema
from joinbridge.store.opening import open_database
from joinbridge.store.store import SqlStore
from joinbridge.wiring.signers import reading
from support.home import ESME, PPMID
from support.messages import join_answer, join_request
from support.postgresql import fresh_database
from support.records import (
    ABOUT_ONE_HOME,
    NOON,
    attempt,
    audit_record,
    deadline,
    device,
    finding,
    later,
    pair_of,
    pair_record,
    sighting,
    update,
)
from support.services import PostgreSql
from support.store import Instance, counted_statements

A, B = device(1), device(2)
LEASE = timedelta(minutes=1)


@pytest.fixture
def url(postgresql: PostgreSql) -> Iterator[str]:
    with fresh_database(postgresql) as made:
        yield made


@pytest.fixture
async def one(url: str) -> AsyncIterator[Instance]:
    async with open_database(url) as database:
        yield Instance(database, ManualClock(NOON))


@pytest.fixture
async def two(url: str) -> AsyncIterator[Instance]:
    async with open_database(url) as database:
        yield Instance(database, ManualClock(NOON))


# Batches that overlap


async def count_up(instance: Instance, targets: Sequence[DeviceId], name: str) -> int:
    """Receive a message about each of `targets` and count it on its attempt and pair, as a step does; return how often it was stale."""
    stale = 0
    while True:
        try:
            async with instance.store.transaction() as unit:
                assert await unit.fresh({MessageKey(f"{name}-{target}"): NOON for target in targets})
                case = await unit.load(targets)
                await unit.save(
                    Changes(
                        attempts=[replace(a, retries=a.retries + 1) for a in case.attempts.values() if a.target in targets],
                        pairs=[r for r in case.pairs.values() if r.pair.target in targets],
                        kept=[(target, sighting(f"{name}-{target}")) for target in targets],
                        evidence=[finding(replace(pair_of(), target=target), message=name) for target in targets],
                        effects=[update(f"{name}-{target}", replace(pair_of(), target=target)) for target in targets],
                        audit=[audit_record(f"{name}-{target}") for target in targets],
                    )
                )
        except StaleVersionError:
            stale += 1
        else:
            return stale


async def test_two_instances_with_overlapping_batches_neither_lose_nor_lock_each_other_out(one: Instance, two: Instance) -> None:
    dice, batches = random.Random(20260301), 12
    targets = [device(100 + n) for n in range(20)]
    pairs = [pair_record(replace(pair_of(), target=target)) for target in targets]
    await one.save(Changes(attempts=[attempt(target, B) for target in targets], pairs=pairs))
    counted = dict.fromkeys(targets, 0)

    async def work(instance: Instance, name: str) -> int:
        stale = 0
        for number in range(batches):
            chosen = dice.sample(targets, 10)  # in an order of its own
            stale += await count_up(instance, chosen, f"{name}-{number}")
            for target in chosen:
                counted[target] += 1
        return stale

    stale = await asyncio.gather(work(one, "one"), work(two, "two"), work(one, "three"), work(two, "four"))

    case = await one.load(*targets)
    assert {a.target: a.retries for a in case.attempts.values()} == counted
    assert {target: len(case.ledger[target]) for target in targets} == counted
    assert len(await one.records.effects()) == sum(counted.values())
    assert (await two.audit.verify()).sequence == sum(counted.values())
    assert sum(stale) > 0, "they never met: the test shows nothing"


async def test_of_two_instances_that_got_the_same_messages_one_does_the_work(one: Instance, two: Instance) -> None:
    keys = [MessageKey(f"m{n}") for n in range(200)]

    async def receive(instance: Instance, order: Sequence[MessageKey]) -> set[MessageKey]:
        async with instance.store.transaction() as unit:
            return await unit.fresh(dict.fromkeys(order, NOON))

    found = await asyncio.gather(receive(one, keys), receive(two, keys[::-1]), receive(one, keys[50:]), receive(two, keys[:150][::-1]))

    assert sorted(key for keys_of_one in found for key in keys_of_one) == sorted(keys)


@pytest.mark.parametrize("meanwhile", ABOUT_ONE_HOME.values(), ids=ABOUT_ONE_HOME.keys())
async def test_what_was_decided_before_another_instance_changed_anything_about_the_home_is_not_written(
    one: Instance, two: Instance, meanwhile: Changes
) -> None:
    await one.save(Changes(attempts=[attempt(A, B)]))
    decided = Changes(pairs=[pair_record(JoinPair(A, B))], kept=[(A, sighting("proof"))])

    async def decide() -> None:
        async with one.store.transaction() as unit:
            await unit.load([A])
            async with two.store.transaction() as other:
                await other.load([A])
                await other.save(meanwhile)
            await unit.save(decided)

    with pytest.raises(StaleVersionError):
        await decide()

    case = await one.load(A)
    assert "proof" not in [seen.key for seen in case.ledger.get(A, ())]


async def test_what_happens_in_another_home_meanwhile_changes_nothing(one: Instance, two: Instance) -> None:
    async with one.store.transaction() as unit:
        await unit.load([A])
        async with two.store.transaction() as other:
            await other.load([device(50)])
            await other.save(Changes(kept=[(device(50), sighting("elsewhere"))]))
        await unit.save(Changes(kept=[(A, sighting("here"))]))

    assert len((await one.load(A, device(50))).ledger) == 2


class Meeting:
    """A store whose first transaction waits, after it has loaded, until another one has loaded too: neither sees what the other writes."""

    def __init__(self, store: SqlStore, both: asyncio.Barrier) -> None:
        self._store = store
        self._meet: Callable[[], Awaitable[object]] | None = both.wait
        self.watched, self.next_deadline, self.contradictions = store.watched, store.next_deadline, store.contradictions

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Unit]:
        meet, self._meet = self._meet, None
        async with self._store.transaction() as unit:
            yield unit if meet is None else _MeetingUnit(unit, meet)


class _MeetingUnit:
    def __init__(self, unit: Unit, meet: Callable[[], Awaitable[object]]) -> None:
        self._meet = meet
        self._load = unit.load
        self.fresh, self.due, self.save = unit.fresh, unit.due, unit.save

    async def load(self, devices: Collection[DeviceId]) -> Case:
        case = await self._load(devices)
        await self._meet()
        return case


async def take_until_taken(instance: Instance, both: asyncio.Barrier, body: bytes, source: str) -> int:
    """Take one message as an intake does; return how often that was in vain."""
    settings, store = Settings(mode="live"), Meeting(instance.store, both)
    watch = Watch(frozenset({ESME, PPMID}))
    step = Step(store=store, clock=instance.clock, policy=settings.policy(), reading=reading(settings), watch=watch, live=True)
    stale = 0
    while True:
        try:
            await step.take([Delivery(body=body, source=source, route="", at=instance.clock.now())])
        except StaleVersionError:
            stale += 1
        else:
            return stale


async def test_an_answer_that_is_taken_while_another_instance_takes_its_request_is_not_missed(one: Instance, two: Instance) -> None:
    both = asyncio.Barrier(2)

    stale = await asyncio.gather(
        take_until_taken(one, both, join_request(ESME, PPMID), "sr.request"),
        take_until_taken(two, both, join_answer(ESME), "sr.response"),
    )

    assert sorted(stale) == [0, 1], "they did not meet: the test shows nothing"
    (opened,) = (await one.load(ESME)).attempts.values()
    assert opened.state is AttemptState.SUCCEEDED


# Deadlines


async def test_a_deadline_that_another_instance_works_on_is_left_to_it(one: Instance, two: Instance) -> None:
    waits = [attempt(A, B, counter=n, deadlines=(deadline(later(minutes=n)),)) for n in (1, 2, 3)]
    await one.save(Changes(attempts=waits))

    async with one.store.transaction() as first:
        held = await first.due(later(hours=1), 2)
        async with two.store.transaction() as second:
            left = await second.due(later(hours=1), 10)
            await second.save(Changes(attempts=[fired(replace(waits[2], version=1), left[0].deadline)]))

    assert [passed.key.request_id.counter for passed in held] == [1, 2]
    assert [passed.key.request_id.counter for passed in left] == [3]
    async with two.store.transaction() as again:
        assert [passed.key.request_id.counter for passed in await again.due(later(hours=1), 10)] == [1, 2]


async def test_each_deadline_fires_once_whoever_looks(one: Instance, two: Instance) -> None:
    await one.save(Changes(attempts=[attempt(device(10 + n), B, deadlines=(deadline(),)) for n in range(60)]))
    fired_by: list[str] = []

    async def fire(instance: Instance) -> None:
        while True:
            async with instance.store.transaction() as unit:
                due = await unit.due(NOON, 7)
                if not due:
                    return
                case = await unit.load([passed.key.request_id.device for passed in due])
                await unit.save(Changes(attempts=[fired(case.attempts[passed.key], passed.deadline) for passed in due]))
            fired_by.extend(str(passed.key) for passed in due)

    await asyncio.gather(fire(one), fire(two), fire(one), fire(two))

    assert len(fired_by) == len(set(fired_by)) == 60
    assert await one.store.next_deadline() is None


# The outbox


async def test_two_relays_carry_out_each_effect_once_and_in_order_for_each_pair(one: Instance, two: Instance) -> None:
    lanes, length = 12, 8
    owed = [(lane, number) for number in range(length) for lane in range(lanes)]
    await one.save(Changes(effects=[update(f"{lane}-{number}", pair_of(100 + lane, 2)) for lane, number in owed]))
    carried_out: list[str] = []

    async def relay(instance: Instance) -> None:
        while await instance.outbox.next_due() is not None:
            leased = await instance.outbox.lease(NOON, 5, LEASE)
            carried_out.extend(each.effect.key for each in leased)
            await instance.outbox.settle([each.effect.key for each in leased], NOON, NOON + LEASE)

    await asyncio.gather(relay(one), relay(two), relay(one), relay(two))

    assert sorted(carried_out) == sorted(f"{lane}-{number}" for lane, number in owed)
    for lane in range(lanes):
        of_the_pair = [key for key in carried_out if key.startswith(f"{lane}-")]
        assert of_the_pair == [f"{lane}-{number}" for number in range(length)]


async def test_effects_that_one_relay_is_leasing_are_skipped_by_the_other(one: Instance, two: Instance) -> None:
    await one.save(Changes(effects=[update(str(n), pair_of(100 + n, 2)) for n in range(4)]))
    locked = "SELECT key FROM outbox WHERE key IN ('0', '1') FOR UPDATE"

    async with one.database.writing() as leasing:
        await leasing.run(lambda connection: connection.execute(text(locked)).all())
        leased = [owed.effect.key for owed in await two.outbox.lease(NOON, 10, LEASE)]

    assert leased == ["2", "3"]


# The audit chain


async def test_a_chain_that_many_write_to_stays_whole(one: Instance, two: Instance) -> None:
    await asyncio.gather(
        *(
            instance.save(Changes(audit=[audit_record(f"{name}-{n}-{part}") for part in range(3)]))
            for name, instance in (("one", one), ("two", two))
            for n in range(20)
        )
    )

    assert (await one.audit.verify()).sequence == 120
    subjects = [entry.subject async for entry in one.audit.entries()]
    for first in range(0, 120, 3):  # those of one transaction stand together
        assert [subject.rsplit("-", 1)[1] for subject in subjects[first : first + 3]] == ["0", "1", "2"]


# Housekeeping


async def test_instances_may_keep_house_at_once_while_others_work(one: Instance, two: Instance) -> None:
    targets = [device(1000 + n) for n in range(60)]
    busy = targets[:20]
    old = NOON - timedelta(days=1000)
    async with one.store.transaction() as unit:
        await unit.fresh({MessageKey(f"old-{target}"): old for target in targets})
        await unit.save(
            Changes(
                attempts=[attempt(target, B, requested_at=old) for target in busy],
                kept=[(target, sighting(f"old-{target}", at=old)) for target in targets],
                effects=[update(f"old-{target}", replace(pair_of(), target=target)) for target in targets],
                withheld=True,
            )
        )

    async def keep_house(instance: Instance) -> None:
        while not (await instance.housekeeping.prune(NOON, Retention())).done:
            pass

    async def work(instance: Instance, name: str) -> None:
        for number in range(5):
            await count_up(instance, busy, f"{name}-{number}")

    await asyncio.gather(keep_house(one), keep_house(two), work(one, "one"), work(two, "two"))
    await keep_house(one)

    case = await two.load(*targets)
    assert set(case.ledger) == set(busy)
    assert all(len(case.ledger[target]) == 1 + 10 for target in busy)
    assert {a.target: a.retries for a in case.attempts.values()} == dict.fromkeys(busy, 10)
    assert (await one.audit.verify()).sequence == 10 * len(busy)


# The schema


async def test_instances_that_start_together_make_the_schema_once(postgresql: PostgreSql) -> None:
    with fresh_database(postgresql, schema_made=False) as empty:
        async with open_database(empty) as left, open_database(empty) as right:
            await asyncio.gather(*(schema.upgrade(database) for database in (left, right, left, right)))

            await schema.require_current(left)
            assert (await Instance(left, ManualClock(NOON)).audit.head()).sequence == 0


# What is sent


async def test_statements_are_the_same_however_much_there_is_so_that_each_is_prepared_once(one: Instance) -> None:
    async def sent_for(name: str, size: int) -> list[str]:
        targets = [device(1000 + n) for n in range(size)]
        with counted_statements() as sent:
            await count_up(one, targets, name)
        return sent

    assert await sent_for("few", 5) == await sent_for("many", 500)


async def test_the_server_prepares_nothing_more_for_a_batch_of_another_size(one: Instance) -> None:
    async def prepared() -> int:
        # The pool lends what was given back last: this is the connection that the batches used.
        return await one.database.write(
            lambda connection: connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one()
        )

    await count_up(one, [device(1000 + n) for n in range(5)], "first")
    await prepared()
    before = await prepared()

    await count_up(one, [device(1000 + n) for n in range(500)], "second")

    assert await prepared() == before > 10
