"""What the audit chain says of a decision: each change of state with the evidence it rests on, and each effect that is owed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from joinbridge.core.case import Case, Decision
from joinbridge.core.effects import Effect, PublishEvent
from joinbridge.core.evidence import Evidence
from joinbridge.ports import AuditRecord, DeadLetter


def records_of(case: Case, decision: Decision, now: datetime, *, withheld: bool) -> Iterator[AuditRecord]:
    """Return what is to be remembered of `decision`, which was made from `case`."""
    for attempt in decision.attempts:
        before = case.attempts.get(attempt.key)
        if before is None or before.state is not attempt.state:
            yield AuditRecord(
                at=now,
                kind="attempt.changed",
                subject=str(attempt.key),
                body={
                    "from": None if before is None else before.state,
                    "to": attempt.state,
                    "other": attempt.other,
                    "response_code": attempt.response_code,
                    "lost_because": attempt.lost_because,
                },
            )
    for record in decision.pairs:
        was = case.pairs.get(record.pair)
        if was is None or (was.state, was.basis) != (record.state, record.basis):
            yield AuditRecord(
                at=now,
                kind="pair.changed",
                subject=str(record.pair),
                body={
                    "from": None if was is None else was.state,
                    "to": record.state,
                    "basis": [_evidence(e) for e in record.basis],
                },
            )
    for effect in decision.effects:
        if not isinstance(effect, PublishEvent):  # an event repeats what the lines above say
            yield AuditRecord(at=now, kind="effect.withheld" if withheld else "effect.owed", subject=effect.key, body=_effect(effect))
    for contradiction in decision.contradictions:
        yield AuditRecord(
            at=now,
            kind="rule.contradicted",
            subject=str(contradiction.pair),
            body={"rule": contradiction.rule, "says": contradiction.says},
        )
    for explanation in decision.explanations:
        yield AuditRecord(
            at=now,
            kind="rule.explained",
            subject=str(explanation.pair),
            body={"rule": explanation.rule, "since": explanation.since.isoformat()},
        )
    for surprise in decision.surprises:
        yield AuditRecord(at=now, kind="surprise", subject="", body={"says": surprise})


def record_of_letter(letter: DeadLetter, now: datetime) -> AuditRecord:
    """Return what is to be remembered of a message that could not be read. Its body is with the dead letters, never here."""
    body = {"reason": letter.reason, "offset": letter.offset, "route": letter.route, "source": letter.source}
    return AuditRecord(at=now, kind="message.dead", subject=letter.key, body=body)


def _evidence(found: Evidence) -> Mapping[str, object]:
    return {
        "row": found.row,
        "rule": found.rule,
        "version": found.version,
        "polarity": found.polarity,
        "grade": found.grade.name.lower(),
        "at": found.at.isoformat(),
        "message": found.message,
    }


def _effect(effect: Effect) -> Mapping[str, object]:
    return {"effect": type(effect).__name__}
