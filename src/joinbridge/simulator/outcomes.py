"""The story of one attempt, for people who read a report: asked, carried out, lost, proven, found, corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from joinbridge.core.vocabulary import Intent
from joinbridge.simulator.announcements import Announced
from joinbridge.simulator.truth import AttemptTruth, Correction, Leg, Truth

_PLAIN = frozenset({"requested", "accepted", "succeeded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSeen:
    """A conclusive proof that the bus delivered: `kind` is CS07 or 8071."""

    kind: str
    made_at: datetime
    delivered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A state that joinbridge announced for the attempt, with the rules that it rests on."""

    state: str
    at: datetime
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOutcome:
    """One attempt. Times are None for what did not happen; `code` is what the device answered first, whether or not anyone heard it.

    `marks` are what joinbridge announced, `corrected_at` when it put the SMI right. `missed` and `false` say that joinbridge failed.
    """

    request_id: str
    intent: Intent
    target: str
    other: str
    target_type: str
    other_type: str
    srv: str
    asked_at: datetime
    submitted_at: datetime | None
    refused: str | None
    executed_at: datetime | None
    code: int | None
    command_lost: bool
    lost_on: Leg | None
    answered_at: datetime | None
    proofs: tuple[ProofSeen, ...]
    marks: tuple[Mark, ...]
    corrected_at: datetime | None
    joined_at_end: bool
    missed: bool
    false: bool

    @property
    def notable(self) -> bool:
        """Whether more happened than a request and its answer."""
        unusual = self.command_lost or self.lost_on is not None or self.missed or self.false
        return unusual or any(mark.state not in _PLAIN for mark in self.marks)

    def to_json(self) -> dict[str, object]:
        """Return the story as plain JSON; times in RFC 3339."""
        return {
            "request_id": self.request_id,
            "intent": self.intent.value,
            "target": self.target,
            "other": self.other,
            "target_type": self.target_type,
            "other_type": self.other_type,
            "srv": self.srv,
            "asked_at": _text(self.asked_at),
            "submitted_at": _text(self.submitted_at),
            "refused": self.refused,
            "executed_at": _text(self.executed_at),
            "code": self.code,
            "command_lost": self.command_lost,
            "lost_on": None if self.lost_on is None else self.lost_on.value,
            "answered_at": _text(self.answered_at),
            "proofs": [
                {"kind": each.kind, "made_at": _text(each.made_at), "delivered_at": _text(each.delivered_at)} for each in self.proofs
            ],
            "marks": [{"state": each.state, "at": _text(each.at), "rules": list(each.rules)} for each in self.marks],
            "corrected_at": _text(self.corrected_at),
            "joined_at_end": self.joined_at_end,
            "missed": self.missed,
            "false": self.false,
        }


def outcome_of(
    truth: Truth,
    attempt: AttemptTruth,
    events: Sequence[Announced],
    corrections: Sequence[Correction],
    until: datetime,
    *,
    missed: bool,
    false: bool,
) -> AttemptOutcome:
    """Return the story of `attempt`, of which joinbridge announced `events`; `corrections` are those of its pair."""
    pair, executed_at = attempt.pair, attempt.executed_at
    return AttemptOutcome(
        request_id=str(attempt.request_id),
        intent=attempt.intent,
        target=pair.target,
        other=pair.other,
        target_type=attempt.target_type.name,
        other_type=attempt.other_type.name,
        srv=attempt.srv,
        asked_at=attempt.asked_at,
        submitted_at=attempt.submitted_at,
        refused=attempt.refused,
        executed_at=executed_at,
        code=attempt.executions[0].code if attempt.executions else None,
        command_lost=attempt.command_lost,
        lost_on=attempt.lost_on,
        answered_at=attempt.answered_at,
        proofs=tuple(
            ProofSeen(kind=each.kind, made_at=each.at, delivered_at=each.delivered_at)
            for each in truth.proofs(attempt, until)
            if each.delivered_at is not None
        ),
        marks=tuple(Mark(state=each.state, at=each.at, rules=each.rules) for each in events),
        corrected_at=_corrected_at(attempt, corrections),
        joined_at_end=truth.joined_at(pair, until),
        missed=missed,
        false=false,
    )


def _corrected_at(attempt: AttemptTruth, corrections: Sequence[Correction]) -> datetime | None:
    """Return when the SMI was first made to say what the attempt had brought about."""
    executed_at, wanted = attempt.executed_at, attempt.intent is Intent.JOIN
    if executed_at is None:
        return None
    return min((each.at for each in corrections if each.joined is wanted and each.at >= executed_at), default=None)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
