"""Unjoins, and what goes against what was said."""

from __future__ import annotations

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import NoticeKind, ProbeDeviceLog, UpdateInventory
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import (
    SRV_UNJOIN_CRITICAL,
    Intent,
)
from support.histories import corrections, inferred_on_the_gpf, joined_by_answer, notices
from support.home import (
    CAD,
    ESME,
    GPF,
    acknowledged,
    after,
    answered,
    decided,
    described,
    gpf_log,
    join,
    log_read,
    pair,
    probed,
    request_id,
    unjoin,
    unjoin_answered,
)
from support.world import World

GPF_CAD = pair(GPF, CAD)


def test_an_unjoin_afterwards_is_no_contradiction() -> None:
    world = inferred_on_the_gpf()

    world.see(unjoin(2, target=GPF), at=after(hours=1))
    world.see(unjoin_answered(2, target=GPF), at=after(hours=1, minutes=1))
    world.see(gpf_log(after(hours=1, minutes=1)), at=after(hours=1, minutes=2))

    assert world.state(GPF_CAD) is PairState.NOT_JOINED
    assert world.contradictions == []
    assert world.attempt(request_id(2, target=GPF), Intent.UNJOIN).state is AttemptState.SUCCEEDED


def test_an_unjoin_without_an_answer_is_proven_by_a_report_without_the_device() -> None:
    world = inferred_on_the_gpf()
    world.see(unjoin(2, target=GPF), at=after(hours=1))

    world.see(gpf_log(after(hours=1, minutes=30)), at=after(hours=1, minutes=31))

    assert world.attempt(request_id(2, target=GPF), Intent.UNJOIN).state is AttemptState.INFERRED_SUCCESS
    assert world.state(GPF_CAD) is PairState.NOT_JOINED
    assert corrections(world) == [True, False]


def test_a_later_report_without_the_device_disputes_the_inference_and_takes_it_back_at_once() -> None:
    world = inferred_on_the_gpf()

    decision = world.see(gpf_log(after(hours=1)), at=after(hours=1))

    assert world.state(GPF_CAD) is PairState.DISPUTED
    assert [e.joined for e in decision.effects if isinstance(e, UpdateInventory)] == [False]
    assert [c.rule for c in decision.contradictions] == ["gpf-log-lists"]
    assert world.attempt(request_id(1, target=GPF)).state is AttemptState.UNRESOLVED
    assert world.pairs[GPF_CAD].disputed_at == after(hours=1)


@pytest.mark.parametrize(("joined", "state"), [(True, PairState.JOINED), (False, PairState.NOT_JOINED)])
def test_a_persons_decision_ends_a_dispute(joined: bool, state: PairState) -> None:
    world = inferred_on_the_gpf()
    world.see(gpf_log(after(hours=1)), at=after(hours=1))

    world.see(decided(joined, target=GPF), at=after(hours=2))

    assert world.state(GPF_CAD) is state
    assert world.pairs[GPF_CAD].disputed_at is None
    assert corrections(world)[-1] is joined


def test_a_read_from_before_the_join_that_comes_after_its_success_disputes_nothing() -> None:
    world = World()
    world.see(join(10))
    world.see(answered(10), at=after(minutes=1))

    world.see(log_read(9), at=after(minutes=2))

    assert world.state(pair()) is PairState.JOINED
    assert corrections(world) == []


def test_a_probe_from_before_the_join_that_comes_after_its_success_disputes_nothing() -> None:
    world = World()
    world.see(join(10))
    world.see(answered(10), at=after(minutes=10))

    world.see(probed(after(minutes=-5)), at=after(minutes=9))

    assert world.state(pair()) is PairState.JOINED


def test_evidence_from_before_an_unanswered_unjoin_infers_nothing() -> None:
    world = World()
    world.see(join(1))
    world.see(unjoin(3), at=after(hours=1))

    world.see(log_read(2, CAD), at=after(hours=1, minutes=1))

    assert world.state(pair()) is PairState.PENDING
    assert corrections(world) == []
    assert world.attempt(request_id(1)).is_open


def test_a_read_after_a_repeat_of_a_join_on_a_joined_pair_settles_the_repeat() -> None:
    world = joined_by_answer()
    world.see(join(2), at=after(hours=1))

    world.see(log_read(3, CAD), at=after(hours=2))

    assert world.attempt(request_id(2)).state is AttemptState.INFERRED_SUCCESS
    assert world.state(pair()) is PairState.JOINED


def test_an_unjoin_whose_entry_outlived_it_is_disproved() -> None:
    world = joined_by_answer()
    world.see(unjoin(2, srv=SRV_UNJOIN_CRITICAL), at=after(hours=1))

    world.see(log_read(3, CAD), at=after(hours=2))

    assert world.attempt(request_id(2), Intent.UNJOIN).state is AttemptState.DISPROVED
    assert world.state(pair()) in (PairState.JOINED, PairState.INFERRED_SUCCESS)


