"""Evidence: what one message proves about one directional pair, how far, and as of when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from joinbridge.core.ids import BusinessKey, JoinPair, MessageKey, RequestId, WireKey


class Grade(IntEnum):
    """How much one piece of evidence can carry (docs/domain.md, "Evidence")."""

    NONE = 0
    AMBIGUOUS = 1  # recorded, decides nothing
    CORROBORATING = 2  # raises confidence, never decides, however much of it there is
    STRONG = 3  # decides only together with an independent second one
    CONCLUSIVE = 4  # decides alone

    def lowered(self) -> Grade:
        """One step down, for what could not be authenticated and came from a producer that is not trusted."""
        return Grade(max(self.value - 1, 0))


class Polarity(StrEnum):
    """What the evidence speaks for."""

    JOINED = "joined"
    NOT_JOINED = "not_joined"
    ATTEMPT_FAILED = "attempt_failed"  # this attempt added nothing; says nothing of older ones
    ANSWER_LOST = "answer_lost"  # the device may have acted; its answer is gone
    NEITHER = "neither"


class Mode(StrEnum):
    """What a rule may do: nothing, be recorded only, or count."""

    OFF = "off"
    SHADOW = "shadow"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class CommandOrder:
    """Where a command stands in the order in which its device carries out commands (docs/domain.md, "Counters and retries")."""

    wire: WireKey
    business: BusinessKey

    def is_after(self, other: WireKey | None) -> bool | None:
        """Return whether this command was carried out after the one with wire key `other`; None when counters do not tell.

        A device accepts only rising counters from each originator on the wire, so they order two commands of one, and only those: a
        Supplier's own command and one that the ACB fronts for it are in no order.
        """
        if other is None or self.wire.remote != other.remote or self.wire.counter == other.counter:
            return None
        return self.wire.counter > other.counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One finding of one rule about `pair`.

    What it says was true at some moment between `earliest` and `at`. `order` is set when it comes from a device's answer to a command;
    `attempt` when it speaks of one attempt; `by_device_clock` when `at` is the device's own time, which orders it among others of the same
    device. Two findings are independent when their `family` differs.
    """

    pair: JoinPair
    row: int
    rule: str
    version: int
    polarity: Polarity
    grade: Grade
    at: datetime
    earliest: datetime
    message: MessageKey
    family: str
    says: str
    attempt: RequestId | None = None
    order: CommandOrder | None = None
    by_device_clock: bool = False
    answer: bool = False  # the device's own answer to a Join or Unjoin of this pair, or a person's word
    unchecked: bool = False  # an entry whose type cannot be compared yet: it waits, and nothing is inferred from it anew
    shadow: bool = False  # found by a rule in shadow mode: recorded, never counted

    @property
    def settles(self) -> bool:
        """Whether it is an answer that says the outcome by itself, and not one that something is inferred from."""
        return self.answer and self.grade is Grade.CONCLUSIVE

    @property
    def by_person(self) -> bool:
        """Whether it is a person's word."""
        return self.answer and self.attempt is None

    @property
    def reached_inventory(self) -> bool:
        """Whether the DSP acts on it by itself: it was a device's answer, not a person's word and not an inference."""
        return self.settles and not self.by_person


def rules_of(basis: Sequence[Evidence]) -> tuple[str, ...]:
    """Return the names of the rules that found `basis`."""
    return tuple(sorted({e.rule for e in basis}))


def window_of(basis: Sequence[Evidence], clock_skew: timedelta) -> tuple[datetime, datetime] | None:
    """Return from when to when `basis` speaks, by the bus's clock: what it says was true at some moment between.

    A device's own clock may be slow by `clock_skew`; that it may be fast is in `earliest`. None when there is no basis.
    """
    ends = (e.at + clock_skew if e.by_device_clock else e.at for e in basis)
    return (min(e.earliest for e in basis), max(ends)) if basis else None
