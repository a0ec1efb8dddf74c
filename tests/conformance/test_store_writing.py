"""What every Store promises about writing: versions, natural keys, all or nothing. On each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.case import Case, Contradiction, Explanation
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.ids import JoinPair, MessageKey
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.errors import StaleVersionError, StoreError
from joinbridge.ports import Changes, Unit
from joinbridge.store.saving import save_changes
from joinbridge.store.statements import Statements
from support.records import (
    ABOUT_ONE_HOME,
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
    request,
    sighting,
    update,
)
from support.store import Instance, Shared

A, B, C, D = device(1), device(2), device(3), device(4)


def keys(*names: str) -> dict[MessageKey, datetime]:
    return {MessageKey(name): NOON for name in names}


class _CrashError(Exception):
    """Something went wrong in the middle of a transaction."""


# Saving


async def test_each_save_counts_the_version_up(one: Instance) -> None:
    asked, about = attempt(A, B), pair_record()
    for version in (1, 2, 3):
        await one.save(Changes(attempts=[asked], pairs=[about]))

        case = await one.load(A)
        asked, about = case.attempts[asked.key], case.pairs[about.pair]

        assert (asked.version, about.version) == (version, version)


async def test_a_join_and_an_unjoin_of_one_request_are_two_attempts(one: Instance) -> None:
    join, unjoin = attempt(A, B), attempt(A, B, intent=Intent.UNJOIN)

    await one.save(Changes(attempts=[join, unjoin]))

    assert set((await one.load(A)).attempts) == {join.key, unjoin.key}


async def test_of_two_states_of_one_record_the_last_is_saved(one: Instance) -> None:
    asked, about = attempt(A, B), pair_record()

    await one.save(
        Changes(
            attempts=[asked, replace(asked, state=AttemptState.SUCCEEDED)],
            pairs=[about, replace(about, state=PairState.JOINED)],
        )
    )

    case = await one.load(A)
    assert case.attempts[asked.key].state is AttemptState.SUCCEEDED
    assert case.pairs[about.pair].state is PairState.JOINED


def _insert_again(asked: JoinAttempt) -> Changes:
    return Changes(attempts=[replace(asked, version=0)])


def _from_an_old_version(asked: JoinAttempt) -> Changes:
    return Changes(attempts=[replace(asked, version=1, retries=9)])


def _pair_from_an_old_version(asked: JoinAttempt) -> Changes:
    return Changes(attempts=[replace(asked, version=2, retries=9)], pairs=[pair_record(version=1)])


@pytest.mark.parametrize("stale", [_insert_again, _from_an_old_version, _pair_from_an_old_version])
async def test_what_was_changed_since_it_was_loaded_is_not_written_over(
    one: Instance, two: Instance, stale: Callable[[JoinAttempt], Changes]
) -> None:
    asked = attempt(A, B)
    await one.save(Changes(attempts=[asked], pairs=[pair_record()]))
    await two.save(Changes(attempts=[replace(asked, version=1, retries=1)], pairs=[pair_record(version=1)]))
    before = await one.load(A)
    changes = replace(stale(asked), kept=[(A, sighting("x"))], effects=[update()], audit=[audit_record()])

    async def receive_and_save() -> None:
        async with one.store.transaction() as unit:
            await unit.fresh(keys("m"))
            await unit.save(changes)

    with pytest.raises(StaleVersionError):
        await receive_and_save()

    assert await one.load(A) == before
    assert await one.outbox.lease(NOON, 10, timedelta(1)) == []
    async with one.store.transaction() as unit:
        assert await unit.fresh(keys("m")) == {"m"}


async def test_a_transaction_whose_step_failed_cannot_be_committed(one: Instance) -> None:
    await one.save(Changes(attempts=[attempt(A, B)]))

    async def go_on_regardless() -> None:
        async with one.store.transaction() as unit:
            await unit.fresh(keys("m"))
            with suppress(StaleVersionError):
                await unit.save(Changes(attempts=[attempt(A, B)], kept=[(A, sighting())]))

    with pytest.raises(StoreError, match="rolled back"):
        await go_on_regardless()

    async with one.store.transaction() as unit:
        assert await unit.fresh(keys("m")) == {"m"}


async def test_a_sighting_kept_twice_is_kept_once(one: Instance) -> None:
    seen = sighting("m1")
    await one.save(Changes(kept=[(A, seen), (B, seen), (A, replace(seen, region="south"))]))

    await one.save(Changes(kept=[(A, seen)]))

    assert (await one.load(A)).ledger[A] == (seen,)
    assert (await one.load(B)).ledger[B] == (seen,)


async def test_evidence_found_again_is_kept_once_as_it_is_judged_now(one: Instance) -> None:
    of_an_attempt = finding(attempt=request(A))
    await one.save(Changes(evidence=[finding(), of_an_attempt, finding(message="m2")]))

    await one.save(Changes(evidence=[finding(), replace(of_an_attempt, says="as judged now")]))

    found = await one.records.evidence(pair_of())
    assert len(found) == 3
    assert set(found) == {finding(), replace(of_an_attempt, says="as judged now"), finding(message="m2")}


async def test_a_device_is_described_by_what_was_said_last(one: Instance) -> None:
    await one.save(Changes(devices=[DeviceDescription(A, None), DeviceDescription(B, DeviceType.ESME)]))

    await one.save(Changes(devices=[DeviceDescription(A, None), DeviceDescription(A, DeviceType.GSME, region="south")]))

    assert (await one.load(A, B)).devices == {
        A: DeviceDescription(A, DeviceType.GSME, region="south"),
        B: DeviceDescription(B, DeviceType.ESME),
    }


async def test_a_dead_letter_counts_its_tries_from_the_first_to_the_last(one: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("d1", first_seen=later(hours=1), last_seen=later(hours=2))]))

    await one.save(Changes(dead_letters=[dead_letter("d1", reason="still not XML", attempts=2, first_seen=NOON, last_seen=NOON)]))

    assert await one.records.dead_letter(MessageKey("d1")) == dead_letter(
        "d1", reason="still not XML", attempts=3, first_seen=NOON, last_seen=later(hours=2)
    )


async def test_contradictions_are_counted_by_rule_from_a_moment_on(one: Instance) -> None:
    def against(rule: str, at: datetime) -> Contradiction:
        return Contradiction(rule=rule, pair=pair_of(), at=at, says="the log no longer lists it")

    await one.save(Changes(contradictions=[against("a", NOON), against("a", later(hours=1)), against("b", NOON)]))

    assert await one.store.contradictions(NOON) == {"a": 2, "b": 1}
    assert await one.store.contradictions(later(microseconds=1)) == {"a": 1}
    assert await one.store.contradictions(later(hours=2)) == {}


async def test_a_contradiction_that_was_explained_counts_no_more(one: Instance) -> None:
    def against(rule: str, at: datetime, other: int = 2) -> Contradiction:
        return Contradiction(rule=rule, pair=pair_of(other=other), at=at, says="the log no longer lists it")

    def explained(rule: str, since: datetime) -> Explanation:
        return Explanation(rule=rule, pair=pair_of(), since=since)

    await one.save(
        Changes(contradictions=[against("a", NOON), against("a", later(hours=1)), against("b", NOON), against("a", NOON, other=3)])
    )

    await one.save(Changes(explanations=[explained("a", later(hours=1)), explained("b", later(hours=1)), explained("c", NOON)]))
    assert await one.store.contradictions(NOON) == {"a": 2, "b": 1}

    # What is explained in the batch in which it arose never counts.
    await one.save(Changes(contradictions=[against("b", later(hours=2))], explanations=[explained("b", later(hours=2))]))
    assert await one.store.contradictions(NOON) == {"a": 2, "b": 1}


async def test_the_audit_chain_goes_on_in_the_order_given_whoever_writes_it(one: Instance, two: Instance) -> None:
    await one.save(Changes(audit=[audit_record("b"), audit_record("a")]))
    await two.save(Changes(audit=[audit_record("c")]))
    await asyncio.gather(*(i.save(Changes(audit=[audit_record("d"), audit_record("e")])) for i in (one, two)))

    subjects = [entry.subject async for entry in one.audit.entries()]

    assert subjects == ["b", "a", "c", "d", "e", "d", "e"]
    assert (await two.audit.verify()).sequence == 7


# All or nothing


async def _fresh(unit: Unit) -> None:
    await unit.fresh(keys("m"))


async def _load(unit: Unit) -> None:
    await _fresh(unit)
    await unit.load([A])


async def _due(unit: Unit) -> None:
    await _load(unit)
    await unit.due(NOON, 10)


async def _save(unit: Unit) -> None:
    await _due(unit)
    await unit.save(EVERYTHING)


EVERYTHING = Changes(
    attempts=[attempt(A, B, deadlines=(deadline(),))],
    pairs=[pair_record()],
    kept=[(A, sighting())],
    evidence=[finding()],
    devices=[DeviceDescription(A, DeviceType.GPF)],
    effects=[update()],
    contradictions=[Contradiction(rule="r", pair=pair_of(), at=NOON, says="no")],
    dead_letters=[dead_letter()],
    audit=[audit_record()],
)


async def assert_nothing_is_kept(instance: Instance) -> None:
    assert await instance.load(A, B) == Case()
    assert await instance.store.watched() == set()
    assert await instance.store.next_deadline() is None
    assert await instance.store.contradictions(NOON) == {}
    assert await instance.outbox.lease(NOON, 10, timedelta(1)) == []
    assert await instance.records.evidence(pair_of()) == []
    assert await instance.records.dead_letters() == []
    assert (await instance.audit.verify()).sequence == 0
    async with instance.store.transaction() as unit:
        assert await unit.fresh(keys("m")) == {"m"}


@pytest.mark.parametrize("so_far", [_fresh, _load, _due, _save])
async def test_a_crash_after_any_step_leaves_nothing(one: Instance, two: Instance, so_far: Callable[[Unit], Awaitable[None]]) -> None:
    async def crash() -> None:
        async with one.store.transaction() as unit:
            await so_far(unit)
            raise _CrashError

    with pytest.raises(_CrashError):
        await crash()

    await assert_nothing_is_kept(two)
    await one.save(EVERYTHING)  # and the instance goes on
    assert (await two.load(A)).attempts.keys() == {attempt(A, B).key}


@pytest.mark.parametrize("so_far", [_fresh, _save])
async def test_cancelling_a_transaction_leaves_nothing(one: Instance, so_far: Callable[[Unit], Awaitable[None]]) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with one.store.transaction() as unit:
            await so_far(unit)
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await assert_nothing_is_kept(one)


@pytest.mark.parametrize("meanwhile", ABOUT_ONE_HOME.values(), ids=ABOUT_ONE_HOME.keys())
async def test_what_was_decided_before_anything_about_the_home_was_changed_is_not_written(one: Instance, meanwhile: Changes) -> None:
    statements, read = Statements(one.database.dialect), {A: 0, B: 0}

    async def write(changes: Changes) -> None:
        await one.database.write(lambda connection: save_changes(connection, statements, changes, NOON, read))

    await write(meanwhile)
    with pytest.raises(StaleVersionError):
        await write(Changes(pairs=[pair_record(JoinPair(A, B))], kept=[(A, sighting("proof"))]))

    assert "proof" not in [seen.key for seen in (await one.load(A)).ledger.get(A, ())]


async def test_a_transaction_is_over_when_it_is_left(one: Instance) -> None:
    async with one.store.transaction() as unit:
        pass

    with pytest.raises(StoreError, match="over"):
        await unit.fresh(keys("m"))


async def test_what_is_committed_is_found_by_the_next_process(data: Shared) -> None:
    if not data.kind.durable:
        pytest.skip("a database in memory ends with its process")
    async with data.instance() as before:
        async with before.store.transaction() as unit:
            await unit.fresh(keys("m"))
            await unit.save(EVERYTHING)
        loaded = await before.load(A)

    async with data.instance() as after:
        assert await after.load(A) == loaded != Case()
        assert await after.store.watched() == {A, B}
        assert await after.store.next_deadline() == NOON
        assert [owed.effect for owed in await after.outbox.lease(NOON, 10, timedelta(1))] == [update()]
        assert (await after.audit.verify()).sequence == 1
        async with after.store.transaction() as unit:
            assert await unit.fresh(keys("m")) == set()
