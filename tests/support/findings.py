"""Evidence, attempts and contexts made by hand, for tests of what is concluded from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from joinbridge.core.attempt import AttemptKey, AttemptState, JoinAttempt
from joinbridge.core.evidence import CommandOrder, Evidence, Grade, Polarity
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.ids import CommandKey, Eui64, JoinPair, MessageKey
from joinbridge.core.policy import Policy
from joinbridge.core.rules import PairContext
from joinbridge.core.vocabulary import Intent
from support.home import CAD, ESME, START, SUPPLIER, TYPES, pair, request_id


def finding(
    polarity: Polarity = Polarity.JOINED,
    *,
    grade: Grade = Grade.CONCLUSIVE,
    at: datetime = START,
    earliest: datetime | None = None,
    rule: str = "device-log-lists",
    message: str = "message",
    order: CommandOrder | None = None,
    by_device_clock: bool = False,
) -> Evidence:
    """Return a finding that was true at `at`, or from `earliest` to it."""
    return Evidence(
        pair=pair(),
        row=5,
        rule=rule,
        version=1,
        polarity=polarity,
        grade=grade,
        at=at,
        earliest=earliest or at,
        message=MessageKey(message),
        family=rule,
        says=f"{rule} says {polarity}",
        order=order,
        by_device_clock=by_device_clock,
    )


def absence(
    *,
    grade: Grade = Grade.CONCLUSIVE,
    at: datetime = START,
    earliest: datetime | None = None,
    message: str = "absence",
    order: CommandOrder | None = None,
    by_device_clock: bool = False,
) -> Evidence:
    """Return a finding against the pair."""
    return finding(
        Polarity.NOT_JOINED,
        grade=grade,
        at=at,
        earliest=earliest,
        rule="device-log-lacks",
        message=message,
        order=order,
        by_device_clock=by_device_clock,
    )


def answer_to(
    attempt: JoinAttempt, polarity: Polarity, *, at: datetime, grade: Grade = Grade.CONCLUSIVE, order: CommandOrder | None = None
) -> Evidence:
    """Return the device's own answer to `attempt`."""
    found = finding(
        polarity, grade=grade, at=at, earliest=min(at, attempt.asked_at), rule="answer", message=f"answer-{attempt.key}", order=order
    )
    return replace(found, attempt=attempt.request_id, answer=True)


def word(polarity: Polarity, *, at: datetime) -> Evidence:
    """Return a person's word."""
    return replace(finding(polarity, at=at, rule="person-decided", message=f"word-{at}"), answer=True)


def ordered(counter: int, *, by: Eui64 = SUPPLIER, fronted_by: Eui64 | None = None, fronted_as: int | None = None) -> CommandOrder:
    """Return where a command of `by` stands, sent by itself or fronted by another with another counter."""
    business = request_id(counter, by=by)
    wire = CommandKey(fronted_by or by, ESME, counter if fronted_as is None else fronted_as)
    return CommandOrder(wire, business)


def sent(counter: int, intent: Intent = Intent.JOIN, *, at: datetime = START, state: AttemptState = AttemptState.ACCEPTED) -> JoinAttempt:
    """Return an attempt on the pair that was sent at `at`."""
    return JoinAttempt(request_id=request_id(counter), intent=intent, requested_at=at, submitted_at=at, state=state, other=CAD, srv=None)


def context(*attempts: JoinAttempt, policy: Policy | None = None, removed_by: Mapping[AttemptKey, datetime] | None = None) -> PairContext:
    """Return what is recorded about the pair."""
    return PairContext(
        pair=JoinPair(ESME, CAD),
        attempts=attempts,
        devices={ESME: DeviceDescription(ESME, TYPES[ESME])},
        policy=policy or Policy(),
        removed_by=removed_by or {},
    )
