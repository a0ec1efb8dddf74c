"""The answer that does not come: what proves the Join all the same, what disproves it, and what is asked for meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import NoticeKind, ProbeDeviceLog, PublishEvent
from joinbridge.core.facts import (
    Fact,
    HubLogReported,
    JoinRequested,
)
from joinbridge.core.ids import DeviceId
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import (
    AlertCode,
    Cra,
    DeviceType,
    JoinCode,
)
from support.histories import corrections, inferred_on_the_gpf, notices
from support.home import (
    CAD,
    CHF,
    ESME,
    GPF,
    NEW_GPF,
    OTHER_SUPPLIER,
    PPMID,
    acknowledged,
    after,
    answered,
    described,
    discarded,
    gpf_log,
    join,
    log_read,
    pair,
    request_id,
    security_log,
    signed,
    unjoin,
)
from support.world import World

GPF_CAD = pair(GPF, CAD)


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
