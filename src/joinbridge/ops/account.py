"""The account of a run: plain values, as the report tells them. Whoever lets a run happen fills them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

JOINED = frozenset({"succeeded", "confirmed_late", "inferred_success"})
"""States by which joinbridge says that a request was carried out."""

NOT_CARRIED_OUT = frozenset({"disproved", "rejected"})
"""States by which it says that one was not."""

ANSWERED = frozenset({"succeeded", "confirmed_late", "rejected"})
"""States that rest on the device's own answer to this very request."""

_ANSWER_ROWS = frozenset({1, 2, 3})
"""Rows of the evidence table that are a device's answer to a Join or Unjoin (docs/domain.md, "Evidence")."""


class Doing(StrEnum):
    """What joinbridge did about a request whose answer did not come."""

    MISSED = "missed"
    ASKED_AGAIN = "asked again"
    LOG_READ = "log read"


class Way(StrEnum):
    """How the truth about a request was found."""

    EVIDENCE = "evidence"
    OWN_ANSWER = "own answer"
    REPEAT = "repeat"  # the answer to another request about the same pair


class Inventory(StrEnum):
    """What the inventory said of a pair once the truth was found: put right by joinbridge, right without it, or wrong."""

    CORRECTED = "corrected"
    RIGHT = "right"
    WRONG = "wrong"


_USUAL = timedelta(minutes=1)
"""Within what time a request reaches whoever listens, unless its queue is held up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """What the report says of a rule of evidence: its row, its name, how much it can carry, and what it reads."""

    row: int
    name: str
    grade: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One thing that joinbridge did; `reason` says why an answer was missed: deadline, E21, N13 or 8F2C."""

    doing: Doing
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A state that joinbridge announced, with the rules it rests on."""

    state: str
    at: datetime
    rules: tuple[RuleText, ...] = ()

    @property
    def way(self) -> Way:
        """How a verdict was found."""
        if self.state in ANSWERED:
            return Way.OWN_ANSWER
        return Way.REPEAT if self.rules and all(rule.row in _ANSWER_ROWS for rule in self.rules) else Way.EVIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One Join or Unjoin to which more happened than a request and its answer. Times are None for what did not happen.

    `heard_at` is when joinbridge first knew of the request. `executed_at`, `code`, `command_lost` and `lost_on` (the leg) are the truth,
    which it did not see. `proof_at` is when the evidence of the verdict arrived; for a request without verdict, when conclusive proof did.
    `missed`, `false` (inferred, and not so) and `wrong` (any verdict that was not so) say that joinbridge failed. `inventory` is None
    while the truth was not found.
    """

    request_id: str
    unjoin: bool = False
    target: str
    other: str
    target_type: str
    other_type: str
    srv: str
    asked_at: datetime
    heard_at: datetime | None = None
    refused: str | None = None
    executed_at: datetime | None = None
    code: int | None = None
    command_lost: bool = False
    lost_on: str | None = None
    answered_at: datetime | None = None
    proof_at: datetime | None = None
    moves: tuple[Move, ...] = ()
    marks: tuple[Mark, ...] = ()
    corrected_at: datetime | None = None
    inventory: Inventory | None = None
    missed: bool = False
    false: bool = False
    wrong: bool = False

    @property
    def answer_lost(self) -> bool:
        """Whether the device carried the request out, or refused it, and its answer was lost."""
        return self.lost_on is not None and self.executed_at is not None

    @property
    def heard_late(self) -> timedelta | None:
        """How long after it was made the request itself reached joinbridge, if that was unusually long."""
        late = timedelta() if self.heard_at is None else self.heard_at - self.asked_at
        return late if late > _USUAL else None

    @property
    def state(self) -> str | None:
        """What joinbridge said of it last."""
        return self.marks[-1].state if self.marks else None

    @property
    def wrongly(self) -> Mark | None:
        """The mark that was not so: the last inference, or the last word that it was not carried out."""
        said = "inferred_success" if self.false else "disproved"
        return next((mark for mark in reversed(self.marks) if self.wrong and mark.state == said), None)

    @property
    def verdict(self) -> Mark | None:
        """The first of the marks by which joinbridge says what became of it and still says so; None if it cannot tell.

        A refusal that comes after a verdict is of another issue of the command, and does not touch it.
        """
        found: Mark | None = None
        for mark in self.marks:
            if mark.state not in JOINED | NOT_CARRIED_OUT:
                found = None
            elif found is None or (mark.state != "rejected" and (found.state in JOINED) is not (mark.state in JOINED)):
                found = mark
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """What joinbridge said, and how often that was so in truth and how often not.

    `right` and `wrong` name the truth (True: it had worked) for which the saying is right or a failure; None where it is neither.
    """

    said: str
    worked: int
    not_worked: int
    right: bool | None = None
    wrong: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was run, and where it is kept: `database` is a SQLAlchemy URL."""

    homes: int
    seed: int
    scenario: str
    scenario_says: str
    began: datetime
    ended: datetime
    messages: int
    passed_by: int
    dead_letters: int
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How often what happened. Joins unless a name says otherwise."""

    joins: int
    unjoins: int
    answers_lost: int
    lost_by_leg: Mapping[str, int]
    false_inferences: int
    missed_inferences: int
    wrongly_disproved: int
    retries: int
    probes: int
    notices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What became of the inventory, and the money: entries that joinbridge wrote, that were wrong when it did, that it saved a person."""

    corrections: int
    wrong_corrections: int
    avoided: int
    price_gbp: int
    wrong_at_end: int
    wrong_unaided: int

    @property
    def saved_gbp(self) -> int:
        """What the manual corrections would have cost."""
        return self.avoided * self.price_gbp


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """All that the report tells."""

    run: Run
    totals: Totals
    ledger: Ledger
    verdicts: tuple[VerdictRow, ...]
    stories: tuple[Story, ...]

    @property
    def lost(self) -> tuple[Story, ...]:
        """The Joins whose answer was lost."""
        return tuple(each for each in self.stories if each.answer_lost and not each.unjoin)
