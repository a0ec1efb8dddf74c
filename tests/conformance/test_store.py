"""What every Store promises about receiving, loading, deadlines and watching, and at what cost. On each kind of database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from joinbridge.core.attempt import AttemptState, Purpose, fired
from joinbridge.core.case import Case, Contradiction, DeadlinePassed
from joinbridge.core.facts import DeviceDescription, JoinAnswered
from joinbridge.core.ids import COUNTER_MAX, MessageKey
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.ports import Changes
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
from support.store import Instance, counted_statements

A, B, C, D = device(1), device(2), device(3), device(4)


def keys(*names: str) -> dict[MessageKey, datetime]:
    return {MessageKey(name): NOON for name in names}


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


async def test_that_all_who_are_watched_are_read_in_portions_concerns_nothing_else(one: Instance) -> None:
    async with one.database.writing() as transaction:
        connection = await transaction.run(lambda connection: connection)
        before = dict(connection.get_execution_options())
    await one.store.watched()

    async with one.database.writing() as transaction:
        after = await transaction.run(lambda connection: dict(connection.get_execution_options()))

    assert after == before


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


@pytest.mark.parametrize("size", [1, 5, 500])
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

    assert counts == {"fresh": 1, "load": 2, "save": 12, "due": 1}


async def test_moments_keep_their_microseconds_and_their_order_whatever_their_offset(one: Instance) -> None:
    moments = [
        datetime(2026, 1, 1, 0, 0, 0, micro, tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
        for micro, hours in ((0, 5), (1, -5), (999_999, 0))
    ]

    await one.save(Changes(kept=[(A, sighting(str(at), at=at)) for at in reversed(moments)]))

    assert [seen.at for seen in (await one.load(A)).ledger[A]] == moments


async def test_a_fact_of_two_to_the_64_is_kept_exactly(one: Instance) -> None:
    key = request(A, COUNTER_MAX)
    answered = JoinAnswered(business_key=key, wire_key=key, intent=Intent.JOIN, code=0, message_code=0x000D)

    await one.save(Changes(kept=[(A, sighting(fact=answered))]))

    assert (await one.load(A)).ledger[A][0].fact == answered
