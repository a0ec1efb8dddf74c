"""Effects: what a decision owes the world. They are stored with the decision and carried out afterwards, at least once.

Each effect has a `key` that names it for ever: carrying it out twice under one key is carrying it out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from joinbridge.core.attempt import AttemptState
from joinbridge.core.ids import DeviceId, JoinPair, RequestId
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateInventory:
    """Make the inventory say what was proven, if it still holds `expected`."""

    key: str
    pair: JoinPair
    joined: bool
    expected: bool | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReissueJoin:
    """Ask the DSP to issue an ACB-fronted Join again: new ACB counter, same RequestID."""

    key: str
    request_id: RequestId
    other: DeviceId
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeDeviceLog:
    """Ask the DSP to read the target's Device Log (SRV 8.9 → CS07)."""

    key: str
    request_id: RequestId


class NoticeKind(StrEnum):
    """Why a Supplier is told."""

    ANSWER_LOST = "answer-lost"  # we are looking; a new request with a new counter is yours to send
    UNRESOLVED = "unresolved"  # nothing could be proven; please check
    NOT_DELIVERED = "not-delivered"  # the command never reached the device
    UNJOIN_AGAIN = "unjoin-again"  # the inventory is corrected; the refused Unjoin can be sent again


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySupplier:
    """Tell the originator of a request what became of it."""

    key: str
    request_id: RequestId
    intent: Intent
    kind: NoticeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEvent:
    """Publish `join.<state>` for whoever listens, decided at `at`.

    `rules` found what it rests on, which was true at some moment of `proven_between`; a dispute rests on both sides, and has none.
    """

    key: str
    at: datetime
    state: AttemptState | PairState
    pair: JoinPair | None
    request_id: RequestId | None = None
    intent: Intent | None = None
    response_code: int | None = None
    rules: tuple[str, ...] = ()
    proven_between: tuple[datetime, datetime] | None = None


Effect = UpdateInventory | ReissueJoin | ProbeDeviceLog | NotifySupplier | PublishEvent
