"""Rows 27, 28, 30, 31, 34, 38: what the home's network shows. Corroborating or less, however much of it there is."""

from __future__ import annotations

from datetime import timedelta

from joinbridge.core.evidence import Grade, Polarity
from joinbridge.core.facts import DeviceAlerted, HubActivityRead, HubLogReported, PersonDecided, Sighting
from joinbridge.core.rules.context import Finding, PairContext, Rule
from joinbridge.core.vocabulary import AlertCode, Intent, JoinRole

_METHOD_A = (JoinRole.METHOD_A_INITIATOR, JoinRole.METHOD_A_RESPONDER)

REJECTION_WINDOW = timedelta(minutes=5)
"""How soon after a repeated join a rejection alert is worth noting beside it; the alert quotes no command."""


def _has_link_key(sighting: Sighting, context: PairContext) -> bool | None:
    fact = sighting.fact
    if not isinstance(fact, HubLogReported):
        return None
    return next((keyed for device, keyed in fact.entries if device == context.pair.other), None)


def _keyed(sighting: Sighting, context: PairContext) -> Finding | None:
    if not _has_link_key(sighting, context):
        return None
    says = "the hub lists the other device with a link key: it can be reached, nothing more"
    return Finding(polarity=Polarity.JOINED, grade=Grade.CORROBORATING, says=says)


def _unkeyed(sighting: Sighting, context: PairContext) -> Finding | None:
    method_a = any(a.role in _METHOD_A for a in context.on_pair(Intent.JOIN))
    if _has_link_key(sighting, context) is not False or not method_a:
        return None
    says = "the hub lists the other device without a link key, and method A needs one"
    return Finding(polarity=Polarity.NOT_JOINED, grade=Grade.CORROBORATING, says=says)


def _active(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, HubActivityRead):
        return None
    seen_at = next((at for device, at in fact.entries if device == context.pair.other), None)
    if seen_at is None:
        return None
    says = f"the hub last heard the other device at {seen_at:%Y-%m-%d %H:%M:%S}"
    return Finding(polarity=Polarity.JOINED, grade=Grade.CORROBORATING, says=says)


def _on_the_home_network(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceAlerted) or fact.device not in (context.pair.target, context.pair.other):
        return None
    if fact.code not in (AlertCode.DEVICE_JOINED_SMHAN, AlertCode.DEVICE_COMMISSIONED):
        return None
    says = f"alert {fact.code:04X}: {fact.device} is on the home network"
    return Finding(polarity=Polarity.NEITHER, grade=Grade.CORROBORATING, says=says)


def _used_locally(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceAlerted) or fact.device != context.pair.target:
        return None
    if fact.code not in (AlertCode.CREDIT_ADDED_LOCALLY, AlertCode.HAN_MESSAGE_ACKNOWLEDGED):
        return None
    says = f"alert {fact.code:04X}: someone used the target from within the home, on some display or its keypad"
    return Finding(polarity=Polarity.JOINED, grade=Grade.CORROBORATING, says=says)


_REJECTIONS = frozenset(
    {
        AlertCode.AUTHORITY_FAILURE,
        AlertCode.TRUST_FAILURE,
        AlertCode.AUTHENTICATION_FAILURE,
        AlertCode.INTEGRITY_FAILURE,
        AlertCode.MALFORMED_MESSAGE,
    }
)


def _something_rejected(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceAlerted) or fact.device != context.pair.target or fact.code not in _REJECTIONS:
        return None
    joins = context.on_pair(Intent.JOIN)
    sent = [a.submitted_at for a in joins[1:] if a.submitted_at is not None]
    if not any(at <= sighting.at <= at + REJECTION_WINDOW for at in sent):
        return None
    says = f"alert {fact.code:04X}: the target rejected something shortly after the repeat; it does not say what"
    return Finding(polarity=Polarity.NEITHER, grade=Grade.AMBIGUOUS, says=says)


def _reviewed(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, PersonDecided) or fact.other != context.pair.other:
        return None
    polarity = Polarity.JOINED if fact.joined else Polarity.NOT_JOINED
    says = f"{fact.person} decided: {fact.reason}"
    return Finding(polarity=polarity, grade=Grade.CONCLUSIVE, says=says, answer=True)


RULES = (
    Rule(
        row=27,
        name="hub-lists-with-key",
        reads=(HubLogReported,),
        polarity=Polarity.JOINED,
        grade=Grade.CORROBORATING,
        summary="8F12 or CCS07 lists the other device with a link-key hash: it is on the home network. Never proves a join.",
        read=_keyed,
    ),
    Rule(
        row=28,
        name="hub-lists-without-key",
        reads=(HubLogReported,),
        polarity=Polarity.NOT_JOINED,
        grade=Grade.CORROBORATING,
        summary="8F12 or CCS07 lists the other device without a link key; speaks against method-A joins only.",
        read=_unkeyed,
    ),
    Rule(
        row=30,
        name="hub-heard-device",
        reads=(HubActivityRead,),
        polarity=Polarity.JOINED,
        grade=Grade.CORROBORATING,
        summary="CCS05/CCS04/CCS06 shows when the hub last heard the other device.",
        read=_active,
    ),
    Rule(
        row=31,
        name="device-on-home-network",
        reads=(DeviceAlerted,),
        polarity=Polarity.NEITHER,
        grade=Grade.CORROBORATING,
        summary="8183 or 8F69 from either device: the sender is on the home network.",
        read=_on_the_home_network,
    ),
    Rule(
        row=34,
        name="used-locally",
        reads=(DeviceAlerted,),
        polarity=Polarity.JOINED,
        grade=Grade.CORROBORATING,
        summary="810E or 81A6 from the target: used from within the home, but by which device is unknown.",
        read=_used_locally,
    ),
    Rule(
        row=38,
        name="something-rejected",
        reads=(DeviceAlerted,),
        polarity=Polarity.NEITHER,
        grade=Grade.AMBIGUOUS,
        summary="8F30, 8F3D, 8F53, 8F1E or 8F60 from the target shortly after a repeat; quotes no command.",
        read=_something_rejected,
    ),
    Rule(
        row=0,
        name="person-decided",
        reads=(PersonDecided,),
        polarity=Polarity.JOINED,
        grade=Grade.CONCLUSIVE,
        summary="A person reviewed the case and decided, with a reason. Not a row of the table: the way out of a dispute.",
        read=_reviewed,
    ),
)
