"""Compare every decision of joinbridge with the ground truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from joinbridge.core.ids import JoinPair, RequestId
from joinbridge.core.vocabulary import Intent
from joinbridge.simulator.announcements import Announced, CommandCount
from joinbridge.simulator.outcomes import AttemptOutcome, outcome_of
from joinbridge.simulator.truth import AttemptTruth, Correction, Happening, Leg, Timeline, Truth

PRICE_GBP = 2_000
"""What one manual correction of the SMI costs (docs/domain.md, "The problem")."""

_INFERRED = "inferred_success"
_FOUND = frozenset({_INFERRED, "confirmed_late", "succeeded", "joined"})
"""States by which joinbridge says that a Join worked, of the attempt or of its pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How joinbridge did. Attempts are Joins unless a name says otherwise; each is counted once, however often it was announced.

    * `answers_lost`: carried out, with success or not, and the answer to the User's own issue never reached the bus.
    * `inferred_success`: stand as inferred at the end; `proven_before_answer` were inferred and then answered after all, since proof may
      overtake the answer.
    * `false_inferences`: announced as inferred although the truth at the time of the event says otherwise; of Joins and Unjoins.
    * `proofs_delivered_for_lost`: lost answers of Joins that worked and still stand at the end between devices that are still there, with a
      conclusive proof on the bus and no answer of their own; `missed_inferences` are those of them that joinbridge never found, unless the
      answer to another Join of the pair had settled it.
    * `wrongly_disproved`: announced as disproved although it had worked, and the pair was joined then.
    * `corrections_avoided`: SMI entries that joinbridge put right, that are right at the end, and that would have stayed wrong without it
      for as long as it mattered. An entry that the DSP's own late answer, or a Supplier's own repeat, put right as well is none.
    * `smi_wrong_at_end`: pairs, devices that left the home aside; `…_unaided` is what it would have been without joinbridge's writes and
      re-issues, all else equal.
    """

    joins: int
    unjoins: int
    answers_lost: int
    answers_lost_by_leg: Mapping[str, int]
    unjoin_answers_lost: int
    failed_and_lost: int
    commands_lost: int
    unjoins_refused_by_smi: int
    inferred_success: int
    proven_before_answer: int
    unjoins_inferred: int
    confirmed_late: int
    false_inferences: int
    missed_inferences: int
    proofs_delivered_for_lost: int
    unresolved: int
    disproved: int
    wrongly_disproved: int
    retries: int
    probes: int
    notices: int
    corrections: int
    wrong_corrections: int
    corrections_avoided: int
    corrections_avoided_gbp: int
    smi_wrong_at_end: int
    smi_wrong_at_end_unaided: int
    records: tuple[AttemptOutcome, ...]

    def to_json(self) -> dict[str, object]:
        """Return the score as plain JSON, in the order of its fields; records by time and RequestID, only those that are notable."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "records"}
        return {**plain, "answers_lost_by_leg": dict(self.answers_lost_by_leg), "records": [each.to_json() for each in self.records]}


