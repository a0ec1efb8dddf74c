"""What joinbridge said against the truth, and the evidence of each verdict as the records have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from joinbridge.cli.demo_account import verdict_rows
from joinbridge.cli.demo_history import Change, History
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.ops.account import Doing
from joinbridge.simulator.announcements import Announced
from joinbridge.simulator.outcomes import AttemptOutcome, Mark, outcome_of
from joinbridge.simulator.truth import AttemptTruth, Execution, Truth
from support.findings import finding
from support.home import START, pair, request_id

REQUEST = request_id(1_750_000_000_000)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def attempt(*executions: Execution, intent: Intent = Intent.JOIN) -> AttemptTruth:
    return AttemptTruth(
        request_id=REQUEST,
        intent=intent,
        pair=pair(),
        srv="8.7.2",
        target_type=DeviceType.ESME,
        other_type=DeviceType.TYPE2,
        asked_at=START,
        executions=list(executions),
    )


def world(tried: AttemptTruth, *joined: tuple[float, bool]) -> Truth:
    truth = Truth()
    truth.opened(tried)
    for minutes, value in joined:
        truth.set_joined(pair(), at(minutes), joined=value)
    return truth


def announced(state: str, minutes: float, intent: Intent = Intent.JOIN) -> Announced:
    return Announced(at=at(minutes), state=state, pair=pair(), request_id=REQUEST, intent=intent)


def counts(truth: Truth, *said: Announced, false: int = 0) -> dict[str, tuple[int, int]]:
    return {row.said.split(":")[0]: (row.worked, row.not_worked) for row in verdict_rows(truth, said, false_inferences=false)}


class TestVerdictsAgainstTheTruth:
    def test_an_inference_is_right_while_the_pair_is_joined(self) -> None:
        truth = world(attempt(Execution(at=at(1), code=0)), (1, True), (60, False))

        rows = counts(truth, announced("inferred_success", 5), announced("inferred_success", 90), false=1)

        assert rows["inferred from evidence"] == (1, 1)

    def test_what_was_announced_twice_was_said_once(self) -> None:
        truth = world(attempt(Execution(at=at(1), code=0)), (1, True))

        rows = counts(truth, announced("inferred_success", 5), announced("inferred_success", 5))

        assert rows["inferred from evidence"] == (1, 0)

    def test_a_request_that_was_carried_out_and_stands_was_wrongly_disproved(self) -> None:
        worked, refused = attempt(Execution(at=at(1), code=0)), attempt(Execution(at=at(1), code=4))

        assert counts(world(worked, (1, True)), announced("disproved", 5))["disproved by evidence"] == (1, 0)
        # The pair may be joined by another request: that this one was not carried out is still so.
        assert counts(world(refused, (0, True)), announced("disproved", 5))["disproved by evidence"] == (0, 1)

    def test_a_late_answer_tells_what_the_device_did_whatever_happened_since(self) -> None:
        truth = world(attempt(Execution(at=at(1), code=0)), (1, True), (60, False))

        assert counts(truth, announced("confirmed_late", 90))["the device answered late"] == (1, 0)

    def test_an_unjoin_that_was_inferred_is_right_while_the_pair_is_not_joined(self) -> None:
        truth = world(attempt(intent=Intent.UNJOIN), (0, True), (60, False))
        said = [announced("inferred_success", minutes, Intent.UNJOIN) for minutes in (5, 90)]

        rows = {row.said: row for row in verdict_rows(truth, said, false_inferences=1)}

        unjoined = rows["inferred from evidence: unjoined"]
        assert (unjoined.worked, unjoined.not_worked) == (1, 1)
        assert rows["inferred from evidence: joined"].not_worked == 0

    def test_no_way_of_counting_hides_a_false_inference_that_the_score_knows(self) -> None:
        truth = world(attempt())

        assert counts(truth, false=3)["inferred from evidence"] == (0, 3)


def outcome(*marks: Mark, intent: Intent = Intent.JOIN) -> AttemptOutcome:
    tried = attempt(Execution(at=at(1), code=0), intent=intent)
    told = outcome_of(world(tried, (1, True)), tried, (), (), at(1000), missed=False, false=False)
    return replace(told, marks=marks)


def history(
    told: AttemptOutcome, *, tried: Sequence[Change] = (), paired: Sequence[Change] = (), found: Sequence[Evidence] = ()
) -> History:
    subject = f"{told.target}→{told.other}"
    return History({f"{told.request_id}/{told.intent}": tried, subject: paired}, {subject: found})


def paired(minutes: float, to: str, *rules: str) -> Change:
    return Change(at=at(minutes), body={"to": to, "basis": [{"rule": rule, "at": at(minutes).isoformat()} for rule in rules]})


def tried(minutes: float, to: str, lost_because: str | None = None) -> Change:
    return Change(at=at(minutes), body={"to": to, "lost_because": lost_because})


def rules(told: AttemptOutcome, kept: History) -> list[str]:
    return [each.rule for each in kept.basis(told, told.marks[-1])]


INFERRED = Mark(state="inferred_success", at=at(10), rules=())


class TestWhatAVerdictRestsOn:
    def test_it_is_what_the_pair_came_to_rest_on_by_the_same_decision(self) -> None:
        told = outcome(INFERRED)
        changes = [paired(0, "pending"), paired(10, "inferred_success", "gpf-log-lists"), paired(30, "joined", "join-answered-success")]

        assert rules(told, history(told, paired=changes)) == ["gpf-log-lists"]

    def test_an_inference_rests_on_the_proof_even_when_the_answer_came_in_the_same_batch(self) -> None:
        told = outcome(INFERRED)
        changes = [paired(10, "inferred_success", "gpf-log-lists"), paired(10, "joined", "join-answered-success")]

        assert rules(told, history(told, paired=changes)) == ["gpf-log-lists"]

    def test_where_the_pair_was_settled_before_it_is_the_newest_conclusive_finding_since_the_request(self) -> None:
        told = outcome(INFERRED)
        found = [
            finding(at=at(-60), rule="too-old"),
            finding(at=at(2), rule="older"),
            finding(at=at(3), grade=Grade.STRONG, rule="weaker"),
            finding(at=at(4), rule="newest"),
            replace(finding(at=at(5), rule="in-shadow"), shadow=True),
            finding(Polarity.NOT_JOINED, at=at(6), rule="against"),
            finding(at=at(11), rule="too-late"),
        ]

        assert rules(told, history(told, paired=[paired(-60, "joined", "too-old")], found=found)) == ["newest"]

    def test_else_it_is_all_the_strong_ones_together(self) -> None:
        told = outcome(INFERRED)
        found = [finding(at=at(n), grade=Grade.STRONG, rule=f"strong-{n}") for n in (2, 3)]

        assert rules(told, history(told, found=found)) == ["strong-2", "strong-3"]

    def test_an_answer_rests_only_on_what_speaks_of_its_own_request(self) -> None:
        told = outcome(Mark(state="confirmed_late", at=at(10), rules=()))
        own = replace(finding(at=at(3), rule="own"), attempt=REQUEST)

        assert rules(told, history(told, paired=[paired(10, "joined", "log")], found=[own, finding(at=at(4), rule="other")])) == ["own"]

    def test_an_unjoin_rests_on_what_speaks_against_the_pair(self) -> None:
        told = outcome(INFERRED, intent=Intent.UNJOIN)
        found = [finding(Polarity.NOT_JOINED, at=at(3), rule="gone"), finding(at=at(4), rule="there")]

        assert rules(told, history(told, found=found)) == ["gone"]

    @pytest.mark.parametrize("state", ["response_lost", "unresolved", "not_sent"])
    def test_what_is_no_verdict_rests_on_nothing(self, state: str) -> None:
        told = outcome(Mark(state=state, at=at(10), rules=()))

        assert rules(told, history(told, paired=[paired(10, "pending", "log")])) == []


def test_the_audit_chain_tells_what_was_done_about_an_attempt() -> None:
    told = outcome()
    changes = [
        tried(0.1, "requested"),
        tried(10, "response_lost", "deadline"),
        tried(14, "retried", "deadline"),
        tried(42, "probed", "deadline"),
        tried(43, "inferred_success", "deadline"),
    ]

    kept = history(told, tried=changes)

    assert kept.heard_at(told) == at(0.1)
    assert [(move.doing, move.at, move.reason) for move in kept.moves(told)] == [
        (Doing.MISSED, at(10), "deadline"),
        (Doing.ASKED_AGAIN, at(14), None),
        (Doing.LOG_READ, at(42), None),
    ]
    assert history(told).heard_at(told) is None
