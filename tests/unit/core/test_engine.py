"""Histories of one home, message by message, and what the engine makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from joinbridge.core.attempt import AttemptState, LossTrigger, Purpose
from joinbridge.core.case import Case, DeadlinePassed, Decision
from joinbridge.core.effects import NoticeKind, NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin, UpdateInventory
from joinbridge.core.engine import decide
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import (
    Authenticity,
    CommandNotExecuted,
    DeviceDescription,
    DeviceRetired,
    Fact,
    GpfLogRestored,
    HubExchanged,
    HubLogReported,
    InventoryRead,
    JoinAnswered,
    JoinRequested,
    LogEntry,
    PartnerJoined,
)
from joinbridge.core.ids import CommandKey, DeviceId, MessageKey
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import (
    SRV_JOIN_CRITICAL,
    SRV_UNJOIN_CRITICAL,
    AlertCode,
    Cra,
    DeviceType,
    Intent,
    JoinCode,
    JoinRole,
    MessageCode,
)
from support.home import (
    ACB,
    CAD,
    CHF,
    ESME,
    GPF,
    NEW_CHF,
    NEW_GPF,
    OTHER_SUPPLIER,
    PPMID,
    acknowledged,
    after,
    answered,
    decided,
    described,
    discarded,
    gpf_log,
    join,
    log_read,
    pair,
    pre_command,
    probed,
    request_id,
    security_log,
    signed,
    transform,
    unjoin,
    unjoin_answered,
)
from support.world import World

POLICY = Policy()
GPF_CAD = pair(GPF, CAD)


def corrections(world: World) -> list[bool]:
    """What the inventory was told, oldest first."""
    return [update.joined for update in world.owed(UpdateInventory)]


def notices(world: World) -> list[NoticeKind]:
    return [notice.kind for notice in world.owed(NotifySupplier)]


def inferred_on_the_gpf() -> World:
    """A world in which the GPF's own report proved a join whose answer never came."""
    world = World()
    world.see(described(GPF, CAD))
    world.see(join(1, target=GPF))
    world.see(gpf_log(after(minutes=1), CAD), at=after(minutes=1))
    return world


def joined_by_answer() -> World:
    world = World()
    world.see(described(ESME, CAD))
    world.see(join(1, target=ESME))
    world.see(answered(1), at=after(minutes=1))
    return world


# The answer that comes.


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


# The answer that does not come.


def test_a_link_key_at_the_hub_never_proves_a_join() -> None:
    world = World()
    world.see(join(1))
    world.tick(timedelta(hours=2))

    world.see(HubLogReported(device=CHF, device_time=None, entries=((CAD, True),)), source="csp.alert")

    assert world.state(pair()) is PairState.PENDING
    assert corrections(world) == []
    assert world.devices[CHF].device_type is DeviceType.CHF


def test_an_attempt_that_nothing_proves_ends_unresolved_for_a_person() -> None:
    world = World()
    world.see(join(1))
    world.see(HubLogReported(device=CHF, device_time=None, entries=((CAD, True),)), at=after(minutes=5), source="csp.alert")

    world.tick(timedelta(days=8))

    assert world.attempt(request_id(1)).state is AttemptState.UNRESOLVED
    assert world.state(pair()) is PairState.UNKNOWN
    assert world.next_deadline() is None
    assert notices(world) == [NoticeKind.ANSWER_LOST, NoticeKind.UNRESOLVED]
    assert corrections(world) == []


def test_the_gpfs_report_with_the_device_proves_the_join() -> None:
    world = inferred_on_the_gpf()

    assert world.attempt(request_id(1, target=GPF)).state is AttemptState.INFERRED_SUCCESS
    assert world.state(GPF_CAD) is PairState.INFERRED_SUCCESS
    assert world.rows(GPF_CAD) == [9]
    assert corrections(world) == [True]
    assert world.next_deadline() is None


def test_a_report_that_is_trusted_tells_what_kind_of_device_reports() -> None:
    world = World()

    world.see(gpf_log(after(), CAD), source="csp.alert")
    world.see(gpf_log(after(), CAD, target=NEW_GPF), source="somewhere")

    assert world.devices[GPF].device_type is DeviceType.GPF
    assert NEW_GPF not in world.devices


