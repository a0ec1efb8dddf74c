"""From the score of a demo, and the records it left, to the account that the report tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from joinbridge.cli.demo_history import History, read_history
from joinbridge.core.ids import JoinPair, parse_request_id
from joinbridge.core.rules import RULES
from joinbridge.core.vocabulary import Intent
from joinbridge.ops.account import DemoReport, Inventory, Ledger, Mark, RuleText, Run, Story, Totals, VerdictRow, Way
from joinbridge.simulator.announcements import Announced
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.outcomes import AttemptOutcome
from joinbridge.simulator.scenario import START, Scenario
from joinbridge.simulator.score import Score
from joinbridge.simulator.truth import AttemptTruth, Timeline, Truth

_INFERRED = "inferred_success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A demo that was lived through, and where its records are."""

    homes: int
    seed: int
    scenario: Scenario
    estate: Estate
    result: Score
    facts: Mapping[str, int]
    price_gbp: int
    database: str


async def account(played: Played) -> DemoReport:
    """Return the account of a demo. Its evidence is what the records say, not what anyone remembers."""
    result, truth = played.result, played.estate.truth
    history = await read_history(played.database, result.records)
    stories = tuple(_story(each, truth, history) for each in result.records)
    return DemoReport(
        run=Run(
            homes=played.homes,
            seed=played.seed,
            scenario=played.scenario.name,
            scenario_says=played.scenario.says,
            began=START,
            ended=played.estate.ends_at,
            messages=played.facts["messages"],
            passed_by=played.facts["passed_by"],
            dead_letters=played.facts["dead_letters"],
            database=played.database,
        ),
        totals=_totals(result),
        ledger=Ledger(
            corrections=result.corrections,
            wrong_corrections=result.wrong_corrections,
            avoided=result.corrections_avoided,
            price_gbp=played.price_gbp,
            wrong_at_end=result.smi_wrong_at_end,
            wrong_unaided=result.smi_wrong_at_end_unaided,
        ),
        verdicts=verdict_rows(truth, played.estate.announced, false_inferences=result.false_inferences),
        stories=stories,
    )


def _totals(result: Score) -> Totals:
    return Totals(
        joins=result.joins,
        unjoins=result.unjoins,
        answers_lost=result.answers_lost,
        lost_by_leg=result.answers_lost_by_leg,
        false_inferences=result.false_inferences,
        missed_inferences=result.missed_inferences,
        wrongly_disproved=result.wrongly_disproved,
        retries=result.retries,
        probes=result.probes,
        notices=result.notices,
    )


def _rules(names: Collection[str]) -> tuple[RuleText, ...]:
    """Return what the report says of the rules of these names, by their rows."""
    return tuple(
        RuleText(row=rule.row, name=rule.name, grade=rule.grade.name.lower(), summary=rule.summary) for rule in RULES if rule.name in names
    )


def _story(outcome: AttemptOutcome, truth: Truth, history: History) -> Story:
    attempt = truth.attempts[parse_request_id(outcome.request_id)]
    basis = [history.basis(outcome, mark) for mark in outcome.marks]
    bare = Story(
        request_id=outcome.request_id,
        unjoin=outcome.intent is Intent.UNJOIN,
        target=outcome.target,
        other=outcome.other,
        target_type=outcome.target_type,
        other_type=outcome.other_type,
        srv=outcome.srv,
        asked_at=outcome.asked_at,
        heard_at=history.heard_at(outcome),
        refused=outcome.refused,
        executed_at=outcome.executed_at,
        code=outcome.code,
        command_lost=outcome.command_lost,
        lost_on=None if outcome.lost_on is None else outcome.lost_on.value,
        answered_at=outcome.answered_at,
        moves=tuple(history.moves(outcome)),
        marks=tuple(
            Mark(state=mark.state, at=mark.at, rules=_rules(mark.rules or {each.rule for each in found}))
            for mark, found in zip(outcome.marks, basis, strict=True)
        ),
        corrected_at=outcome.corrected_at,
        missed=outcome.missed,
        false=outcome.false,
        wrong=outcome.false or _wrongly_disproved(outcome, attempt, truth),
    )
    verdict = bare.verdict
    if verdict is None:
        return replace(bare, proof_at=min((each.delivered_at for each in outcome.proofs), default=None))
    seen = [each.at for each in basis[bare.marks.index(verdict)]]
    return replace(
        bare,
        proof_at=_proof_at(outcome, verdict, seen),
        inventory=_inventory(truth, attempt.pair, bare.corrected_at, verdict.at),
    )


