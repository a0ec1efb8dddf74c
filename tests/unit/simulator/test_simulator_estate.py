"""The estate as a whole: it repeats itself exactly, everything that can go wrong does, and it does what joinbridge asks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

import joinbridge
from joinbridge.core.effects import NoticeKind, NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin
from joinbridge.core.ids import JoinPair, RequestId
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import Intent
from joinbridge.errors import DecodeError
from joinbridge.ports import Publication
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.parties import ACB, Region
from joinbridge.simulator.scenario import SCENARIOS, START, build
from joinbridge.simulator.truth import AttemptTruth, Happening
from joinbridge.wire.duis.messages import DuisResponse, GbcsPayload, ServiceResponse
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.effects import Outgoing, outgoing
from joinbridge.wire.gbcs import decode_gbcs
from joinbridge.wire.payloads import decode_payload
from joinbridge.wire.payloads.join import JoinDetails, JoinResponse

DIGEST = """
from joinbridge.simulator.scenario import SCENARIOS, build
estate = build(SCENARIOS["harsh"], seed=3, homes=5)
import hashlib
print(hashlib.sha256(repr(estate.advance(estate.ends_at)).encode()).hexdigest())
"""


def digest(publications: Iterable[Publication]) -> str:
    return hashlib.sha256(repr(list(publications)).encode()).hexdigest()


def history(seed: int, homes: int = 5, scenario: str = "harsh") -> list[Publication]:
    estate = build(SCENARIOS[scenario], seed, homes)
    return estate.advance(estate.ends_at)


@cache
def harsh_estate() -> Estate:
    """A harsh estate that has run to its end; many homes, so that what is rare has happened."""
    estate = build(SCENARIOS["harsh"], seed=11, homes=300)
    estate.advance(estate.ends_at)
    return estate


@cache
def clean_estate() -> Estate:
    """A clean estate that has run to its end."""
    estate = build(SCENARIOS["clean"], seed=11, homes=100)
    estate.advance(estate.ends_at)
    return estate


def days(number: int) -> Iterator[datetime]:
    return (START + timedelta(days=day) for day in range(1, number + 1))


def responses(publications: Iterable[Publication]) -> Iterable[DuisResponse]:
    for publication in publications:
        if publication.exchange == "dsp.sr" and publication.route.startswith("response."):
            document = parse_duis(publication.body)
            assert isinstance(document, DuisResponse)
            yield document


def hand_over(estate: Estate, message: Outgoing, at: datetime) -> None:
    estate.receive(message.route, message.body, at)


def a_fronted_join(estate: Estate) -> AttemptTruth:
    """A Join that the ACB fronts for, of devices that are still there."""
    return next(
        each
        for each in estate.truth.attempts.values()
        if each.srv == "8.7.2" and each.target_type.name == "PPMID" and not estate.truth.left_home(each.pair) and each.succeeded_at
    )


@pytest.mark.slow
def test_every_message_names_the_hub_of_its_home_so_that_a_tap_can_be_divided_by_it() -> None:
    messages = history(3)

    hubs = {message.headers["device"] for message in messages}

    assert 5 <= len(hubs) <= 10, "a hub of each home, and of some of them its successor"


class TestItRepeatsItself:
    def test_the_same_seed_gives_the_same_history_to_the_octet(self) -> None:
        assert digest(history(3)) == digest(history(3))

    def test_another_seed_gives_another_one(self) -> None:
        assert digest(history(3)) != digest(history(4))

    def test_the_hash_seed_of_the_interpreter_does_not_matter(self) -> None:
        source = str(Path(joinbridge.__file__).parents[1])

        digests = {
            subprocess.run(
                [sys.executable, "-c", DIGEST],
                env={**os.environ, "PYTHONPATH": source, "PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for hash_seed in ("0", "1", "4321")
        }

        assert digests == {digest(history(3)) + "\n"}

    def test_a_home_lives_the_same_life_whatever_its_neighbours(self) -> None:
        few, many = history(3, homes=1), history(3, homes=4)

        # The keys count over all homes; everything else of the first home's messages is there.
        bodies = {(each.route, each.body, each.at) for each in many}
        assert {(each.route, each.body, each.at) for each in few if "damaged" not in each.key} <= bodies

    def test_it_does_not_matter_in_which_steps_time_passes(self) -> None:
        estate = build(SCENARIOS["harsh"], seed=3, homes=5)

        stepped: list[Publication] = []
        while (at := estate.next_at()) is not None:
            stepped += estate.advance(at)

        assert stepped == history(3)

    def test_nothing_happens_by_itself_after_the_end(self) -> None:
        estate = build(SCENARIOS["everyday"], seed=3, homes=20)

        estate.advance(estate.ends_at)

        assert estate.next_at() is None


@pytest.mark.slow
class TestWhatGoesWrong:
    @pytest.mark.parametrize("happening", Happening)
    def test_each_fault_occurs_in_a_harsh_world(self, happening: Happening) -> None:
        assert harsh_estate().truth.happened[happening] > 0

    @pytest.mark.parametrize(
        "happening",
        sorted(
            set(Happening)
            - {
                Happening.DEVICE_EXCHANGED,
                Happening.HUB_EXCHANGED,
                Happening.JOIN_REPEATED,
                # Suppliers also ask for what makes no sense.
                Happening.NO_PARTNER,
                Happening.UNJOIN_REFUSED,
            }
        ),
    )
    def test_none_does_in_a_clean_one(self, happening: Happening) -> None:
        assert clean_estate().truth.happened[happening] == 0

    def test_in_a_clean_world_the_inventory_is_right_by_itself(self) -> None:
        estate = clean_estate()

        joined = {pair for pair, timeline in estate.truth.joins.items() if timeline.last and not estate.truth.left_home(pair)}
        assert joined == {pair for pair, held in estate.smi.items() if held and not estate.truth.left_home(pair)}
        assert len(joined) > 400

    def test_types_that_are_told_late_carry_the_time_of_their_publication_and_come_after_all(self) -> None:
        scenario = SCENARIOS["clean"]
        late = replace(scenario, faults=replace(scenario.faults, types_late=1.0))
        estate = build(late, seed=11, homes=5)

        passed = [now - (told.at or now) for now in days(14) for told in estate.advance(now) if told.route == "response.8.2"]

        assert len(passed) >= 5
        assert min(passed) > timedelta(0)
        assert max(passed) > timedelta(days=3)
        assert max(estate.truth.types_known.values()) - START > timedelta(days=3)

    def test_one_firmware_loses_more_in_one_region_and_no_more_than_others_elsewhere(self) -> None:
        estate = build(SCENARIOS["one-firmware-loses"], seed=11, homes=150)

        estate.advance(estate.ends_at)

        where = {key: (home.region, device.make.firmware) for home in estate.homes for key, device in home.devices.items()}
        asked, lost = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for attempt in estate.truth.attempts.values():
            asked[where[attempt.pair.target]] += 1
            lost[where[attempt.pair.target]] += attempt.lost_on == "radio"
        share = {cell: lost[cell] / times for cell, times in asked.items() if times >= 20}
        assert share.pop((Region.NORTH, "G4000031")) > 0.2
        assert {firmware for _, firmware in share} >= {"G4000031"}
        assert 0 < max(share.values()) < 0.1


class TestWhatJoinbridgeAsks:
    def estate(self) -> Estate:
        estate = build(SCENARIOS["clean"], seed=5, homes=6)
        estate.advance(estate.ends_at)
        return estate

    def test_a_join_that_the_acb_fronts_is_issued_again_under_its_request_id(self) -> None:
        estate = self.estate()
        join = a_fronted_join(estate)
        now = estate.ends_at

        hand_over(estate, outgoing(ReissueJoin(key="k", request_id=join.request_id, other=join.pair.other, number=1), now), now)
        answers = list(responses(estate.advance(now + timedelta(hours=2))))

        accepted, answered = (each for each in answers if each.request_id == join.request_id)
        assert (accepted.response_code, answered.response_code) == ("I99", "I0")
        assert isinstance(answered.body, ServiceResponse)
        assert isinstance(answered.body.payload, GbcsPayload)
        gbcs = decode_gbcs(answered.body.payload.gbcs)
        assert gbcs.business_key == join.request_id
        assert gbcs.recipient == ACB
        assert gbcs.counter > join.request_id.counter
        assert isinstance(decode_payload(gbcs), JoinResponse)
        assert len(join.executions) == 2
        assert estate.commands.retries == 1

    def test_a_join_whose_counter_is_the_users_is_not(self) -> None:
        estate = self.estate()
        join = next(each for each in estate.truth.attempts.values() if each.srv == "8.7.1")
        now = estate.ends_at

        hand_over(estate, outgoing(ReissueJoin(key="k", request_id=join.request_id, other=join.pair.other, number=1), now), now)
        [answer] = responses(estate.advance(now + timedelta(hours=2)))

        assert answer.response_code == "E4"
        assert len(join.executions) == 1

    def test_a_probe_reads_the_device_log(self) -> None:
        estate = self.estate()
        join = a_fronted_join(estate)
        now = estate.ends_at
        probe = RequestId(ACB, join.pair.target, int(now.timestamp() * 1000))

        hand_over(estate, outgoing(ProbeDeviceLog(key="k", request_id=probe), now), now)
        answers = list(responses(estate.advance(now + timedelta(hours=2))))

        accepted, answered = answers
        assert (accepted.response_code, answered.response_code) == ("I99", "I0")
        assert answered.request_id == probe
        assert isinstance(answered.body, ServiceResponse)
        assert isinstance(answered.body.payload, GbcsPayload)
        gbcs = decode_gbcs(answered.body.payload.gbcs)
        details = decode_payload(gbcs)
        assert gbcs.business_key == probe
        assert isinstance(details, JoinDetails)
        assert join.pair.other in {entry.device for entry in details.entries or ()}
        assert estate.truth.reports[join.pair.target][-1].delivered_at is not None

    def test_a_probe_with_a_counter_that_is_too_low_is_sent_under_one_of_the_acbs_own(self) -> None:
        estate = self.estate()
        join = a_fronted_join(estate)
        probe = RequestId(ACB, join.pair.target, 1)

        hand_over(estate, outgoing(ProbeDeviceLog(key="k", request_id=probe), estate.ends_at), estate.ends_at)
        _, answered = responses(estate.advance(estate.ends_at + timedelta(hours=2)))

        assert isinstance(answered.body, ServiceResponse)
        assert isinstance(answered.body.payload, GbcsPayload)
        gbcs = decode_gbcs(answered.body.payload.gbcs)
        assert gbcs.counter > 1
        assert gbcs.business_key == probe

    def test_a_supplier_may_unjoin_again_when_told_that_it_can(self) -> None:
        asked = 0
        for seed in range(8):
            estate = build(SCENARIOS["clean"], seed=seed, homes=4)
            now = START + timedelta(days=4)
            estate.advance(now)
            join = next(each for each in estate.truth.attempts.values() if not estate.truth.left_home(each.pair))
            before = len(estate.truth.by_pair[join.pair])
            notice = NotifySupplier(key="k", request_id=join.request_id, intent=Intent.JOIN, kind=NoticeKind.UNJOIN_AGAIN)

            hand_over(estate, outgoing(notice, now), now)
            estate.advance(now + timedelta(hours=8))

            asked += len(estate.truth.by_pair[join.pair]) > before
        assert asked >= 4

    def test_what_joinbridge_announces_is_remembered(self) -> None:
        estate = self.estate()
        pair = a_fronted_join(estate).pair

        hand_over(
            estate, outgoing(PublishEvent(key="k", at=estate.ends_at, state=PairState.JOINED, pair=pair), estate.ends_at), estate.ends_at
        )

        assert [(each.state, each.pair) for each in estate.announced] == [("joined", pair)]

    @pytest.mark.parametrize("route", ["retry.join", "probe.device-log", "notice.supplier", "join.joined", "something.else"])
    def test_what_is_not_understood_is_a_decode_error(self, route: str) -> None:
        with pytest.raises(DecodeError):
            self.estate().receive(route, b"<not-this/>", START)

    def test_a_write_to_the_inventory_is_seen_by_the_dsp(self) -> None:
        estate = self.estate()
        pair = JoinPair(a_fronted_join(estate).pair.target, a_fronted_join(estate).pair.other)

        estate.correct(pair, joined=False)

        assert estate.smi[pair] is False
        assert [(each.pair, each.right) for each in estate.truth.corrections] == [(pair, False)]
