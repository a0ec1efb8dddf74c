"""The working copy of a case while one decision is made: what changed, what is kept, what is owed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.case import Case, Contradiction, Decision, Explanation
from joinbridge.core.correction import inventory_word
from joinbridge.core.effects import Effect, PublishEvent
from joinbridge.core.evidence import Evidence, Polarity, rules_of, window_of
from joinbridge.core.facts import DeviceDescription, Sighting
from joinbridge.core.ids import DeviceId, JoinPair
from joinbridge.core.pair import PairRecord
from joinbridge.core.policy import Policy
from joinbridge.core.pursuit import Step
from joinbridge.core.rules import PairContext
from joinbridge.core.vocabulary import DeviceType

Key = TypeVar("Key")
Record = TypeVar("Record")

_TOLD = frozenset(AttemptState) - {
    AttemptState.REQUESTED,
    AttemptState.ACCEPTED,
    AttemptState.RETRIED,
    AttemptState.PROBED,
}
"""States of an attempt that the world is told of."""


class Draft:
    """Everything `decide` accumulates. It never changes the case it was made from."""

    def __init__(self, case: Case, policy: Policy, now: datetime) -> None:
        self.case = case
        self.policy = policy
        self.now = now
        self.attempts = dict(case.attempts)
        self.pairs = dict(case.pairs)
        self.devices = dict(case.devices)
        self._kept: list[tuple[DeviceId, Sighting]] = []
        self._evidence: dict[JoinPair, tuple[Evidence, ...]] = {}
        self._effects: list[Effect] = []
        self._contradictions: list[Contradiction] = []
        self._explanations: list[Explanation] = []
        self._surprises: list[str] = []

    def type_of(self, device: DeviceId) -> DeviceType | None:
        """Return the device's type as far as it was told."""
        description = self.devices.get(device)
        return None if description is None else description.device_type

    def on_target(self, target: DeviceId) -> tuple[JoinAttempt, ...]:
        """Return the attempts on `target`, oldest request first."""
        found = [a for a in self.attempts.values() if a.target == target]
        if len(found) > 1:
            found.sort(key=lambda a: (a.requested_at, a.key))
        return tuple(found)

    def ledger(self, device: DeviceId) -> tuple[Sighting, ...]:
        """Return what is kept about `device`, including what this decision keeps."""
        return (*self.case.ledger.get(device, ()), *(s for d, s in self._kept if d == device))

    def context(self, pair: JoinPair) -> PairContext:
        """Return what the rules may look at for `pair`."""
        return PairContext(pair=pair, attempts=self.on_target(pair.target), devices=self.devices, policy=self.policy)

    def keep(self, device: DeviceId, sighting: Sighting) -> bool:
        """Keep a sighting in the ledger of `device`; return whether it was new there."""
        if any(s.key == sighting.key for s in self.ledger(device)):
            return False
        self._kept.append((device, sighting))
        return True

    def put(self, attempt: JoinAttempt, basis: Sequence[Evidence] = ()) -> None:
        """Record an attempt; the world is told when it reached a state that matters to others, and on what `basis`."""
        old = self.attempts.get(attempt.key)
        self.attempts[attempt.key] = attempt
        if attempt.state in _TOLD and (old is None or old.state is not attempt.state):
            self._effects.append(
                PublishEvent(
                    key=f"event:{attempt.key}:{attempt.state}:{attempt.version}",
                    at=self.now,
                    state=attempt.state,
                    pair=attempt.pair,
                    request_id=attempt.request_id,
                    intent=attempt.intent,
                    response_code=attempt.response_code,
                    rules=rules_of(basis),
                    proven_between=window_of(basis, self.policy.clock_skew),
                )
            )

    def open_pair(self, attempt: JoinAttempt, at: datetime) -> None:
        """Make sure that the pair of `attempt` has a record."""
        if attempt.pair is not None and attempt.pair not in self.pairs:
            self.pairs[attempt.pair] = PairRecord(pair=attempt.pair, since=at)

    def inventory_holds(self, attempt: JoinAttempt, sighting: Sighting) -> None:
        """Record what the inventory holds of the pair of `attempt` if `sighting` tells, and nothing newer is known."""
        record = None if attempt.pair is None else self.pairs.get(attempt.pair)
        joined = inventory_word(attempt, sighting) if self.policy.trusts(sighting) else None
        if record is not None and joined is not None and (record.held_at is None or record.held_at <= sighting.at):
            self.put_pair(replace(record, held=joined, held_at=sighting.at))

    def put_pair(self, record: PairRecord) -> None:
        """Record a pair."""
        self.pairs[record.pair] = record

    def found(self, pair: JoinPair, evidence: tuple[Evidence, ...]) -> None:
        """Record what the rules found for `pair`."""
        self._evidence[pair] = evidence

    def owe(self, step: Step) -> JoinAttempt:
        """Add the effects of a step to what is owed; return its attempt."""
        attempt, effects = step
        self._effects.extend(effects)
        return attempt

    def effect(self, effect: Effect) -> None:
        """Add one effect to what is owed."""
        self._effects.append(effect)

    def learn(self, descriptions: Iterable[DeviceDescription]) -> None:
        """Add what was told of some devices to what is known; what is not told is not forgotten."""
        for told in descriptions:
            known = self.devices.get(told.device)
            if known is None:
                self.devices[told.device] = told
                continue
            self.devices[told.device] = DeviceDescription(
                told.device,
                known.device_type if told.device_type is None else told.device_type,
                told.manufacturer or known.manufacturer,
                told.model or known.model,
                told.firmware or known.firmware,
                told.region or known.region,
            )

    def surprise(self, says: str) -> None:
        """Record a legal message that nobody expected."""
        self._surprises.append(says)

    def contradict(self, pair: JoinPair, says: str) -> None:
        """Count newer proof against each inference that the pair's present state rests on."""
        record = self.pairs.get(pair)
        rules: Sequence[str] = () if record is None else sorted({e.rule for e in record.basis if not e.settles})
        self._contradictions.extend(Contradiction(rule=rule, pair=pair, at=self.now, says=says) for rule in rules)

    def explain(self, record: PairRecord) -> None:
        """Take back what was counted against the inferences of `record` since its dispute arose."""
        rules = sorted({e.rule for e in record.basis if e.polarity is Polarity.JOINED and not e.settles})
        self._explanations.extend(Explanation(rule=rule, pair=record.pair, since=record.since) for rule in rules)

    def decision(self) -> Decision:
        """Return what changed."""
        return Decision(
            attempts=_changed(self.case.attempts, self.attempts),
            pairs=_changed(self.case.pairs, self.pairs),
            kept=tuple(self._kept),
            evidence=tuple(e for found in self._evidence.values() for e in found),
            devices=_changed(self.case.devices, self.devices),
            effects=tuple(self._effects),
            contradictions=tuple(self._contradictions),
            explanations=tuple(self._explanations),
            surprises=tuple(self._surprises),
        )


def _changed(before: Mapping[Key, Record], now: Mapping[Key, Record]) -> tuple[Record, ...]:
    """Return the records that are new, or not what they were."""
    # Most are the very same objects, and to compare two of twenty fields is not cheap.
    return tuple(record for key, record in now.items() if (was := before.get(key)) is not record and was != record)