def score(
    truth: Truth,
    announced: Iterable[Announced],
    commands: CommandCount,
    until: datetime,
    *,
    price_gbp: int = PRICE_GBP,
    as_proven: bool = False,
) -> Score:
    """Return how joinbridge did up to `until`, at a price of `price_gbp` for each manual correction.

    What it announced is held against the truth of that moment. With `as_proven` it is held against what was true between the moments that
    it names as proven: one that catches up on hours, or whose exchanges are read at different paces, cannot know what it has not read.
    """
    told = _Told(truth, announced, as_proven=as_proven)
    joins = [each for each in truth.attempts.values() if each.intent is Intent.JOIN]
    unjoins = [each for each in truth.attempts.values() if each.intent is Intent.UNJOIN]
    lost = [each for each in joins if _answer_lost(each)]
    provable = [each for each in lost if _provable(truth, each, until)]
    missed = {each.request_id for each in provable if not told.found(each) and not _settled(truth, each)}
    disproved = [each for each in joins if told.last(each) == "disproved"]
    avoided = sum(_avoided(truth, each) for each in truth.corrections)
    return Score(
        joins=len(joins),
        unjoins=len(unjoins),
        answers_lost=len(lost),
        answers_lost_by_leg=_by_leg(lost),
        unjoin_answers_lost=sum(map(_answer_lost, unjoins)),
        failed_and_lost=sum(each.executions[0].code != 0 for each in lost),
        commands_lost=sum(each.command_lost for each in joins),
        unjoins_refused_by_smi=truth.happened[Happening.UNJOIN_REFUSED],
        inferred_success=sum(told.last(each) == _INFERRED for each in joins),
        proven_before_answer=sum(told.ever(each, _INFERRED) and told.last(each) != _INFERRED for each in joins),
        unjoins_inferred=sum(told.ever(each, _INFERRED) for each in unjoins),
        confirmed_late=sum(told.ever(each, "confirmed_late") for each in joins),
        false_inferences=len(told.false),
        missed_inferences=len(missed),
        proofs_delivered_for_lost=len(provable),
        unresolved=sum(told.last(each) == "unresolved" for each in joins),
        disproved=len(disproved),
        wrongly_disproved=sum(told.wrongly_disproved(each) for each in disproved),
        retries=commands.retries,
        probes=commands.probes,
        notices=commands.notices,
        corrections=len(truth.corrections),
        wrong_corrections=sum(not each.right for each in truth.corrections),
        corrections_avoided=avoided,
        corrections_avoided_gbp=avoided * price_gbp,
        smi_wrong_at_end=_count_wrong(truth, aided=True),
        smi_wrong_at_end_unaided=_count_wrong(truth, aided=False),
        records=_stories(truth, told, missed, until),
    )


class _Told:
    """What joinbridge announced, by attempt and by pair, in the order of its times: announcements may come twice and out of order."""

    def __init__(self, truth: Truth, announced: Iterable[Announced], *, as_proven: bool = False) -> None:
        self._truth = truth
        self._by_attempt: dict[RequestId, list[Announced]] = {}
        self._by_pair: dict[JoinPair, list[Announced]] = {}
        self.false: set[tuple[JoinPair, datetime]] = set()
        for each in sorted(announced, key=lambda each: each.at):
            # An event about an attempt says what the attempt wanted; one about a pair alone does not.
            if each.request_id is not None and each.intent is not None:
                self._by_attempt.setdefault(each.request_id, []).append(each)
            pair = self._pair(each)
            if pair is not None:
                self._by_pair.setdefault(pair, []).append(each)
                window = (each.proven_between if as_proven else None) or (each.at, each.at)
                if _is_false(truth, pair, each, window):
                    self.false.add((pair, each.at))

    def about(self, attempt: AttemptTruth) -> list[Announced]:
        """Return the events about one attempt."""
        return self._by_attempt.get(attempt.request_id, [])

    def ever(self, attempt: AttemptTruth, state: str) -> bool:
        """Return whether the attempt was ever announced to be in `state`."""
        return any(each.state == state for each in self.about(attempt))

    def last(self, attempt: AttemptTruth) -> str | None:
        """Return the state that was announced last."""
        events = self.about(attempt)
        return events[-1].state if events else None

    def found(self, attempt: AttemptTruth) -> bool:
        """Return whether joinbridge ever said that the Join worked: of the attempt, or of its pair since."""
        since = attempt.succeeded_at
        about_pair = (
            each for each in self._by_pair.get(attempt.pair, ()) if each.intent is None and since is not None and each.at >= since
        )
        return any(each.state in _FOUND for each in (*self.about(attempt), *about_pair))

    def false_for(self, attempt: AttemptTruth) -> bool:
        """Return whether one of the attempt's own events is a false inference."""
        return any(each.state == _INFERRED and (attempt.pair, each.at) in self.false for each in self.about(attempt))

    def wrongly_disproved(self, attempt: AttemptTruth) -> bool:
        """Return whether the attempt had worked, and the pair was joined, when it was last announced to be disproved."""
        at, succeeded_at = self.about(attempt)[-1].at, attempt.succeeded_at
        return succeeded_at is not None and succeeded_at <= at and self._truth.joined_at(attempt.pair, at)

    def _pair(self, event: Announced) -> JoinPair | None:
        if event.pair is not None or event.request_id is None:
            return event.pair
        attempt = self._truth.attempts.get(event.request_id)
        return None if attempt is None else attempt.pair


