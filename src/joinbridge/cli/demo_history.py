"""What the records of a demo say of the notable attempts: when each changed, and the evidence that each verdict rests on."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.ids import JoinPair, parse_eui64
from joinbridge.core.vocabulary import Intent
from joinbridge.ops.account import ANSWERED, JOINED, NOT_CARRIED_OUT, Doing, Move
from joinbridge.simulator.outcomes import AttemptOutcome, Mark
from joinbridge.wiring.databases import open_audit_log, open_records

_DOINGS = {"retried": Doing.ASKED_AGAIN, "probed": Doing.LOG_READ}
_SKEW = timedelta(minutes=5)
"""By how much evidence may seem older than the request it decides: two queues are not in step (docs/decisions/0001)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A rule that a verdict rests on, and the time of what it found."""

    rule: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An entry of the audit chain about an attempt or a pair."""

    at: datetime
    body: Mapping[str, Any]  # Any: JSON, whose keys depend on the kind of entry


class History:
    """The changes of the attempts and pairs that a report tells of, and what was found about the pairs, oldest first."""

    def __init__(self, changes: Mapping[str, Sequence[Change]], evidence: Mapping[str, Sequence[Evidence]]) -> None:
        self._changes = changes
        self._evidence = evidence

    def heard_at(self, outcome: AttemptOutcome) -> datetime | None:
        """Return when joinbridge first knew of an attempt."""
        return next((change.at for change in self._changes[_attempt(outcome)]), None)

    def moves(self, outcome: AttemptOutcome) -> Iterator[Move]:
        """Tell from its changes of state what joinbridge did about an attempt."""
        missed = False
        for change in self._changes[_attempt(outcome)]:
            reason, to = change.body["lost_because"], change.body["to"]
            if reason is not None and not missed:
                missed = True
                yield Move(doing=Doing.MISSED, at=change.at, reason=str(reason))
            if to in _DOINGS:
                yield Move(doing=_DOINGS[to], at=change.at)

    def basis(self, outcome: AttemptOutcome, mark: Mark) -> Sequence[Found]:
        """Return what `mark` rests on, if it is a verdict.

        That is what its pair came to rest on by the same decision. Where the device answered, or the pair was settled before, it is what
        was found since the request: the newest conclusive finding, else the strong ones together.
        """
        if mark.state not in JOINED | NOT_CARRIED_OUT:
            return ()
        decided = () if mark.state in ANSWERED else _decided_with(mark, self._changes[_pair(outcome)])
        return decided or _found_since(outcome, mark, self._evidence[_pair(outcome)])


async def read_history(database: str, records: Collection[AttemptOutcome]) -> History:
    """Read what the audit chain and the evidence in `database` say of the attempts of `records`."""
    changes: dict[str, list[Change]] = {subject: [] for each in records for subject in (_attempt(each), _pair(each))}
    async with open_audit_log(database) as log:
        async for entry in log.entries():
            if entry.kind in ("attempt.changed", "pair.changed") and entry.subject in changes:
                changes[entry.subject].append(Change(at=entry.at, body=json.loads(entry.body)))
    evidence: dict[str, Sequence[Evidence]] = {}
    async with open_records(database) as kept:
        for each in records:
            if _pair(each) not in evidence:
                evidence[_pair(each)] = await kept.evidence(JoinPair(parse_eui64(each.target), parse_eui64(each.other)))
    return History(changes, evidence)


def _attempt(outcome: AttemptOutcome) -> str:
    """Return how the audit chain calls the attempt."""
    return f"{outcome.request_id}/{outcome.intent}"


def _pair(outcome: AttemptOutcome) -> str:
    """Return how it calls the pair."""
    return f"{outcome.target}→{outcome.other}"


def _decided_with(mark: Mark, of_pair: Iterable[Change]) -> Sequence[Found]:
    """Return what the pair came to rest on when the mark was made."""
    together = [change.body for change in of_pair if change.at == mark.at]
    # One batch may bring the proof and then the answer: what was inferred rests on the first.
    inferred = [body for body in together if body["to"] == mark.state]
    decided = (inferred or together)[-1:]
    return [Found(rule=str(each["rule"]), at=datetime.fromisoformat(each["at"])) for body in decided for each in body["basis"]]


def _found_since(outcome: AttemptOutcome, mark: Mark, evidence: Iterable[Evidence]) -> Sequence[Found]:
    speaks_for = (mark.state in JOINED) is (outcome.intent is Intent.JOIN)
    wanted = {Polarity.JOINED} if speaks_for else {Polarity.NOT_JOINED, Polarity.ATTEMPT_FAILED}
    since = [each for each in evidence if each.polarity in wanted and not each.shadow and _may_decide(each, outcome, mark)]
    conclusive = [each for each in since if each.grade is Grade.CONCLUSIVE]
    strong = [each for each in since if each.grade is Grade.STRONG]
    return [Found(rule=each.rule, at=each.at) for each in conclusive[-1:] or strong]


def _may_decide(found: Evidence, outcome: AttemptOutcome, mark: Mark) -> bool:
    """Return whether a finding may be what a mark rests on: of an answered request, only what speaks of that request."""
    if mark.state in ANSWERED and str(found.attempt) != outcome.request_id:
        return False
    return outcome.asked_at - _SKEW <= found.at <= mark.at