@pytest.mark.parametrize(
    ("listed", "attempt", "state"),
    [
        ((CAD,), AttemptState.INFERRED_SUCCESS, PairState.INFERRED_SUCCESS),
        ((PPMID,), AttemptState.DISPROVED, PairState.NOT_JOINED),
    ],
    ids=["lists", "lacks"],
)
def test_a_read_of_the_device_log_decides(listed: tuple[DeviceId, ...], attempt: AttemptState, state: PairState) -> None:
    world = World()
    world.see(join(1))

    world.see(log_read(2, *listed), at=after(hours=2))

    assert world.attempt(request_id(1)).state is attempt
    assert world.state(pair()) is state
    assert corrections(world) == ([True] if state is PairState.INFERRED_SUCCESS else [])


def test_code_3_on_an_identical_repeat_is_not_enough_alone() -> None:
    world = World()
    world.see(join(1))
    world.tick(timedelta(hours=2))
    world.see(join(2))

    world.see(answered(2, JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY), at=after(hours=2, minutes=5))

    assert world.attempt(request_id(2)).state is AttemptState.REJECTED
    assert world.attempt(request_id(1)).is_open
    assert world.state(pair()) is PairState.PENDING


def test_code_3_on_a_repeat_and_a_logged_success_prove_the_join() -> None:
    world = World()
    world.see(described(ESME, CAD))
    world.see(join(1))
    world.tick(timedelta(days=3))
    world.see(join(2))
    world.see(answered(2, JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY), at=after(days=3, minutes=5))

    world.see(security_log((after(minutes=1), AlertCode.JOIN_SUCCEEDED)), at=after(days=3, minutes=10))

    assert world.attempt(request_id(1)).state is AttemptState.INFERRED_SUCCESS
    assert world.rows(pair()) == [12, 18]
    assert corrections(world) == [True]


def test_a_late_answer_confirms_what_was_lost() -> None:
    world = World()
    world.see(join(1))
    world.tick(timedelta(hours=3))

    world.see(answered(1))

    assert world.attempt(request_id(1)).state is AttemptState.CONFIRMED_LATE
    assert world.state(pair()) is PairState.JOINED
    assert world.next_deadline() is None


def test_a_late_answer_that_confirms_what_was_inferred_is_no_contradiction() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(2, CAD), at=after(hours=2))
    inferred = world.attempt(request_id(1))

    world.see(answered(1), at=after(hours=3))

    assert (inferred.state, inferred.lost_at) == (AttemptState.INFERRED_SUCCESS, after(minutes=90))
    assert world.attempt(request_id(1)).state is AttemptState.CONFIRMED_LATE
    assert world.contradictions == []


def test_a_dropped_answer_starts_the_search_at_once() -> None:
    world = World()
    world.see(join(1))

    world.see(discarded(1, Cra.RESPONSE), at=after(minutes=1), source="csp.alert")

    assert world.attempt(request_id(1)).state is AttemptState.PROBED
    assert len(world.owed(ProbeDeviceLog)) == 1
    assert [e.state for e in world.owed(PublishEvent)] == [AttemptState.RESPONSE_LOST]


def test_a_dropped_command_disproves_the_attempt_and_tells_the_supplier_once() -> None:
    world = World()
    world.see(join(1))

    world.see(discarded(1, Cra.COMMAND), at=after(minutes=1), source="csp.alert")
    world.see(discarded(1, Cra.COMMAND), at=after(minutes=2), source="csp.alert")

    assert world.attempt(request_id(1)).state is AttemptState.DISPROVED
    assert notices(world) == [NoticeKind.NOT_DELIVERED]
    assert world.state(pair()) is PairState.NOT_JOINED


def test_success_after_a_disproof_still_counts() -> None:
    world = World()
    world.see(join(1))
    world.see(discarded(1, Cra.COMMAND), at=after(minutes=1), source="csp.alert")

    world.see(answered(1), at=after(minutes=5))

    assert world.attempt(request_id(1)).state is AttemptState.SUCCEEDED
    assert world.state(pair()) is PairState.JOINED


