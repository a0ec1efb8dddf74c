"""Rows 18-21, 32, 33: security and event logs, whose entries name no other device, and the same codes as alerts."""

from __future__ import annotations

from datetime import datetime

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.evidence import Grade, Mode, Polarity
from joinbridge.core.facts import DeviceAlerted, EventLogRead, LoggedEvent, LogKind, Sighting
from joinbridge.core.rules.context import Finding, PairContext, Rule, Window
from joinbridge.core.vocabulary import AlertCode, DeviceType, Intent, MessageCode


def _lonely_attempts(context: PairContext) -> list[tuple[JoinAttempt, Window]]:
    """Return the joins on the pair during which no other join was outstanding on the target, newest first, with their windows."""
    found = []
    for attempt in reversed(context.on_pair(Intent.JOIN)):
        window = context.window(attempt)
        if window is not None and attempt.rival is None and context.alone_in_window(attempt, window):
            found.append((attempt, window))
    return found


def _security_log(sighting: Sighting, context: PairContext) -> EventLogRead | None:
    """Return the security log that was read, if the clock its entries were made by can be right: none is from the future."""
    fact = sighting.fact
    if not isinstance(fact, EventLogRead) or fact.kind is not LogKind.SECURITY:
        return None
    return fact if all(e.at <= sighting.at + context.policy.clock_skew for e in fact.entries) else None


def _within(fact: EventLogRead, window: Window, code: AlertCode) -> list[LoggedEvent]:
    return [e for e in fact.entries if e.code == code and window[0] <= e.at <= window[1]]


