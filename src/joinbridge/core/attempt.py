"""One Join or Unjoin request on its way: its record, and how each kind of message moves it.

    requested ─► accepted ─► succeeded | rejected(code) | not_sent(E…)
        └────────────┴─► response_lost ─► retried ─► probed ─► confirmed_late | inferred_success | disproved | unresolved

Every function here is total: whatever arrives in whatever state gives a defined record (docs/transitions.md is generated from this
module). A transform request (CV 4) is `requested` without `submitted_at`: nothing was sent to the device, so no deadline runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from joinbridge.core.facts import JoinRequested, PreCommandReturned
from joinbridge.core.ids import DeviceId, JoinPair, RequestId, WireKey
from joinbridge.core.vocabulary import SRV_JOIN_CRITICAL, SRV_UNJOIN_CRITICAL, DeviceType, Intent, JoinRole


class AttemptState(StrEnum):
    """Where an attempt stands."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    RESPONSE_LOST = "response_lost"
    RETRIED = "retried"
    PROBED = "probed"
    CONFIRMED_LATE = "confirmed_late"
    INFERRED_SUCCESS = "inferred_success"
    DISPROVED = "disproved"
    UNRESOLVED = "unresolved"


AWAITING = frozenset({AttemptState.REQUESTED, AttemptState.ACCEPTED})
LOST = frozenset({AttemptState.RESPONSE_LOST, AttemptState.RETRIED, AttemptState.PROBED})
OPEN = AWAITING | LOST
UNPROVEN = OPEN | {AttemptState.UNRESOLVED}
"""States in which nobody knows whether the device acted."""


class LossTrigger(StrEnum):
    """What told us that the answer is lost."""

    DEADLINE = "deadline"
    E21 = "E21"
    N13 = "N13"
    DISCARDED = "8F2C"


class Purpose(StrEnum):
    """What a deadline was armed for."""

    ANSWER = "answer"  # the device's answer is due
    RETRY = "retry"  # time to ask the DSP to issue the command again
    PROBE = "probe"  # time to ask for the target's Device Log (again)
    FINAL = "final"  # give up: a person decides


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Deadline:
    """One moment an attempt waits for. It fires only while the attempt still holds this very deadline."""

    due_at: datetime
    purpose: Purpose
    armed_in: AttemptState