def test_success_after_a_log_that_lacked_the_entry_counts_against_that_rule() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(2, by=OTHER_SUPPLIER), at=after(hours=2))

    world.see(answered(1), at=after(hours=3))

    assert world.state(pair()) is PairState.JOINED
    says = f"{request_id(1)} was disproved and then answered with success"
    assert [(c.rule, c.pair, c.says) for c in world.contradictions] == [("device-log-lacks", pair(), says)]


def test_a_request_that_is_seen_again_is_not_searched_for_anew() -> None:
    world = World()
    world.see(described(GPF))
    world.see(join(1, target=GPF))
    world.tick(timedelta(minutes=20))
    lost = world.attempt(request_id(1, target=GPF))

    again = world.see(join(1, target=GPF))

    assert lost.state is AttemptState.RESPONSE_LOST
    assert (again.attempts, again.effects) == ((), ())


@pytest.mark.parametrize("cra", [Cra.COMMAND, Cra.RESPONSE], ids=["never delivered", "answer dropped, and no entry in the log"])
def test_a_request_that_is_seen_again_does_not_shake_what_disproved_it(cra: Cra) -> None:
    world = World()
    world.see(join(1))
    world.see(discarded(1, cra), at=after(minutes=1), source="csp.alert")
    world.see(log_read(2), at=after(hours=2))
    disproved = world.attempt(request_id(1)).state

    again = world.see(join(1), at=after(hours=3))

    assert disproved is AttemptState.DISPROVED
    assert (again.attempts, again.effects, again.surprises) == ((), (), ())


@pytest.mark.parametrize(
    ("asked_for", "lost"),
    [
        (signed(2, other=CAD), discarded(2, Cra.RESPONSE)),
        (unjoin(2), acknowledged(2, "E080801")),
    ],
    ids=["another lost answer", "a refused Unjoin"],
)
def test_one_probe_is_enough_for_all_that_is_in_doubt_on_a_target(asked_for: JoinRequested, lost: Fact) -> None:
    world = World()
    world.see(signed(1))
    world.see(asked_for, at=after(minutes=1))
    world.see(discarded(1, Cra.RESPONSE), at=after(minutes=5))

    world.see(lost, at=after(minutes=6))

    assert len(world.owed(ProbeDeviceLog)) == 1
    assert [attempt.probed_at for attempt in world.attempts.values()] == [after(minutes=5), after(minutes=5)]


# Unjoin, and what goes against what was said.


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


# Deadlines.


def test_a_deadline_fires_once_and_never_early() -> None:
    world = World()
    world.see(described(ESME, CAD))
    world.see(join(1))
    due = world.next_deadline()
    assert due is not None

    early = decide(world.case([ESME]), due, policy=POLICY, now=due.deadline.due_at - timedelta(milliseconds=1))
    world.tick(due.deadline.due_at)
    again = decide(world.case([ESME]), due, policy=POLICY, now=due.deadline.due_at)

    lost = world.attempt(request_id(1))
    assert due.deadline.due_at == after(minutes=10)
    assert early == again == Decision()
    assert (lost.lost_at, lost.lost_because) == (after(minutes=10), LossTrigger.DEADLINE)


def test_a_deadline_that_was_armed_again_is_void() -> None:
    world = World()
    world.see(join(1))
    due = world.next_deadline()
    assert due is not None
    moved = replace(due.deadline, due_at=due.deadline.due_at + timedelta(hours=1))
    world.attempts[due.key] = replace(world.attempts[due.key], deadlines=(moved,))

    decision = decide(world.case([ESME]), due, policy=POLICY, now=after(days=1))

    assert decision == Decision()


def test_an_answer_that_is_due_although_its_attempt_was_disproved_is_not_missed() -> None:
    world = World()
    world.see(join(1))
    due = world.next_deadline()
    assert due is not None
    disproved = replace(world.attempts[due.key], state=AttemptState.DISPROVED)
    world.attempts[due.key] = disproved

    decision = decide(world.case([ESME]), due, policy=POLICY, now=due.deadline.due_at)

    assert decision.attempts == (replace(disproved, deadlines=()),)
    assert decision.effects == ()


