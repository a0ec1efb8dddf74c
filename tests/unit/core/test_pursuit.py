"""What is done about an answer that is lost, by whom the command can be issued again, and how often anything is tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from joinbridge.core.attempt import AttemptState, Deadline, JoinAttempt, LossTrigger, Purpose, lost, opened
from joinbridge.core.effects import NoticeKind, NotifySupplier, ProbeDeviceLog, ReissueJoin
from joinbridge.core.facts import JoinRequested
from joinbridge.core.policy import Policy
from joinbridge.core.pursuit import await_answer, fronted_by_acb, investigate, notice, probe, reissue, search
from joinbridge.core.vocabulary import SRV_JOIN_CRITICAL, DeviceType, Intent
from support.home import ACB, CAD, ESME, GPF, PPMID, START, after, join, milliseconds, request_id, signed, unjoin

S = AttemptState
POLICY = Policy()
NOW = after(minutes=10)


def lost_at(fact: JoinRequested, at: datetime = NOW, trigger: LossTrigger = LossTrigger.DEADLINE) -> JoinAttempt:
    return lost(opened(fact, START), trigger, at)


def the_notice(attempt: JoinAttempt) -> NotifySupplier:
    return NotifySupplier(
        key=f"notice:{attempt.request_id}/{attempt.intent}:answer-lost:{attempt.version}",
        request_id=attempt.request_id,
        intent=attempt.intent,
        kind=NoticeKind.ANSWER_LOST,
    )


def the_probe(at: datetime = NOW) -> ProbeDeviceLog:
    return ProbeDeviceLog(key=f"probe:{ACB}:{ESME}:{milliseconds(at)}", request_id=POLICY.probe_key(ESME, at))


# Waiting for the answer


def test_the_answer_is_due_from_when_the_command_was_submitted() -> None:
    attempt = await_answer(opened(join(1), START), DeviceType.ESME, POLICY, START)

    assert attempt.deadlines == (Deadline(due_at=after(minutes=10), purpose=Purpose.ANSWER, armed_in=S.REQUESTED),)


def test_the_answer_is_due_from_the_request_where_no_submission_was_seen() -> None:
    attempt = await_answer(opened(join(1, submitted=False), START), DeviceType.ESME, POLICY, START)

    assert attempt.due(Purpose.ANSWER) == after(minutes=10)


def test_an_answer_may_still_be_read_from_the_backlog_that_its_request_was_in() -> None:
    attempt = await_answer(opened(join(1), START), DeviceType.ESME, POLICY, after(days=1))

    assert attempt.due(Purpose.ANSWER) == after(days=1) + POLICY.backlog_grace


# Looking for the outcome


@pytest.mark.parametrize("trigger", [LossTrigger.DEADLINE, LossTrigger.E21, LossTrigger.N13])
def test_a_gas_proxy_function_is_given_time_to_report_its_log_by_itself(trigger: LossTrigger) -> None:
    attempt, effects = search(lost_at(join(1, target=GPF), trigger=trigger), DeviceType.GPF, (), POLICY, NOW)

    assert effects == ()
    assert attempt.state is S.RESPONSE_LOST
    assert attempt.due(Purpose.PROBE) == NOW + POLICY.gpf_patience


def test_a_command_that_the_acb_fronts_is_to_be_issued_again() -> None:
    attempt, effects = search(lost_at(join(1, fronted_as=90)), DeviceType.ESME, (), POLICY, NOW)

    assert effects == ()
    assert attempt.due(Purpose.RETRY) == NOW + POLICY.backoff(attempt)
    assert attempt.due(Purpose.PROBE) is None


def test_a_command_with_a_counter_of_the_suppliers_is_probed_for_and_the_supplier_told() -> None:
    start = lost_at(signed(1))

    attempt, effects = search(start, DeviceType.ESME, (), POLICY, NOW)

    assert effects == (the_probe(), the_notice(start))
    assert (attempt.state, attempt.probes, attempt.probed_at) == (S.PROBED, 1, NOW)
    assert attempt.due(Purpose.RETRY) is None


@pytest.mark.parametrize(
    ("fact", "target_type"),
    [(join(1, fronted_as=90), DeviceType.PPMID), (join(1), DeviceType.GPF)],
    ids=["fronted by the ACB", "gas proxy function"],
)
def test_a_device_that_did_answer_is_asked_at_once(fact: JoinRequested, target_type: DeviceType) -> None:
    attempt, effects = search(lost_at(fact, trigger=LossTrigger.DISCARDED), target_type, (), POLICY, NOW)

    assert attempt.state is S.PROBED
    assert [type(effect) for effect in effects] == [ProbeDeviceLog, NotifySupplier]


@pytest.mark.parametrize("target_type", [DeviceType.GPF, DeviceType.PPMID])
def test_an_unjoin_is_never_waited_for_nor_issued_again(target_type: DeviceType) -> None:
    attempt, effects = search(lost_at(unjoin(1, fronted_as=90)), target_type, (), POLICY, NOW)

    assert attempt.state is S.PROBED
    assert [type(effect) for effect in effects] == [ProbeDeviceLog, NotifySupplier]


@pytest.mark.parametrize(("allowed", "retried"), [(0, False), (1, True)])
def test_a_command_is_issued_again_only_where_the_policy_allows_a_retry(allowed: int, retried: bool) -> None:
    attempt, _ = search(lost_at(join(1, fronted_as=90)), DeviceType.ESME, (), replace(POLICY, max_retries=allowed), NOW)

    assert attempt.state is (S.RESPONSE_LOST if retried else S.PROBED)
    assert (attempt.due(Purpose.RETRY) is not None) is retried


@pytest.mark.parametrize(
    ("attempt", "now", "final"),
    [
        (lost_at(signed(1)), NOW, START + POLICY.final_wait),
        (replace(lost_at(signed(1)), submitted_at=None), NOW, NOW + POLICY.final_wait),
        (lost_at(signed(1)), after(days=30), after(days=30) + POLICY.backlog_grace),
    ],
    ids=["from its submission", "from now", "from the backlog"],
)
def test_a_person_decides_when_the_last_wait_is_over(attempt: JoinAttempt, now: datetime, final: datetime) -> None:
    searched, _ = search(attempt, DeviceType.ESME, (), POLICY, now)

    assert searched.due(Purpose.FINAL) == final


def test_a_case_about_an_unjoin_that_is_over_probes_without_opening_it_again() -> None:
    refused = replace(opened(unjoin(1), START), state=S.NOT_SENT, refusal="E080801")

    attempt, effects = investigate(refused, (), POLICY, NOW)

    assert effects == (the_probe(),)
    assert (attempt.state, attempt.probes) == (S.NOT_SENT, 1)
    assert attempt.due(Purpose.FINAL) == NOW + POLICY.final_wait


# Whose counter it is


@pytest.mark.parametrize(
    ("fact", "target_type", "fronted"),
    [
        (join(1, fronted_as=90), DeviceType.ESME, True),
        (join(1, fronted_as=90), None, True),
        (replace(join(1), wire_key=request_id(1)), DeviceType.PPMID, False),
        (join(1), DeviceType.PPMID, True),
        (join(1), DeviceType.CHF, True),
        (join(1), DeviceType.ESME, False),
        (join(1), None, False),
        (join(1, srv=SRV_JOIN_CRITICAL, fronted_as=90), DeviceType.PPMID, False),
        (join(1, srv=None, fronted_as=90), DeviceType.PPMID, False),
    ],
)
def test_a_command_is_taken_to_be_fronted_by_the_acb_only_where_that_is_certain(
    fact: JoinRequested, target_type: DeviceType | None, fronted: bool
) -> None:
    assert fronted_by_acb(opened(fact, START), target_type) is fronted


# Having it issued again


def test_the_dsp_is_asked_to_issue_the_command_again_and_again_up_to_the_bound() -> None:
    first, asked_first = reissue(lost_at(join(1, fronted_as=90)), DeviceType.ESME, (), POLICY, NOW)
    later = after(hours=1)
    second, asked_second = reissue(first, DeviceType.ESME, (), POLICY, later)

    assert asked_first == (ReissueJoin(key=f"retry:{request_id(1)}:1", request_id=request_id(1), other=CAD, number=1),)
    assert (first.state, first.retries) == (S.RETRIED, 1)
    assert first.due(Purpose.RETRY) == NOW + timedelta(minutes=10) + POLICY.backoff(first)
    assert asked_second == (ReissueJoin(key=f"retry:{request_id(1)}:2", request_id=request_id(1), other=CAD, number=2),)
    assert (second.state, second.retries) == (S.RETRIED, 2)
    assert second.due(Purpose.PROBE) == later + timedelta(minutes=10)


def on_pair(fact: JoinRequested, asked_at: datetime, state: AttemptState = S.REQUESTED) -> JoinAttempt:
    return replace(opened(fact, asked_at), state=state)


RETRYABLE = lost_at(join(1, fronted_as=90))


@pytest.mark.parametrize(
    ("attempt", "others"),
    [
        (replace(RETRYABLE, other=None), ()),
        (replace(RETRYABLE, rival=PPMID), ()),
        (replace(RETRYABLE, retries=2), ()),
        (RETRYABLE, (on_pair(unjoin(2), START),)),
        (RETRYABLE, (on_pair(join(3), after(minutes=3)),)),
        (RETRYABLE, (on_pair(unjoin(2), after(minutes=3), S.SUCCEEDED),)),
    ],
    ids=["other unknown", "two others", "used up", "Unjoin at once", "Join since", "Unjoin carried out"],
)
def test_what_cannot_safely_be_issued_again_is_probed_for(attempt: JoinAttempt, others: tuple[JoinAttempt, ...]) -> None:
    probed, effects = reissue(attempt, DeviceType.ESME, others, POLICY, NOW)

    assert effects == (the_probe(),)
    assert probed.state is S.PROBED
    assert probed.retries == attempt.retries


@pytest.mark.parametrize(
    "other",
    [
        RETRYABLE,
        on_pair(unjoin(2), after(minutes=-1)),
        on_pair(unjoin(2, other=PPMID), after(minutes=3)),
        on_pair(unjoin(2), after(minutes=3), S.NOT_SENT),
    ],
    ids=["itself", "asked before", "another pair", "never sent"],
)
def test_a_command_that_nobody_has_countermanded_is_issued_again(other: JoinAttempt) -> None:
    attempt, _ = reissue(RETRYABLE, DeviceType.ESME, (other,), POLICY, NOW)

    assert attempt.state is S.RETRIED


# Asking the device


def test_a_probe_is_repeated_until_the_bound_and_then_no_more() -> None:
    attempt, now, asked = lost_at(signed(1)), NOW, 0
    for _ in range(POLICY.max_probes):
        attempt, effects = probe(attempt, (), POLICY, now)
        asked += len(effects)
        now = attempt.due(Purpose.PROBE) or now
        attempt = replace(attempt, deadlines=())

    assert asked == attempt.probes == POLICY.max_probes
    assert probe(attempt, (), POLICY, now) == (attempt, ())


def test_the_last_probe_arms_no_other() -> None:
    attempt, effects = probe(replace(lost_at(signed(1)), probes=POLICY.max_probes - 1), (), POLICY, NOW)

    assert len(effects) == 1
    assert attempt.due(Purpose.PROBE) is None


def test_a_probe_is_repeated_when_its_answer_had_its_time() -> None:
    attempt, _ = probe(lost_at(signed(1)), (), POLICY, NOW)

    assert attempt.due(Purpose.PROBE) == NOW + POLICY.probe_wait


LONG_LOST = lost(opened(signed(1), after(hours=-3)), LossTrigger.DEADLINE, NOW)


def test_one_probe_serves_all_attempts_on_the_same_target() -> None:
    probed_at = after(minutes=5)
    neighbours = tuple(replace(opened(join(n, other=PPMID), START), probes=1, probed_at=probed_at) for n in (2, 3))

    attempt, effects = probe(lost_at(signed(1)), neighbours, POLICY, NOW)

    assert effects == ()
    assert (attempt.state, attempt.probes, attempt.probed_at) == (S.PROBED, 1, probed_at)
    assert attempt.due(Purpose.PROBE) == NOW + POLICY.probe_wait


@pytest.mark.parametrize(
    "probed_at", [START, NOW - POLICY.probe_wait + timedelta(milliseconds=1)], ids=["just asked for", "just not overdue"]
)
def test_a_probe_is_shared_from_when_the_command_was_submitted_until_its_answer_is_overdue(probed_at: datetime) -> None:
    neighbour = replace(opened(join(2, other=PPMID), START), probed_at=probed_at)

    attempt, effects = probe(LONG_LOST if probed_at < START else lost_at(signed(1)), (neighbour,), POLICY, NOW)

    assert effects == ()
    assert attempt.probed_at == probed_at


@pytest.mark.parametrize(
    ("start", "probed_at"),
    [
        (lost_at(signed(1)), None),
        (lost_at(signed(1)), after(seconds=-1)),
        (replace(lost_at(signed(1)), submitted_at=None), after(seconds=-1)),
        (LONG_LOST, NOW - POLICY.probe_wait),
    ],
    ids=["none", "older than the question", "older than the request", "answer overdue"],
)
def test_a_probe_that_cannot_answer_this_attempt_is_not_shared(start: JoinAttempt, probed_at: datetime | None) -> None:
    neighbour = replace(opened(join(2, other=PPMID), START), probed_at=probed_at)

    attempt, effects = probe(start, (neighbour,), POLICY, NOW)

    assert effects == (the_probe(),)
    assert attempt.probed_at == NOW


def test_an_attempt_does_not_take_its_own_earlier_probe_for_the_next_one() -> None:
    probed, _ = probe(lost_at(signed(1)), (), POLICY, NOW)

    _, effects = probe(probed, (probed,), POLICY, after(minutes=20))

    assert effects == (the_probe(after(minutes=20)),)


HALF = replace(lost_at(signed(1, other=CAD)), probes=1)


@pytest.mark.parametrize(
    ("neighbour", "quiet_at"),
    [
        (on_pair(unjoin(2), START), START + POLICY.max_transit + 2 * POLICY.clock_skew),
        (on_pair(unjoin(2, local_only=True), START), None),
        (on_pair(unjoin(2), START, S.NOT_SENT), None),
        (on_pair(unjoin(2), START, S.DISPROVED), None),
        (replace(on_pair(unjoin(2), START), answered_at=after(minutes=1)), None),
        (on_pair(unjoin(2, other=PPMID), START), None),
        (on_pair(join(2), START), None),
    ],
    ids=["unanswered Unjoin", "by hand", "never sent", "disproved", "answered", "another pair", "a Join"],
)
def test_half_of_the_probes_wait_until_no_unanswered_unjoin_can_be_carried_out_any_more(
    neighbour: JoinAttempt, quiet_at: datetime | None
) -> None:
    attempt, _ = probe(HALF, (neighbour,), POLICY, NOW)

    assert attempt.due(Purpose.PROBE) == (quiet_at or NOW + POLICY.probe_wait)


def test_an_unjoin_waits_for_its_own_end_too() -> None:
    attempt, _ = probe(replace(lost_at(unjoin(1)), probes=1), (), POLICY, NOW)

    assert attempt.due(Purpose.PROBE) == START + POLICY.max_transit + 2 * POLICY.clock_skew


@pytest.mark.parametrize(("probes", "bound"), [(0, 3), (0, 4), (1, 5)])
def test_the_first_probes_do_not_wait_for_an_unanswered_unjoin(probes: int, bound: int) -> None:
    attempt, _ = probe(replace(HALF, probes=probes), (on_pair(unjoin(2), START),), replace(POLICY, max_probes=bound), NOW)

    assert attempt.due(Purpose.PROBE) == NOW + POLICY.probe_wait


# Telling the Supplier


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_names_the_request_and_why(kind: NoticeKind) -> None:
    attempt = replace(lost_at(unjoin(1)), version=3)

    assert notice(attempt, kind) == NotifySupplier(
        key=f"notice:{request_id(1)}/unjoin:{kind}:3", request_id=request_id(1), intent=Intent.UNJOIN, kind=kind
    )