def _proof_at(outcome: AttemptOutcome, verdict: Mark, seen: Sequence[datetime]) -> datetime:
    """Return when the evidence of a verdict arrived: what devices sent has a time of their own, so its delivery counts."""
    delivered = [each.delivered_at for each in outcome.proofs if each.delivered_at <= verdict.at]
    arrived = max(delivered if verdict.way is Way.EVIDENCE else seen, default=verdict.at)
    return min(max(arrived, outcome.executed_at or outcome.asked_at), verdict.at)


def _inventory(truth: Truth, pair: JoinPair, corrected_at: datetime | None, at: datetime) -> Inventory:
    if corrected_at is not None:
        return Inventory.CORRECTED
    held = truth.smi.get(pair, Timeline()).value_at(at)
    return Inventory.RIGHT if held is truth.joined_at(pair, at) else Inventory.WRONG


def _wrongly_disproved(outcome: AttemptOutcome, attempt: AttemptTruth, truth: Truth) -> bool:
    last = outcome.marks[-1] if outcome.marks else None
    return last is not None and last.state == "disproved" and _stood(attempt, truth, last.at)


def _stood(attempt: AttemptTruth, truth: Truth, at: datetime) -> bool:
    """Return whether a Join had been carried out by `at`, and the pair was joined then."""
    return attempt.succeeded_at is not None and attempt.succeeded_at <= at and truth.joined_at(attempt.pair, at)


def verdict_rows(truth: Truth, announced: Iterable[Announced], *, false_inferences: int) -> tuple[VerdictRow, ...]:
    """Return what was said of Joins, and inferred of Unjoins, against what was so when it was said; repetitions aside.

    The wrong inferences are those that the score counts, so that no way of counting can hide one.
    """
    said: Counter[tuple[Intent, str, bool]] = Counter()
    for each in {(one.request_id, one.intent, one.state, one.at): one for one in announced}.values():
        attempt = None if each.request_id is None else truth.attempts.get(each.request_id)
        if attempt is not None and each.intent is not None:
            said[each.intent, each.state, _so(each, attempt, truth)] += 1
    of_unjoins = said[Intent.UNJOIN, _INFERRED, False]
    rows = [
        VerdictRow(
            said="inferred from evidence: joined",
            worked=said[Intent.JOIN, _INFERRED, True],
            not_worked=false_inferences - of_unjoins,
            right=True,
            wrong=False,
        ),
        _row(said, "disproved by evidence: not carried out", "disproved", right=False, wrong=True),
        _row(said, "unresolved: a person decides", "unresolved"),
        _row(said, "the device answered late: joined", "confirmed_late", right=True),
        _row(said, "the device answered in time: joined", "succeeded", right=True),
    ]
    if said[Intent.UNJOIN, _INFERRED, True] or of_unjoins:
        rows.insert(1, _row(said, "inferred from evidence: unjoined", _INFERRED, Intent.UNJOIN, right=True, wrong=False))
    return tuple(rows)


def _row(
    said: Mapping[tuple[Intent, str, bool], int],
    says: str,
    state: str,
    intent: Intent = Intent.JOIN,
    *,
    right: bool | None = None,
    wrong: bool | None = None,
) -> VerdictRow:
    return VerdictRow(said=says, worked=said[intent, state, True], not_worked=said[intent, state, False], right=right, wrong=wrong)


def _so(said: Announced, attempt: AttemptTruth, truth: Truth) -> bool:
    """Return whether the request had worked when something was said of it."""
    joined = truth.joined_at(attempt.pair, said.at)
    if attempt.intent is Intent.UNJOIN:
        return not joined
    match said.state:
        case "succeeded" | "confirmed_late":
            return attempt.succeeded_at is not None and attempt.succeeded_at <= said.at
        case "disproved":
            return _stood(attempt, truth, said.at)
        case _:
            return joined