@dataclass(frozen=True, slots=True, order=True)
class AttemptKey:
    """What makes an attempt the same attempt: its RequestID, and whether it asks for a Join or an Unjoin."""

    request_id: RequestId
    intent: Intent

    def __str__(self) -> str:
        return f"{self.request_id}/{self.intent}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinAttempt:
    """One request for a Join or Unjoin. `version` counts stored changes, for compare-and-set.

    `rival` is another device that a message of the same request names in place of `other`. Then nobody knows which of the two the device
    was told, so that an answer proves nothing of either, and an Unjoin may have removed either.
    """

    request_id: RequestId
    intent: Intent
    requested_at: datetime
    state: AttemptState = AttemptState.REQUESTED
    srv: str | None = None
    other: DeviceId | None = None
    rival: DeviceId | None = None
    submitted_at: datetime | None = None
    local_only: bool = False
    role: JoinRole | None = None
    other_type: DeviceType | None = None
    wire_key: WireKey | None = None
    response_code: int | None = None
    refusal: str | None = None
    answered_at: datetime | None = None
    lost_at: datetime | None = None
    lost_because: LossTrigger | None = None
    retries: int = 0
    reissued_at: datetime | None = None
    probes: int = 0
    probed_at: datetime | None = None
    deadlines: tuple[Deadline, ...] = ()
    version: int = 0

    @property
    def key(self) -> AttemptKey:
        """The attempt's identity."""
        return AttemptKey(self.request_id, self.intent)

    @property
    def target(self) -> DeviceId:
        """The device whose Device Log is to change."""
        return self.request_id.device

    @property
    def pair(self) -> JoinPair | None:
        """The directional pair, once the other device is known."""
        return None if self.other is None else JoinPair(self.target, self.other)

    @property
    def wire(self) -> WireKey | None:
        """Its key on the wire as far as known. A critical command bears the RequestID itself, since the Supplier signs over it."""
        if self.wire_key is None and self.srv in (SRV_JOIN_CRITICAL, SRV_UNJOIN_CRITICAL):
            return self.request_id
        return self.wire_key

    @property
    def asked_at(self) -> datetime:
        """When it was submitted, or first asked for if it was not: it cannot have been carried out before."""
        return self.submitted_at or self.requested_at

    @property
    def outstanding_from(self) -> datetime | None:
        """From when on what the device says of its log can be from after this command; None while nothing was sent.

        A dropped answer shows that the command was carried out by then; one that was issued again may be carried out only after that.
        """
        since = self.lost_at if self.lost_because is LossTrigger.DISCARDED else self.submitted_at
        return since if since is None or self.reissued_at is None else max(since, self.reissued_at)

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still being waited for or looked for."""
        return self.state in OPEN

    def due(self, purpose: Purpose) -> datetime | None:
        """Return when the deadline for `purpose` is due, None when there is none."""
        return next((d.due_at for d in self.deadlines if d.purpose is purpose), None)


def opened(fact: JoinRequested, at: datetime) -> JoinAttempt:
    """Return the new attempt that `fact` asks for."""
    return JoinAttempt(
        request_id=fact.request_id,
        intent=fact.intent,
        requested_at=at,
        srv=fact.srv,
        other=fact.other,
        submitted_at=at if fact.submitted else None,
        local_only=fact.local_only,
        role=fact.role,
        other_type=fact.other_type,
        wire_key=fact.wire_key,
    )


def opened_by_pre_command(fact: PreCommandReturned, at: datetime) -> JoinAttempt:
    """Return the new attempt whose first sign on the bus is the Pre-Command."""
    return JoinAttempt(
        request_id=fact.request_id,
        intent=fact.intent,
        requested_at=at,
        other=fact.other,
        role=fact.role,
        other_type=fact.other_type,
    )


def informed(attempt: JoinAttempt, fact: JoinRequested | PreCommandReturned, at: datetime) -> JoinAttempt:
    """Add what another message of the same request says: the submission (CV 5), the other device, what the command contains.

    The first word stands: a field that is known is not overwritten. Only the other device that the submission names replaces that of a
    mere transform request. The earliest times count, since messages may be reordered.
    """
    attempt = _for_the_other(attempt, fact)
    known = replace(
        attempt,
        requested_at=min(attempt.requested_at, at),
        role=fact.role if attempt.role is None else attempt.role,
        other_type=fact.other_type if attempt.other_type is None else attempt.other_type,
    )
    if isinstance(fact, PreCommandReturned):
        return known
    submitted_at = known.submitted_at
    if fact.submitted:
        submitted_at = at if submitted_at is None else min(submitted_at, at)
    again = known.wire_key is not None and fact.wire_key not in (None, known.wire_key)
    return replace(
        known,
        srv=known.srv or fact.srv,
        submitted_at=submitted_at,
        local_only=known.local_only or fact.local_only,
        wire_key=known.wire_key or fact.wire_key,
        retries=max(known.retries, 1) if again else known.retries,  # the DSP issued it again by itself
        reissued_at=max(at, known.reissued_at or at) if again else known.reissued_at,
    )


def _for_the_other(attempt: JoinAttempt, fact: JoinRequested | PreCommandReturned) -> JoinAttempt:
    if attempt.other is None or fact.other is None:
        return replace(attempt, other=attempt.other or fact.other)
    submission = isinstance(fact, JoinRequested) and fact.submitted
    if submission and attempt.submitted_at is None:
        return replace(attempt, other=fact.other, rival=None)
    if fact.other == attempt.other or (attempt.submitted_at is not None and not submission):
        return attempt  # what was sent counts, not what was asked to be transformed
    return replace(attempt, rival=attempt.rival or fact.other)


def accepted(attempt: JoinAttempt, at: datetime) -> JoinAttempt:
    """The DSP took the request (I99): the command is on its way, even if its submission was not seen, or was refused once."""
    submitted_at = attempt.submitted_at or at
    if attempt.state is AttemptState.REQUESTED:
        return replace(attempt, state=AttemptState.ACCEPTED, submitted_at=submitted_at)
    if attempt.state is AttemptState.NOT_SENT:
        return replace(attempt, state=AttemptState.ACCEPTED, submitted_at=submitted_at, deadlines=())
    return replace(attempt, submitted_at=submitted_at)


def refused(attempt: JoinAttempt, code: str) -> JoinAttempt:
    """The DSP refused the request before anything was sent. In any later state the refusal changes nothing."""
    if attempt.state is AttemptState.REQUESTED and attempt.rival is None:
        return replace(attempt, state=AttemptState.NOT_SENT, refusal=code, deadlines=())
    return attempt


def answered(attempt: JoinAttempt, code: int, at: datetime) -> JoinAttempt:
    """The device answered. Success is final in every state; a refusal is not the last word on an attempt that was issued twice."""
    if attempt.state in (AttemptState.SUCCEEDED, AttemptState.CONFIRMED_LATE):
        return attempt
    submitted_at = attempt.submitted_at or at  # it was sent, even if its submission was not seen
    if code == 0:
        late = attempt.lost_at is not None or attempt.state is AttemptState.REJECTED
        state = AttemptState.CONFIRMED_LATE if late else AttemptState.SUCCEEDED
    elif attempt.retries and attempt.state in UNPROVEN:
        # One of two issues of the command was refused, and nothing says which: the other may have been carried out.
        return replace(attempt, submitted_at=submitted_at, response_code=code, answered_at=at)
    else:
        state = AttemptState.REJECTED
    return replace(attempt, state=state, submitted_at=submitted_at, response_code=code, answered_at=at, deadlines=())


def lost(attempt: JoinAttempt, trigger: LossTrigger, at: datetime) -> JoinAttempt:
    """The answer is not coming by itself. Only an attempt that waits for it can lose it, or one that was disproved and yet did answer."""
    did_answer = trigger is LossTrigger.DISCARDED and attempt.state is AttemptState.DISPROVED
    if attempt.state not in AWAITING and not did_answer:
        return attempt
    return replace(
        attempt,
        state=AttemptState.RESPONSE_LOST,
        submitted_at=attempt.submitted_at or at,
        lost_at=at,
        lost_because=trigger,
        deadlines=(),
    )


def proven(attempt: JoinAttempt) -> JoinAttempt:
    """Evidence proves that the target's Device Log is as this attempt wanted it."""
    return _closed(attempt, AttemptState.INFERRED_SUCCESS)


