"""The state machine of one attempt: every state and every event, and what a record keeps of what it was told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from joinbridge.core import attempt as attempts
from joinbridge.core.attempt import AttemptKey, AttemptState, Deadline, JoinAttempt, LossTrigger, Purpose
from joinbridge.core.facts import JoinRequested, PreCommandReturned
from joinbridge.core.ids import CommandKey, JoinPair
from joinbridge.core.vocabulary import (
    SRV_JOIN_CRITICAL,
    SRV_JOIN_NON_CRITICAL,
    SRV_UNJOIN_CRITICAL,
    SRV_UNJOIN_NON_CRITICAL,
    DeviceType,
    Intent,
    JoinRole,
)
from support.home import ACB, CAD, ESME, PPMID, START, after, join, pre_command, request_id, signed, transform

S = AttemptState
REFUSED = 5  # any join code but 0
LOST_BEFORE = {S.RESPONSE_LOST, S.RETRIED, S.PROBED, S.CONFIRMED_LATE, S.INFERRED_SUCCESS, S.UNRESOLVED}
A_DEADLINE = Deadline(due_at=after(days=1), purpose=Purpose.FINAL, armed_in=S.REQUESTED)


def an_attempt(state: AttemptState = S.REQUESTED, *, submitted_at: datetime | None = START, retries: int = 0) -> JoinAttempt:
    """An attempt as it stands in `state`: with the loss and the re-issue that brought it there, and one deadline."""
    return JoinAttempt(
        request_id=request_id(1),
        intent=Intent.JOIN,
        requested_at=START,
        submitted_at=submitted_at,
        state=state,
        srv=SRV_JOIN_NON_CRITICAL,
        other=CAD,
        lost_at=after(minutes=10) if state in LOST_BEFORE else None,
        lost_because=LossTrigger.DEADLINE if state in LOST_BEFORE else None,
        retries=max(retries, int(state is S.RETRIED)),
        deadlines=(A_DEADLINE,),
    )


Move = Callable[[JoinAttempt], JoinAttempt]

MOVES: dict[str, Move] = {
    "accepted": lambda a: attempts.accepted(a, after(hours=1)),
    "refused": lambda a: attempts.refused(a, "E4"),
    "answered with success": lambda a: attempts.answered(a, 0, after(hours=1)),
    "answered with a refusal": lambda a: attempts.answered(a, REFUSED, after(hours=1)),
    "deadline": lambda a: attempts.lost(a, LossTrigger.DEADLINE, after(hours=1)),
    "E21": lambda a: attempts.lost(a, LossTrigger.E21, after(hours=1)),
    "N13": lambda a: attempts.lost(a, LossTrigger.N13, after(hours=1)),
    "8F2C of the answer": lambda a: attempts.lost(a, LossTrigger.DISCARDED, after(hours=1)),
    "proven": attempts.proven,
    "disproved": attempts.disproved,
    "carried out late": attempts.carried_out_late,
    "given up": attempts.given_up,
    "reopened": attempts.reopened,
}

_TO_LOST = {S.REQUESTED: S.RESPONSE_LOST, S.ACCEPTED: S.RESPONSE_LOST}
_FROM_UNPROVEN = (S.REQUESTED, S.ACCEPTED, S.RESPONSE_LOST, S.RETRIED, S.PROBED, S.UNRESOLVED)

MOVES_ON: dict[str, dict[AttemptState, AttemptState]] = {
    "accepted": {S.REQUESTED: S.ACCEPTED, S.NOT_SENT: S.ACCEPTED},
    "refused": {S.REQUESTED: S.NOT_SENT},
    "answered with success": {
        S.REQUESTED: S.SUCCEEDED,
        S.ACCEPTED: S.SUCCEEDED,
        S.NOT_SENT: S.SUCCEEDED,
        S.DISPROVED: S.SUCCEEDED,
        S.REJECTED: S.CONFIRMED_LATE,
        S.RESPONSE_LOST: S.CONFIRMED_LATE,
        S.RETRIED: S.CONFIRMED_LATE,
        S.PROBED: S.CONFIRMED_LATE,
        S.INFERRED_SUCCESS: S.CONFIRMED_LATE,
        S.UNRESOLVED: S.CONFIRMED_LATE,
    },
    "answered with a refusal": {
        S.REQUESTED: S.REJECTED,
        S.ACCEPTED: S.REJECTED,
        S.NOT_SENT: S.REJECTED,
        S.RESPONSE_LOST: S.REJECTED,
        S.PROBED: S.REJECTED,
        S.INFERRED_SUCCESS: S.REJECTED,
        S.DISPROVED: S.REJECTED,
        S.UNRESOLVED: S.REJECTED,
    },
    "deadline": _TO_LOST,
    "E21": _TO_LOST,
    "N13": _TO_LOST,
    "8F2C of the answer": {**_TO_LOST, S.DISPROVED: S.RESPONSE_LOST},
    "proven": dict.fromkeys(_FROM_UNPROVEN, S.INFERRED_SUCCESS),
    "disproved": dict.fromkeys(_FROM_UNPROVEN, S.DISPROVED),
    "carried out late": {S.DISPROVED: S.INFERRED_SUCCESS},
    "given up": dict.fromkeys((S.REQUESTED, S.ACCEPTED, S.RESPONSE_LOST, S.RETRIED, S.PROBED), S.UNRESOLVED),
    "reopened": {S.INFERRED_SUCCESS: S.UNRESOLVED},
}
"""Which event moves which state where; in every state that is not named the event moves nothing."""


@pytest.mark.parametrize("event", MOVES)
@pytest.mark.parametrize("state", AttemptState)
def test_every_event_in_every_state_leads_where_the_state_machine_says(state: AttemptState, event: str) -> None:
    moved = MOVES[event](an_attempt(state))

    assert moved.state is MOVES_ON[event].get(state, state)


@pytest.mark.parametrize("event", MOVES)
@pytest.mark.parametrize("state", AttemptState)
def test_the_same_event_twice_is_the_same_event_once(state: AttemptState, event: str) -> None:
    once = MOVES[event](an_attempt(state))

    twice = MOVES[event](once)

    assert twice == once


# What no longer holds once the attempt has moved. A proof that falls or comes late does not wait for anything by itself.
_KEEP_DEADLINES = {("accepted", S.REQUESTED), ("carried out late", S.DISPROVED), ("reopened", S.INFERRED_SUCCESS)}


@pytest.mark.parametrize(
    ("event", "state"),
    [(event, state) for event, moves in MOVES_ON.items() for state in moves if (event, state) not in _KEEP_DEADLINES],
)
def test_an_attempt_that_moves_on_waits_no_longer_for_what_it_waited_for(event: str, state: AttemptState) -> None:
    assert MOVES[event](an_attempt(state)).deadlines == ()


def test_an_attempt_that_is_accepted_still_waits_for_its_answer() -> None:
    assert attempts.accepted(an_attempt(), after(minutes=1)).deadlines == (A_DEADLINE,)


@pytest.mark.parametrize("state", [state for state in AttemptState if state not in attempts.OPEN])
def test_giving_up_an_attempt_that_is_over_only_takes_its_deadlines(state: AttemptState) -> None:
    over = an_attempt(state)

    assert attempts.given_up(over) == replace(over, deadlines=())


@pytest.mark.parametrize("state", AttemptState)
def test_only_states_that_wait_or_look_for_an_outcome_are_open(state: AttemptState) -> None:
    open_states = {S.REQUESTED, S.ACCEPTED, S.RESPONSE_LOST, S.RETRIED, S.PROBED}

    assert an_attempt(state).is_open is (state in open_states)


@pytest.mark.parametrize("state", AttemptState)
def test_the_word_of_the_dsp_that_it_took_the_request_shows_that_it_was_submitted(state: AttemptState) -> None:
    accepted = attempts.accepted(an_attempt(state, submitted_at=None), after(minutes=1))

    assert accepted.submitted_at == after(minutes=1)


def test_an_acceptance_does_not_move_a_submission_that_was_seen() -> None:
    assert attempts.accepted(an_attempt(), after(minutes=1)).submitted_at == START


def test_a_refusal_by_the_dsp_is_kept_with_its_code() -> None:
    refused = attempts.refused(an_attempt(), "E080801")

    assert (refused.state, refused.refusal) == (S.NOT_SENT, "E080801")


def test_a_refusal_by_the_dsp_settles_nothing_while_two_devices_are_named() -> None:
    ambiguous = replace(an_attempt(), rival=PPMID)

    assert attempts.refused(ambiguous, "E4") == ambiguous


@pytest.mark.parametrize("state", [S.REQUESTED, S.ACCEPTED])
def test_an_answer_shows_when_it_came_what_it_said_and_that_the_command_was_sent(state: AttemptState) -> None:
    answered = attempts.answered(an_attempt(state, submitted_at=None), REFUSED, after(minutes=2))

    assert answered.submitted_at == after(minutes=2)
    assert answered.answered_at == after(minutes=2)
    assert answered.response_code == REFUSED


@pytest.mark.parametrize("state", [S.SUCCEEDED, S.CONFIRMED_LATE])
@pytest.mark.parametrize("code", [0, REFUSED])
def test_success_is_final(state: AttemptState, code: int) -> None:
    done = replace(an_attempt(state), response_code=0, answered_at=after(minutes=1))

    assert attempts.answered(done, code, after(hours=5)) == done


@pytest.mark.parametrize("submitted_at", [START, None])
@pytest.mark.parametrize("state", [S.REQUESTED, S.ACCEPTED, S.RESPONSE_LOST, S.RETRIED, S.PROBED, S.UNRESOLVED])
def test_a_refusal_leaves_an_attempt_that_was_issued_twice_as_it_is(state: AttemptState, submitted_at: datetime | None) -> None:
    twice = an_attempt(state, submitted_at=submitted_at, retries=1)

    answered = attempts.answered(twice, REFUSED, after(hours=1))

    assert answered == replace(twice, submitted_at=submitted_at or after(hours=1), response_code=REFUSED, answered_at=after(hours=1))


@pytest.mark.parametrize("state", [S.NOT_SENT, S.REJECTED, S.INFERRED_SUCCESS, S.DISPROVED])
def test_a_refusal_closes_an_attempt_that_was_issued_twice_once_its_outcome_was_settled(state: AttemptState) -> None:
    assert attempts.answered(an_attempt(state, retries=1), REFUSED, after(hours=1)).state is S.REJECTED


def test_success_after_a_refusal_is_late() -> None:
    rejected = attempts.answered(an_attempt(), REFUSED, after(minutes=1))

    answered = attempts.answered(rejected, 0, after(minutes=2))

    assert answered.state is S.CONFIRMED_LATE
    assert answered.response_code == 0


@pytest.mark.parametrize("trigger", LossTrigger)
def test_a_lost_answer_is_kept_with_when_and_why_it_was_missed(trigger: LossTrigger) -> None:
    lost = attempts.lost(an_attempt(submitted_at=None), trigger, after(minutes=10))

    assert (lost.lost_at, lost.lost_because) == (after(minutes=10), trigger)
    assert lost.submitted_at == after(minutes=10)


def test_a_request_opens_an_attempt_with_all_that_it_says() -> None:
    fact = join(7, fronted_as=90, local_only=True, role=JoinRole.METHOD_C, other_type=DeviceType.TYPE2)

    attempt = attempts.opened(fact, START)

    assert attempt == JoinAttempt(
        request_id=request_id(7),
        intent=Intent.JOIN,
        requested_at=START,
        srv=SRV_JOIN_NON_CRITICAL,
        other=CAD,
        submitted_at=START,
        local_only=True,
        role=JoinRole.METHOD_C,
        other_type=DeviceType.TYPE2,
        wire_key=CommandKey(ACB, ESME, 90),
    )


def test_a_pre_command_opens_an_attempt_with_all_that_it_says() -> None:
    attempt = attempts.opened_by_pre_command(pre_command(7), START)

    assert attempt == JoinAttempt(
        request_id=request_id(7),
        intent=Intent.JOIN,
        requested_at=START,
        other=PPMID,
        role=JoinRole.METHOD_A_INITIATOR,
        other_type=DeviceType.PPMID,
    )


@pytest.mark.parametrize(
    "attempt",
    [attempts.opened(transform(7), START), attempts.opened_by_pre_command(pre_command(7), START)],
    ids=["transform request", "pre-command"],
)
def test_what_sends_nothing_to_the_device_opens_an_attempt_that_was_not_submitted(attempt: JoinAttempt) -> None:
    assert attempt.state is S.REQUESTED
    assert attempt.submitted_at is None
    assert attempt.asked_at == START
    assert attempt.pair == JoinPair(ESME, PPMID)


def test_an_attempt_without_the_other_device_has_no_pair() -> None:
    attempt = attempts.opened(join(1, other=None), START)

    assert attempt.pair is None
    assert attempt.target == ESME


def test_an_attempt_is_identified_by_its_request_and_what_it_wants() -> None:
    key = an_attempt().key

    assert key == AttemptKey(request_id(1), Intent.JOIN)
    assert str(key) == f"{request_id(1)}/join"


@pytest.mark.parametrize(
    ("srv", "wire_key", "expected"),
    [
        (SRV_JOIN_CRITICAL, None, request_id(1)),
        (SRV_UNJOIN_CRITICAL, None, request_id(1)),
        (SRV_JOIN_NON_CRITICAL, None, None),
        (SRV_UNJOIN_NON_CRITICAL, None, None),
        (None, None, None),
        (SRV_JOIN_NON_CRITICAL, CommandKey(ACB, ESME, 90), CommandKey(ACB, ESME, 90)),
        (SRV_JOIN_CRITICAL, CommandKey(ACB, ESME, 90), CommandKey(ACB, ESME, 90)),
    ],
)
def test_the_wire_key_is_the_request_id_only_where_the_supplier_signs(
    srv: str | None, wire_key: CommandKey | None, expected: CommandKey | None
) -> None:
    assert replace(an_attempt(), srv=srv, wire_key=wire_key).wire == expected


def test_the_submission_completes_what_the_transform_request_began() -> None:
    transformed = attempts.opened(transform(1), START)

    prepared = attempts.informed(transformed, pre_command(1), after(minutes=1))
    submitted = attempts.informed(prepared, signed(1), after(minutes=2))

    assert prepared.submitted_at is None
    assert (prepared.role, prepared.other_type) == (JoinRole.METHOD_A_INITIATOR, DeviceType.PPMID)
    assert submitted.requested_at == START
    assert submitted.submitted_at == submitted.asked_at == after(minutes=2)
    assert submitted.wire_key == request_id(1)
    assert submitted.retries == 0


def test_messages_of_a_request_that_are_reordered_tell_the_same_story() -> None:
    told: list[tuple[JoinRequested | PreCommandReturned, datetime]] = [
        (pre_command(1), after(minutes=1)),
        (transform(1), START),
    ]
    attempt = attempts.opened(signed(1), after(minutes=2))

    for fact, at in told:
        attempt = attempts.informed(attempt, fact, at)

    assert attempt.requested_at == START
    assert attempt.submitted_at == after(minutes=2)
    assert attempt.rival is None


def test_the_earliest_submission_counts() -> None:
    attempt = attempts.opened(join(1), after(minutes=5))

    assert attempts.informed(attempt, join(1), after(minutes=3)).submitted_at == after(minutes=3)
    assert attempts.informed(attempt, join(1), after(minutes=8)).submitted_at == after(minutes=5)


def test_what_is_known_of_an_attempt_is_not_overwritten() -> None:
    first = join(1, fronted_as=90, role=JoinRole.METHOD_C, other_type=DeviceType.TYPE2)
    second = replace(first, srv=SRV_JOIN_CRITICAL, role=JoinRole.METHOD_B, other_type=DeviceType.PPMID, local_only=True)

    informed = attempts.informed(attempts.opened(first, START), second, after(minutes=1))

    assert (informed.srv, informed.role, informed.other_type) == (first.srv, first.role, first.other_type)
    assert informed.local_only


def test_a_message_that_adds_what_was_not_known_completes_the_attempt() -> None:
    bare = attempts.opened(join(1, other=None, srv=None), START)

    informed = attempts.informed(bare, join(1, fronted_as=90, role=JoinRole.METHOD_C), after(minutes=1))

    assert (informed.srv, informed.other, informed.role) == (SRV_JOIN_NON_CRITICAL, CAD, JoinRole.METHOD_C)
    assert informed.wire_key == CommandKey(ACB, ESME, 90)


def test_a_message_that_does_not_name_the_other_device_leaves_the_one_that_is_known() -> None:
    attempt = attempts.opened(join(1), START)

    informed = attempts.informed(attempt, join(1, other=None), after(minutes=1))

    assert (informed.other, informed.rival) == (CAD, None)


@pytest.mark.parametrize(("second_key", "retries", "reissued_at"), [(None, 0, None), (90, 0, None), (91, 1, after(minutes=1))])
def test_a_second_wire_key_shows_that_the_command_was_issued_again_and_when(
    second_key: int | None, retries: int, reissued_at: datetime | None
) -> None:
    attempt = attempts.opened(join(1, fronted_as=90), START)

    informed = attempts.informed(attempt, join(1, fronted_as=second_key), after(minutes=1))

    assert (informed.retries, informed.reissued_at) == (retries, reissued_at)
    assert informed.wire_key == CommandKey(ACB, ESME, 90)


def test_a_re_issue_that_was_asked_for_is_not_counted_twice() -> None:
    retried = replace(attempts.opened(join(1, fronted_as=90), START), retries=2)

    assert attempts.informed(retried, join(1, fronted_as=91), after(minutes=1)).retries == 2


@pytest.mark.parametrize(
    ("second_key", "at", "reissued_at"),
    [(91, after(minutes=9), after(minutes=9)), (91, after(minutes=1), after(minutes=5)), (90, after(minutes=9), after(minutes=5))],
    ids=["later", "earlier", "the same issue"],
)
def test_the_last_re_issue_counts(second_key: int, at: datetime, reissued_at: datetime) -> None:
    retried = replace(attempts.opened(join(1, fronted_as=90), START), retries=1, reissued_at=after(minutes=5))

    assert attempts.informed(retried, join(1, fronted_as=second_key), at).reissued_at == reissued_at


def test_the_device_that_the_submission_names_replaces_that_of_the_transform_request() -> None:
    transformed = attempts.informed(attempts.opened(transform(1, other=CAD), START), pre_command(1, other=PPMID), after(minutes=1))

    submitted = attempts.informed(transformed, signed(1, other=PPMID), after(minutes=2))

    assert (transformed.other, transformed.rival) == (CAD, PPMID)
    assert (submitted.other, submitted.rival) == (PPMID, None)


@pytest.mark.parametrize("fact", [transform(1, other=CAD), pre_command(1, other=CAD)], ids=["transform request", "pre-command"])
def test_what_was_asked_to_be_transformed_does_not_cast_doubt_on_what_was_sent(fact: JoinRequested | PreCommandReturned) -> None:
    submitted = attempts.opened(signed(1, other=PPMID), START)

    informed = attempts.informed(submitted, fact, after(minutes=1))

    assert (informed.other, informed.rival) == (PPMID, None)


def test_two_submissions_that_name_different_devices_leave_it_open_which_one_was_meant() -> None:
    attempt = attempts.opened(join(1, other=CAD), START)

    informed = attempts.informed(attempt, join(1, other=PPMID), after(minutes=1))

    assert (informed.other, informed.rival) == (CAD, PPMID)


def test_the_first_rival_stays() -> None:
    attempt = replace(attempts.opened(join(1, other=CAD), START), rival=ESME)

    assert attempts.informed(attempt, join(1, other=PPMID), after(minutes=1)).rival == ESME
    assert attempts.informed(attempt, join(1, other=CAD), after(minutes=1)).rival == ESME


def test_an_armed_deadline_replaces_the_one_for_the_same_purpose() -> None:
    attempt = replace(an_attempt(), deadlines=())

    attempt = attempts.armed(attempt, Purpose.PROBE, after(hours=2))
    attempt = attempts.armed(attempt, Purpose.FINAL, after(days=7))
    attempt = attempts.armed(attempt, Purpose.PROBE, after(hours=4))

    assert attempt.due(Purpose.PROBE) == after(hours=4)
    assert attempt.due(Purpose.FINAL) == after(days=7)
    assert len(attempt.deadlines) == 2


def test_deadlines_stand_in_the_order_in_which_they_fall_due() -> None:
    attempt = replace(an_attempt(), deadlines=())

    attempt = attempts.armed(attempt, Purpose.FINAL, after(days=7))
    attempt = attempts.armed(attempt, Purpose.RETRY, after(hours=4))

    assert [deadline.purpose for deadline in attempt.deadlines] == [Purpose.RETRY, Purpose.FINAL]


def test_a_deadline_remembers_the_state_it_was_armed_in() -> None:
    attempt = attempts.armed(replace(an_attempt(S.PROBED), deadlines=()), Purpose.PROBE, after(hours=2))

    assert attempt.deadlines == (Deadline(due_at=after(hours=2), purpose=Purpose.PROBE, armed_in=S.PROBED),)


def test_a_deadline_that_fired_is_gone_and_the_others_stay() -> None:
    attempt = attempts.armed(an_attempt(), Purpose.ANSWER, after(minutes=10))

    fired = attempts.fired(attempt, attempt.deadlines[0])

    assert fired.due(Purpose.ANSWER) is None
    assert fired.deadlines == (A_DEADLINE,)


def test_a_deadline_that_was_armed_anew_is_not_taken_off_by_the_old_one() -> None:
    old = attempts.armed(replace(an_attempt(), deadlines=()), Purpose.ANSWER, after(minutes=10))
    new = attempts.armed(old, Purpose.ANSWER, after(minutes=20))

    assert attempts.fired(new, old.deadlines[0]) == new
