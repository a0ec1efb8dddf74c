"""A world for the engine without anything around it: dicts for a store, a clock that is moved by hand, deadlines that fire when due."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from joinbridge.core.attempt import AttemptKey, JoinAttempt
from joinbridge.core.case import Case, Contradiction, DeadlinePassed, Decision, Event
from joinbridge.core.effects import Effect
from joinbridge.core.engine import decide
from joinbridge.core.facts import Authenticity, DeviceDescription, Fact, Sighting
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey, RequestId
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.relevance import touched
from joinbridge.core.vocabulary import Intent
from support.home import START

E = TypeVar("E", bound=Effect)


@dataclass
class World:
    """Applies decisions as a store would: a decision sees the devices its event touches and their partners, and nothing else.

    `checks` are called with the world after every decision.
    """

    policy: Policy = field(default_factory=Policy)
    now: datetime = START
    attempts: dict[AttemptKey, JoinAttempt] = field(default_factory=dict)
    pairs: dict[JoinPair, PairRecord] = field(default_factory=dict)
    ledger: dict[DeviceId, tuple[Sighting, ...]] = field(default_factory=dict)
    devices: dict[DeviceId, DeviceDescription] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    checks: list[Callable[[World, Decision], None]] = field(default_factory=list)
    _seen: int = 0

    def see(
        self,
        fact: Fact,
        *,
        at: datetime | None = None,
        source: str = "sr.response",
        authenticity: Authenticity = Authenticity.CHANNEL,
        key: str | None = None,
    ) -> Decision:
        """Show the engine a message published at `at` (now, if nothing is said); the clock follows, and what is due before fires."""
        self._seen += 1
        sighting = Sighting(
            fact=fact,
            key=MessageKey(key or f"message-{self._seen}"),
            at=at or self.now,
            source=source,
            authenticity=authenticity,
        )
        return self.deliver(sighting)

    def deliver(self, sighting: Sighting) -> Decision:
        """Deliver a message, now or, if it is published later, then."""
        if sighting.at > self.now:
            self.tick(sighting.at)
        return self.apply(sighting, touched(sighting.fact))

    def tick(self, to: datetime | timedelta) -> list[Decision]:
        """Let time pass up to `to`, and every deadline fire when it is due."""
        until = self.now + to if isinstance(to, timedelta) else to
        decisions = []
        while (due := self.next_deadline()) is not None and due.deadline.due_at <= until:
            self.now = max(self.now, due.deadline.due_at)
            decisions.append(self.apply(due, (due.key.request_id.device,)))
        self.now = max(self.now, until)
        return decisions

    def next_deadline(self) -> DeadlinePassed | None:
        """Return the deadline that is due first."""
        held = [(d.due_at, a.key, d) for a in self.attempts.values() for d in a.deadlines]
        if not held:
            return None
        _, key, deadline = min(held)
        return DeadlinePassed(key=key, deadline=deadline)

    def apply(self, event: Event, devices: Iterable[DeviceId]) -> Decision:
        """Decide, and store what was decided."""
        decision = decide(self.case(devices), event, policy=self.policy, now=self.now)
        for attempt in decision.attempts:
            self.attempts[attempt.key] = replace(attempt, version=attempt.version + 1)
        for record in decision.pairs:
            self.pairs[record.pair] = replace(record, version=record.version + 1)
        for device, sighting in decision.kept:
            self.ledger[device] = (*self.ledger.get(device, ()), sighting)
        self.devices.update({d.device: d for d in decision.devices})
        self.effects.extend(decision.effects)
        self.contradictions.extend(decision.contradictions)
        self.surprises.extend(decision.surprises)
        for check in self.checks:
            check(self, decision)
        return decision

    def case(self, devices: Iterable[DeviceId]) -> Case:
        """Return what a store would load for `devices`: whole for them and for their partners."""
        wanted = set(devices)
        links = [(a.target, a.other) for a in self.attempts.values()] + [(p.target, p.other) for p in self.pairs]
        near = wanted | {o for t, o in links if t in wanted and o is not None} | {t for t, o in links if o in wanted}
        return Case(
            attempts={key: a for key, a in self.attempts.items() if a.target in near},
            pairs={p: record for p, record in self.pairs.items() if p.target in near},
            ledger={d: sightings for d, sightings in self.ledger.items() if d in near},
            devices={d: told for d, told in self.devices.items() if d in near},
        )

    def attempt(self, request_id: RequestId, intent: Intent = Intent.JOIN) -> JoinAttempt:
        """Return the record of an attempt."""
        return self.attempts[AttemptKey(request_id, intent)]

    def state(self, pair: JoinPair) -> PairState:
        """Return what is known of a pair."""
        return self.pairs[pair].state

    def rows(self, pair: JoinPair) -> list[int]:
        """Return the rows of the evidence table that a pair rests on."""
        return sorted(e.row for e in self.pairs[pair].basis)

    def owed(self, kind: type[E]) -> list[E]:
        """Return the effects of one kind, oldest first."""
        return [e for e in self.effects if isinstance(e, kind)]
