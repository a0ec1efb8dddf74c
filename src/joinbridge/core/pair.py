"""The record of one directional pair (how a verdict moves it: `standing`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from joinbridge.core.evidence import Evidence
from joinbridge.core.ids import JoinPair


class PairState(StrEnum):
    """What is known of T→O."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    JOINED = "joined"
    INFERRED_SUCCESS = "inferred_success"
    NOT_JOINED = "not_joined"
    DISPUTED = "disputed"


HELD_JOINED = frozenset({PairState.JOINED, PairState.INFERRED_SUCCESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRecord:
    """What is known of a pair, and the evidence it rests on.

    `held` is what the inventory is believed to hold since `held_at`, None when nothing told us; `corrected` says that we have ever written
    it. Evidence older than `expired_at` (the device left the home then) counts no more. `restored_at` is set on a pair that moved here from
    an exchanged GPF, which no request asked for. `version` counts stored changes, for compare-and-set.
    """

    pair: JoinPair
    state: PairState = PairState.UNKNOWN
    basis: tuple[Evidence, ...] = ()
    since: datetime
    disputed_at: datetime | None = None
    expired_at: datetime | None = None
    restored_at: datetime | None = None
    held: bool | None = None
    held_at: datetime | None = None
    corrected: bool = False
    version: int = 0
