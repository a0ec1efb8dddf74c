"""Rows 5-10: what a Device Log itself says, read from the device (CS07) or reported by the Gas Proxy Function (8071)."""

from __future__ import annotations

from datetime import datetime, timedelta

from joinbridge.core.evidence import CommandOrder, Grade, Polarity
from joinbridge.core.facts import DeviceLogRead, GpfLogReported, LogEntry, Sighting
from joinbridge.core.ids import CommandKey, DeviceId
from joinbridge.core.policy import Policy
from joinbridge.core.rules.context import Finding, PairContext, Rule

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _entry(entries: tuple[LogEntry, ...] | None, other: DeviceId) -> LogEntry | None:
    return next((e for e in entries or () if e.other == other), None)


def _has_other_type(entry: LogEntry, context: PairContext) -> bool:
    expected = context.expected_type()
    return expected is not None and entry.device_type != expected


def _earliest_reading(key: CommandKey, read: Sighting, policy: Policy) -> datetime:
    """Return the earliest moment the device can have looked into its log.

    Our own probes carry the moment they were made as their counter. Of anyone else's read only the answer is known, and that may have
    been on its way for as long as the network keeps a message.
    """
    if key.remote == policy.probe_originator:
        asked_at = _EPOCH + timedelta(milliseconds=min(key.counter, _LAST_MS))
        if read.at - policy.max_transit <= asked_at <= read.at:
            return asked_at
    return read.at - policy.max_transit


_LAST_MS = 253_402_300_799_000  # 9999-12-31T23:59:59Z, the last moment Python can hold


def _listed(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceLogRead):
        return None
    entry = _entry(fact.entries, context.pair.other)
    if entry is None or _has_other_type(entry, context):
        return None
    return Finding(
        polarity=Polarity.JOINED,
        grade=Grade.CONCLUSIVE,
        says="the target's Device Log lists the other device",
        earliest=_earliest_reading(fact.business_key, sighting, context.policy),
        order=CommandOrder(fact.wire_key, fact.business_key),
    )


def _not_listed(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceLogRead) or fact.entries is None or _entry(fact.entries, context.pair.other) is not None:
        return None
    return Finding(
        polarity=Polarity.NOT_JOINED,
        grade=Grade.CONCLUSIVE,
        says="the target's Device Log does not list the other device",
        order=CommandOrder(fact.wire_key, fact.business_key),
    )


def _listed_otherwise(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, DeviceLogRead | GpfLogReported):
        return None
    entry = _entry(fact.entries, context.pair.other)
    if entry is None or not _has_other_type(entry, context):
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


def _as_of(fact: GpfLogReported, sighting: Sighting, policy: Policy) -> tuple[datetime, datetime]:
    """Return (earliest, at) of a report: by the device's clock while that is believable, else by what the network can delay."""
    told = fact.device_time
    if told is not None and sighting.at - policy.max_transit <= told <= sighting.at + policy.clock_skew:
        return told - policy.clock_skew, told
    return sighting.at - policy.max_transit, sighting.at


def _reported(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, GpfLogReported):
        return None
    entry = _entry(fact.entries, context.pair.other)
    if entry is None or _has_other_type(entry, context):
        return None
    earliest, at = _as_of(fact, sighting, context.policy)
    says = "the Gas Proxy Function reported the other device in its Device Log"
    return Finding(polarity=Polarity.JOINED, grade=Grade.CONCLUSIVE, says=says, at=at, earliest=earliest)


def _reported_without(sighting: Sighting, context: PairContext) -> Finding | None:
    fact = sighting.fact
    if not isinstance(fact, GpfLogReported) or _entry(fact.entries, context.pair.other) is not None:
        return None
    earliest, at = _as_of(fact, sighting, context.policy)
    says = "the Gas Proxy Function reported its Device Log without the other device"
    return Finding(polarity=Polarity.NOT_JOINED, grade=Grade.CONCLUSIVE, says=says, at=at, earliest=earliest)


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
        summary="Alert 8071: the GPF's whole Device Log lists the other device, as of the alert's own time.",
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