def test_a_deadline_of_an_unknown_attempt_is_void() -> None:
    world = World()
    world.see(join(1))
    due = world.next_deadline()
    assert due is not None

    assert decide(Case(), DeadlinePassed(key=due.key, deadline=due.deadline), policy=POLICY, now=after(days=1)) == Decision()


def test_retries_and_probes_are_bounded() -> None:
    world = World()
    world.see(described(CHF, CAD))
    world.see(join(1, target=CHF))

    world.tick(timedelta(days=8))

    lost = world.attempt(request_id(1, target=CHF))
    assert [e.number for e in world.owed(ReissueJoin)] == list(range(1, POLICY.max_retries + 1))
    assert len(world.owed(ProbeDeviceLog)) == lost.probes == POLICY.max_probes
    assert (lost.state, lost.deadlines) == (AttemptState.UNRESOLVED, ())


def test_a_refused_repeat_of_the_command_has_the_device_asked_now() -> None:
    world = World()
    world.see(described(CHF, CAD))
    world.see(join(1, target=CHF))
    world.tick(timedelta(minutes=30))

    world.see(answered(1, JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY, target=CHF))

    asked = world.attempt(request_id(1, target=CHF))
    assert asked.is_open
    assert asked.due(Purpose.PROBE) == after(minutes=30)


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


# Hubs and devices that come and go.


def exchanged() -> HubExchanged:
    return HubExchanged(old_chf=CHF, new_chf=NEW_CHF, old_gpf=GPF, new_gpf=NEW_GPF)


def test_an_exchange_of_the_hub_moves_the_pairs_of_its_gpf() -> None:
    world = inferred_on_the_gpf()

    world.see(exchanged(), at=after(days=1))
    moved = world.pairs[pair(NEW_GPF, CAD)]
    restored = GpfLogRestored(
        business_key=request_id(9, target=NEW_GPF), wire_key=request_id(9, target=NEW_GPF), results=((LogEntry(CAD, DeviceType.TYPE2), 0),)
    )
    world.see(restored, at=after(days=1, minutes=1))
    world.see(exchanged(), at=after(days=1, minutes=2))

    assert moved == PairRecord(pair=pair(NEW_GPF, CAD), since=after(days=1), restored_at=after(days=1), version=1)
    assert world.state(GPF_CAD) is PairState.UNKNOWN
    assert world.pairs[GPF_CAD].expired_at == after(days=1, minutes=2)
    assert world.state(pair(NEW_GPF, CAD)) is PairState.INFERRED_SUCCESS
    assert world.rows(pair(NEW_GPF, CAD)) == [11]
    assert world.devices[NEW_GPF].device_type is DeviceType.GPF


def test_the_pairs_of_a_device_that_left_expire_and_its_searches_end() -> None:
    world = joined_by_answer()
    world.see(join(2, other=PPMID))
    world.see(join(3, target=CAD, other=ESME), at=after(days=2))

    world.see(DeviceRetired(device=CAD, reason="withdrawn"), at=after(days=1))

    assert world.state(pair()) is PairState.UNKNOWN
    assert world.state(pair(ESME, PPMID)) is PairState.PENDING
    assert world.attempt(request_id(3, target=CAD)).is_open  # it was asked for after that
    assert world.attempt(request_id(2)).is_open


@pytest.mark.parametrize(
    ("requested_at", "state"),
    [(after(minutes=-1), AttemptState.UNRESOLVED), (after(), AttemptState.UNRESOLVED), (after(minutes=1), AttemptState.REQUESTED)],
    ids=["before it left", "at that moment", "since"],
)
def test_what_was_asked_of_a_device_by_the_moment_it_left_is_given_up(requested_at: datetime, state: AttemptState) -> None:
    world = World()
    world.see(join(1), at=requested_at)

    world.see(DeviceRetired(device=ESME, reason="withdrawn"), at=after())

    assert world.attempt(request_id(1)).state is state


