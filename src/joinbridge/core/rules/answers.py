"""Rows 1-4, 11-17, 35: a device's own answers to Join, Unjoin and restore commands."""

from __future__ import annotations

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.evidence import CommandOrder, Grade, Polarity
from joinbridge.core.facts import Authenticity, GpfLogRestored, JoinAnswered, PartnerJoined, Sighting
from joinbridge.core.rules.context import Finding, PairContext, Rule
from joinbridge.core.vocabulary import Intent, JoinCode, JoinRole, UnjoinCode


def _answer(sighting: Sighting, context: PairContext, intent: Intent) -> tuple[JoinAnswered, JoinAttempt] | None:
    fact = sighting.fact
    if not isinstance(fact, JoinAnswered) or fact.intent is not intent:
        return None
    if sighting.authenticity is Authenticity.USER_SUPPLIED:
        return None  # row 35 weighs these
    attempt = context.find(intent, fact.business_key, fact.wire_key)
    return None if attempt is None else (fact, attempt)


def _finding(fact: JoinAnswered, attempt: JoinAttempt, polarity: Polarity, grade: Grade, says: str) -> Finding:
    return Finding(
        polarity=polarity,
        grade=grade,
        says=says,
        earliest=attempt.asked_at,
        attempt=attempt,
        order=CommandOrder(fact.wire_key, fact.business_key),
        answer=True,
    )


def _join_succeeded(sighting: Sighting, context: PairContext) -> Finding | None:
    match _answer(sighting, context, Intent.JOIN):
        case (fact, attempt) if fact.code == JoinCode.SUCCESS:
            says = f"the target answered {attempt.request_id} with success"
            return _finding(fact, attempt, Polarity.JOINED, Grade.CONCLUSIVE, says)
    return None


def _unjoin_succeeded(sighting: Sighting, context: PairContext) -> Finding | None:
    match _answer(sighting, context, Intent.UNJOIN):
        case (fact, attempt) if fact.code == UnjoinCode.SUCCESS:
            says = f"the target removed the entry on {attempt.request_id}; it was there until then"
            return _finding(fact, attempt, Polarity.NOT_JOINED, Grade.CONCLUSIVE, says)
    return None


def _unjoin_found_nothing(sighting: Sighting, context: PairContext) -> Finding | None:
    match _answer(sighting, context, Intent.UNJOIN):
        case (fact, attempt) if fact.code == UnjoinCode.NOT_IN_DEVICE_LOG:
            says = f"the target looked for the entry on {attempt.request_id} and has none"
            return _finding(fact, attempt, Polarity.NOT_JOINED, Grade.CONCLUSIVE, says)
    return None


def _unjoin_failed(sighting: Sighting, context: PairContext) -> Finding | None:
    match _answer(sighting, context, Intent.UNJOIN):
        case (fact, attempt) if fact.code not in (UnjoinCode.SUCCESS, UnjoinCode.NOT_IN_DEVICE_LOG):
            says = f"the target could not remove the entry on {attempt.request_id} (code {fact.code})"
            return _finding(fact, attempt, Polarity.NEITHER, Grade.AMBIGUOUS, says)
    return None


def unanswered_twin(attempt: JoinAttempt, context: PairContext) -> bool:
    """Whether `attempt` repeats an earlier, identical join that was sent and never answered, or was itself issued more than once."""
    if attempt.retries:
        return True
    return any(
        a.requested_at < attempt.requested_at
        and a.submitted_at is not None
        and a.rival is None
        and a.response_code is None
        and a.state not in (AttemptState.NOT_SENT, AttemptState.DISPROVED)
        and (None in (a.role, attempt.role) or a.role == attempt.role)
        and (None in (a.other_type, attempt.other_type) or a.other_type == attempt.other_type)
        for a in context.on_pair(Intent.JOIN)
        if a.key != attempt.key
    )


def _repeat_refused(sighting: Sighting, context: PairContext) -> Finding | None:
    match _answer(sighting, context, Intent.JOIN):
        case (fact, attempt) if fact.code == JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY and unanswered_twin(attempt, context):
            says = "the target refused an identical repeat because an entry exists, and the earlier join was never answered"
            return _finding(fact, attempt, Polarity.JOINED, Grade.STRONG, says)
    return None


def _entry_differs(sighting: Sighting, context: PairContext) -> Finding | None:
    match _answer(sighting, context, Intent.JOIN):
        case (fact, attempt) if fact.code == JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY and not unanswered_twin(attempt, context):
            says = "the target has an entry for the other device, but not the one that was asked for"
            return _finding(fact, attempt, Polarity.NEITHER, Grade.AMBIGUOUS, says)
    return None


def _log_full(sighting: Sighting, context: PairContext) -> Finding | None:
    match _answer(sighting, context, Intent.JOIN):
        case (fact, attempt) if fact.code == JoinCode.DEVICE_LOG_FULL:
            says = "the target had no free slot; an existing entry would not have needed one"
            return _finding(fact, attempt, Polarity.NOT_JOINED, Grade.STRONG, says)
    return None


_NOT_ROW_15 = (JoinCode.SUCCESS, JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY, JoinCode.DEVICE_LOG_FULL)


def _join_refused(sighting: Sighting, context: PairContext) -> Finding | None:
    match _answer(sighting, context, Intent.JOIN):
        case (fact, attempt) if fact.code not in _NOT_ROW_15:
            says = f"the target refused {attempt.request_id} with code {fact.code}; that says nothing of an older attempt"
            return _finding(fact, attempt, Polarity.ATTEMPT_FAILED, Grade.CONCLUSIVE, says)
    return None


