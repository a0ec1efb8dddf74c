"""What every Store promises: `ports.Store` and `ports.Unit`, on each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt, Purpose, fired
from joinbridge.core.case import Case, Contradiction, DeadlinePassed
from joinbridge.core.facts import DeviceDescription, JoinAnswered
from joinbridge.core.ids import COUNTER_MAX, MessageKey
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.errors import StaleVersionError, StoreError
from joinbridge.ports import Changes, Unit
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
    request,
    sighting,
    update,
)
from support.store import KINDS, Instance, Shared, StoreKind, counted_statements

A, B, C, D = device(1), device(2), device(3), device(4)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
async def data(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shared]:
    kind: StoreKind = request.param
    async with Shared(kind, tmp_path).prepared() as shared:
        yield shared


@pytest.fixture
async def one(data: Shared) -> AsyncIterator[Instance]:
    async with data.instance() as instance:
        yield instance


@pytest.fixture
async def two(data: Shared) -> AsyncIterator[Instance]:
    async with data.instance() as instance:
        yield instance


def keys(*names: str) -> dict[MessageKey, datetime]:
    return {MessageKey(name): NOON for name in names}


class _CrashError(Exception):
    """Something went wrong in the middle of a transaction."""


# The inbox


async def test_a_message_is_fresh_only_once(one: Instance) -> None:
    async with one.store.transaction() as unit:
        assert await unit.fresh(keys("a", "b")) == {"a", "b"}
        assert await unit.fresh(keys("b", "c")) == {"c"}

    async with one.store.transaction() as unit:
        assert await unit.fresh(keys("c", "a", "d")) == {"d"}


async def test_no_messages_are_none_fresh(one: Instance) -> None:
    async with one.store.transaction() as unit:
        assert await unit.fresh({}) == set()


async def test_of_two_instances_that_get_one_message_one_finds_it_fresh(one: Instance, two: Instance) -> None:
    async def receive(instance: Instance) -> set[MessageKey]:
        async with instance.store.transaction() as unit:
            return await unit.fresh(keys("a", "b", "c"))

    first, second = await asyncio.gather(receive(one), receive(two))

    assert sorted([first, second], key=len) == [set(), {"a", "b", "c"}]


# Loading


async def test_an_empty_store_has_an_empty_case(one: Instance) -> None:
    assert await one.load(A, B) == Case()
    assert await one.load() == Case()


async def test_what_was_saved_is_loaded_with_its_version(one: Instance) -> None:
    asked = attempt(A, B, counter=COUNTER_MAX, deadlines=(deadline(later(microseconds=1)),))
    about = pair_record(pair_of(1, 2), basis=(finding(), finding(rule="answer", attempt=asked.request_id)))
    described = DeviceDescription(A, DeviceType.GPF, "Maker", "Model", "1.0", "north")
    seen = sighting("m1", region="north")

    await one.save(Changes(attempts=[asked], pairs=[about], kept=[(A, seen)], devices=[described]))

    assert await one.load(A) == Case(
        attempts={asked.key: replace(asked, version=1)},
        pairs={about.pair: replace(about, version=1)},
        ledger={A: (seen,)},
        devices={A: described},
    )


async def test_a_device_brings_its_partners_whole(one: Instance) -> None:
    ours = attempt(A, B)
    of_the_partner = attempt(B, C)  # B is our other device, and a target itself
    another_on_our_target = attempt(A, D, counter=2)
    await one.save(
        Changes(
            attempts=[ours, of_the_partner, another_on_our_target],
            pairs=[pair_record(pair_of(1, 2)), pair_record(pair_of(2, 3)), pair_record(pair_of(1, 4))],
            kept=[(A, sighting("a")), (B, sighting("b"))],
        )
    )

    case = await one.load(B)

    assert set(case.attempts) == {ours.key, of_the_partner.key, another_on_our_target.key}
    assert set(case.pairs) == {pair_of(1, 2), pair_of(2, 3), pair_of(1, 4)}
    assert set(case.ledger) == {A, B}


async def test_a_partner_by_the_pair_alone_is_a_partner(one: Instance) -> None:
    await one.save(Changes(pairs=[pair_record(pair_of(1, 2))], kept=[(A, sighting("a")), (B, sighting("b"))]))

    assert set((await one.load(A)).ledger) == {A, B}
    assert set((await one.load(B)).ledger) == {A, B}


async def test_a_partners_partners_stay_out(one: Instance) -> None:
    await one.save(Changes(attempts=[attempt(A, B), attempt(C, B), attempt(D, C)], kept=[(C, sighting("c")), (D, sighting("d"))]))

    case = await one.load(A)

    assert {known.target for known in case.attempts.values()} == {A}
    assert case.ledger == {}


async def test_evidence_that_comes_before_its_request_is_there_for_it(one: Instance) -> None:
    early = sighting("early")

    await one.save(Changes(kept=[(A, early)]))

    assert (await one.load(A)).ledger == {A: (early,)}


async def test_the_ledger_is_in_the_order_of_the_bus_then_of_arrival(one: Instance) -> None:
    first, second = sighting("z", at=later(seconds=-1)), sighting("y")
    third, fourth = sighting("x"), sighting("w", at=later(microseconds=1))

    await one.save(Changes(kept=[(A, fourth), (A, second), (B, second)]))
    await one.save(Changes(kept=[(A, third), (A, first)]))

    assert (await one.load(A)).ledger[A] == (first, second, third, fourth)


async def test_thousands_of_devices_load_at_once(one: Instance) -> None:
    asked = [attempt(device(2 * n), device(2 * n + 1)) for n in range(2500)]
    await one.save(Changes(attempts=asked))

    case = await one.load(*(known.target for known in asked))

    assert len(case.attempts) == 2500


# Deadlines


async def due(instance: Instance, now: datetime, limit: int = 100) -> list[DeadlinePassed]:
    async with instance.store.transaction() as unit:
        return list(await unit.due(now, limit))


async def test_deadlines_are_due_oldest_first_and_never_early(one: Instance) -> None:
    waits = [attempt(A, B, counter=n, deadlines=(deadline(later(minutes=n)),)) for n in (3, 1, 2)]
    await one.save(Changes(attempts=waits))

    assert await due(one, later(minutes=1, microseconds=-1)) == []
    assert [passed.key.request_id.counter for passed in await due(one, later(minutes=2))] == [1, 2]
    assert [passed.key.request_id.counter for passed in await due(one, later(hours=1), limit=2)] == [1, 2]


async def test_several_deadlines_of_one_attempt_come_in_their_order_among_others(one: Instance) -> None:
    twice = attempt(A, B, counter=1, deadlines=(deadline(later(minutes=1)), deadline(later(minutes=3), Purpose.FINAL)))
    once = attempt(A, B, counter=2, deadlines=(deadline(later(minutes=2)),))
    not_yet = attempt(A, B, counter=3, deadlines=(deadline(later(minutes=3)), deadline(later(hours=9), Purpose.FINAL)))
    await one.save(Changes(attempts=[not_yet, once, twice]))

    passed = await due(one, later(minutes=3))

    assert [(p.key.request_id.counter, p.deadline.purpose) for p in passed] == [
        (1, Purpose.ANSWER),
        (2, Purpose.ANSWER),
        (3, Purpose.ANSWER),
        (1, Purpose.FINAL),
    ]


async def test_a_deadline_stays_due_until_its_attempt_is_saved_without_it(one: Instance) -> None:
    waits = attempt(A, B, deadlines=(deadline(), deadline(later(days=1), Purpose.FINAL)))
    await one.save(Changes(attempts=[waits]))
    (passed,) = await due(one, NOON)
    assert await due(one, NOON) == [passed]

    loaded = (await one.load(A)).attempts[waits.key]
    await one.save(Changes(attempts=[fired(loaded, passed.deadline)]))

    assert await due(one, NOON) == []
    assert await one.store.next_deadline() == later(days=1)


async def test_the_next_deadline_is_the_earliest(one: Instance) -> None:
    assert await one.store.next_deadline() is None

    await one.save(
        Changes(
            attempts=[
                attempt(A, B, counter=1, deadlines=(deadline(later(days=2)),)),
                attempt(A, B, counter=2, deadlines=(deadline(later(days=1)), deadline(later(days=3), Purpose.FINAL))),
            ]
        )
    )

    assert await one.store.next_deadline() == later(days=1)


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


async def test_the_audit_chain_goes_on_in_the_order_given_whoever_writes_it(one: Instance, two: Instance) -> None:
    await one.save(Changes(audit=[audit_record("b"), audit_record("a")]))
    await two.save(Changes(audit=[audit_record("c")]))
    await asyncio.gather(*(i.save(Changes(audit=[audit_record("d"), audit_record("e")])) for i in (one, two)))

    subjects = [entry.subject async for entry in one.audit.entries()]

    assert subjects == ["b", "a", "c", "d", "e", "d", "e"]
    assert (await two.audit.verify()).sequence == 7


# Who is watched


async def test_devices_of_attempts_that_are_open_or_wait_are_watched(one: Instance) -> None:
    await one.save(
        Changes(
            attempts=[
                attempt(device(1), device(2)),
                attempt(device(3), device(4), state=AttemptState.RESPONSE_LOST),
                attempt(device(5), device(6), state=AttemptState.SUCCEEDED),
                attempt(device(7), device(8), state=AttemptState.REJECTED, deadlines=(deadline(),)),
                replace(attempt(device(9)), other=None),
            ]
        )
    )

    assert await one.store.watched() == {device(n) for n in (1, 2, 3, 4, 7, 8, 9)}


async def test_a_device_is_watched_no_more_when_its_attempt_is_closed(one: Instance) -> None:
    asked = attempt(A, B)
    await one.save(Changes(attempts=[asked]))

    await one.save(Changes(attempts=[replace(asked, state=AttemptState.SUCCEEDED, version=1)]))

    assert await one.store.watched() == set()


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


# How it is done


def _batch(size: int) -> Changes:
    targets = [device(1000 + n) for n in range(size)]
    return Changes(
        attempts=[attempt(t, B, deadlines=(deadline(),)) for t in targets],
        pairs=[pair_record(replace(pair_of(), target=t)) for t in targets],
        kept=[(t, sighting("m")) for t in targets],
        evidence=[finding(replace(pair_of(), target=t)) for t in targets],
        devices=[DeviceDescription(t, DeviceType.GPF) for t in targets],
        effects=[update(t, replace(pair_of(), target=t)) for t in targets],
        contradictions=[Contradiction(rule="r", pair=pair_of(), at=NOON, says="no") for _ in targets],
        dead_letters=[dead_letter(t) for t in targets],
        audit=[audit_record(t) for t in targets],
    )


@pytest.mark.parametrize("size", [1, 300])
async def test_a_batch_takes_as_many_statements_whatever_its_size(one: Instance, size: int) -> None:
    batch = _batch(size)
    counts = {}

    async with one.store.transaction() as unit:
        with counted_statements() as sent:
            await unit.fresh(keys(*(known.target for known in batch.attempts)))
        counts["fresh"] = len(sent)
        with counted_statements() as sent:
            await unit.load([known.target for known in batch.attempts])
        counts["load"] = len(sent)
        with counted_statements() as sent:
            await unit.save(batch)
        counts["save"] = len(sent)
        with counted_statements() as sent:
            assert len(await unit.due(NOON, size)) == size
        counts["due"] = len(sent)

    assert counts == {"fresh": 1, "load": 2, "save": 11, "due": 1}


async def test_moments_keep_their_microseconds_and_their_order_across_offsets(one: Instance) -> None:
    moments = [datetime(2026, 1, 1, 0, 0, 0, micro, tzinfo=UTC) for micro in (0, 1, 999_999)]
    seen = [sighting(str(n), at=at, fact=None) for n, at in enumerate(moments)]

    await one.save(Changes(kept=[(A, each) for each in reversed(seen)]))

    assert [each.at for each in (await one.load(A)).ledger[A]] == moments


async def test_a_fact_of_two_to_the_64_is_kept_exactly(one: Instance) -> None:
    key = request(A, COUNTER_MAX)
    answered = JoinAnswered(business_key=key, wire_key=key, intent=Intent.JOIN, code=0, message_code=0x000D)

    await one.save(Changes(kept=[(A, sighting(fact=answered))]))

    assert (await one.load(A)).ledger[A][0].fact == answered
