"""Evidence: what one message proves about one directional pair, how far, and as of when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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

    def compare(self, other: CommandOrder) -> int:
        """Return -1, 0 or 1 as this command was executed before, at an unknown moment relative to, or after `other`.

        A device accepts only rising counters from each originator, so counters order two commands of one originator, and only those.
        """
        if self.wire.remote == other.wire.remote and self.wire.counter != other.wire.counter:
            return 1 if self.wire.counter > other.wire.counter else -1
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One finding of one rule about `pair`.

    What it says was true at some moment between `earliest` and `at`. `order` is set when it comes from a device's answer to a command;
    `attempt` when it speaks of one attempt. Two findings are independent when their `family` differs.
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
    answer: bool = False  # the device's own answer to a Join or Unjoin of this pair
    shadow: bool = False  # found by a rule in shadow mode: recorded, never counted
