"""The history of a simulation at rest: what the ledger says happened, folded into what must be so now, beside what is."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from joinbridge.core.attempt import AttemptKey, JoinAttempt
from joinbridge.core.effects import Effect
from joinbridge.core.ids import DeviceId, JoinPair
from joinbridge.core.pair import PairRecord
from joinbridge.core.policy import Policy
from joinbridge.observing import Decided
from joinbridge.ports import AuditRecord, DeadLetter
from joinbridge.proving.ledger import Ledger
from joinbridge.proving.scratch import Scratch, moment
from joinbridge.simulator.score import Score
from joinbridge.simulator.truth import Truth
from joinbridge.store.audit import AuditEntry, ChainHead


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds at rest, as plain rows. Any: columns hold anything."""

    inbox: frozenset[str] = frozenset()
    attempts: Mapping[tuple[str, str], tuple[str, int]] = field(default_factory=dict)  # state and version
    pairs: Mapping[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    evidence: frozenset[tuple[str, str, str, str]] = frozenset()  # target, other, rule, message
    outbox: Mapping[str, str] = field(default_factory=dict)  # status by key
    dead: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # reason, attempts, first and last seen, route, by key
    audit: Sequence[AuditEntry] = ()
    head: ChainHead = field(default_factory=ChainHead)


@dataclass(frozen=True, kw_only=True)
class History:
    """One simulation at rest. `truth` and `score` are None where nobody knows the truth; `policy` is the sidecar's.

    `live` is false of one in shadow mode; several `sidecars` may have shared everything.
    """

    ledger: Ledger
    stored: Stored
    live: bool = True
    sidecars: int = 1
    rested: bool = True
    policy: Policy = field(default_factory=Policy)
    inventory: Mapping[JoinPair, bool] = field(default_factory=dict)
    dead_on_bus: Sequence[DeadLetter] = ()
    truth: Truth | None = None
    score: Score | None = None
    ended_at: datetime | None = None

    @cached_property
    def attempts(self) -> Mapping[AttemptKey, JoinAttempt]:
        """Each attempt as the last commit that touched it left it."""
        return {attempt.key: attempt for commit in self.ledger.commits if commit.changes for attempt in commit.changes.attempts}

    @cached_property
    def pairs(self) -> Mapping[JoinPair, PairRecord]:
        """Each pair as the last commit that touched it left it."""
        return {record.pair: record for commit in self.ledger.commits if commit.changes for record in commit.changes.pairs}

    @cached_property
    def effects(self) -> Sequence[Effect]:
        """Every effect that was committed, in order; one that was owed already when it was owed again is there once."""
        owed = (effect for commit in self.ledger.commits if commit.changes for effect in commit.changes.effects)
        return tuple({effect.key: effect for effect in owed}.values())

    def was_open(self, target: DeviceId, since: int, until: int) -> bool:
        """Return whether one attempt on `target` was open, or had a deadline, from the `since`-th commit to after the `until`-th."""
        return any(begin <= since and until < end for begin, end in self._open.get(target, ()))

    @cached_property
    def _open(self) -> Mapping[DeviceId, Sequence[tuple[int, float]]]:
        """By target: for each time that an attempt was open, the commit that opened it and the one that ended it."""
        spans: defaultdict[DeviceId, list[tuple[int, float]]] = defaultdict(list)
        began: dict[AttemptKey, int] = {}
        for number, commit in enumerate(self.ledger.commits, start=1):
            for attempt in () if commit.changes is None else commit.changes.attempts:
                if attempt.is_open or attempt.deadlines:
                    began.setdefault(attempt.key, number)
                elif attempt.key in began:
                    spans[attempt.target].append((began.pop(attempt.key), number))
        for key, number in began.items():
            spans[key.request_id.device].append((number, math.inf))
        return spans

    @property
    def decided(self) -> Iterator[Decided]:
        """Every decision that was committed and told of, in order; a sidecar that is killed right after a commit tells nothing of it."""
        return (decided for committed in self.ledger.told for decided in committed.decisions)

    @property
    def audit(self) -> Iterator[AuditRecord]:
        """Every record that was committed to the audit chain, in order."""
        return (record for commit in self.ledger.commits if commit.changes for record in commit.changes.audit)


def read_stored(scratch: Scratch) -> Stored:
    """Return what the database holds."""
    rows = scratch.rows
    return Stored(
        inbox=frozenset(key for (key,) in rows("SELECT key FROM inbox")),
        attempts={(r, i): (state, version) for r, i, state, version in rows("SELECT request_id, intent, state, version FROM attempts")},
        pairs={(t, o): (state, version) for t, o, state, version in rows("SELECT target, other, state, version FROM pairs")},
        evidence=frozenset(rows("SELECT target, other, rule, message FROM evidence")),
        outbox=dict(rows("SELECT key, status FROM outbox")),
        dead={key: tuple(rest) for key, *rest in rows("SELECT key, reason, attempts, first_seen, last_seen, route FROM dead_letters")},
        audit=[
            AuditEntry(
                sequence=sequence,
                at=moment(at),
                kind=kind,
                subject=subject,
                body=body,
                previous=previous,
                digest=digest,
            )
            for sequence, at, kind, subject, body, previous, digest in rows(
                "SELECT sequence, at, kind, subject, body, previous, digest FROM audit ORDER BY sequence"
            )
        ],
        head=next(ChainHead(sequence=sequence, digest=digest) for sequence, digest in rows("SELECT sequence, digest FROM audit_head")),
    )


def body_of(entry: AuditEntry) -> Mapping[str, Any]:
    """Return the facts of an audit entry. Any: plain JSON, whose keys depend on the kind of entry."""
    body: Mapping[str, Any] = json.loads(entry.body)
    return body