def _stories(truth: Truth, told: _Told, missed: Container[RequestId], until: datetime) -> tuple[AttemptOutcome, ...]:
    corrections: dict[JoinPair, list[Correction]] = {}
    for correction in truth.corrections:
        corrections.setdefault(correction.pair, []).append(correction)
    stories = (
        outcome_of(
            truth,
            each,
            told.about(each),
            corrections.get(each.pair, ()),
            until,
            missed=each.request_id in missed,
            false=told.false_for(each),
        )
        for each in truth.attempts.values()
    )
    return tuple(sorted((each for each in stories if each.notable), key=lambda each: (each.asked_at, each.request_id)))


def _is_false(truth: Truth, pair: JoinPair, event: Announced, window: tuple[datetime, datetime]) -> bool:
    """Return whether an event infers what was never so within `window`: joined, or, of an Unjoin, not joined any more."""
    wanted = event.intent is not Intent.UNJOIN
    return event.state == _INFERRED and wanted not in truth.joined_within(pair, *window)


def _answer_lost(attempt: AttemptTruth) -> bool:
    return attempt.lost_on is not None and bool(attempt.executions)


def _provable(truth: Truth, attempt: AttemptTruth, until: datetime) -> bool:
    """Return whether joinbridge had to find a lost answer: see `Score.proofs_delivered_for_lost`."""
    succeeded_at = attempt.succeeded_at
    if succeeded_at is None or attempt.answered_at is not None or not truth.joined_at(attempt.pair, until):
        return False
    if truth.left_home(attempt.pair):
        return False  # whatever is still in a log: a device that was taken away has no pairs
    return bool(truth.proofs(attempt, until))


def _settled(truth: Truth, attempt: AttemptTruth) -> bool:
    """Return whether another Join of the pair was seen to succeed since: that says all that a proof would."""
    return any(
        each.intent is Intent.JOIN
        and each.answer_code == 0
        and each.answered_at is not None
        and attempt.succeeded_at is not None
        and each.answered_at >= attempt.succeeded_at
        for each in truth.by_pair[attempt.pair]
    )


def _avoided(truth: Truth, correction: Correction) -> bool:
    """Return whether a correction saved a manual one: see `Score.corrections_avoided`."""
    pair, at, joined = correction.pair, correction.at, correction.joined
    unaided = truth.smi_unaided.get(pair, Timeline())
    if not correction.right or _smi_wrong(truth, pair) or unaided.value_at(at) is joined:
        return False
    by_itself = next((moment for moment, value in unaided.changes() if moment > at and value is joined), None)
    moved_on = next((moment for moment, value in truth.joins[pair].changes() if moment > at and value is not joined), None)
    return by_itself is None or (moved_on is not None and moved_on < by_itself)


def _by_leg(lost: Iterable[AttemptTruth]) -> dict[str, int]:
    counted = Counter(each.lost_on for each in lost)
    return {leg.value: counted[leg] for leg in Leg}


def _smi_wrong(truth: Truth, pair: JoinPair, *, aided: bool = True) -> bool:
    smi = (truth.smi if aided else truth.smi_unaided).get(pair)
    joined = truth.joins.get(pair)
    return (smi is not None and smi.last) is not (joined is not None and joined.last)


def _count_wrong(truth: Truth, *, aided: bool) -> int:
    pairs = truth.joins.keys() | truth.smi.keys()
    return sum(_smi_wrong(truth, pair, aided=aided) for pair in pairs if not truth.left_home(pair))
