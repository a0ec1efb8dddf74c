"""The ground truth and the ledger: what really happened, written down by those who did it, and what of it reached the bus."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from joinbridge.core.ids import DeviceId, JoinPair, RequestId
from joinbridge.core.vocabulary import DeviceType, Intent

FORGOTTEN_AFTER = timedelta(days=2)
"""The network delivers nothing that is older (docs/domain.md, "Where answers get lost")."""


class Leg(StrEnum):
    """Where an answer got lost (docs/domain.md, "Where answers get lost"); BUS is a corrupted publication that was not repeated."""

    RADIO = "radio"
    WAN = "wan"
    DSP = "dsp"
    USER = "user"
    BUS = "bus"


class Happening(StrEnum):
    """What the faults can bring about; each is counted."""

    ANSWER_LOST_RADIO = "answer lost on the radio"
    ANSWER_LOST_WAN = "answer lost on the wide-area network"
    ANSWER_LOST_DSP = "answer lost inside the DSP"
    ANSWER_LOST_USER = "answer lost between DSP and User"
    ANSWER_LOST_BUS = "answer corrupted on the bus and not repeated"
    ANSWER_LATE = "answer delayed in transit"
    ANSWER_DISCARD_REPORTED = "answer discarded, 8F2C"
    COMMAND_LOST = "command lost"
    COMMAND_DISCARD_REPORTED = "command discarded, 8F2C"
    COMMAND_NOT_DELIVERED_REPORTED = "command not delivered, 8F84"
    COMMAND_E20 = "E20"
    COMMAND_N12 = "N12"
    COMMAND_LATE_AFTER_ALL = "command executed although reported lost"
    COMMAND_REPLAYED = "command dropped: counter not above the last"
    TIME_OUT_E21 = "E21"
    TIME_OUT_N13 = "N13"
    REQUEST_REFUSED = "request refused"
    UNJOIN_REFUSED = "unjoin refused, E080801"
    JOIN_FAILED = "join failed"
    JOIN_FAILED_AND_LOST = "join failed and its answer lost"
    JOIN_REPEATED = "join repeated"
    REPEAT_REFUSED = "repeated join refused, code 3"
    STALE_ENTRY_HIT = "join refused for a stale entry, code 3"
    NO_PARTNER = "method A join refused, partner not ready"
    UNJOIN_FAILED = "unjoin failed, code 2"
    READ_FAILED = "log read failed"
    READ_ANSWER_LOST = "log read answer lost"
    ALERT_LOST = "alert lost"
    ALERT_LATE = "alert delayed in transit"
    DUPLICATED = "duplicated"
    CORRUPTED = "corrupted"
    QUEUE_DELAYED = "delayed in a queue"
    TYPES_LATE = "types of devices told late"
    CLOCK_UNSET = "device with an unset clock"
    DEVICE_EXCHANGED = "device exchanged"
    HUB_EXCHANGED = "hub exchanged"


@dataclass(slots=True)
class Timeline:
    """A yes or no that changes over time; no before its first change."""

    _times: list[datetime] = field(default_factory=list)
    _values: list[bool] = field(default_factory=list)

    def record(self, at: datetime, value: bool) -> bool:
        """Note that it is `value` from `at` on; return whether that is a change. Times must not go back."""
        if value == self.last:
            return False
        self._times.append(at)
        self._values.append(value)
        return True

    def value_at(self, at: datetime) -> bool:
        """Return what it was at `at`, changes of that very moment included."""
        index = bisect_right(self._times, at)
        return self._values[index - 1] if index else False

    def values_within(self, start: datetime, end: datetime) -> set[bool]:
        """Return all that it was from `start` to `end`, both included."""
        return {self.value_at(start), *(value for at, value in self.changes() if start <= at <= end)}

    @property
    def last(self) -> bool:
        """What it is in the end."""
        return self._values[-1] if self._values else False

    def changes(self) -> Iterator[tuple[datetime, bool]]:
        """Return every change in order."""
        return zip(self._times, self._values, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A device carried out a command of an attempt: when, and with which join or unjoin code."""

    at: datetime
    code: int


