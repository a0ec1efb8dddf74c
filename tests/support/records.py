"""Makers of records for tests: every argument has a default, every default is fixed, and numbers tell records apart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from joinbridge.core.attempt import AttemptState, Deadline, JoinAttempt, Purpose
from joinbridge.core.effects import PublishEvent, UpdateInventory
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.facts import DeviceDescription, Fact, GpfLogReported, LogEntry, Sighting
from joinbridge.core.ids import DeviceId, Eui64, JoinPair, MessageKey, RequestId
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.vocabulary import DeviceType, Intent, JoinRole
from joinbridge.ports import AuditRecord, Changes, DeadLetter, DeadLetterStatus

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SUPPLIER = Eui64("90-B3-D5-1F-30-01-00-00")


def later(**duration: float) -> datetime:
    """Return the moment that is `timedelta(**duration)` after noon."""
    return NOON + timedelta(**duration)


def device(number: int) -> DeviceId:
    """Return the device of that number."""
    return DeviceId(number.to_bytes(8, "big").hex("-").upper())


def request(target: DeviceId, counter: int = 1) -> RequestId:
    """Return a request of the Supplier's to `target`."""
    return RequestId(SUPPLIER, target, counter)


def deadline(due_at: datetime = NOON, purpose: Purpose = Purpose.ANSWER) -> Deadline:
    """Return a deadline."""
    return Deadline(due_at=due_at, purpose=purpose, armed_in=AttemptState.REQUESTED)


def attempt(
    target: DeviceId | None = None,
    other: DeviceId | None = None,
    *,
    counter: int = 1,
    intent: Intent = Intent.JOIN,
    state: AttemptState = AttemptState.REQUESTED,
    requested_at: datetime = NOON,
    deadlines: tuple[Deadline, ...] = (),
    version: int = 0,
) -> JoinAttempt:
    """Return an attempt to join device 1 to device 2, or those that are named."""
    return JoinAttempt(
        request_id=request(target or device(1), counter),
        intent=intent,
        requested_at=requested_at,
        state=state,
        srv="8.7.2",
        other=other or device(2),
        submitted_at=requested_at,
        role=JoinRole.METHOD_B,
        other_type=DeviceType.PPMID,
        deadlines=deadlines,
        version=version,
    )


def pair_of(target: int = 1, other: int = 2) -> JoinPair:
    """Return the pair of two devices."""
    return JoinPair(device(target), device(other))


def pair_record(
    pair: JoinPair | None = None,
    *,
    state: PairState = PairState.PENDING,
    basis: tuple[Evidence, ...] = (),
    since: datetime = NOON,
    held: bool | None = None,
    version: int = 0,
) -> PairRecord:
    """Return the record of a pair."""
    return PairRecord(pair=pair or pair_of(), state=state, basis=basis, since=since, held=held, version=version)


def finding(
    pair: JoinPair | None = None,
    *,
    rule: str = "gpf-log-lists",
    message: str = "m1",
    at: datetime = NOON,
    attempt: RequestId | None = None,
    grade: Grade = Grade.CONCLUSIVE,
    says: str = "the log lists it",
) -> Evidence:
    """Return a piece of evidence that a pair is joined."""
    return Evidence(
        pair=pair or pair_of(),
        row=3,
        rule=rule,
        version=1,
        polarity=Polarity.JOINED,
        grade=grade,
        at=at,
        earliest=at,
        message=MessageKey(message),
        family="gpf-log",
        says=says,
        attempt=attempt,
    )


def sighting(
    key: str = "m1", *, at: datetime = NOON, fact: Fact | None = None, source: str = "csp.alert", region: str | None = None
) -> Sighting:
    """Return a sighting of a GPF's report, or of the fact that is given."""
    reported = GpfLogReported(device=device(1), device_time=at, entries=(LogEntry(device(2), DeviceType.PPMID), LogEntry(device(3), None)))
    return Sighting(fact=fact or reported, key=MessageKey(key), at=at, source=source, region=region)


def update(key: str = "u1", pair: JoinPair | None = None, *, joined: bool = True) -> UpdateInventory:
    """Return an update of the inventory."""
    return UpdateInventory(key=key, pair=pair or pair_of(), joined=joined, expected=not joined, reason="proven")


def event(
    key: str = "e1",
    *,
    state: AttemptState | PairState = AttemptState.SUCCEEDED,
    pair: JoinPair | None = None,
    request_id: RequestId | None = None,
) -> PublishEvent:
    """Return an event to publish, about no device unless one is named."""
    return PublishEvent(key=key, at=NOON, state=state, pair=pair, request_id=request_id)


def dead_letter(
    key: str = "d1",
    *,
    reason: str = "not XML",
    attempts: int = 1,
    first_seen: datetime = NOON,
    last_seen: datetime = NOON,
    status: DeadLetterStatus = DeadLetterStatus.OPEN,
    requeue_at: datetime | None = None,
) -> DeadLetter:
    """Return a message that could not be decoded."""
    return DeadLetter(
        key=MessageKey(key),
        body=b"\x00\xff<not xml",
        content_type="application/xml",
        source="sr.request",
        route="request.8.7.2",
        region=None,
        reason=reason,
        offset=2,
        attempts=attempts,
        first_seen=first_seen,
        last_seen=last_seen,
        status=status,
        requeue_at=requeue_at,
    )


def audit_record(
    subject: str = "s1", *, kind: str = "pair.changed", at: datetime = NOON, body: Mapping[str, object] | None = None
) -> AuditRecord:
    """Return one thing for the audit chain."""
    return AuditRecord(at=at, kind=kind, subject=subject, body={"n": 1} if body is None else body)


ABOUT_ONE_HOME = {
    "a message is kept": Changes(kept=[(device(1), sighting("kept meanwhile"))]),
    "an attempt is opened": Changes(attempts=[attempt(counter=7)]),
    "another pair changes": Changes(pairs=[pair_record(pair_of(1, 3))]),
    "the other device is described": Changes(devices=[DeviceDescription(device(2), DeviceType.PPMID)]),
}
"""What another instance may change about device 1 and its pair with device 2 while one decides: each of them alone makes that stale."""