def test_an_unjoin_that_may_have_been_followed_by_another_join_is_given_up() -> None:
    world = joined_by_answer()
    world.see(unjoin(2, srv=SRV_UNJOIN_CRITICAL), at=after(hours=1))
    world.see(join(3), at=after(hours=2))

    world.see(log_read(4, CAD), at=after(hours=3))

    assert world.attempt(request_id(2), Intent.UNJOIN).state is AttemptState.UNRESOLVED
    assert world.attempt(request_id(3)).state is AttemptState.INFERRED_SUCCESS


def test_a_join_that_may_have_been_removed_again_is_given_up() -> None:
    world = World()
    world.see(join(1))
    world.see(unjoin(2), at=after(minutes=30))

    world.see(unjoin_answered(2), at=after(minutes=31))

    assert world.attempt(request_id(1)).state is AttemptState.UNRESOLVED
    assert world.state(pair()) is PairState.NOT_JOINED


def test_a_disproved_join_that_was_carried_out_late_is_proven_after_all() -> None:
    world = World()
    world.see(described(GPF, CAD))
    world.see(join(1, target=GPF))
    world.see(gpf_log(after(hours=2)), at=after(hours=2))

    world.see(gpf_log(after(hours=3), CAD), at=after(hours=3))

    assert world.attempt(request_id(1, target=GPF)).state is AttemptState.INFERRED_SUCCESS
    assert world.state(GPF_CAD) is PairState.INFERRED_SUCCESS
    assert corrections(world) == [True]


# The inventory refuses an Unjoin.


def test_a_refused_unjoin_opens_a_case_that_a_probe_and_a_correction_close() -> None:
    world = joined_by_answer()
    world.see(unjoin(2), at=after(days=1))
    world.see(acknowledged(2, "E080801"), at=after(days=1, seconds=1))
    held = world.pairs[pair()].held
    probes = len(world.owed(ProbeDeviceLog))

    made_at = after(days=1, seconds=1)
    world.see(probed(made_at, CAD), at=after(days=1, minutes=5))

    refused = world.attempt(request_id(2), Intent.UNJOIN)
    assert (held, probes) == (True, 1)  # the pair is proven joined: the inventory is corrected at once
    assert corrections(world) == [True]
    assert notices(world) == [NoticeKind.UNJOIN_AGAIN]
    assert (refused.state, refused.deadlines) == (AttemptState.NOT_SENT, ())


def test_a_refused_unjoin_of_an_unknown_pair_is_settled_by_the_probe() -> None:
    world = World()
    world.see(described(ESME, CAD))
    world.see(unjoin(2))
    world.see(acknowledged(2, "E080801"), at=after(seconds=1))
    before = world.state(pair())

    world.see(probed(after(seconds=1), CAD), at=after(minutes=5))

    assert before is PairState.PENDING
    assert world.state(pair()) is PairState.INFERRED_SUCCESS
    assert corrections(world) == [True]
    assert notices(world) == [NoticeKind.UNJOIN_AGAIN]


def test_a_refused_unjoin_of_a_pair_that_is_not_there_needs_nothing() -> None:
    world = World()
    world.see(unjoin(2))
    world.see(acknowledged(2, "E080801"), at=after(seconds=1))

    world.see(probed(after(seconds=1)), at=after(minutes=5))

    assert world.state(pair()) is PairState.NOT_JOINED
    assert world.attempt(request_id(2), Intent.UNJOIN).deadlines == ()
    assert (corrections(world), notices(world)) == ([], [])


def test_an_unjoin_that_names_no_other_device_can_be_refused() -> None:
    world = World()
    world.see(unjoin(2, other=None))

    world.see(acknowledged(2, "E080801"), at=after(seconds=1))

    assert world.pairs == {}
    assert len(world.owed(ProbeDeviceLog)) == 1


@pytest.mark.parametrize(("code", "probes"), [(1, 0), (2, 1)], ids=["not in the log", "failed otherwise"])
def test_an_unjoin_that_failed_without_a_reason_is_investigated(code: int, probes: int) -> None:
    world = joined_by_answer()
    world.see(unjoin(2), at=after(hours=1))

    world.see(unjoin_answered(2, code), at=after(hours=1, minutes=1))

    assert world.attempt(request_id(2), Intent.UNJOIN).state is AttemptState.REJECTED
    assert len(world.owed(ProbeDeviceLog)) == probes


def test_an_unjoin_refused_for_another_reason_is_left_alone() -> None:
    world = joined_by_answer()
    world.see(unjoin(2), at=after(hours=1))

    world.see(acknowledged(2, "E5"), at=after(hours=1))

    assert world.owed(ProbeDeviceLog) == []
    assert world.state(pair()) is PairState.JOINED
