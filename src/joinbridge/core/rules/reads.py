"""Rows 5-10: what a Device Log itself says, read from the device (CS07) or reported by the Gas Proxy Function (8071)."""

from __future__ import annotations

from datetime import datetime

from joinbridge.core.evidence import CommandOrder, Grade, Polarity
from joinbridge.core.facts import DeviceLogRead, GpfLogReported, LogEntry, Sighting
from joinbridge.core.ids import CommandKey, DeviceId
from joinbridge.core.policy import Policy
from joinbridge.core.rules.context import Finding, PairContext, Rule


def _entry(entries: tuple[LogEntry, ...] | None, other: DeviceId) -> LogEntry | None:
    return next((e for e in entries or () if e.other == other), None)


def _earliest_reading(key: CommandKey, read: Sighting, context: PairContext) -> datetime:
    """Return the earliest moment the device can have looked into its log.

    Of anyone else's read only the answer is known, which may have been on its way for as long as the network keeps a message. But the
    originator made the read after all its requests with lower counters.
    """
    policy = context.policy
    probed_at = policy.probe_made_at(key, read.at)
    if probed_at is not None:
        return probed_at
    before = (a.requested_at for a in context.attempts if a.request_id.remote == key.remote and a.request_id.counter < key.counter)
    return max([read.at - policy.max_transit, *(at - policy.queue_skew for at in before)])


def _listed(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceLogRead):
        return None
    entry = _entry(fact.entries, context.pair.other)
    if entry is None or context.has_other_type(entry):
        return None
    return Finding(
        polarity=Polarity.JOINED,
        grade=Grade.CONCLUSIVE,
        says="the target's Device Log lists the other device",
        earliest=_earliest_reading(fact.business_key, sighting, context),
        order=CommandOrder(fact.wire_key, fact.business_key),
        unchecked=context.type_is_open(),
    )


def _not_listed(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceLogRead) or fact.entries is None or _entry(fact.entries, context.pair.other) is not None:
        return None
    return Finding(
        polarity=Polarity.NOT_JOINED,
        grade=Grade.CONCLUSIVE,
        says="the target's Device Log does not list the other device",
        earliest=_earliest_reading(fact.business_key, sighting, context),
        order=CommandOrder(fact.wire_key, fact.business_key),
    )


def _listed_otherwise(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceLogRead | GpfLogReported):
        return None
    entry = _entry(fact.entries, context.pair.other)
    if entry is None or not context.has_other_type(entry):
        return None
    says = f"the Device Log lists the other device with type {_name(entry)}, not as it was asked to"
    return Finding(polarity=Polarity.NEITHER, grade=Grade.AMBIGUOUS, says=says)


def _name(entry: LogEntry) -> str:
    return "unknown" if entry.device_type is None else entry.device_type.name


def _read_failed(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceLogRead) or fact.entries is not None:
        return None
    return Finding(polarity=Polarity.NEITHER, grade=Grade.NONE, says=f"{context.pair.target} could not read its Device Log")


def _as_of(fact: GpfLogReported, sighting: Sighting, policy: Policy) -> tuple[datetime, datetime, bool]:
    """Return (earliest, at, by the device's clock) of a report. A clock that cannot be right does not count; the network's delay does."""
    told = fact.device_time
    if told is not None and sighting.at - policy.max_transit <= told <= sighting.at + policy.clock_skew:
        return told - policy.clock_skew, told, True
    return sighting.at - policy.max_transit, sighting.at, False


def _reported(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, GpfLogReported):
        return None
    entry = _entry(fact.entries, context.pair.other)
    if entry is None or context.has_other_type(entry):
        return None
    says = "the Gas Proxy Function reported the other device in its Device Log"
    return _report(fact, sighting, context, Polarity.JOINED, says)


def _reported_without(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, GpfLogReported) or _entry(fact.entries, context.pair.other) is not None:
        return None
    says = "the Gas Proxy Function reported its Device Log without the other device"
    return _report(fact, sighting, context, Polarity.NOT_JOINED, says)


def _report(fact: GpfLogReported, sighting: Sighting, context: PairContext, polarity: Polarity, says: str) -> Finding:
    earliest, at, by_device_clock = _as_of(fact, sighting, context.policy)
    unchecked = polarity is Polarity.JOINED and context.type_is_open()
    return Finding(
        polarity=polarity, grade=Grade.CONCLUSIVE, says=says, at=at, earliest=earliest, by_device_clock=by_device_clock, unchecked=unchecked
    )


RULES = (
    Rule(
        row=5,
        name="device-log-lists",
        reads=(DeviceLogRead,),
        polarity=Polarity.JOINED,
        grade=Grade.CONCLUSIVE,
        summary="A CS07 read of the target lists the other device, with the expected type where that is known.",
        read=_listed,
    ),
    Rule(
        row=6,
        name="device-log-lacks",
        reads=(DeviceLogRead,),
        polarity=Polarity.NOT_JOINED,
        grade=Grade.CONCLUSIVE,
        summary="A CS07 read of the target, carried out after the join, does not list the other device.",
        read=_not_listed,
    ),
    Rule(
        row=7,
        name="device-log-differs",
        reads=(DeviceLogRead, GpfLogReported),
        polarity=Polarity.NEITHER,
        grade=Grade.AMBIGUOUS,
        summary="The Device Log lists the other device with another type: a configuration problem.",
        read=_listed_otherwise,
    ),
    Rule(
        row=8,
        name="device-log-unreadable",
        reads=(DeviceLogRead,),
        polarity=Polarity.NEITHER,
        grade=Grade.NONE,
        summary="The target could not read its Device Log (code 1): nothing is known, the probe is repeated.",
        read=_read_failed,
    ),
    Rule(
        row=9,
        name="gpf-log-lists",
        reads=(GpfLogReported,),
        polarity=Polarity.JOINED,
        grade=Grade.CONCLUSIVE,
        summary="Alert 8071: the GPF's whole Device Log lists the other device, as of the alert's own time; the type as in row 5.",
        read=_reported,
    ),
    Rule(
        row=10,
        name="gpf-log-lacks",
        reads=(GpfLogReported,),
        polarity=Polarity.NOT_JOINED,
        grade=Grade.CONCLUSIVE,
        summary="Alert 8071 with a time after the join does not list the other device. The newest alert counts.",
        read=_reported_without,
    ),
)
