"""Reading the store for people: filters, pages, one record and what belongs to it, counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt, Purpose
from joinbridge.core.case import Contradiction
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.ids import MessageKey
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.ports import Changes
from joinbridge.store.outbox import EffectStatus
from joinbridge.store.records import EffectRecord
from support.records import (
    NOON,
    attempt,
    dead_letter,
    deadline,
    device,
    event,
    finding,
    later,
    pair_of,
    pair_record,
    request,
    sighting,
    update,
)
from support.store import Instance, one_instance

A, B, C = device(1), device(2), device(3)


@pytest.fixture
async def one() -> AsyncIterator[Instance]:
    async with one_instance() as instance:
        yield instance


def stored(*attempts: JoinAttempt) -> list[JoinAttempt]:
    return [replace(each, version=1) for each in attempts]


async def test_attempts_are_listed_by_the_time_of_their_request(one: Instance) -> None:
    first, second, third = (attempt(A, B, counter=9 - n, requested_at=later(hours=n)) for n in range(3))
    await one.save(Changes(attempts=[second, third, first]))

    assert await one.records.attempts() == stored(first, second, third)
    assert await one.records.attempts(newest_first=True) == stored(third, second, first)
    assert await one.records.attempts(since=later(hours=1)) == stored(second, third)
    assert await one.records.attempts(until=later(hours=1)) == stored(first)


async def test_attempts_can_be_chosen_by_state_and_device(one: Instance) -> None:
    lost = attempt(A, B, counter=1, state=AttemptState.RESPONSE_LOST)
    succeeded = attempt(A, C, counter=2, state=AttemptState.SUCCEEDED)
    elsewhere = attempt(C, B, counter=3)
    await one.save(Changes(attempts=[lost, succeeded, elsewhere]))

    assert await one.records.attempts(states=[AttemptState.RESPONSE_LOST]) == stored(lost)
    assert await one.records.attempts(states=[AttemptState.SUCCEEDED, AttemptState.RESPONSE_LOST]) == stored(lost, succeeded)
    assert await one.records.attempts(target=A) == stored(lost, succeeded)
    assert await one.records.attempts(other=B) == stored(lost, elsewhere)
    assert await one.records.attempts(target=A, other=B, states=[AttemptState.SUCCEEDED]) == []


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_of_attempts_follow_one_another_without_gap_or_overlap(one: Instance, newest_first: bool) -> None:
    # Several of one moment: the request decides among them.
    asked = [attempt(A, B, counter=n, requested_at=later(hours=n // 3)) for n in range(10)]
    await one.save(Changes(attempts=asked))
    pages: list[JoinAttempt] = []
    page = await one.records.attempts(limit=3, newest_first=newest_first)
    while page:
        pages += page
        page = await one.records.attempts(limit=3, newest_first=newest_first, after=page[-1])

    assert pages == await one.records.attempts(newest_first=newest_first)
    assert len(pages) == 10


async def test_a_request_may_be_a_join_and_an_unjoin(one: Instance) -> None:
    join, unjoin = attempt(A, B), attempt(A, B, intent=Intent.UNJOIN)
    await one.save(Changes(attempts=[unjoin, join, attempt(A, B, counter=2)]))

    assert await one.records.of_request(request(A)) == stored(join, unjoin)
    assert await one.records.of_request(request(C)) == []


async def test_attempts_that_wait_are_listed_by_their_earliest_deadline(one: Instance) -> None:
    late = attempt(A, B, counter=1, deadlines=(deadline(later(hours=3)),))
    soon = attempt(A, B, counter=2, deadlines=(deadline(later(hours=9), Purpose.FINAL), deadline(later(hours=1))))
    as_soon = attempt(A, B, counter=3, deadlines=(deadline(later(hours=1)),))
    await one.save(Changes(attempts=[late, soon, as_soon, attempt(A, B, counter=4)]))

    everything = await one.records.waiting()

    assert everything == stored(soon, as_soon, late)
    assert await one.records.waiting(limit=1) == everything[:1]
    assert await one.records.waiting(after=everything[0]) == everything[1:]


async def test_pairs_are_listed_by_their_devices(one: Instance) -> None:
    joined = pair_record(pair_of(1, 2), state=PairState.JOINED)
    disputed = pair_record(pair_of(1, 3), state=PairState.DISPUTED)
    elsewhere = pair_record(pair_of(2, 3), state=PairState.JOINED)
    await one.save(Changes(pairs=[elsewhere, disputed, joined]))
    in_order = [replace(each, version=1) for each in (joined, disputed, elsewhere)]

    assert await one.records.pairs() == in_order
    assert await one.records.pairs(states=[PairState.JOINED]) == [in_order[0], in_order[2]]
    assert await one.records.pairs(target=A) == in_order[:2]
    assert await one.records.pairs(other=C) == in_order[1:]
    assert await one.records.pairs(limit=1, after=in_order[0]) == [in_order[1]]
    assert await one.records.pair(pair_of(1, 3)) == in_order[1]
    assert await one.records.pair(pair_of(3, 1)) is None


async def test_evidence_is_listed_oldest_first_for_a_pair_or_one_attempt(one: Instance) -> None:
    old, new = finding(message="m1", at=NOON), finding(message="m2", at=later(hours=1))
    answer = finding(message="m0", at=later(minutes=1), attempt=request(A))
    await one.save(Changes(evidence=[new, answer, old, finding(pair_of(2, 1))]))

    assert await one.records.evidence(pair_of()) == [old, answer, new]
    assert await one.records.evidence(pair_of(), attempt=request(A)) == [answer]


async def test_what_is_known_of_a_device_can_be_read(one: Instance) -> None:
    described, seen = DeviceDescription(A, DeviceType.GPF, region="north"), sighting()
    await one.save(Changes(devices=[described], kept=[(A, seen)]))

    assert await one.records.device(A) == described
    assert await one.records.device(B) is None
    assert await one.records.ledger(A) == [seen]
    assert await one.records.ledger(B) == []


async def test_contradictions_of_a_pair_are_listed_oldest_first(one: Instance) -> None:
    late = Contradiction(rule="r1", pair=pair_of(), at=later(hours=1), says="not any more")
    early = Contradiction(rule="r2", pair=pair_of(), at=NOON, says="never")
    await one.save(Changes(contradictions=[late, early, replace(late, pair=pair_of(2, 1))]))

    assert await one.records.contradictions(pair_of()) == [early, late]


async def test_effects_are_listed_with_what_became_of_them(one: Instance) -> None:
    first, second = update("u1"), event("e1", request_id=request(A))
    await one.save(Changes(effects=[first, second, update("u2", pair_of(5, 6))]))
    await one.outbox.lease(NOON, 1, timedelta(minutes=1))
    await one.outbox.settle(["u1"], later(hours=1), NOON + timedelta(minutes=1))

    assert await one.records.effects(target=A) == [
        EffectRecord(
            number=1,
            effect=first,
            status=EffectStatus.DONE,
            created_at=NOON,
            due_at=None,
            settled_at=later(hours=1),
            tries=1,
            last_error=None,
        ),
        EffectRecord(
            number=2,
            effect=second,
            status=EffectStatus.OWED,
            created_at=NOON,
            due_at=NOON,
            settled_at=None,
            tries=0,
            last_error=None,
        ),
    ]
    assert [r.effect.key for r in await one.records.effects(request_id=request(A))] == ["e1"]
    assert [r.effect.key for r in await one.records.effects(statuses=[EffectStatus.OWED])] == ["e1", "u2"]
    (page,) = await one.records.effects(limit=1)
    assert [r.effect.key for r in await one.records.effects(after=page)] == ["e1", "u2"]


async def test_dead_letters_are_listed_by_when_they_were_last_seen(one: Instance) -> None:
    late, early = dead_letter("d1", last_seen=later(hours=1)), dead_letter("d2")
    await one.save(Changes(dead_letters=[late, early]))

    assert await one.records.dead_letters() == [early, late]
    assert await one.records.dead_letters(limit=1) == [early]
    assert await one.records.dead_letters(after=early) == [late]
    assert await one.records.dead_letter(MessageKey("d1")) == late
    assert await one.records.dead_letter(MessageKey("d3")) is None
    assert await one.records.dead_letter_count() == 2


async def test_a_dead_letters_words_are_made_fit_to_be_stored(one: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter(reason="bad byte \0 or \ud800")]))

    (letter,) = await one.records.dead_letters()
    assert letter.reason == "bad byte \N{REPLACEMENT CHARACTER} or ?"
    assert letter.body == b"\x00\xff<not xml"


async def test_records_are_counted_by_state(one: Instance) -> None:
    await one.save(
        Changes(
            attempts=[attempt(A, B, counter=n) for n in range(3)] + [attempt(A, B, counter=9, state=AttemptState.REJECTED)],
            pairs=[pair_record(pair_of(1, 2)), pair_record(pair_of(1, 3), state=PairState.JOINED)],
            effects=[update("u1"), update("u2")],
        )
    )
    await one.save(Changes(effects=[update("u3")], withheld=True))

    assert await one.records.attempt_counts() == {AttemptState.REQUESTED: 3, AttemptState.REJECTED: 1}
    assert await one.records.pair_counts() == {PairState.PENDING: 1, PairState.JOINED: 1}
    assert await one.records.effect_counts() == {EffectStatus.OWED: 2, EffectStatus.WITHHELD: 1}
    assert await one.records.dead_letter_count() == 0