def _partner_joined(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, PartnerJoined) or fact.partner != context.pair.other:
        return None
    responders = (a for a in context.on_pair(Intent.JOIN) if a.role in (None, JoinRole.METHOD_A_RESPONDER))
    if not any(responders):
        return None
    return Finding(
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        says="the partner finished key agreement as initiator, which needs this target's entry as responder",
        earliest=sighting.at - context.policy.max_transit,
    )


def _restored(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, GpfLogRestored):
        return None
    found = next((result for result in fact.results if result[0].other == context.pair.other), None)
    if found is None:
        return None
    entry, code = found
    order = CommandOrder(fact.wire_key, fact.business_key)
    earliest = sighting.at - context.policy.max_transit
    if code == JoinCode.SUCCESS and context.has_other_type(entry):
        # The old GPF had a stale entry, and the new one has it now.
        says = "the new Gas Proxy Function restored an entry with another type than the device is of"
        return Finding(polarity=Polarity.NEITHER, grade=Grade.AMBIGUOUS, says=says)
    if code == JoinCode.SUCCESS:
        says = "the new Gas Proxy Function restored the entry"
        unchecked = context.type_is_open()
        return Finding(polarity=Polarity.JOINED, grade=Grade.CONCLUSIVE, says=says, order=order, earliest=earliest, unchecked=unchecked)
    says = f"the new Gas Proxy Function could not restore the entry (code {code})"
    return Finding(polarity=Polarity.NOT_JOINED, grade=Grade.STRONG, says=says, order=order, earliest=earliest)


def _user_supplied(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, JoinAnswered) or sighting.authenticity is not Authenticity.USER_SUPPLIED:
        return None
    attempt = context.find(fact.intent, fact.business_key, fact.wire_key)
    if attempt is None or fact.code != 0:
        return None
    polarity = Polarity.JOINED if fact.intent is Intent.JOIN else Polarity.NOT_JOINED
    says = "a User handed in the target's success, unverified"
    order = CommandOrder(fact.wire_key, fact.business_key)
    return Finding(polarity=polarity, grade=Grade.STRONG, says=says, earliest=attempt.asked_at, attempt=attempt, order=order)


RULES = (
    Rule(
        row=1,
        name="join-answered-success",
        reads=(JoinAnswered,),
        polarity=Polarity.JOINED,
        grade=Grade.CONCLUSIVE,
        summary="The target answered the Join with code 0, in time or late.",
        read=_join_succeeded,
    ),
    Rule(
        row=2,
        name="unjoin-answered-success",
        reads=(JoinAnswered,),
        polarity=Polarity.NOT_JOINED,
        grade=Grade.CONCLUSIVE,
        summary="The target answered the Unjoin with code 0: gone from now on, and there until now.",
        read=_unjoin_succeeded,
    ),
    Rule(
        row=3,
        name="unjoin-found-nothing",
        reads=(JoinAnswered,),
        polarity=Polarity.NOT_JOINED,
        grade=Grade.CONCLUSIVE,
        summary="The target answered the Unjoin with code 1: no such entry.",
        read=_unjoin_found_nothing,
    ),
    Rule(
        row=4,
        name="unjoin-failed",
        reads=(JoinAnswered,),
        polarity=Polarity.NEITHER,
        grade=Grade.AMBIGUOUS,
        summary="The target answered the Unjoin with another code: the entry may or may not be there.",
        read=_unjoin_failed,
    ),
    Rule(
        row=11,
        name="gpf-log-restored",
        reads=(GpfLogRestored,),
        polarity=Polarity.JOINED,
        grade=Grade.CONCLUSIVE,
        summary="A new GPF answered the restore (GCS59) for this entry: code 0 joined if its type is right, any other strongly not.",
        read=_restored,
        version=2,
    ),
    Rule(
        row=12,
        name="repeat-refused",
        reads=(JoinAnswered,),
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        summary="Code 3 to an identical repeat while an earlier join is unanswered (the MP178 defect). Never enough alone.",
        read=_repeat_refused,
    ),
    Rule(
        row=13,
        name="entry-differs",
        reads=(JoinAnswered,),
        polarity=Polarity.NEITHER,
        grade=Grade.AMBIGUOUS,
        summary="Code 3 with no unanswered earlier join: an entry exists, but another one.",
        read=_entry_differs,
    ),
    Rule(
        row=14,
        name="device-log-full",
        reads=(JoinAnswered,),
        polarity=Polarity.NOT_JOINED,
        grade=Grade.STRONG,
        summary="Code 4: the Device Log is full, so the entry was not there and is not now.",
        read=_log_full,
    ),
    Rule(
        row=15,
        name="join-refused",
        reads=(JoinAnswered,),
        polarity=Polarity.ATTEMPT_FAILED,
        grade=Grade.CONCLUSIVE,
        summary="Any other code: this attempt failed. Says nothing of an older attempt.",
        read=_join_refused,
    ),
    Rule(
        row=16,
        name="partner-joined",
        reads=(PartnerJoined,),
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        summary="The partner's own half succeeded as method-A initiator, which needs this half. Never enough alone.",
        read=_partner_joined,
    ),
    Rule(
        row=35,
        name="answer-handed-in",
        reads=(JoinAnswered,),
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        summary="A User handed in the answer (SRV 8.13). Counts as the answer itself once its signature verifies.",
        read=_user_supplied,
    ),
)