def _join_logged(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = _security_log(sighting, context)
    if fact is None:
        return None
    for attempt, window in _lonely_attempts(context):
        successes = _within(fact, window, AlertCode.JOIN_SUCCEEDED)
        # A join that the device refused is not the one that succeeded.
        if successes and not _within(fact, window, AlertCode.JOIN_FAILED) and attempt.state is not AttemptState.REJECTED:
            says = "the target's security log has a join success, and only one join was outstanding"
            return _success(attempt, says, min(e.at for e in successes), context)
    return None


def _failure_logged(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = _security_log(sighting, context)
    if fact is None:
        return None
    for attempt, window in _lonely_attempts(context):
        if _within(fact, window, AlertCode.JOIN_FAILED):
            return _failure(attempt, "the target's security log has a join failure, and only one join was outstanding")
    return None


def _nothing_logged(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = _security_log(sighting, context)
    if fact is None:
        return None
    for attempt, window in _lonely_attempts(context):
        reaches_back = any(e.at < window[0] for e in fact.entries)  # else the log may have wrapped
        outcome = _within(fact, window, AlertCode.JOIN_SUCCEEDED) or _within(fact, window, AlertCode.JOIN_FAILED)
        if reaches_back and sighting.at > window[1] and not outcome:
            return _failure(attempt, "the target's security log covers the time of the join and has no word of it")
    return None


def _success(attempt: JoinAttempt, says: str, at: datetime, context: PairContext) -> Finding:
    return Finding(
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        says=says,
        at=at,
        earliest=at - context.policy.clock_skew,
        attempt=attempt,
        by_device_clock=True,
        family="join-logged",
    )


def _failure(attempt: JoinAttempt, says: str) -> Finding:
    return Finding(polarity=Polarity.ATTEMPT_FAILED, grade=Grade.STRONG, says=says, attempt=attempt, family="failure-logged")


def _alerted(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceAlerted) or fact.device != context.pair.target:
        return None
    if fact.code not in (AlertCode.JOIN_SUCCEEDED, AlertCode.JOIN_FAILED):
        return None
    moment = fact.device_time
    if moment is None or moment > sighting.at + context.policy.clock_skew:
        return None  # it may have been on its way for days
    for attempt, window in _lonely_attempts(context):
        if window[0] <= moment <= window[1]:
            if fact.code == AlertCode.JOIN_FAILED:
                return _failure(attempt, "the target alerted a join failure, and only one join was outstanding")
            if attempt.state is not AttemptState.REJECTED:
                return _success(attempt, "the target alerted a join success, and only one join was outstanding", moment, context)
    return None


_ACTIONED = (AlertCode.HAN_COMMAND_ACTIONED, AlertCode.HAN_COMMAND_NOT_ACTIONED)
_PPMID_COMMANDS = frozenset({MessageCode.PECS01, MessageCode.PECS02, MessageCode.PECS03, MessageCode.PCS01, MessageCode.PCS02})
_HCALCS_COMMANDS = frozenset({MessageCode.HECS01})


def _han_command(sighting: Sighting, context: PairContext, commands: frozenset[MessageCode], sender: DeviceType) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, EventLogRead) or fact.kind is not LogKind.EVENT:
        return None
    candidates = (a for a in context.attempts if _type(a, context) in (None, sender))
    senders = {other for a in candidates for other in (a.other, a.rival) if other is not None}
    joins, skew = context.on_pair(Intent.JOIN), context.policy.clock_skew
    if context.pair.other not in senders or not joins:
        return None
    asked_at = min(a.asked_at for a in joins)
    logged = (e for e in fact.entries if e.code in _ACTIONED and e.command_code in commands)
    times = [e.at for e in logged if asked_at - skew <= e.at <= sighting.at + skew]
    if not times:
        return None
    grade = Grade.STRONG if senders == {context.pair.other} else Grade.CORROBORATING
    says = f"the target's event log has a command from an authorised {sender.name}"
    at = max(times)
    return Finding(polarity=Polarity.JOINED, grade=grade, says=says, at=at, earliest=at - skew, by_device_clock=True, family="han-command")


def _type(attempt: JoinAttempt, context: PairContext) -> DeviceType | None:
    if attempt.other_type is not None or attempt.other is None:
        return attempt.other_type
    return context.type_of(attempt.other)


def _ppmid_command(sighting: Sighting, context: PairContext) -> Finding | None:
    return _han_command(sighting, context, _PPMID_COMMANDS, DeviceType.PPMID)


def _hcalcs_command(sighting: Sighting, context: PairContext) -> Finding | None:
    if context.type_of(context.pair.target) not in (None, DeviceType.ESME):
        return None
    return _han_command(sighting, context, _HCALCS_COMMANDS, DeviceType.HCALCS)


RULES = (
    Rule(
        row=18,
        name="join-success-logged",
        reads=(EventLogRead,),
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        summary="Security log: 8F49 and no 8F48 while exactly one join was outstanding on the target. Never enough alone.",
        read=_join_logged,
    ),
    Rule(
        row=19,
        name="join-failure-logged",
        reads=(EventLogRead,),
        polarity=Polarity.ATTEMPT_FAILED,
        grade=Grade.STRONG,
        summary="Security log: 8F48 while exactly one join was outstanding on the target.",
        read=_failure_logged,
    ),
    Rule(
        row=20,
        name="nothing-logged",
        reads=(EventLogRead,),
        polarity=Polarity.ATTEMPT_FAILED,
        grade=Grade.STRONG,
        summary="Security log: covers the whole time of the join, from before it, and has neither 8F48 nor 8F49.",
        read=_nothing_logged,
    ),
    Rule(
        row=21,
        name="join-outcome-alerted",
        reads=(DeviceAlerted,),
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        summary="8F49 or 8F48 as an alert: as in the security log. Not expected from SMETS2 meters.",
        read=_alerted,
    ),
    Rule(
        row=32,
        name="ppmid-command-logged",
        reads=(EventLogRead,),
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        summary="Event log: a PPMID's command was received, and one PPMID is a candidate. In shadow: older PPMIDs may be unseen.",
        read=_ppmid_command,
        default_mode=Mode.SHADOW,
    ),
    Rule(
        row=33,
        name="hcalcs-command-logged",
        reads=(EventLogRead,),
        polarity=Polarity.JOINED,
        grade=Grade.STRONG,
        summary="Event log: an HCALCS's command was received, and one HCALCS is a candidate. In shadow, as row 32.",
        read=_hcalcs_command,
        default_mode=Mode.SHADOW,
    ),
)
