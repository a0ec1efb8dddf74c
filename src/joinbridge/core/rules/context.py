"""What a rule may look at besides the sighting itself, and how it words a finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from joinbridge.core.attempt import AttemptKey, AttemptState, JoinAttempt
from joinbridge.core.evidence import CommandOrder, Evidence, Grade, Mode, Polarity
from joinbridge.core.facts import DeviceDescription, Fact, LogEntry, Sighting
from joinbridge.core.ids import CommandKey, DeviceId, JoinPair
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import DeviceType, Intent


@dataclass(frozen=True, kw_only=True)
class PairContext:
    """One pair with all that is recorded about its target: `attempts` on the target, oldest request first.

    `removed_by` has the Unjoins of which evidence shows that they were carried out, and by when (`order.removals`).
    """

    pair: JoinPair
    attempts: tuple[JoinAttempt, ...]
    devices: Mapping[DeviceId, DeviceDescription]
    policy: Policy
    removed_by: Mapping[AttemptKey, datetime] = field(default_factory=dict)

    def type_of(self, device: DeviceId) -> DeviceType | None:
        """Return the type of `device` as the inventory or its own messages told it."""
        description = self.devices.get(device)
        return None if description is None else description.device_type

    def on_pair(self, intent: Intent | None = None) -> tuple[JoinAttempt, ...]:
        """Return the attempts on this pair, of one intent or of both."""
        return self._on_pair[intent]

    @cached_property
    def _on_pair(self) -> Mapping[Intent | None, tuple[JoinAttempt, ...]]:
        # Every rule asks for them, and an attempt that changes makes another context.
        both = tuple(a for a in self.attempts if self.pair.other in (a.other, a.rival))
        joins, unjoins = (tuple(a for a in both if a.intent is intent) for intent in (Intent.JOIN, Intent.UNJOIN))
        return {None: both, Intent.JOIN: joins, Intent.UNJOIN: unjoins}

    def expected_type(self) -> DeviceType | None:
        """Return the type with which the other device should be entered: as commanded, else as described; None when unknown."""
        commanded = next((a.other_type for a in reversed(self.on_pair(Intent.JOIN)) if a.other_type is not None), None)
        return self.type_of(self.pair.other) if commanded is None else commanded

    def has_other_type(self, entry: LogEntry) -> bool:
        """Return whether an entry of the target's log has another type than it should: it is not the entry that was asked for."""
        expected = self.expected_type()
        return expected is not None and entry.device_type != expected

    def type_is_open(self) -> bool:
        """Whether the type of the other device is to be known before an entry counts, and is not yet: no entry can be checked then.

        That is so where the policy says it, and where an inventory knows other devices of this home.
        """
        if self.expected_type() is not None:
            return False
        return self.policy.needs_type or any(description.inventoried for description in self.devices.values())

    def find(self, intent: Intent, *keys: CommandKey) -> JoinAttempt | None:
        """Return the attempt that one of `keys` (wire or business) names, if it is certain that it was one on this pair."""
        return next((a for a in self.on_pair(intent) if a.rival is None and matches(a, *keys)), None)

    def window(self, attempt: JoinAttempt) -> Window | None:
        """Return when the device normally carries out `attempt`, by its own clock; None if nothing was sent."""
        if attempt.submitted_at is None or attempt.state is AttemptState.NOT_SENT:
            return None
        wait = self.policy.answer_due(attempt, self.type_of(attempt.target))
        return attempt.submitted_at - self.policy.clock_skew, attempt.submitted_at + wait + self.policy.clock_skew

    def alone_in_window(self, attempt: JoinAttempt, window: Window) -> bool:
        """Whether `attempt` is the only join on the target that the device may have carried out within `window`."""
        others = (a for a in self.attempts if a.intent is Intent.JOIN and a.key != attempt.key)
        return not any(self._may_be_within(other, window) for other in others)

    def _may_be_within(self, attempt: JoinAttempt, window: Window) -> bool:
        """Whether `attempt` was outstanding at some time in `window`."""
        if self.window(attempt) is None or attempt.asked_at - self.policy.clock_skew > window[1]:
            return False
        ended_at = self.policy.carried_out_by(attempt)
        return ended_at is None or ended_at + self.policy.clock_skew >= window[0]


def matches(attempt: JoinAttempt, *keys: CommandKey) -> bool:
    """Whether one of `keys` names `attempt`, by RequestID or by wire key."""
    return attempt.request_id in keys or (attempt.wire_key is not None and attempt.wire_key in keys)


Window = tuple[datetime, datetime]
"""From when to when something may have happened."""

Reading = Callable[[Sighting, PairContext], "Finding | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule found; the registry adds the rule's own name, row and version. None as a time means the sighting's bus time."""

    polarity: Polarity
    grade: Grade
    says: str
    at: datetime | None = None
    earliest: datetime | None = None
    attempt: JoinAttempt | None = None
    order: CommandOrder | None = None
    by_device_clock: bool = False
    answer: bool = False
    unchecked: bool = False
    family: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the evidence table: data, and one small pure function.

    `row` is the row of docs/domain.md, "Evidence". `grade` and `polarity` are the most it can find. `default_mode` is what it may do
    unless the configuration says otherwise.
    """

    row: int
    name: str
    reads: tuple[type[Fact], ...]
    polarity: Polarity
    grade: Grade
    summary: str
    read: Reading
    version: int = 1
    default_mode: Mode = Mode.LIVE

    def mode(self, policy: Policy) -> Mode:
        """Return what the rule may do under `policy`."""
        return policy.rule_modes.get(self.name, self.default_mode)

    def apply(self, sighting: Sighting, context: PairContext) -> Evidence | None:
        """Return what the sighting says about the pair, None when it says nothing.

        The grade is one step lower when neither the message nor its producer can be trusted (docs/domain.md, "Evidence", rule 5). All
        that such producers say is one witness.
        """
        mode = self.mode(context.policy)
        found = None if mode is Mode.OFF else self.read(sighting, context)
        if found is None:
            return None
        trusted = context.policy.trusts(sighting)
        lowered = not trusted and self.row != USER_SUPPLIED_ROW
        at = found.at or sighting.at
        return Evidence(
            pair=context.pair,
            row=self.row,
            rule=self.name,
            version=self.version,
            polarity=found.polarity,
            grade=found.grade.lowered() if lowered else found.grade,
            at=at,
            earliest=min(at, found.earliest or at),
            message=sighting.key,
            family=(found.family or self.name) if trusted else _NOT_TRUSTED,
            says=found.says,
            attempt=None if found.attempt is None else found.attempt.request_id,
            order=found.order,
            by_device_clock=found.by_device_clock,
            answer=found.answer,
            unchecked=found.unchecked,
            shadow=mode is Mode.SHADOW,
        )


_NOT_TRUSTED = "not-trusted"

USER_SUPPLIED_ROW = 35
"""The one rule that grades user-supplied data itself, so that it is not lowered a second time."""
