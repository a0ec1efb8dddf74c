"""What people may change by hand, and how it is remembered: `ports.Interventions`, on each kind of database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt, Purpose
from joinbridge.core.ids import MessageKey
from joinbridge.errors import StaleVersionError, StoreRefusedError
from joinbridge.ports import Changes, DeadLetter, DeadLetterStatus
from support.records import NOON, attempt, dead_letter, deadline, device, later
from support.store import Instance

A, B = device(1), device(2)
ANSWER, FINAL = deadline(later(minutes=10)), deadline(later(days=7), Purpose.FINAL)
WAITS = attempt(A, B, deadlines=(ANSWER, FINAL))
D1 = MessageKey("d1")


async def loaded(instance: Instance) -> JoinAttempt:
    return (await instance.load(A)).attempts[WAITS.key]


async def last_entry(instance: Instance) -> tuple[str, str, object]:
    await instance.audit.verify()
    *_, last = [entry async for entry in instance.audit.entries()]
    return last.kind, last.subject, json.loads(last.body)


# Deadlines


async def test_a_deadline_is_moved_and_the_chain_says_who_and_why(one: Instance) -> None:
    await one.save(Changes(attempts=[WAITS]))

    moved = await one.interventions.move_deadline(WAITS.key, ANSWER, later(days=9), by="Ada", reason="the hub is down")

    assert moved == await loaded(one)
    assert moved.deadlines == (FINAL, replace(ANSWER, due_at=later(days=9)))
    assert moved.version == 2
    assert await one.store.next_deadline() == FINAL.due_at
    assert await last_entry(one) == (
        "deadline.moved",
        str(WAITS.key),
        {
            "purpose": "answer",
            "from": ANSWER.due_at.isoformat(),
            "to": later(days=9).isoformat(),
            "by": "Ada",
            "reason": "the hub is down",
        },
    )


async def test_a_deadline_is_cancelled_and_the_chain_says_who_and_why(one: Instance) -> None:
    await one.save(Changes(attempts=[WAITS]))

    left = await one.interventions.cancel_deadline(WAITS.key, ANSWER, by="Ada", reason="answered by telephone")

    assert left == await loaded(one)
    assert left.deadlines == (FINAL,)
    kind, subject, body = await last_entry(one)
    assert (kind, subject) == ("deadline.cancelled", str(WAITS.key))
    assert body == {"purpose": "answer", "from": ANSWER.due_at.isoformat(), "by": "Ada", "reason": "answered by telephone"}


async def test_an_open_attempt_keeps_its_last_deadline_and_one_that_is_over_need_not(one: Instance) -> None:
    closed = attempt(B, A, state=AttemptState.REJECTED, deadlines=(FINAL,))
    await one.save(Changes(attempts=[replace(WAITS, deadlines=(FINAL,)), closed]))

    with pytest.raises(StoreRefusedError, match="move it instead"):
        await one.interventions.cancel_deadline(WAITS.key, FINAL, by="Ada", reason="?")
    await one.interventions.cancel_deadline(closed.key, FINAL, by="Ada", reason="the case is closed")

    assert await one.store.watched() == {A, B}
    assert (await one.audit.verify()).sequence == 1
    assert await one.store.next_deadline() == FINAL.due_at


async def test_a_deadline_that_has_changed_meanwhile_is_left_alone(one: Instance, two: Instance) -> None:
    await one.save(Changes(attempts=[WAITS]))
    await two.interventions.move_deadline(WAITS.key, ANSWER, later(hours=1), by="Bob", reason="first")

    with pytest.raises(StaleVersionError):
        await one.interventions.move_deadline(WAITS.key, ANSWER, later(hours=2), by="Ada", reason="too late")
    with pytest.raises(StaleVersionError):
        await one.interventions.cancel_deadline(WAITS.key, ANSWER, by="Ada", reason="too late")
    with pytest.raises(StaleVersionError):
        await one.interventions.cancel_deadline(attempt(B, A).key, ANSWER, by="Ada", reason="there is no such attempt")

    assert (await loaded(one)).deadlines == (replace(ANSWER, due_at=later(hours=1)), FINAL)
    assert (await one.audit.verify()).sequence == 1


async def test_a_step_that_loaded_the_attempt_before_it_was_changed_is_told(one: Instance, two: Instance) -> None:
    await one.save(Changes(attempts=[WAITS]))
    before = await loaded(one)
    await two.interventions.cancel_deadline(WAITS.key, ANSWER, by="Ada", reason="x")

    with pytest.raises(StaleVersionError):
        await one.save(Changes(attempts=[replace(before, state=AttemptState.SUCCEEDED)]))


# Dead letters


async def test_a_dead_letter_is_sent_again_in_two_steps(one: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("d1")]))

    letter = await one.interventions.begin_requeue(D1, by="Ada", reason="the decoder is mended")
    assert letter == dead_letter("d1", status=DeadLetterStatus.REQUEUEING, requeue_at=NOON)
    assert await one.records.dead_letter(D1) == letter
    assert await last_entry(one) == (
        "letter.requeue-begun",
        "d1",
        {"route": "request.8.7.2", "by": "Ada", "reason": "the decoder is mended"},
    )
    await one.clock.advance(by=later(minutes=1) - NOON)
    assert await one.interventions.finish_requeue(letter) is True

    assert await one.records.dead_letter(D1) == replace(letter, status=DeadLetterStatus.REQUEUED, settled_at=later(minutes=1))
    assert await last_entry(one) == ("letter.requeued", "d1", {"route": "request.8.7.2"})


async def test_a_message_that_is_sent_again_counts_as_never_seen(one: Instance) -> None:
    async with one.store.transaction() as unit:
        await unit.fresh({D1: NOON, MessageKey("other"): NOON})
        await unit.save(Changes(dead_letters=[dead_letter("d1")]))

    await one.interventions.begin_requeue(D1, by="Ada", reason="x")

    async with one.store.transaction() as unit:
        assert await unit.fresh({D1: NOON, MessageKey("other"): NOON}) == {D1}


async def test_sending_again_that_was_interrupted_is_found_and_resumed(one: Instance, two: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("d1"), dead_letter("d2")]))
    begun = await one.interventions.begin_requeue(D1, by="Ada", reason="x")
    await one.clock.advance(by=later(hours=1) - NOON)

    (found,) = await two.records.dead_letters(statuses=[DeadLetterStatus.REQUEUEING])
    resumed = await two.interventions.begin_requeue(D1, by="Bob", reason="to go on")

    assert found == begun == resumed
    assert (await one.audit.verify()).sequence == 1
    assert await two.interventions.finish_requeue(found) is True
    assert await one.interventions.finish_requeue(found) is False  # who was thought to be gone comes back
    assert (await one.audit.verify()).sequence == 2


async def test_a_message_that_comes_back_before_its_sending_is_recorded_stays_open(one: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("d1")]))
    letter = await one.interventions.begin_requeue(D1, by="Ada", reason="x")
    assert letter is not None

    await one.save(Changes(dead_letters=[dead_letter("d1", reason="still not XML")]))

    assert await one.interventions.finish_requeue(letter) is False
    (back,) = await one.records.dead_letters()
    assert (back.status, back.reason, back.attempts) == (DeadLetterStatus.OPEN, "still not XML", 2)


async def test_a_message_that_comes_back_after_it_was_settled_is_open_again(one: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("d1")]))
    await one.interventions.dismiss(D1, by="Ada", reason="noise")

    await one.save(Changes(dead_letters=[dead_letter("d1")]))

    (back,) = await one.records.dead_letters()
    assert (back.status, back.settled_at) == (DeadLetterStatus.OPEN, None)


async def test_what_is_settled_is_listed_only_when_asked_for(one: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("d1"), dead_letter("d2"), dead_letter("d3")]))

    assert await one.interventions.dismiss(D1, by="Ada", reason="noise") is True
    await one.interventions.begin_requeue(MessageKey("d2"), by="Ada", reason="x")

    assert keys(await one.records.dead_letters()) == ["d2", "d3"]
    assert await one.records.dead_letter_count() == 2
    assert keys(await one.records.dead_letters(statuses=[DeadLetterStatus.DISMISSED])) == ["d1"]
    assert keys(await one.records.dead_letters(statuses=())) == ["d1", "d2", "d3"]
    assert (await last_entry(one))[0] == "letter.requeue-begun"


def keys(letters: Sequence[DeadLetter]) -> list[str]:
    return [letter.key for letter in letters]


async def test_what_is_settled_stays_settled(one: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("d1")]))
    await one.interventions.dismiss(D1, by="Ada", reason="noise")

    assert await one.interventions.dismiss(D1, by="Bob", reason="noise") is False
    with pytest.raises(StaleVersionError, match="dismissed"):
        await one.interventions.begin_requeue(D1, by="Bob", reason="x")

    assert (await one.audit.verify()).sequence == 1


async def test_a_letter_that_is_not_there_can_neither_be_sent_nor_dismissed(one: Instance) -> None:
    assert await one.interventions.begin_requeue(D1, by="Ada", reason="x") is None
    assert await one.interventions.dismiss(D1, by="Ada", reason="x") is False
    assert await one.interventions.finish_requeue(dead_letter("d1")) is False


async def test_two_people_who_settle_one_letter_at_once_are_not_both_right(one: Instance, two: Instance) -> None:
    await one.save(Changes(dead_letters=[dead_letter("d1")]))

    settled = await asyncio.gather(*(i.interventions.dismiss(D1, by="x", reason="y") for i in (one, two, one, two)))

    assert sorted(settled) == [False, False, False, True]
    assert (await one.audit.verify()).sequence == 1