@dataclass(slots=True, kw_only=True)
class AttemptTruth:
    """One Join or Unjoin request and what became of it.

    `tapped_at` is when the bus first delivered its submission intact; `answered_at` when it delivered an answer of the device intact.
    `lost_on` is where the answer to the User's own issue got lost. `refused` is the code of a DSP that sent nothing, `refusal_seen_at`
    when the bus delivered that.
    """

    request_id: RequestId
    intent: Intent
    pair: JoinPair
    srv: str
    target_type: DeviceType
    other_type: DeviceType
    asked_at: datetime
    submitted_at: datetime | None = None
    tapped_at: datetime | None = None
    refused: str | None = None
    refusal_seen_at: datetime | None = None
    command_lost: bool = False
    executions: list[Execution] = field(default_factory=list)
    lost_on: Leg | None = None
    answered_at: datetime | None = None
    answer_code: int | None = None

    @property
    def executed_at(self) -> datetime | None:
        """When the device first carried it out."""
        return self.executions[0].at if self.executions else None

    @property
    def succeeded_at(self) -> datetime | None:
        """When the device first carried it out with success."""
        return next((each.at for each in self.executions if each.code == 0), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """A device told its whole Device Log: what it held, when, and when the bus delivered that intact (None: never).

    `dated` is False when nothing orders the report: it comes by itself and its device believes that it is another year.
    """

    device: DeviceId
    kind: str
    at: datetime
    delivered_at: datetime | None
    entries: frozenset[tuple[DeviceId, int]]
    dated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A change of the SMI that would not have happened without joinbridge: its own write, or the answer to what it had issued again.

    `right` says whether it was true then. It is also true that a device that left has no pairs, whatever is still in a log.
    """

    pair: JoinPair
    at: datetime
    joined: bool
    right: bool


class Truth:
    """Everything that happened. Actors write; the score reads. `tell` is called with each change of what is true, as plain values."""

    def __init__(self, tell: Callable[[Mapping[str, object]], None] = lambda _: None) -> None:
        self.tell = tell
        self.attempts: dict[RequestId, AttemptTruth] = {}
        self.by_pair: dict[JoinPair, list[AttemptTruth]] = {}
        self.reports: dict[DeviceId, list[LogReport]] = {}
        self.happened: Counter[Happening] = Counter()
        self.retired: dict[DeviceId, datetime] = {}
        self.types_known: dict[DeviceId, datetime] = {}  # since when whoever watches the bus knows what type a device has
        self.forgotten: set[JoinPair] = set()  # nobody could know until the log was read, if it ever was
        self.corrections: list[Correction] = []
        self.joins: dict[JoinPair, Timeline] = {}
        self.smi: dict[JoinPair, Timeline] = {}
        self.smi_touched: set[JoinPair] = set()  # since whoever keeps a copy of the SMI last emptied it
        self.smi_unaided: dict[JoinPair, Timeline] = {}

    def opened(self, attempt: AttemptTruth) -> None:
        """A User asks for a Join or Unjoin."""
        self.attempts[attempt.request_id] = attempt
        self.by_pair.setdefault(attempt.pair, []).append(attempt)
        self.tell({"asked": str(attempt.request_id), "intent": attempt.intent.value, "at": attempt.asked_at.isoformat()})

    def set_joined(self, pair: JoinPair, at: datetime, *, joined: bool) -> None:
        """The target entered the other device into its log, or struck it out."""
        if _timeline(self.joins, pair).record(at, joined):
            self.tell({"target": pair.target, "other": pair.other, "joined": joined, "at": at.isoformat()})

    def forgot(self, pair: JoinPair, at: datetime) -> None:
        """The target lost the other device from its log by itself: nothing on the bus says so until the log is told."""
        self.forgotten.add(pair)
        self.set_joined(pair, at, joined=False)

    def types_told(self, at: datetime, devices: Iterable[DeviceId]) -> None:
        """The bus delivers, at `at`, which type each of `devices` has."""
        for device in devices:
            self.types_known[device] = min(at, self.types_known.get(device, at))

    def joined_at(self, pair: JoinPair, at: datetime) -> bool:
        """Return whether the target's log truly authorised the other device, with the right type, at `at`."""
        timeline = self.joins.get(pair)
        return timeline is not None and timeline.value_at(at)

    def joined_within(self, pair: JoinPair, start: datetime, end: datetime) -> set[bool]:
        """Return all that `joined_at` says from `start` to `end`, both included."""
        timeline = self.joins.get(pair)
        return {False} if timeline is None else timeline.values_within(start, end)

    def set_smi(self, pair: JoinPair, at: datetime, *, joined: bool, aided: bool) -> None:
        """The SMI was set; `aided` when that would not have happened without joinbridge."""
        changed = _timeline(self.smi, pair).record(at, joined)
        if changed:
            self.smi_touched.add(pair)
            self.tell({"target": pair.target, "other": pair.other, "inventory": joined, "aided": aided, "at": at.isoformat()})
        if not aided:
            _timeline(self.smi_unaided, pair).record(at, joined)
        elif changed:
            right = self.joined_at(pair, at) is joined or (not joined and self.left_home(pair))
            self.corrections.append(Correction(pair=pair, at=at, joined=joined, right=right))

    def reported(self, report: LogReport) -> None:
        """A device told its log."""
        self.reports.setdefault(report.device, []).append(report)

    def count(self, happening: Happening) -> None:
        """Count a happening."""
        self.happened[happening] += 1

    def left_home(self, pair: JoinPair) -> bool:
        """Return whether one of the two devices was taken away: such a pair is nobody's concern any more."""
        return pair.target in self.retired or pair.other in self.retired

    def proofs(self, attempt: AttemptTruth, until: datetime) -> list[LogReport]:
        """Return the reports that prove, to whoever watches the bus until `until`, that the Join `attempt` succeeded.

        Each was made by the target after it executed the Join, lists the other device with the right type, and was delivered intact; and
        which type is the right one was told. An Unjoin of the pair that was asked for meanwhile takes the force from it, unless it was seen
        to be refused; and so does one that was asked for before, if nobody saw an answer, for as long as the network may still deliver it:
        it may be to come.
        """
        succeeded_at = attempt.succeeded_at
        if attempt.intent is not Intent.JOIN or succeeded_at is None or attempt.tapped_at is None:
            return []
        type_known_at = self.types_known.get(attempt.pair.other)
        if type_known_at is None or type_known_at > until:
            return []
        entry = (attempt.pair.other, int(attempt.other_type))
        return [
            report
            for report in self.reports.get(attempt.pair.target, ())
            if report.at >= succeeded_at
            and report.dated
            and entry in report.entries
            and report.delivered_at is not None
            and report.delivered_at <= until
            and attempt.tapped_at <= until
            and not self._unjoin_in_the_way(attempt, report)
        ]

    def _unjoin_in_the_way(self, attempt: AttemptTruth, report: LogReport) -> bool:
        unjoins = (each for each in self.by_pair[attempt.pair] if each.intent is Intent.UNJOIN)
        for each in unjoins:
            if _seen_by(each.refusal_seen_at, report):
                continue
            to_come = report.at <= each.asked_at + FORGOTTEN_AFTER and not _seen_by(each.answered_at, report)
            if each.asked_at >= attempt.asked_at or to_come:
                return True
        return False


def _seen_by(moment: datetime | None, report: LogReport) -> bool:
    """Return whether what the bus delivered at `moment` was there when it delivered `report`."""
    return moment is not None and report.delivered_at is not None and moment <= report.delivered_at


def _timeline(timelines: dict[JoinPair, Timeline], pair: JoinPair) -> Timeline:
    return timelines.setdefault(pair, Timeline())
