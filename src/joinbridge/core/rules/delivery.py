"""Rows 22-26, 36: what the network and the DSP say about the delivery of a command or of its answer."""

from __future__ import annotations

from collections.abc import Mapping

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.evidence import Grade, Polarity
from joinbridge.core.facts import CommandFailed, CommandNotExecuted, MessageDiscarded, RequestAcknowledged, Sighting
from joinbridge.core.ids import CommandKey
from joinbridge.core.rules.context import Finding, PairContext, Rule
from joinbridge.core.vocabulary import JOIN_MESSAGE_CODES, UNJOIN_MESSAGE_CODES, Cra, Intent

SMI_SAYS_NOT_JOINED = "E080801"
CANNOT_COMMUNICATE = "E20"
NO_RESPONSE = "E21"


_BOTH = (Intent.JOIN, Intent.UNJOIN)
_INTENTS_OF: Mapping[int | None, tuple[Intent, ...]] = {
    None: _BOTH,
    **dict.fromkeys(JOIN_MESSAGE_CODES, (Intent.JOIN,)),
    **dict.fromkeys(UNJOIN_MESSAGE_CODES, (Intent.UNJOIN,)),
}
"""Which attempts an alert with that message code can speak of; one without a code, of either."""


def _quoted(context: PairContext, key: CommandKey, *intents: Intent) -> JoinAttempt | None:
    return next((a for intent in intents if (a := context.find(intent, key)) is not None), None)


def _attempt_failed(attempt: JoinAttempt, says: str) -> Finding:
    # The reference is to one issue of the command. If it was issued again since, the other issue may have been carried out.
    grade = Grade.AMBIGUOUS if attempt.retries else Grade.CONCLUSIVE
    return Finding(polarity=Polarity.ATTEMPT_FAILED, grade=grade, says=says, attempt=attempt)


def _command_discarded(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, MessageDiscarded) or fact.cra is not Cra.COMMAND:
        return None
    attempt = _quoted(context, fact.key, *_BOTH)
    return None if attempt is None else _attempt_failed(attempt, "the hub discarded the command before the target had it")


def _answer_discarded(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, MessageDiscarded) or fact.cra is not Cra.RESPONSE:
        return None
    attempt = _quoted(context, fact.key, *_BOTH)
    if attempt is None:
        return None
    says = "the hub discarded the target's answer: it did answer, what it said is lost"
    return Finding(polarity=Polarity.ANSWER_LOST, grade=Grade.CONCLUSIVE, says=says, attempt=attempt)


def _not_executed(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, CommandNotExecuted):
        return None
    attempt = _quoted(context, fact.key, *_INTENTS_OF.get(fact.message_code, ()))
    if attempt is None:
        return None
    return _attempt_failed(attempt, f"alert {fact.alert_code:04X}: the target did not carry out the command")


def _could_not_communicate(sighting: Sighting, context: PairContext) -> Finding | None:
    match sighting.fact:
        case RequestAcknowledged(request_id=key, code=code) if code == CANNOT_COMMUNICATE:
            pass
        case CommandFailed(request_id=key, no_response=False, alert_code=code):
            pass
        case _:
            return None
    attempt = _quoted(context, key, *_BOTH)
    if attempt is None:
        return None
    says = f"{code}: the command could probably not be delivered; an answer may still come"
    return Finding(polarity=Polarity.ATTEMPT_FAILED, grade=Grade.STRONG, says=says, attempt=attempt)


def _no_response(sighting: Sighting, context: PairContext) -> Finding | None:
    match sighting.fact:
        case RequestAcknowledged(request_id=key, code=code) if code == NO_RESPONSE:
            pass
        case CommandFailed(request_id=key, no_response=True, alert_code=code):
            pass
        case _:
            return None
    attempt = _quoted(context, key, *_BOTH)
    if attempt is None:
        return None
    says = f"{code}: the DSP had no answer from the target"
    return Finding(polarity=Polarity.ANSWER_LOST, grade=Grade.AMBIGUOUS, says=says, attempt=attempt)


def _unjoin_refused_by_dsp(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, RequestAcknowledged) or fact.code != SMI_SAYS_NOT_JOINED:
        return None
    attempt = context.find(Intent.UNJOIN, fact.request_id)
    if attempt is None:
        return None
    says = "the DSP refused the Unjoin because the inventory says not joined; whoever asked believes otherwise"
    return Finding(polarity=Polarity.NEITHER, grade=Grade.AMBIGUOUS, says=says, attempt=attempt)


RULES = (
    Rule(
        row=22,
        name="command-discarded",
        reads=(MessageDiscarded,),
        polarity=Polarity.ATTEMPT_FAILED,
        grade=Grade.CONCLUSIVE,
        summary="8F2C or MessageDiscarded, command: this attempt never reached the target.",
        read=_command_discarded,
    ),
    Rule(
        row=23,
        name="answer-discarded",
        reads=(MessageDiscarded,),
        polarity=Polarity.ANSWER_LOST,
        grade=Grade.CONCLUSIVE,
        summary="8F2C or MessageDiscarded, response: the target answered and the answer is gone. Starts the search at once.",
        read=_answer_discarded,
    ),
    Rule(
        row=24,
        name="command-not-executed",
        reads=(CommandNotExecuted,),
        polarity=Polarity.ATTEMPT_FAILED,
        grade=Grade.CONCLUSIVE,
        summary="8F84 or 8F85 that quotes the command: not delivered, or not supported.",
        read=_not_executed,
    ),
    Rule(
        row=25,
        name="could-not-communicate",
        reads=(RequestAcknowledged, CommandFailed),
        polarity=Polarity.ATTEMPT_FAILED,
        grade=Grade.STRONG,
        summary="E20 or N12: probably not delivered. The attempt stays open.",
        read=_could_not_communicate,
    ),
    Rule(
        row=26,
        name="no-response",
        reads=(RequestAcknowledged, CommandFailed),
        polarity=Polarity.ANSWER_LOST,
        grade=Grade.AMBIGUOUS,
        summary="E21 or N13 (or our own deadline): the answer is lost, the outcome unknown.",
        read=_no_response,
    ),
    Rule(
        row=36,
        name="unjoin-refused-by-dsp",
        reads=(RequestAcknowledged,),
        polarity=Polarity.NEITHER,
        grade=Grade.AMBIGUOUS,
        summary="E080801: the inventory says not joined. Opens a case and probes the target.",
        read=_unjoin_refused_by_dsp,
    ),
)
