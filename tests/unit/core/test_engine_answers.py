"""The answer that comes: what the engine makes of it, in time, early, late to be seen, or seen again."""

from __future__ import annotations

from joinbridge.core.attempt import AttemptState, Purpose
from joinbridge.core.effects import PublishEvent
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import (
    JoinCode,
    MessageCode,
)
from support.histories import corrections
from support.home import (
    CAD,
    ESME,
    PPMID,
    acknowledged,
    after,
    answered,
    described,
    join,
    pair,
    pre_command,
    request_id,
    signed,
    transform,
)
from support.world import World


def test_a_join_that_is_answered_succeeds_and_needs_no_correction() -> None:
    world = World()

    world.see(join(1))
    world.see(acknowledged(1), at=after(seconds=1))
    world.see(answered(1), at=after(minutes=1))

    assert world.attempt(request_id(1)).state is AttemptState.SUCCEEDED
    assert world.state(pair()) is PairState.JOINED
    assert world.rows(pair()) == [1]
    assert corrections(world) == []
    assert [e.state for e in world.owed(PublishEvent)] == [AttemptState.SUCCEEDED]


def test_an_answer_that_overtakes_its_request_waits_for_it() -> None:
    world = World()

    world.see(answered(1), at=after(minutes=1))
    world.see(join(1), at=after())

    assert world.attempt(request_id(1)).state is AttemptState.SUCCEEDED
    assert world.state(pair()) is PairState.JOINED


def test_the_same_sighting_again_changes_nothing() -> None:
    world = World()
    world.see(join(1))
    world.see(answered(1), at=after(minutes=1), key="the answer")

    again = world.see(answered(1), at=after(minutes=1), key="the answer")

    assert (again.attempts, again.pairs, again.kept, again.effects) == ((), (), (), ())


def test_a_refused_join_leaves_the_pair_not_joined() -> None:
    world = World()

    world.see(join(1))
    world.see(answered(1, JoinCode.WRITE_FAILURE), at=after(minutes=1))

    assert world.attempt(request_id(1)).state is AttemptState.REJECTED
    assert world.state(pair()) is PairState.NOT_JOINED
    assert corrections(world) == []


def test_a_join_that_the_dsp_refuses_was_not_sent() -> None:
    world = World()

    world.see(join(1))
    world.see(acknowledged(1, "E5"))

    assert world.attempt(request_id(1)).state is AttemptState.NOT_SENT
    assert world.next_deadline() is None
    assert world.state(pair()) is PairState.UNKNOWN


def test_a_pair_is_known_from_when_its_request_was_made() -> None:
    world = World()
    world.see(acknowledged(1, "E5"), at=after(minutes=1))

    world.see(join(1), at=after())

    assert (world.state(pair()), world.pairs[pair()].since) == (PairState.UNKNOWN, after())


def test_an_acceptance_does_not_put_off_the_moment_when_the_answer_is_due() -> None:
    world = World()
    world.see(described(ESME))
    world.see(join(1))

    world.see(acknowledged(1), at=after(minutes=9, seconds=30))

    assert world.attempt(request_id(1)).due(Purpose.ANSWER) == after(minutes=10)


def test_a_critical_join_is_followed_from_its_transformation() -> None:
    world = World()

    world.see(transform(1))
    world.see(pre_command(1), at=after(seconds=10))
    before_submission = world.next_deadline()
    world.see(signed(1), at=after(seconds=20))
    world.see(answered(1, message_code=MessageCode.CS03A2), at=after(minutes=1))

    assert before_submission is None
    assert world.state(pair(ESME, PPMID)) is PairState.JOINED
    assert world.surprises == []


def test_a_pre_command_may_be_the_first_sign_of_an_attempt() -> None:
    world = World()

    world.see(pre_command(1))

    opened = world.attempt(request_id(1))
    assert (opened.requested_at, opened.submitted_at) == (after(), None)
    assert world.state(pair(ESME, PPMID)) is PairState.PENDING


def test_a_request_that_names_no_other_device_opens_no_pair() -> None:
    world = World()

    world.see(join(1, other=None))
    world.see(answered(1), at=after(minutes=1))

    assert world.attempt(request_id(1)).state is AttemptState.SUCCEEDED
    assert world.pairs == {}


def test_the_other_device_that_a_later_message_names_surprises_nobody() -> None:
    world = World()
    world.see(join(1, other=None))

    world.see(join(1), at=after(seconds=1))

    assert world.attempt(request_id(1)).other == CAD
    assert world.surprises == []
