"""The score, from ledgers made by hand: above all that a false inference is counted as one, and a missed one too."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from joinbridge.core.ids import JoinPair, RequestId
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.simulator.announcements import Announced, CommandCount
from joinbridge.simulator.parties import SUPPLIERS, device_id
from joinbridge.simulator.score import Score, score
from joinbridge.simulator.truth import AttemptTruth, Execution, Leg, LogReport, Truth

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAIR = JoinPair(device_id(1, DeviceType.ESME, 0), device_id(1, DeviceType.TYPE2, 0))
END = START + timedelta(days=14)
REQUEST = RequestId(SUPPLIERS[0], PAIR.target, 1)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def lost_attempt(truth: Truth, *, code: int = 0, intent: Intent = Intent.JOIN, leg: Leg = Leg.WAN) -> AttemptTruth:
    """An attempt that was carried out after a minute, and whose answer got lost."""
    attempt = AttemptTruth(
        request_id=REQUEST,
        intent=intent,
        pair=PAIR,
        srv="8.7.2",
        target_type=DeviceType.ESME,
        other_type=DeviceType.TYPE2,
        asked_at=after(0),
        submitted_at=after(0),
        tapped_at=after(0),
        executions=[Execution(at=after(1), code=code)],
        lost_on=leg,
    )
    truth.opened(attempt)
    truth.set_joined(PAIR, after(1), joined=code == 0 and intent is Intent.JOIN)
    return attempt


def proof(truth: Truth, minutes: float) -> None:
    """The target told its log, and the bus delivered it, and which types there are."""
    truth.types_told(after(0), (PAIR.target, PAIR.other))
    entries = frozenset({(PAIR.other, int(DeviceType.TYPE2))})
    truth.reported(LogReport(device=PAIR.target, kind="CS07", at=after(minutes), delivered_at=after(minutes), entries=entries))


def said(state: str, minutes: float, intent: Intent | None = Intent.JOIN) -> Announced:
    return Announced(
        at=after(minutes), state=state, pair=PAIR, request_id=None if intent is None else REQUEST, intent=intent, rules=("cs07-lists",)
    )


def scored(truth: Truth, *announced: Announced) -> Score:
    return score(truth, announced, CommandCount(retries=1, probes=2, notices=3), END)


class TestFalseInferences:
    def test_an_inference_of_a_join_that_failed_is_false(self) -> None:
        truth = Truth()
        lost_attempt(truth, code=5)

        result = scored(truth, said("inferred_success", 10))

        assert (result.false_inferences, result.inferred_success, result.failed_and_lost) == (1, 1, 1)
        assert result.records[0].false

    def test_one_that_comes_after_the_pair_was_unjoined_is_false(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        truth.set_joined(PAIR, after(5), joined=False)

        assert scored(truth, said("inferred_success", 10)).false_inferences == 1

    def test_one_that_was_true_when_it_was_made_is_not(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        truth.set_joined(PAIR, after(15), joined=False)

        assert scored(truth, said("inferred_success", 10)).false_inferences == 0

    def test_one_of_the_pair_alone_is_counted_too_and_once(self) -> None:
        truth = Truth()
        lost_attempt(truth, code=5)

        result = scored(truth, said("inferred_success", 10, None), said("inferred_success", 10))

        assert result.false_inferences == 1

    @pytest.mark.parametrize(("proven", "false"), [((0, 6), 0), ((2, 3), 0), ((0, 0.5), 1), ((6, 9), 1), (None, 1)])
    def test_one_that_catches_up_is_judged_by_the_moments_that_it_names_as_proven(self, proven: tuple[int, int] | None, false: int) -> None:
        truth = Truth()
        lost_attempt(truth)
        truth.set_joined(PAIR, after(5), joined=False)
        told = replace(said("inferred_success", 10), proven_between=None if proven is None else (after(proven[0]), after(proven[1])))

        result = score(truth, [told], CommandCount(), END, as_proven=True)

        assert result.false_inferences == false
        assert scored(truth, told).false_inferences == 1  # at the pace of the bus, what it names is no excuse

    @pytest.mark.parametrize(("code", "false"), [(0, 0), (2, 1)])
    def test_an_inferred_unjoin_is_false_when_the_pair_is_still_joined(self, code: int, false: int) -> None:
        truth = Truth()
        truth.set_joined(PAIR, after(-60), joined=True)
        lost_attempt(truth, code=code, intent=Intent.UNJOIN)
        if code:
            truth.set_joined(PAIR, after(2), joined=True)

        result = scored(truth, said("inferred_success", 10, Intent.UNJOIN))

        assert (result.false_inferences, result.unjoins_inferred, result.inferred_success) == (false, 1, 0)


class TestMissedInferences:
    def test_a_proof_that_led_to_nothing_is_missed(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        proof(truth, 5)

        result = scored(truth, said("response_lost", 10), said("unresolved", 10_000))

        assert (result.proofs_delivered_for_lost, result.missed_inferences, result.unresolved) == (1, 1, 1)
        assert result.records[0].missed

    @pytest.mark.parametrize("state", ["inferred_success", "confirmed_late", "succeeded"])
    def test_one_that_was_found_is_not(self, state: str) -> None:
        truth = Truth()
        lost_attempt(truth)
        proof(truth, 5)

        result = scored(truth, said(state, 6))

        assert (result.proofs_delivered_for_lost, result.missed_inferences) == (1, 0)

    def test_the_word_on_the_pair_is_enough(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        proof(truth, 5)

        assert scored(truth, said("joined", 6, None)).missed_inferences == 0

    def test_an_older_word_on_the_pair_is_not(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        proof(truth, 5)

        assert scored(truth, said("joined", -60, None)).missed_inferences == 1

    def test_without_a_proof_nothing_can_be_missed(self) -> None:
        truth = Truth()
        lost_attempt(truth)

        assert scored(truth).proofs_delivered_for_lost == 0

    def test_an_answer_that_came_after_all_leaves_nothing_to_infer(self) -> None:
        truth = Truth()
        lost_attempt(truth).answered_at = after(60)
        proof(truth, 5)

        assert scored(truth).proofs_delivered_for_lost == 0

    def test_another_join_that_was_seen_to_succeed_settles_the_pair(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        proof(truth, 5)
        again = lost_attempt(Truth())
        again.request_id, again.lost_on = RequestId(SUPPLIERS[0], PAIR.target, 2), None
        again.answered_at, again.answer_code = after(30), 0
        truth.opened(again)

        found = scored(truth)
        assert (found.proofs_delivered_for_lost, found.missed_inferences) == (1, 0)

    def test_a_pair_whose_other_device_was_taken_away_counts_no_more(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        proof(truth, 5)
        truth.retired[PAIR.other] = after(3)

        assert scored(truth).proofs_delivered_for_lost == 0

    def test_a_pair_that_is_gone_in_the_end_counts_no_more(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        proof(truth, 5)
        truth.set_joined(PAIR, after(600), joined=False)

        assert scored(truth).proofs_delivered_for_lost == 0


class TestTheRest:
    def test_lost_answers_are_counted_by_the_place_where_they_got_lost(self) -> None:
        truth = Truth()
        lost_attempt(truth, leg=Leg.RADIO)

        result = scored(truth)

        assert (result.joins, result.answers_lost) == (1, 1)
        assert result.answers_lost_by_leg == {"radio": 1, "wan": 0, "dsp": 0, "user": 0, "bus": 0}
        assert (result.retries, result.probes, result.notices) == (1, 2, 3)

    @pytest.mark.parametrize(("code", "wrongly"), [(0, 1), (5, 0)])
    def test_disproving_what_had_worked_is_wrong(self, code: int, wrongly: int) -> None:
        truth = Truth()
        lost_attempt(truth, code=code)

        result = scored(truth, said("disproved", 10))

        assert (result.disproved, result.wrongly_disproved) == (1, wrongly)

    def test_a_correction_that_lasts_is_worth_its_price(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        truth.set_smi(PAIR, after(10), joined=True, aided=True)

        result = scored(truth, said("inferred_success", 10))

        assert (result.corrections, result.wrong_corrections, result.corrections_avoided) == (1, 0, 1)
        assert result.corrections_avoided_gbp == 2000
        assert (result.smi_wrong_at_end, result.smi_wrong_at_end_unaided) == (0, 1)
        assert result.records[0].corrected_at == after(10)

    def test_a_correction_that_would_have_come_by_itself_is_worth_nothing(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        truth.set_smi(PAIR, after(10), joined=True, aided=True)
        truth.set_smi(PAIR, after(60), joined=True, aided=False)

        assert scored(truth).corrections_avoided == 0

    def test_it_is_worth_its_price_when_it_let_the_pair_be_unjoined_in_time(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        truth.set_smi(PAIR, after(10), joined=True, aided=True)
        truth.set_joined(PAIR, after(20), joined=False)
        truth.set_smi(PAIR, after(20), joined=False, aided=False)

        assert scored(truth).corrections_avoided == 1

    def test_a_wrong_correction_is_worth_nothing_and_is_shown(self) -> None:
        truth = Truth()
        lost_attempt(truth, code=5)
        truth.set_smi(PAIR, after(10), joined=True, aided=True)

        result = scored(truth)

        assert (result.wrong_corrections, result.corrections_avoided, result.smi_wrong_at_end) == (1, 0, 1)

    def test_pairs_of_devices_that_left_are_nobodys_concern(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        truth.retired[PAIR.other] = after(100)

        result = scored(truth)

        assert (result.smi_wrong_at_end, result.smi_wrong_at_end_unaided) == (0, 0)

    def test_only_what_is_notable_is_told_as_a_story(self) -> None:
        truth = Truth()
        attempt = lost_attempt(truth)
        attempt.lost_on, attempt.answered_at, attempt.answer_code = None, after(1), 0

        assert scored(truth, said("succeeded", 1)).records == ()

    def test_it_is_plain_json(self) -> None:
        truth = Truth()
        lost_attempt(truth)
        proof(truth, 5)

        told = json.loads(json.dumps(scored(truth, said("inferred_success", 6)).to_json()))

        assert told["joins"] == 1
        [record] = told["records"]
        assert record["lost_on"] == "wan"
        assert record["marks"] == [{"state": "inferred_success", "at": "2026-03-02T09:06:00+00:00", "rules": ["cs07-lists"]}]
        assert [each["kind"] for each in record["proofs"]] == ["CS07"]
