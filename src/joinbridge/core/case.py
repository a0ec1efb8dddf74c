"""What a decision is made from, and what it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from joinbridge.core.attempt import AttemptKey, Deadline, JoinAttempt
from joinbridge.core.effects import Effect
from joinbridge.core.evidence import Evidence
from joinbridge.core.facts import DeviceDescription, Sighting
from joinbridge.core.ids import DeviceId, JoinPair
from joinbridge.core.pair import PairRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that is recorded about some devices: whole for each target in it.

    `ledger` has, for each target, the sightings that may bear on its pairs, including those that came before any request.
    """

    attempts: Mapping[AttemptKey, JoinAttempt] = field(default_factory=dict)
    pairs: Mapping[JoinPair, PairRecord] = field(default_factory=dict)
    ledger: Mapping[DeviceId, tuple[Sighting, ...]] = field(default_factory=dict)
    devices: Mapping[DeviceId, DeviceDescription] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """A deadline is due. It is void if the attempt no longer holds it."""

    key: AttemptKey
    deadline: Deadline


Event = Sighting | DeadlinePassed


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Newer proof against what `rule` had us record about `pair`."""

    rule: str
    pair: JoinPair
    at: datetime
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What spoke against `rule` about `pair` from `since` on was an Unjoin that was read after what it did: no contradiction."""

    rule: str
    pair: JoinPair
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from one event: the records as they are now, and what is owed.

    `attempts` and `pairs` hold only what changed, `kept` the sightings to keep in a target's ledger, `evidence` what the rules found for
    the pairs that were judged. A surprise is a legal message that nobody expected in that state, in words.
    """

    attempts: tuple[JoinAttempt, ...] = ()
    pairs: tuple[PairRecord, ...] = ()
    kept: tuple[tuple[DeviceId, Sighting], ...] = ()
    evidence: tuple[Evidence, ...] = ()
    devices: tuple[DeviceDescription, ...] = ()
    effects: tuple[Effect, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    surprises: tuple[str, ...] = ()
