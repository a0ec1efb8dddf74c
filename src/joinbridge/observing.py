"""Observing: what a sidecar tells of its work to whoever counts, traces or logs it.

An observer is told after the fact: what it hears of is committed, settled or carried out. It must be quick, and it must not raise; whoever
makes one sees to that (`ops.observers.Harmless`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from joinbridge.core.case import Case, Decision, Event
from joinbridge.core.effects import Effect, UpdateInventory
from joinbridge.core.evidence import Mode
from joinbridge.ports import DeadLetter, Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a batch: how many messages were judged, passed by, seen before, and put among the dead letters."""

    judged: int = 0
    passed_by: int = 0
    duplicates: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision: what it was about, what it was made from, and what it came to."""

    event: Event
    case: Case
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """One transaction that wrote something: its decisions in their order, and the messages that became dead letters for the first time.

    `at` is the sidecar's clock, `took_s` true seconds from the first statement to the commit. `withheld`: nothing of it is carried out.
    """

    at: datetime
    decisions: Sequence[Decided]
    letters: Sequence[DeadLetter] = ()
    withheld: bool
    took_s: float


class Correction(StrEnum):
    """What became of a try to correct the inventory."""

    CHANGED = "changed"  # it was wrong, and is right now
    UNCHANGED = "unchanged"  # it held that already
    CONFLICT = "conflict"  # it holds neither what was expected nor what is right: tried again later
    FAILED = "failed"  # it could not be reached: tried again later


class Observer:
    """Whoever wants to know what a sidecar does. This one does nothing, so that others need only hear what concerns them."""

    def received(self, deliveries: Sequence[Delivery]) -> None:
        """Hear that a source handed `deliveries` over."""

    def settled(self, deliveries: Sequence[Delivery], taken: Taken) -> None:
        """Hear that all that follows from `deliveries` is committed, or that one was rejected: they are acknowledged next."""

    def started_over(self, deliveries: Sequence[Delivery]) -> None:
        """Hear that another instance changed what `deliveries` are about meanwhile, and they are decided again."""

    def handed_back(self, deliveries: Sequence[Delivery]) -> None:
        """Hear that `deliveries` could not be committed and will come again."""

    def committed(self, committed: Committed) -> None:
        """Hear of a transaction."""

    def rules(self, modes: Mapping[str, Mode]) -> None:
        """Hear which mode each rule is in from now on."""

    def swept(self, at: datetime) -> None:
        """Hear that all deadlines due at `at`, or as many as one sweep takes, have fired."""

    def corrected(self, effect: UpdateInventory, outcome: Correction, age: timedelta) -> None:
        """Hear of one try to correct the inventory; `age` is how long ago that was decided, by whichever instance."""

    def carried_out(self, effects: Sequence[Effect], at: datetime) -> None:
        """Hear that `effects` are done and settled."""

    def postponed(self, effect: Effect, error: str) -> None:
        """Hear that `effect` could not be carried out because of `error`, and is tried again later."""

    def failed(self, task: str, error: Exception) -> None:
        """Hear that a turn of `task` failed and is tried again."""


SILENT = Observer()
"""Tells nobody."""
