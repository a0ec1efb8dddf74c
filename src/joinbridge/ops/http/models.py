"""What the API says of each record: the field's own names, moments in RFC 3339, and never a body or a key of a signer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, Field

from joinbridge.core.attempt import AttemptState, Deadline, JoinAttempt, LossTrigger, Purpose
from joinbridge.core.evidence import Evidence, Mode, Polarity
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.rules import Rule
from joinbridge.core.vocabulary import Intent
from joinbridge.ops.health import Check
from joinbridge.ports import DeadLetter, DeadLetterStatus

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """Some items of a listing; `next` is the `after` of the page that follows, absent on the last."""

    items: list[T]
    next: str | None = None


class DeadlineOut(BaseModel):
    """One moment that an attempt waits for."""

    request_id: str
    intent: Intent
    state: AttemptState
    purpose: Purpose
    due_at: datetime

    @classmethod
    def of(cls, attempt: JoinAttempt, deadline: Deadline) -> Self:
        """Return a deadline as the API gives it."""
        return cls(
            request_id=str(attempt.request_id), intent=attempt.intent, state=attempt.state, purpose=deadline.purpose, due_at=deadline.due_at
        )


class AttemptOut(BaseModel):
    """One request for a Join or Unjoin, and how far it has come."""

    request_id: str
    intent: Intent
    target: str
    other: str | None
    service_reference_variant: str | None
    state: AttemptState
    join_response_code: int | None
    refusal: str | None
    requested_at: datetime
    submitted_at: datetime | None
    answered_at: datetime | None
    lost_at: datetime | None
    lost_because: LossTrigger | None
    retries: int
    probes: int
    deadlines: list[DeadlineOut]

    @classmethod
    def of(cls, attempt: JoinAttempt) -> Self:
        """Return an attempt as the API gives it."""
        return cls(
            request_id=str(attempt.request_id),
            intent=attempt.intent,
            target=attempt.target,
            other=attempt.other,
            service_reference_variant=attempt.srv,
            state=attempt.state,
            join_response_code=attempt.response_code,
            refusal=attempt.refusal,
            requested_at=attempt.requested_at,
            submitted_at=attempt.submitted_at,
            answered_at=attempt.answered_at,
            lost_at=attempt.lost_at,
            lost_because=attempt.lost_because,
            retries=attempt.retries,
            probes=attempt.probes,
            deadlines=[DeadlineOut.of(attempt, deadline) for deadline in attempt.deadlines],
        )


class EvidenceOut(BaseModel):
    """One finding of one rule about a pair."""

    row: int
    rule: str
    version: int
    polarity: Polarity
    grade: str
    at: datetime
    earliest: datetime
    message: str = Field(description="key of the message it was found in")
    says: str
    attempt: str | None
    shadow: bool = Field(description="found by a rule in shadow mode: recorded, never counted")

    @classmethod
    def of(cls, found: Evidence) -> Self:
        """Return a finding as the API gives it."""
        return cls(
            row=found.row,
            rule=found.rule,
            version=found.version,
            polarity=found.polarity,
            grade=found.grade.name.lower(),
            at=found.at,
            earliest=found.earliest,
            message=found.message,
            says=found.says,
            attempt=None if found.attempt is None else str(found.attempt),
            shadow=found.shadow,
        )


class PairOut(BaseModel):
    """What is known of a directional pair, and the evidence it rests on."""

    target: str
    other: str
    state: PairState
    since: datetime
    basis: list[EvidenceOut]
    disputed_at: datetime | None
    inventory_holds: bool | None = Field(description="what the inventory is believed to hold; absent when nothing told us")
    corrected: bool = Field(description="whether joinbridge has ever written it")

    @classmethod
    def of(cls, record: PairRecord) -> Self:
        """Return a pair as the API gives it."""
        return cls(
            target=record.pair.target,
            other=record.pair.other,
            state=record.state,
            since=record.since,
            basis=[EvidenceOut.of(found) for found in record.basis],
            disputed_at=record.disputed_at,
            inventory_holds=record.held,
            corrected=record.corrected,
        )


class DeadLetterOut(BaseModel):
    """A message that could not be processed, without its body: `joinbridge dead-letters show --body` has that."""

    key: str
    source: str
    route: str
    region: str | None
    content_type: str
    size_bytes: int
    reason: str
    offset: int | None
    attempts: int
    first_seen: datetime
    last_seen: datetime
    status: DeadLetterStatus
    settled_at: datetime | None

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        """Return a dead letter as the API gives it."""
        return cls(
            key=letter.key,
            source=letter.source,
            route=letter.route,
            region=letter.region,
            content_type=letter.content_type,
            size_bytes=len(letter.body),
            reason=letter.reason,
            offset=letter.offset,
            attempts=letter.attempts,
            first_seen=letter.first_seen,
            last_seen=letter.last_seen,
            status=letter.status,
            settled_at=letter.settled_at,
        )


class RuleOut(BaseModel):
    """One row of the evidence table, and what the configuration lets it do."""

    row: int
    name: str
    version: int
    polarity: Polarity
    grade: str
    mode: Mode
    summary: str

    @classmethod
    def of(cls, rule: Rule, policy: Policy) -> Self:
        """Return a rule as the API gives it."""
        return cls(
            row=rule.row,
            name=rule.name,
            version=rule.version,
            polarity=rule.polarity,
            grade=rule.grade.name.lower(),
            mode=rule.mode(policy),
            summary=rule.summary,
        )


class CheckOut(BaseModel):
    """What one part of readiness found."""

    name: str
    ok: bool
    reason: str

    @classmethod
    def of(cls, check: Check) -> Self:
        """Return a check as it is shown."""
        return cls(name=check.name, ok=check.is_well, reason=check.reason)


class Ready(BaseModel):
    """Whether this instance can do its work, and each check with `?verbose`, or those that failed without."""

    ready: bool
    checks: Sequence[CheckOut]


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str