@pytest.mark.parametrize(
    "fact", [exchanged(), DeviceRetired(device=GPF, reason="withdrawn"), described(GPF)], ids=["exchange", "retirement", "inventory"]
)
def test_nobody_untrusted_moves_retires_or_describes_devices(fact: HubExchanged | DeviceRetired | InventoryRead) -> None:
    world = inferred_on_the_gpf()

    decision = world.see(fact, at=after(days=1), source="somewhere")

    assert (decision.attempts, decision.pairs, decision.devices) == ((), (), ())
    assert decision.surprises == (f"a {type(fact).__name__} from somewhere, which is not trusted",)


def test_what_the_inventory_does_not_say_is_not_forgotten() -> None:
    world = World()
    world.see(InventoryRead(descriptions=(DeviceDescription(ESME, DeviceType.ESME, "Maker", "Model", "1.0", "North"),)))

    world.see(InventoryRead(descriptions=(DeviceDescription(ESME, None, firmware="2.0"),)))

    assert world.devices[ESME] == DeviceDescription(ESME, DeviceType.ESME, "Maker", "Model", "2.0", "North")


# Who says it, and of whom.


def test_a_rule_in_shadow_never_counts() -> None:
    world = World(policy=Policy(rule_modes={"gpf-log-lists": Mode.SHADOW}))
    world.see(join(1, target=GPF))

    decision = world.see(gpf_log(after(minutes=1), CAD), at=after(minutes=1))

    assert [(e.rule, e.shadow) for e in decision.evidence] == [("gpf-log-lists", True)]
    assert world.state(GPF_CAD) is PairState.PENDING
    assert corrections(world) == []


def test_an_untrusted_join_request_is_not_followed_but_an_untrusted_unjoin_is_doubt() -> None:
    world = World()

    world.see(join(1), source="somewhere")
    world.see(unjoin(2), authenticity=Authenticity.USER_SUPPLIED)
    world.see(unjoin(2), authenticity=Authenticity.USER_SUPPLIED)

    assert [(a.request_id, a.intent) for a in world.attempts.values()] == [(request_id(2), Intent.UNJOIN)]
    assert world.surprises == [f"{request_id(counter)} was told by a source that is not trusted" for counter in (1, 2, 2)]


def test_one_request_for_two_devices_is_no_proof_of_either() -> None:
    world = World()
    world.see(join(1, other=CAD))

    world.see(join(1, other=PPMID), at=after(seconds=1))
    world.see(answered(1), at=after(minutes=1))

    assert world.attempt(request_id(1)).rival == PPMID
    assert world.surprises == [f"{request_id(1)} was for {CAD} and is now for {PPMID}"]
    assert world.state(pair()) is not PairState.JOINED
    assert corrections(world) == []


def test_the_success_of_an_initiator_supports_its_partners_half_but_does_not_prove_it() -> None:
    world = World()
    world.see(join(1, target=PPMID, other=ESME, role=JoinRole.METHOD_A_RESPONDER))
    world.see(join(2, target=ESME, other=PPMID, srv=SRV_JOIN_CRITICAL, role=JoinRole.METHOD_A_INITIATOR), at=after(minutes=1))

    decision = world.see(answered(2, message_code=MessageCode.CS03A1), at=after(minutes=2), key="success")

    told = [(device, s.fact) for device, s in decision.kept if s.key == MessageKey("success/partner")]
    assert told == [(PPMID, PartnerJoined(device=PPMID, partner=ESME))]
    assert (16, pair(PPMID, ESME)) in [(e.row, e.pair) for e in decision.evidence]
    assert world.state(pair(PPMID, ESME)) is PairState.PENDING


@pytest.mark.parametrize(
    ("asked_for", "answer"),
    [
        (join(2, other=PPMID), answered(2)),
        (signed(2), answered(2, message_code=MessageCode.CS03A2)),
        (signed(2), answered(2, JoinCode.WRITE_FAILURE, message_code=MessageCode.CS03A1)),
        (join(2, other=None, srv=SRV_JOIN_CRITICAL), answered(2, message_code=MessageCode.CS03A1)),
    ],
    ids=["another method", "a responder", "a refusal", "no partner is named"],
)
def test_no_other_answer_is_told_to_a_partner(asked_for: JoinRequested, answer: JoinAnswered) -> None:
    world = World()
    world.see(asked_for)

    decision = world.see(answer, at=after(minutes=1))

    assert [device for device, _ in decision.kept] == [ESME]


