"""Who says it, and of whom: rules in shadow, sources that are not trusted, partners, and what is known of devices."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import (
    Authenticity,
    CommandNotExecuted,
    DeviceDescription,
    InventoryRead,
    JoinAnswered,
    JoinRequested,
    PartnerJoined,
)
from joinbridge.core.ids import CommandKey, MessageKey
from joinbridge.core.pair import PairState
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import (
    SRV_JOIN_CRITICAL,
    AlertCode,
    DeviceType,
    Intent,
    JoinCode,
    JoinRole,
    MessageCode,
)
from support.histories import corrections
from support.home import (
    ACB,
    CAD,
    ESME,
    GPF,
    PPMID,
    acknowledged,
    after,
    answered,
    gpf_log,
    join,
    log_read,
    pair,
    probed,
    request_id,
    signed,
    unjoin,
)
from support.world import World

GPF_CAD = pair(GPF, CAD)


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

    # An entry of another type lay in the log. The GPF told its whole log because of another pair, and what would have told the types was
    # read hours later (`python -m faults.campaign --minutes 60`, seed 1).
    @pytest.mark.parametrize(("told", "state"), [(DeviceType.TYPE2, PairState.INFERRED_SUCCESS), (DeviceType.PPMID, PairState.PENDING)])
    def test_an_entry_waits_for_its_type_where_the_policy_says_so(self, told: DeviceType, state: PairState) -> None:
        world = World(policy=Policy(needs_type=True))
        world.see(join(1, target=GPF))
        world.see(gpf_log(after(minutes=30), CAD), at=after(minutes=30))
        waiting = (world.state(GPF_CAD), corrections(world))

        world.see(InventoryRead(descriptions=(DeviceDescription(CAD, told, manufacturer="ACME"),)), at=after(hours=4))

        assert waiting == (PairState.PENDING, [])
        assert world.state(GPF_CAD) is state

    def test_an_entry_waits_for_its_type_when_it_was_read_too(self) -> None:
        world = World(policy=Policy(needs_type=True))
        world.see(join(1))
        world.see(log_read(2, CAD), at=after(hours=3))

        assert world.state(pair()) is PairState.PENDING

    def test_an_answer_needs_no_type(self) -> None:
        world = World(policy=Policy(needs_type=True))
        world.see(join(1))
        world.see(answered(1), at=after(minutes=1))

        assert world.state(pair()) is PairState.JOINED

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
