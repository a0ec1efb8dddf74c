"""What a decision accumulates: what is known in its course, and what is left of it in the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt, opened
from joinbridge.core.case import Case, Decision
from joinbridge.core.draft import Draft
from joinbridge.core.effects import PublishEvent
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.pair import PairRecord
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import DeviceType, Intent
from support.evidence import sighted
from support.findings import finding
from support.home import CAD, ESME, PPMID, START, acknowledged, after, answered, join, pair, request_id, unjoin

NOW = after(hours=1)
ATTEMPT = opened(join(1), START)
REJECTED = replace(ATTEMPT, state=AttemptState.REJECTED, response_code=3, version=2)
RECORD = PairRecord(pair=pair(), since=START)


def a_draft(*attempts: JoinAttempt, pairs: Iterable[PairRecord] = (), devices: Iterable[DeviceDescription] = ()) -> Draft:
    case = Case(
        attempts={a.key: a for a in attempts}, pairs={record.pair: record for record in pairs}, devices={d.device: d for d in devices}
    )
    return Draft(case, Policy(), NOW)


def published(draft: Draft) -> list[PublishEvent]:
    return [effect for effect in draft.decision().effects if isinstance(effect, PublishEvent)]


def test_a_draft_in_which_nothing_happened_decides_nothing() -> None:
    assert a_draft(ATTEMPT, pairs=[RECORD], devices=[DeviceDescription(ESME, DeviceType.ESME)]).decision() == Decision()


def test_the_attempts_on_a_target_come_oldest_request_first() -> None:
    older, same_time, newer = opened(join(5), START), opened(join(6), START), opened(join(1), after(minutes=1))

    assert a_draft(newer, older).on_target(ESME) == (older, newer)
    assert a_draft(newer, same_time, older).on_target(ESME) == (older, same_time, newer)
    assert a_draft(newer, opened(join(7, target=PPMID), START)).on_target(ESME) == (newer,)


def test_a_sighting_is_new_in_a_ledger_only_once() -> None:
    draft, sighting = a_draft(), sighted(answered(1))

    kept = [draft.keep(ESME, sighting), draft.keep(ESME, sighting), draft.keep(CAD, sighting)]

    assert kept == [True, False, True]
    assert draft.ledger(ESME) == (sighting,)
    assert draft.decision().kept == ((ESME, sighting), (CAD, sighting))


def test_what_the_world_is_told_of_an_attempt_names_it_its_outcome_and_what_that_rests_on() -> None:
    draft = a_draft(ATTEMPT)

    draft.put(REJECTED, (finding(rule="join-refused", earliest=START, at=after(minutes=10)),))

    assert published(draft) == [
        PublishEvent(
            key=f"event:{request_id(1)}/join:rejected:2",
            at=NOW,
            state=AttemptState.REJECTED,
            pair=pair(),
            request_id=request_id(1),
            intent=Intent.JOIN,
            response_code=3,
            rules=("join-refused",),
            proven_between=(START, after(minutes=10)),
        )
    ]


def test_the_world_is_told_of_a_state_once() -> None:
    draft = a_draft(ATTEMPT)

    draft.put(REJECTED)
    draft.put(replace(REJECTED, deadlines=()))
    draft.put(replace(REJECTED, state=AttemptState.CONFIRMED_LATE))

    assert [event.state for event in published(draft)] == [AttemptState.REJECTED, AttemptState.CONFIRMED_LATE]


def test_a_pair_is_opened_when_its_first_request_was_made_and_not_again() -> None:
    draft = a_draft()

    draft.open_pair(ATTEMPT, START)
    draft.open_pair(ATTEMPT, after(minutes=5))

    assert draft.decision().pairs == (RECORD,)


@pytest.mark.parametrize(
    ("held_at", "now_held"),
    [(None, False), (after(minutes=59), False), (after(hours=1), False), (after(hours=2), True)],
    ids=["nothing known", "older", "of the same time", "newer"],
)
def test_what_the_inventory_holds_is_what_was_told_last(held_at: datetime | None, now_held: bool) -> None:
    draft = a_draft(pairs=[replace(RECORD, held=True, held_at=held_at)])

    draft.inventory_holds(opened(unjoin(2), START), sighted(acknowledged(2, "E080801"), at=after(hours=1)))

    assert draft.pairs[pair()].held is now_held


def test_all_that_is_told_of_several_devices_is_learnt() -> None:
    told = [DeviceDescription(ESME, DeviceType.ESME), DeviceDescription(CAD, DeviceType.TYPE2)]
    draft = a_draft()

    draft.learn(told)

    assert draft.decision().devices == tuple(told)


@pytest.mark.parametrize(
    ("known", "told", "then"),
    [
        (None, DeviceType.ESME, DeviceType.ESME),
        (DeviceType.GSME, DeviceType.ESME, DeviceType.ESME),
        (DeviceType.GSME, None, DeviceType.GSME),
    ],
)
def test_a_type_that_is_told_replaces_the_one_that_was_known(
    known: DeviceType | None, told: DeviceType | None, then: DeviceType | None
) -> None:
    draft = a_draft(devices=[DeviceDescription(ESME, known)])

    draft.learn([DeviceDescription(ESME, told)])

    assert draft.type_of(ESME) is then


def test_a_surprise_is_kept_in_words() -> None:
    draft = a_draft()

    draft.surprise("nobody expected this")

    assert draft.decision().surprises == ("nobody expected this",)


def test_a_record_that_is_again_what_it_was_has_not_changed() -> None:
    draft = a_draft(ATTEMPT, pairs=[RECORD])

    draft.put_pair(replace(RECORD, held=True))
    draft.put_pair(replace(RECORD))
    draft.put(replace(ATTEMPT))

    assert draft.decision() == Decision()
