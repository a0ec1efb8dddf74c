"""What one batch has loaded, and what its decisions have made of it so far.

A batch loads whole homes and decides message by message; each decision sees only the devices it touches and their partners, so that a
decision costs the same in a batch of two hundred as alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from joinbridge.core.attempt import AttemptKey, JoinAttempt
from joinbridge.core.case import Case, Contradiction, Decision, Explanation
from joinbridge.core.effects import Effect
from joinbridge.core.evidence import Evidence
from joinbridge.core.facts import DeviceDescription, Sighting
from joinbridge.core.ids import DeviceId, JoinPair, RequestId
from joinbridge.core.pair import PairRecord
from joinbridge.ports import AuditRecord, Changes


class WorkingSet:
    """The records of a batch, by device; `apply` takes decisions in, `changes` gives out what to write."""

    def __init__(self, case: Case) -> None:
        self._attempts: defaultdict[DeviceId, dict[AttemptKey, JoinAttempt]] = defaultdict(dict)
        self._pairs: defaultdict[DeviceId, dict[JoinPair, PairRecord]] = defaultdict(dict)
        self._ledger: defaultdict[DeviceId, list[Sighting]] = defaultdict(list)
        self._devices = dict(case.devices)
        self._partners: defaultdict[DeviceId, set[DeviceId]] = defaultdict(set)
        self._changed_attempts: dict[AttemptKey, JoinAttempt] = {}
        self._changed_pairs: dict[JoinPair, PairRecord] = {}
        self._changed_devices: dict[DeviceId, DeviceDescription] = {}
        self._kept: list[tuple[DeviceId, Sighting]] = []
        self._evidence: dict[tuple[JoinPair, str, str, RequestId | None], Evidence] = {}
        self._effects: list[Effect] = []
        self._contradictions: list[Contradiction] = []
        self._explanations: list[Explanation] = []
        self.surprises: list[str] = []
        for attempt in case.attempts.values():
            self._index_attempt(attempt)
        for record in case.pairs.values():
            self._index_pair(record)
        for device, sightings in case.ledger.items():
            self._ledger[device].extend(sightings)

    def case(self, devices: Iterable[DeviceId]) -> Case:
        """Return what is recorded about `devices` and their partners, as the decisions so far have left it."""
        near = set(devices)
        for device in tuple(near):
            near |= self._partners.get(device, set())
        attempts: dict[AttemptKey, JoinAttempt] = {}
        pairs: dict[JoinPair, PairRecord] = {}
        # In order: what one decision changes is audited in the order of the case, which must not be that of a set.
        ordered = sorted(near)
        for device in ordered:
            attempts.update(self._attempts.get(device, {}))
            pairs.update(self._pairs.get(device, {}))
        return Case(
            attempts=attempts,
            pairs=pairs,
            ledger={device: tuple(self._ledger[device]) for device in ordered if device in self._ledger},
            devices={device: self._devices[device] for device in ordered if device in self._devices},
        )

    def apply(self, decision: Decision) -> None:
        """Take in what a decision changed."""
        for attempt in decision.attempts:
            self._index_attempt(attempt)
            self._changed_attempts[attempt.key] = attempt
        for record in decision.pairs:
            self._index_pair(record)
            self._changed_pairs[record.pair] = record
        for device, sighting in decision.kept:
            self._ledger[device].append(sighting)
        for description in decision.devices:
            self._devices[description.device] = description
            self._changed_devices[description.device] = description
        for found in decision.evidence:
            self._evidence[(found.pair, found.rule, found.message, found.attempt)] = found
        self._kept.extend(decision.kept)
        self._effects.extend(decision.effects)
        self._contradictions.extend(decision.contradictions)
        self._explanations.extend(decision.explanations)
        self.surprises.extend(decision.surprises)

    @property
    def attempts(self) -> Iterable[JoinAttempt]:
        """The attempts that changed."""
        return self._changed_attempts.values()

    @property
    def shakes_rules(self) -> bool:
        """Whether any decision contradicted an earlier inference, or took that back."""
        return bool(self._contradictions or self._explanations)

    def changes(self, *, withheld: bool, audit: Iterable[AuditRecord]) -> Changes:
        """Return all that the batch writes besides its dead letters."""
        return Changes(
            attempts=tuple(self._changed_attempts.values()),
            pairs=tuple(self._changed_pairs.values()),
            kept=tuple(self._kept),
            evidence=tuple(self._evidence.values()),
            devices=tuple(self._changed_devices.values()),
            effects=tuple(self._effects),
            withheld=withheld,
            contradictions=tuple(self._contradictions),
            explanations=tuple(self._explanations),
            audit=tuple(audit),
        )

    def _index_attempt(self, attempt: JoinAttempt) -> None:
        self._attempts[attempt.target][attempt.key] = attempt
        if attempt.other is not None:
            self._partner(attempt.target, attempt.other)

    def _index_pair(self, record: PairRecord) -> None:
        self._pairs[record.pair.target][record.pair] = record
        self._partner(record.pair.target, record.pair.other)

    def _partner(self, target: DeviceId, other: DeviceId) -> None:
        self._partners[target].add(other)
        self._partners[other].add(target)