def test_a_partner_is_not_told_of_a_success_that_cannot_be_trusted() -> None:
    world = World()
    world.see(signed(2))
    world.see(answered(2, message_code=MessageCode.CS03A1), at=after(minutes=1), source="somewhere")

    decision = world.see(acknowledged(2), at=after(minutes=2))

    assert world.attempt(request_id(2)).state is AttemptState.ACCEPTED
    assert [device for device, _ in decision.kept] == [ESME]


def test_a_partner_is_told_of_only_once() -> None:
    world = World()
    world.see(answered(2, message_code=MessageCode.CS03A1), at=after(minutes=2), key="success")
    derived = world.see(join(2, target=ESME, other=PPMID, srv=SRV_JOIN_CRITICAL, role=JoinRole.METHOD_A_INITIATOR), at=after(minutes=1))
    attempt = world.attempt(request_id(2))
    world.attempts[attempt.key] = replace(attempt, state=AttemptState.ACCEPTED)

    again = world.see(answered(2, message_code=MessageCode.CS03A1), at=after(minutes=3), key="another success")

    assert [s.key for d, s in derived.kept if d == PPMID] == ["success/partner"]
    assert [s.key for d, s in again.kept if d == PPMID] == ["another success/partner"]


def test_a_wire_key_that_becomes_known_later_recalls_what_quoted_it() -> None:
    world = World()
    world.see(join(1))
    world.see(CommandNotExecuted(key=CommandKey(ACB, ESME, 77), alert_code=AlertCode.NOT_DELIVERED_TO_ESME), source="csp.alert")

    world.see(join(1, fronted_as=77), at=after(seconds=1))

    assert world.attempt(request_id(1)).state is AttemptState.DISPROVED


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_impossible_times_are_brought_within_reach(at: datetime) -> None:
    world = World(now=at)

    world.see(join(1), at=at)

    assert world.attempt(request_id(1)).requested_at.year in (1970, 9000)


class TestTypes:
    """An entry counts with the type that was asked for; where an inventory is there to tell it, nothing is inferred before it has."""

    def test_an_entry_whose_type_cannot_be_compared_yet_waits_for_the_inventory(self) -> None:
        world = World()
        world.see(InventoryRead(descriptions=(DeviceDescription(ESME, DeviceType.ESME, manufacturer="ACME"),)))
        world.see(join(1))
        world.see(log_read(2, CAD), at=after(hours=3))
        waiting = world.state(pair())

        world.see(InventoryRead(descriptions=(DeviceDescription(CAD, DeviceType.TYPE2, manufacturer="ACME"),)), at=after(hours=4))

        assert waiting is PairState.PENDING
        assert world.state(pair()) is PairState.INFERRED_SUCCESS

    def test_an_entry_that_turns_out_to_have_another_type_proves_nothing(self) -> None:
        world = World()
        world.see(InventoryRead(descriptions=(DeviceDescription(ESME, DeviceType.ESME, manufacturer="ACME"),)))
        world.see(join(1))
        world.see(log_read(2, CAD), at=after(hours=3))

        world.see(InventoryRead(descriptions=(DeviceDescription(CAD, DeviceType.PPMID, manufacturer="ACME"),)), at=after(hours=4))

        assert world.state(pair()) is PairState.PENDING

    def test_an_inventory_that_comes_later_does_not_shake_what_was_inferred_without_one(self) -> None:
        world = World()
        world.see(join(1))
        world.see(log_read(2, CAD), at=after(hours=3))

        world.see(InventoryRead(descriptions=(DeviceDescription(ESME, DeviceType.ESME, manufacturer="ACME"),)), at=after(hours=4))

        assert world.state(pair()) is PairState.INFERRED_SUCCESS

    def test_a_log_read_carried_out_just_before_a_join_and_answered_just_after_it_disputes_nothing(self) -> None:
        world = World()
        world.see(join(1))
        world.see(answered(1), at=after(minutes=20))

        world.see(probed(after(minutes=1), target=ESME), at=after(minutes=20, seconds=1))

        assert world.state(pair()) is PairState.JOINED
