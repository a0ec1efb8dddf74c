"""How a sighting moves the one attempt it speaks of, if it speaks of it at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from joinbridge.core import attempt as attempts
from joinbridge.core.attempt import JoinAttempt, LossTrigger
from joinbridge.core.facts import (
    CommandFailed,
    CommandNotExecuted,
    JoinAnswered,
    MessageDiscarded,
    RequestAcknowledged,
    Sighting,
)
from joinbridge.core.policy import Policy
from joinbridge.core.rules.context import matches
from joinbridge.core.rules.delivery import CANNOT_COMMUNICATE, NO_RESPONSE
from joinbridge.core.vocabulary import INTENT_OF_SRV, JOIN_MESSAGE_CODES, UNJOIN_MESSAGE_CODES, Cra, Intent

NEVER_SENT = frozenset({"E1", "E2", "E3", "E4", "E5", "E11", "E12", "E13", "E17", "E19", "E080801"})
"""Response codes that say, whenever they come, that nothing was sent to the device (docs/domain.md, "Response codes")."""


def moved(attempt: JoinAttempt, sighting: Sighting, policy: Policy) -> JoinAttempt:
    """Return `attempt` as `sighting` leaves it: unchanged when it speaks of something else, or cannot be trusted. Total and idempotent."""
    if not policy.trusts(sighting):
        return attempt
    match sighting.fact:
        case RequestAcknowledged() as fact if fact.request_id == attempt.request_id:
            return _acknowledged(attempt, fact, sighting.at)
        case JoinAnswered() as fact if fact.intent is attempt.intent and matches(attempt, fact.business_key, fact.wire_key):
            answered = attempts.answered(attempt, fact.code, sighting.at)
            return replace(answered, wire_key=answered.wire_key or fact.wire_key)
        case CommandFailed(no_response=True) as fact if fact.request_id == attempt.request_id:
            return attempts.lost(attempt, LossTrigger.N13, sighting.at)
        case MessageDiscarded(key=key, cra=Cra.RESPONSE) if matches(attempt, key):
            return attempts.lost(attempt, LossTrigger.DISCARDED, sighting.at)
        case MessageDiscarded(key=key, cra=Cra.COMMAND) if matches(attempt, key):
            return _not_carried_out(attempt)
        case CommandNotExecuted(key=key, message_code=code) if matches(attempt, key) and _speaks_of(code, attempt.intent):
            return _not_carried_out(attempt)
    return attempt


def _acknowledged(attempt: JoinAttempt, fact: RequestAcknowledged, at: datetime) -> JoinAttempt:
    if fact.srv is not None and INTENT_OF_SRV.get(fact.srv, attempt.intent) is not attempt.intent:
        return attempt
    if fact.code.startswith(("I", "W")):
        return attempts.accepted(attempt, at)
    if fact.code == NO_RESPONSE:
        return attempts.lost(attempt, LossTrigger.E21, at)
    if fact.code == CANNOT_COMMUNICATE or (fact.asynchronous and fact.code not in NEVER_SENT):
        return attempt  # the outcome is open: the answer may still come, and the deadline runs
    return attempts.refused(attempt, fact.code)


def _not_carried_out(attempt: JoinAttempt) -> JoinAttempt:
    # Of two issues of one command, or two commands with one RequestID, the alert names one, and nothing says which. And a device whose
    # answer was dropped had the command, whatever else the hub says of it.
    if attempt.retries or attempt.rival is not None or attempt.lost_because is LossTrigger.DISCARDED:
        return attempt
    return attempts.disproved(attempt)


def _speaks_of(message_code: int | None, intent: Intent) -> bool:
    if message_code is None:
        return True
    return message_code in (JOIN_MESSAGE_CODES if intent is Intent.JOIN else UNJOIN_MESSAGE_CODES)