def disproved(attempt: JoinAttempt) -> JoinAttempt:
    """Evidence proves that this attempt was not carried out."""
    return _closed(attempt, AttemptState.DISPROVED)


def carried_out_late(attempt: JoinAttempt) -> JoinAttempt:
    """Newer evidence proves that a Join, disproved at first, was carried out after all."""
    return replace(attempt, state=AttemptState.INFERRED_SUCCESS) if attempt.state is AttemptState.DISPROVED else attempt


def given_up(attempt: JoinAttempt) -> JoinAttempt:
    """Nothing more will be tried: a person decides."""
    if not attempt.is_open:
        return replace(attempt, deadlines=())
    return replace(attempt, state=AttemptState.UNRESOLVED, deadlines=())


def reopened(attempt: JoinAttempt) -> JoinAttempt:
    """The proof an attempt was closed on no longer stands: nobody knows its outcome again, and a person decides."""
    if attempt.state is not AttemptState.INFERRED_SUCCESS:
        return attempt
    return replace(attempt, state=AttemptState.UNRESOLVED)


def _closed(attempt: JoinAttempt, state: AttemptState) -> JoinAttempt:
    if attempt.state not in UNPROVEN:
        return attempt
    return replace(attempt, state=state, deadlines=())


def armed(attempt: JoinAttempt, purpose: Purpose, due_at: datetime) -> JoinAttempt:
    """Arm the deadline for `purpose`, in place of an older one for the same purpose."""
    others = tuple(d for d in attempt.deadlines if d.purpose is not purpose)
    return replace(
        attempt,
        deadlines=tuple(sorted((*others, Deadline(due_at=due_at, purpose=purpose, armed_in=attempt.state)))),
    )


def fired(attempt: JoinAttempt, deadline: Deadline) -> JoinAttempt:
    """Take a deadline that has passed off the attempt."""
    return replace(attempt, deadlines=tuple(d for d in attempt.deadlines if d != deadline))
