"""Traps: histories in which it is tempting to conclude too much, or to overlook something. Most caught the engine once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from joinbridge.core import facts
from joinbridge.core.attempt import AttemptState, Purpose
from joinbridge.core.case import Decision, Explanation
from joinbridge.core.effects import NoticeKind, NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin, UpdateInventory
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import Authenticity
from joinbridge.core.ids import CommandKey
from joinbridge.core.pair import PairState
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import SRV_JOIN_CRITICAL, SRV_UNJOIN_CRITICAL, AlertCode, Cra, Intent, MessageCode
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

HELD = (PairState.JOINED, PairState.INFERRED_SUCCESS)


def joined_world() -> World:
    """ESME→CAD was joined, and answered so."""
    world = World()
    world.see(described(ESME, CAD))
    world.see(join(10), at=after(minutes=1))
    world.see(answered(10), at=after(minutes=2))
    assert world.state(pair()) is PairState.JOINED
    return world


def lost_world() -> World:
    """ESME→CAD was asked for at minute 1, and the answer counts as lost from minute 11 on."""
    world = World()
    world.see(described(ESME, CAD))
    world.see(join(10), at=after(minutes=1))
    world.tick(after(minutes=12))
    return world


class TestAnUnjoinThatMayStillComeTrue:
    def test_an_entry_seen_while_an_unanswered_unjoin_may_lie_at_the_hub_proves_nothing(self) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))
        world.see(acknowledged(11, "E21"), at=after(hours=1, minutes=1))

        world.see(probed(after(hours=1, minutes=2), CAD), at=after(hours=1, minutes=3))

        assert world.state(pair()) is PairState.PENDING
        assert world.attempt(request_id(11), Intent.UNJOIN).is_open

    def test_an_entry_seen_when_the_network_has_forgotten_the_unjoin_proves_that_it_never_was_carried_out(self) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))
        world.tick(after(days=2, hours=1, minutes=3))
        last_probe = world.owed(ProbeDeviceLog)[-1]

        world.see(log_read(last_probe.request_id.counter, CAD, by=ACB), at=after(days=2, hours=1, minutes=4))

        assert world.attempt(request_id(11), Intent.UNJOIN).state is AttemptState.DISPROVED
        assert world.state(pair()) is PairState.JOINED

    def test_half_of_the_probes_wait_until_they_can_prove_something(self) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))
        world.tick(timedelta(days=10))

        made = [p.request_id.counter for p in world.owed(ProbeDeviceLog)]
        late = [counter for counter in made if counter > after(days=2, hours=1).timestamp() * 1000]
        assert len(made) == world.policy.max_probes
        assert len(late) == 2

    def test_a_command_of_the_supplier_does_not_order_one_that_the_acb_fronts(self) -> None:
        world = joined_world()
        world.see(unjoin(11, fronted_as=500), at=after(hours=1))

        world.see(log_read(12, CAD), at=after(hours=2))

        assert world.state(pair()) not in HELD

    def test_of_an_unjoin_that_may_be_fronted_or_not_counters_tell_nothing(self) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))

        world.see(log_read(12, CAD), at=after(hours=2))

        assert world.state(pair()) not in HELD

    def test_a_critical_unjoin_bears_the_suppliers_counter_so_that_later_ones_prove_it_was_not_carried_out(self) -> None:
        world = joined_world()
        world.see(unjoin(11, srv=SRV_UNJOIN_CRITICAL), at=after(hours=1))

        world.see(log_read(12, CAD), at=after(hours=2))

        assert world.state(pair()) is PairState.JOINED
        assert world.attempt(request_id(11), Intent.UNJOIN).state is AttemptState.DISPROVED

    def test_counters_decide_before_the_order_on_the_bus(self) -> None:
        world = World()
        world.see(unjoin(11, srv=SRV_UNJOIN_CRITICAL), at=after(minutes=1))
        world.see(join(10, srv=SRV_JOIN_CRITICAL), at=after(minutes=2))

        world.see(unjoin_answered(11), at=after(minutes=3))
        world.see(answered(10), at=after(minutes=4))

        assert world.state(pair()) is PairState.NOT_JOINED

    def test_two_originators_whose_commands_overlap_leave_the_pair_unknown(self) -> None:
        world = World()
        world.see(unjoin(5, by=OTHER_SUPPLIER), at=after(minutes=1))
        world.see(join(10), at=after(minutes=2))

        world.see(answered(10), at=after(minutes=30))
        world.see(unjoin_answered(5, by=OTHER_SUPPLIER), at=after(minutes=31))

        assert world.state(pair()) is PairState.UNKNOWN

    def test_an_unjoin_handed_to_an_installer_may_be_delivered_at_any_time(self) -> None:
        world = joined_world()
        world.see(unjoin(11, local_only=True), at=after(hours=1))

        world.see(probed(after(days=6), CAD), at=after(days=6, minutes=1))

        assert world.state(pair()) not in HELD

    def test_an_unjoin_that_went_out_twice_is_not_over_when_one_of_the_two_is_answered(self) -> None:
        world = joined_world()
        world.see(unjoin(11, fronted_as=500), at=after(hours=1))
        world.see(unjoin(11, fronted_as=600), at=after(hours=1, minutes=1))
        world.see(unjoin_answered(11, code=2, fronted_as=500), at=after(hours=2))

        world.see(probed(after(hours=3), CAD), at=after(hours=3, minutes=1))

        assert world.attempt(request_id(11), Intent.UNJOIN).retries == 1
        assert world.state(pair()) not in HELD

    def test_an_unjoin_sent_again_after_a_refusal_counts_as_sent(self) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))
        world.see(acknowledged(11, "E5"), at=after(hours=1, minutes=1))
        assert world.state(pair()) is PairState.JOINED

        world.see(acknowledged(11, "I99"), at=after(hours=2))

        assert world.attempt(request_id(11), Intent.UNJOIN).state is AttemptState.ACCEPTED
        assert world.attempt(request_id(11), Intent.UNJOIN).due(Purpose.ANSWER) is not None
        assert world.state(pair()) is PairState.PENDING

    def test_an_unjoin_whose_answer_overtook_its_submission_counts_as_sent(self) -> None:
        world = World()
        world.see(join(10, other=PPMID, srv=SRV_JOIN_CRITICAL), at=after(minutes=1))
        world.see(answered(10), at=after(minutes=2))
        world.see(transform(11, intent=Intent.UNJOIN), at=after(hours=1))

        world.see(unjoin_answered(11, code=2), at=after(hours=2))

        assert world.state(pair(other=PPMID)) not in HELD

    def test_an_unjoin_that_can_be_the_only_cause_is_over_and_a_new_join_is_provable_at_once(self) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))
        world.tick(after(hours=1, minutes=20))
        world.see(probed(after(hours=1, minutes=12)), at=after(hours=1, minutes=21))
        assert world.state(pair()) is PairState.NOT_JOINED
        world.see(join(12), at=after(hours=2))
        world.tick(after(hours=2, minutes=20))

        world.see(probed(after(hours=2, minutes=11), CAD), at=after(hours=2, minutes=21))

        assert world.state(pair()) is PairState.INFERRED_SUCCESS

    def test_an_unjoin_is_not_inferred_while_an_unanswered_join_may_still_come(self) -> None:
        world = World()
        world.see(join(10), at=after(minutes=1))
        world.see(unjoin(5, by=OTHER_SUPPLIER), at=after(minutes=2))
        world.tick(after(hours=3))

        world.see(probed(after(hours=2)), at=after(hours=3))
        assert world.attempt(request_id(5, by=OTHER_SUPPLIER), Intent.UNJOIN).is_open
        world.see(probed(after(days=2, hours=1)), at=after(days=2, hours=1, minutes=1))

        assert world.attempt(request_id(5, by=OTHER_SUPPLIER), Intent.UNJOIN).state is AttemptState.INFERRED_SUCCESS

    def test_a_join_that_the_device_can_accept_no_more_holds_up_no_inference(self) -> None:
        world = World()
        world.see(join(10, srv=SRV_JOIN_CRITICAL), at=after(minutes=1))
        world.see(unjoin(11, srv=SRV_UNJOIN_CRITICAL), at=after(minutes=2))
        world.tick(after(hours=3))

        world.see(log_read(12), at=after(hours=3))

        assert world.attempt(request_id(11), Intent.UNJOIN).state is AttemptState.INFERRED_SUCCESS

    def test_a_read_from_before_an_unjoin_was_submitted_does_not_prove_it_whatever_its_counter(self) -> None:
        world = World()
        world.see(transform(10, other=PPMID, intent=Intent.UNJOIN), at=after(minutes=1))
        world.see(log_read(11), at=after(minutes=2))

        world.see(signed(10, other=PPMID, intent=Intent.UNJOIN), at=after(minutes=3))

        assert world.attempt(request_id(10), Intent.UNJOIN).is_open

    def test_where_two_unjoins_can_be_the_cause_neither_is_known_to_be_over(self) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))
        world.see(unjoin(12), at=after(hours=1, minutes=1))
        world.see(probed(after(hours=1, minutes=12)), at=after(hours=1, minutes=21))
        world.see(join(13), at=after(hours=2))
        world.tick(after(hours=2, minutes=20))

        world.see(probed(after(hours=2, minutes=11), CAD), at=after(hours=2, minutes=21))

        assert world.state(pair()) not in HELD


class TestTheDateOfProof:
    def test_an_answer_handed_in_late_is_not_from_when_it_was_handed_in(self) -> None:
        world = lost_world()
        world.see(unjoin(11), at=after(hours=1))
        world.see(unjoin_answered(11), at=after(hours=1, minutes=1))
        world.see(join(20, other=PPMID), at=after(hours=1, minutes=50))  # so that logs are looked at
        world.see(security_log((after(minutes=1, seconds=5), AlertCode.JOIN_SUCCEEDED)), at=after(hours=1, minutes=55))

        world.see(answered(10), at=after(hours=3), source="sr.request", authenticity=Authenticity.USER_SUPPLIED)

        assert world.state(pair()) is PairState.NOT_JOINED

    def test_a_logged_success_is_from_when_it_was_logged_and_not_from_when_it_was_read(self) -> None:
        world = lost_world()
        world.see(unjoin(11), at=after(hours=1))
        world.see(unjoin_answered(11), at=after(hours=1, minutes=1))
        world.see(answered(10), at=after(hours=1, minutes=2), source="sr.request", authenticity=Authenticity.USER_SUPPLIED)
        world.see(join(20, other=PPMID), at=after(hours=1, minutes=50))

        world.see(security_log((after(minutes=1, seconds=5), AlertCode.JOIN_SUCCEEDED)), at=after(hours=1, minutes=55))

        assert world.state(pair()) is PairState.NOT_JOINED

    def test_a_log_whose_clock_is_ahead_of_the_bus_says_nothing(self) -> None:
        world = lost_world()
        world.see(answered(10), source="sr.request", authenticity=Authenticity.USER_SUPPLIED)

        entries = ((after(minutes=2), AlertCode.JOIN_SUCCEEDED), (after(days=1), AlertCode.MALFORMED_MESSAGE))
        world.see(security_log(*entries), at=after(hours=2))

        assert world.state(pair()) is PairState.PENDING

    def test_a_read_that_may_be_older_than_a_denial_does_not_overrule_it(self) -> None:
        world = lost_world()
        world.see(probed(after(minutes=12)), at=after(minutes=13))

        world.see(log_read(7, CAD, by=OTHER_SUPPLIER), at=after(minutes=14))

        assert world.state(pair()) not in HELD

    def test_a_probe_is_recognised_although_our_clock_is_a_little_ahead(self) -> None:
        world = lost_world()
        world.see(log_read(7, by=OTHER_SUPPLIER), at=after(minutes=1, seconds=30))

        world.see(probed(after(minutes=30, seconds=20), CAD), at=after(minutes=30))

        assert world.state(pair()) is PairState.INFERRED_SUCCESS

    def test_what_cannot_be_ordered_does_not_dispute_what_was_inferred(self) -> None:
        world = lost_world()
        world.see(log_read(7, CAD, by=OTHER_SUPPLIER), at=after(minutes=20))
        assert world.state(pair()) is PairState.INFERRED_SUCCESS

        late = facts.DeviceLogRead(business_key=request_id(8, by=ACB), wire_key=request_id(8, by=ACB), entries=())
        world.see(late, at=after(minutes=15))

        assert world.state(pair()) is PairState.INFERRED_SUCCESS

    def test_a_report_from_just_before_the_command_does_not_close_the_attempt(self) -> None:
        world = World()
        world.see(described(GPF, CAD, PPMID))
        world.see(join(10, target=GPF), at=after(minutes=1))

        world.see(gpf_log(after(minutes=3), PPMID), at=after(minutes=3))
        assert world.attempt(request_id(10, target=GPF)).is_open
        world.see(gpf_log(after(minutes=4), PPMID, CAD), at=after(minutes=4))

        assert world.attempt(request_id(10, target=GPF)).state is AttemptState.INFERRED_SUCCESS
        assert world.contradictions == []

    def test_a_read_that_was_made_before_a_join_was_submitted_does_not_close_it(self) -> None:
        world = lost_world()
        world.see(join(12, other=PPMID), at=after(minutes=14))

        world.see(probed(after(minutes=12)), at=after(minutes=15))

        assert world.attempt(request_id(12)).is_open

    def test_an_answer_that_was_dropped_shows_that_an_older_denial_was_from_before(self) -> None:
        world = World()
        world.see(join(10), at=after(minutes=1))
        world.see(log_read(7, by=OTHER_SUPPLIER), at=after(minutes=5))
        assert world.attempt(request_id(10)).state is AttemptState.DISPROVED

        world.see(discarded(10, Cra.RESPONSE), at=after(minutes=20))

        assert world.attempt(request_id(10)).is_open
        assert len(world.owed(ProbeDeviceLog)) == 1

    def test_a_loss_told_before_the_submission_was_seen_does_not_date_it_back(self) -> None:
        world = World()
        world.see(transform(10), at=after(minutes=1))
        world.see(probed(after(minutes=20)), at=after(minutes=21))

        world.see(discarded(10, Cra.RESPONSE), at=after(minutes=31))
        world.see(signed(10), at=after(minutes=30))

        assert world.attempt(request_id(10)).is_open
        assert world.attempt(request_id(10)).submitted_at == after(minutes=30)


class TestIndependence:
    def test_two_findings_of_producers_that_are_not_trusted_are_one_witness(self) -> None:
        world = World()
        world.see(described(GPF, CAD))
        world.see(join(10, target=GPF), at=after(minutes=1))

        world.see(log_read(11, CAD, target=GPF), at=after(minutes=20), source="hearsay")
        world.see(gpf_log(after(minutes=21), CAD), at=after(minutes=21), source="rumour")

        assert world.state(pair(GPF)) is PairState.PENDING

    def test_what_a_user_hands_in_is_one_witness_however_much_it_is(self) -> None:
        world = lost_world()

        world.see(answered(10), source="sr.request", authenticity=Authenticity.USER_SUPPLIED)
        world.see(log_read(11, CAD), source="sr.request", authenticity=Authenticity.USER_SUPPLIED)

        assert world.state(pair()) is PairState.PENDING

    def test_a_strong_finding_against_stops_two_strong_ones(self) -> None:
        world = lost_world()
        world.see(security_log((after(minutes=1, seconds=5), AlertCode.JOIN_SUCCEEDED)), at=after(minutes=30))
        world.see(join(12), at=after(minutes=31))
        world.see(answered(12, code=4), at=after(minutes=32))
        world.see(join(13), at=after(minutes=33))

        world.see(answered(13, code=3), at=after(minutes=34))

        assert world.state(pair()) not in HELD

    def test_a_logged_success_is_not_that_of_a_join_which_was_refused(self) -> None:
        world = lost_world()
        world.see(join(12), at=after(days=3))
        world.see(answered(12, code=3), at=after(days=3, minutes=1))

        world.see(security_log((after(days=3, seconds=30), AlertCode.JOIN_SUCCEEDED)), at=after(days=3, hours=1))

        assert world.state(pair()) not in HELD

    def test_a_logged_success_may_be_that_of_another_join_still_unanswered(self) -> None:
        world = World()
        world.see(described(ESME, CAD, PPMID))
        world.see(join(9, other=PPMID), at=after(minutes=1))
        world.see(join(10), at=after(hours=1))
        world.see(answered(10), at=after(hours=2), source="sr.request", authenticity=Authenticity.USER_SUPPLIED)

        world.see(security_log((after(hours=1, seconds=5), AlertCode.JOIN_SUCCEEDED)), at=after(hours=3))

        assert world.state(pair()) not in HELD

    def test_an_alert_without_a_time_says_nothing_of_a_join(self) -> None:
        world = lost_world()
        world.see(answered(10), source="sr.request", authenticity=Authenticity.USER_SUPPLIED)

        world.see(facts.DeviceAlerted(device=ESME, code=AlertCode.JOIN_SUCCEEDED, device_time=None), at=after(minutes=12))

        assert world.state(pair()) is PairState.PENDING

    def test_a_refusal_that_something_is_inferred_from_is_no_answer_so_that_the_inventory_is_corrected(self) -> None:
        world = lost_world()
        world.see(security_log((after(minutes=1, seconds=5), AlertCode.JOIN_SUCCEEDED)), at=after(minutes=30))
        world.see(join(12), at=after(minutes=31))

        world.see(answered(12, code=3), at=after(minutes=32))

        assert world.state(pair()) is PairState.INFERRED_SUCCESS
        assert [u.joined for u in world.owed(UpdateInventory)] == [True]


class TestTrust:
    @pytest.mark.parametrize("source", ["hearsay", "sr.response"])
    def test_only_a_trusted_producer_can_say_that_an_unjoin_was_not_carried_out(self, source: str) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))

        world.see(discarded(11, Cra.COMMAND), source=source)

        believed = source == "sr.response"
        assert (world.attempt(request_id(11), Intent.UNJOIN).state is AttemptState.DISPROVED) is believed
        assert (world.state(pair()) is PairState.JOINED) is believed

    @pytest.mark.parametrize(
        "fact",
        [
            facts.DeviceRetired(device=CAD, reason="PPMIDRemoval"),
            described(ESME),
            facts.HubExchanged(old_chf=CHF, new_chf=NEW_CHF, old_gpf=ESME, new_gpf=NEW_GPF),
        ],
        ids=["retirement", "inventory", "exchange"],
    )
    def test_a_producer_that_is_not_trusted_changes_nothing(self, fact: facts.Fact) -> None:
        world = World()
        world.see(join(10), at=after(minutes=1))
        world.see(answered(10), at=after(minutes=2))

        decision = world.see(fact, source="hearsay")

        assert (decision.pairs, decision.attempts, decision.devices) == ((), (), ())
        assert len(decision.surprises) == 1

    def test_a_join_told_by_a_producer_that_is_not_trusted_is_not_one_that_an_answer_could_be_for(self) -> None:
        world = World()
        world.see(join(10, other=PPMID), source="hearsay")

        world.see(answered(10))

        assert world.pairs == {}

    def test_an_unjoin_is_a_reason_for_doubt_whoever_tells_of_it(self) -> None:
        world = joined_world()

        world.see(unjoin(11), source="hearsay")

        assert world.state(pair()) is PairState.PENDING


class TestOneRequestForTwo:
    def test_an_answer_to_a_request_that_names_two_devices_proves_neither(self) -> None:
        world = World()
        world.see(join(10, other=CAD))
        world.see(join(10, other=PPMID))

        world.see(answered(10))

        assert world.state(pair(other=CAD)) not in HELD
        assert pair(other=PPMID) not in world.pairs

    def test_what_was_signed_counts_and_not_what_was_asked_to_be_transformed(self) -> None:
        world = World()
        world.see(transform(10, other=CAD))
        world.see(pre_command(10, other=PPMID))
        world.see(signed(10, other=PPMID))

        world.see(answered(10))

        assert world.state(pair(other=PPMID)) is PairState.JOINED
        assert world.state(pair(other=CAD)) is PairState.UNKNOWN

    def test_the_order_in_which_the_two_are_seen_does_not_matter(self) -> None:
        world = World()
        world.see(signed(10, other=PPMID))
        world.see(transform(10, other=CAD))

        world.see(answered(10))

        assert world.state(pair(other=PPMID)) is PairState.JOINED

    def test_an_unjoin_that_names_two_devices_may_have_removed_either(self) -> None:
        world = joined_world()
        world.see(join(20, other=PPMID), at=after(minutes=3))
        world.see(answered(20), at=after(minutes=4))

        world.see(unjoin(30, other=CAD), at=after(hours=1))
        world.see(unjoin(30, other=PPMID), at=after(hours=1, minutes=1))

        assert world.state(pair(other=CAD)) is PairState.PENDING
        assert world.state(pair(other=PPMID)) is PairState.PENDING
        assert len(world.surprises) == 1

    def test_a_refusal_or_a_discard_may_concern_either_of_the_two(self) -> None:
        world = joined_world()
        world.see(unjoin(30, other=PPMID), at=after(hours=1))
        world.see(unjoin(30, other=CAD), at=after(hours=1, minutes=1))

        world.see(acknowledged(30, "E080801"))
        world.see(discarded(30, Cra.COMMAND))

        assert world.attempt(request_id(30), Intent.UNJOIN).is_open
        assert world.state(pair()) is PairState.PENDING


class TestActing:
    def fronted(self) -> World:
        world = World()
        world.see(described(PPMID, ESME))
        world.see(join(10, target=PPMID, other=ESME), at=after(minutes=1))
        world.tick(after(minutes=11))
        return world

    def test_a_join_is_not_issued_again_once_somebody_asked_for_the_opposite(self) -> None:
        world = self.fronted()

        world.see(unjoin(11, target=PPMID, other=ESME), at=after(minutes=12))
        world.tick(after(days=1))

        assert world.owed(ReissueJoin) == []
        assert world.owed(ProbeDeviceLog) != []

    def test_a_join_is_not_issued_again_once_the_supplier_has_sent_it_again(self) -> None:
        world = self.fronted()

        world.see(join(11, target=PPMID, other=ESME), at=after(minutes=12))
        world.tick(after(minutes=20))

        assert [r.request_id.counter for r in world.owed(ReissueJoin)] == []

    def test_a_log_read_from_before_a_join_was_issued_again_does_not_close_it(self) -> None:
        world = self.fronted()
        world.tick(after(hours=1))
        assert world.attempt(request_id(10, target=PPMID)).retries == 2

        world.see(probed(after(minutes=12), target=PPMID), at=after(hours=1))

        assert world.attempt(request_id(10, target=PPMID)).is_open

    def test_retries_stay_within_a_policy_that_was_tightened_meanwhile(self) -> None:
        world = self.fronted()
        world.policy = replace(world.policy, max_retries=0)

        world.tick(after(days=1))

        assert world.owed(ReissueJoin) == []

    def test_two_requests_of_the_same_moment_are_no_trouble(self) -> None:
        world = World()
        world.see(join(10))

        world.see(join(10, by=OTHER_SUPPLIER))

        assert len(world.attempts) == 2

    @pytest.mark.parametrize(
        "at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)], ids=["the first moment", "the last"]
    )
    def test_no_bus_time_is_too_strange(self, at: datetime) -> None:
        world = World(now=at)

        world.see(join(10), at=at)
        world.see(log_read(11, CAD), at=at)

        assert world.state(pair()) is PairState.INFERRED_SUCCESS


class TestWhatWasNeverSent:
    def test_a_transform_request_is_not_proven_by_an_entry(self) -> None:
        world = World()
        world.see(transform(10))

        world.see(probed(after(hours=1), PPMID), at=after(hours=1, minutes=1))

        assert world.attempt(request_id(10)).state is AttemptState.REQUESTED


class TestTheInventory:
    def test_a_refused_unjoin_of_a_joined_pair_shows_that_the_inventory_is_wrong(self) -> None:
        world = joined_world()
        world.see(unjoin(11), at=after(hours=1))

        world.see(acknowledged(11, "E080801"))

        assert [u.joined for u in world.owed(UpdateInventory)] == [True]
        assert [n.kind for n in world.owed(NotifySupplier)] == [NoticeKind.UNJOIN_AGAIN]

    @pytest.mark.parametrize("joined", [True, False])
    def test_the_word_of_a_person_reaches_the_inventory(self, *, joined: bool) -> None:
        world = lost_world()

        world.see(decided(joined), authenticity=Authenticity.VERIFIED)

        assert [u.joined for u in world.owed(UpdateInventory)] == [joined]

    def test_a_person_can_take_an_inference_back(self) -> None:
        world = lost_world()
        world.see(probed(after(minutes=12), CAD), at=after(minutes=13))

        world.see(decided(False), at=after(hours=1), authenticity=Authenticity.VERIFIED)

        assert world.state(pair()) is PairState.NOT_JOINED
        assert [u.joined for u in world.owed(UpdateInventory)] == [True, False]
        assert [c.rule for c in world.contradictions] == ["device-log-lists"]

    def test_a_late_answer_that_undid_a_newer_one_in_the_inventory_is_put_right(self) -> None:
        world = joined_world()
        world.see(unjoin(11, srv=SRV_UNJOIN_CRITICAL), at=after(hours=1))
        world.see(join(12, srv=SRV_JOIN_CRITICAL), at=after(hours=2))
        world.see(answered(12), at=after(hours=2, minutes=1))

        world.see(unjoin_answered(11), at=after(hours=3))

        assert world.state(pair()) is PairState.JOINED
        assert [u.joined for u in world.owed(UpdateInventory)] == [True]

    def test_an_answer_that_waited_in_a_queue_does_not_count_as_the_inventorys_newest_word(self) -> None:
        world = lost_world()
        world.see(probed(after(minutes=12), CAD), at=after(minutes=13))
        world.see(unjoin(11, srv=SRV_UNJOIN_CRITICAL), at=after(hours=1))
        world.see(unjoin_answered(11), at=after(hours=1, minutes=1))
        before = world.owed(UpdateInventory)

        world.see(answered(10), at=after(minutes=40))

        assert world.state(pair()) is PairState.NOT_JOINED
        assert world.owed(UpdateInventory) == before

    def test_a_correction_still_waiting_cannot_undo_what_the_dsp_does_on_an_answer(self) -> None:
        world = lost_world()
        world.see(probed(after(minutes=12), CAD), at=after(minutes=13))
        world.see(unjoin(11, srv=SRV_UNJOIN_CRITICAL), at=after(hours=1))

        world.see(unjoin_answered(11), at=after(hours=1, minutes=1))

        assert [u.joined for u in world.owed(UpdateInventory)] == [True, False]

    def test_an_answer_that_the_bus_dates_just_before_our_write_is_the_newer_word(self) -> None:
        world = World()
        world.see(unjoin(5, by=OTHER_SUPPLIER), at=after(minutes=1))
        world.tick(after(minutes=22))
        world.see(probed(after(minutes=21)), at=after(minutes=21))
        assert [u.joined for u in world.owed(UpdateInventory)] == [False]

        world.see(join(12), at=after(minutes=21, seconds=20))
        world.see(answered(12), at=after(minutes=21, seconds=40))

        assert world.pairs[pair()].held is True

    def test_an_unjoin_that_found_nothing_leaves_an_inventory_that_says_joined_to_us(self) -> None:
        world = joined_world()
        world.see(unjoin(11, srv=SRV_UNJOIN_CRITICAL), at=after(hours=1))
        world.see(unjoin(12, srv=SRV_UNJOIN_CRITICAL), at=after(hours=2))

        world.see(unjoin_answered(12, code=1), at=after(hours=2, minutes=1))

        assert world.state(pair()) is PairState.NOT_JOINED
        assert [u.joined for u in world.owed(UpdateInventory)] == [False]


class TestDisputes:
    def disputed(self) -> World:
        world = lost_world()
        world.see(probed(after(minutes=12), CAD), at=after(minutes=13))
        world.see(probed(after(hours=1)), at=after(hours=1, minutes=1))
        assert world.state(pair()) is PairState.DISPUTED
        return world

    def test_an_unjoin_that_comes_later_than_what_it_explains_ends_the_dispute_and_takes_the_contradiction_back(self) -> None:
        world = self.disputed()
        [against] = world.contradictions

        decision = world.see(unjoin(11), at=after(minutes=59))

        assert world.state(pair()) is PairState.NOT_JOINED
        assert decision.explanations == (Explanation(rule=against.rule, pair=pair(), since=against.at),)

    def test_an_unjoin_asked_for_after_the_dispute_explains_nothing(self) -> None:
        world = self.disputed()

        decision = world.see(unjoin(11), at=after(hours=2))

        assert world.state(pair()) is PairState.DISPUTED
        assert decision.explanations == ()

    def test_what_is_disputed_settles_no_attempt(self) -> None:
        world = self.disputed()

        world.see(acknowledged(10, "I99"), at=after(hours=2))

        assert world.attempt(request_id(10)).state is AttemptState.UNRESOLVED

    def test_the_late_answer_to_an_old_join_ends_no_dispute(self) -> None:
        world = self.disputed()

        world.see(answered(10), at=after(hours=3))

        assert world.state(pair()) is PairState.DISPUTED

    def test_a_new_join_that_is_answered_ends_it(self) -> None:
        world = self.disputed()
        world.see(join(12), at=after(hours=3))

        world.see(answered(12), at=after(hours=3, minutes=1))

        assert world.state(pair()) is PairState.JOINED

    def test_a_rule_that_returned_to_shadow_takes_nothing_back_of_what_it_had_proven(self) -> None:
        world = lost_world()
        world.see(probed(after(minutes=12), CAD), at=after(minutes=13))
        world.policy = Policy(rule_modes={"device-log-lists": Mode.SHADOW})

        world.see(acknowledged(10, "I99"), at=after(hours=2))

        assert world.state(pair()) is PairState.INFERRED_SUCCESS

    def test_the_findings_of_a_rule_in_shadow_do_not_make_a_pair_not_joined(self) -> None:
        world = World(policy=Policy(rule_modes={"join-refused": Mode.SHADOW}))
        world.see(join(10))

        world.see(answered(10, code=5))

        assert world.state(pair()) is PairState.UNKNOWN


class TestWhatIsMissedOtherwise:
    def test_a_join_that_was_disproved_and_carried_out_late_is_found(self) -> None:
        world = lost_world()
        world.see(probed(after(minutes=12)), at=after(minutes=13))
        assert world.attempt(request_id(10)).state is AttemptState.DISPROVED

        world.see(probed(after(hours=3), CAD), at=after(hours=3, minutes=1))

        assert world.attempt(request_id(10)).state is AttemptState.INFERRED_SUCCESS
        assert world.state(pair()) is PairState.INFERRED_SUCCESS

    def test_a_join_that_was_never_delivered_is_not_taken_for_the_cause_of_an_entry(self) -> None:
        world = lost_world()
        world.see(discarded(10, Cra.COMMAND))

        world.see(probed(after(hours=3), CAD), at=after(hours=3, minutes=1))

        assert world.attempt(request_id(10)).state is AttemptState.DISPROVED

    def test_an_inference_that_moves_no_attempt_is_announced_of_the_pair(self) -> None:
        world = World()
        world.see(unjoin(11), at=after(minutes=1))
        world.see(acknowledged(11, "E080801"), at=after(minutes=2))

        world.see(probed(after(minutes=3), CAD), at=after(minutes=4))

        events = [e for e in world.owed(PublishEvent) if e.state is PairState.INFERRED_SUCCESS]
        assert [(e.pair, e.request_id) for e in events] == [(pair(), None)]

    def test_a_restore_counts_although_word_of_it_comes_an_hour_later(self) -> None:
        world = World()
        world.see(join(10, target=GPF), at=after(minutes=1))
        world.see(answered(10, target=GPF), at=after(minutes=2))
        key = CommandKey(ACB, NEW_GPF, 77)
        results = ((facts.LogEntry(CAD, None), 0),)
        world.see(facts.GpfLogRestored(business_key=key, wire_key=key, results=results), at=after(days=1))

        world.see(facts.HubExchanged(old_chf=CHF, new_chf=NEW_CHF, old_gpf=GPF, new_gpf=NEW_GPF), at=after(days=1, hours=1))

        assert world.state(pair(NEW_GPF)) is PairState.INFERRED_SUCCESS
        assert world.state(pair(GPF)) is PairState.UNKNOWN

    def test_an_unjoin_that_may_have_been_undone_by_a_new_join_is_not_said_to_have_failed(self) -> None:
        world = joined_world()
        world.see(unjoin(11, srv=SRV_UNJOIN_CRITICAL), at=after(hours=1))
        world.see(join(12, srv=SRV_JOIN_CRITICAL), at=after(hours=2))

        world.see(answered(12), at=after(hours=2, minutes=1))

        assert world.state(pair()) is PairState.JOINED
        assert world.attempt(request_id(11), Intent.UNJOIN).state is AttemptState.UNRESOLVED

    def test_the_partner_of_a_request_for_two_devices_is_told_nothing(self) -> None:
        world = World()
        world.see(join(10, other=PPMID))
        world.see(join(10, other=CAD))

        decision: Decision = world.see(answered(10, message_code=MessageCode.CS03A1))

        assert [device for device, _ in decision.kept] == [ESME]
