"""Counting: an observer that turns what a sidecar tells into metrics.

Counters count what was committed, each thing once, so that they equal what the store counts when both began empty and all is at rest.
What was committed and not confirmed, as when the database dies at that very moment, is in the store and in no counter.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from joinbridge.core.attempt import AttemptKey, AttemptState, JoinAttempt
from joinbridge.core.case import DeadlinePassed
from joinbridge.core.effects import Effect, NotifySupplier, UpdateInventory
from joinbridge.core.evidence import Grade, Mode, Polarity
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.ids import DeviceId
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.rules.delivery import SMI_SAYS_NOT_JOINED
from joinbridge.core.vocabulary import Intent
from joinbridge.observing import Committed, Correction, Decided, Observer, Taken
from joinbridge.ops.metrics.instruments import Instruments
from joinbridge.ops.metrics.labels import LEG_OF, Kind, Regions, TopKinds, effect_label, source_label, srv_label
from joinbridge.ports import Clock, Delivery


class Counting(Observer):
    """Counts on `instruments`. `price_gbp` is the price of a correction by hand; `top` kinds of device have series of their own."""

    def __init__(self, instruments: Instruments, *, regions: Regions, clock: Clock, price_gbp: int, top: int) -> None:
        self._on = instruments
        self._regions = regions
        self._clock = clock
        self._price_gbp = price_gbp
        self._kinds = TopKinds(top)

    def received(self, deliveries: Sequence[Delivery]) -> None:
        """Count messages as they come."""
        for source, times in Counter(source_label(delivery.source) for delivery in deliveries).items():
            self._on.received.labels(source).inc(times)
        for source, times in Counter(source_label(delivery.source) for delivery in deliveries if delivery.redelivered).items():
            self._on.redelivered.labels(source).inc(times)

    def settled(self, deliveries: Sequence[Delivery], taken: Taken) -> None:
        """Count what became of a batch."""
        outcomes = {"judged": taken.judged, "passed_by": taken.passed_by, "duplicate": taken.duplicates, "dead": taken.dead}
        for outcome, times in outcomes.items():
            self._on.settled.labels(outcome).inc(times)
        now = self._clock.now()
        self._on.batch_size.observe(len(deliveries))
        self._on.oldest_in_batch.observe(_seconds(min(d.at for d in deliveries), now))
        self._on.ahead.set(_seconds(now, max(d.at for d in deliveries)))

    def started_over(self, deliveries: Sequence[Delivery]) -> None:  # noqa: ARG002 - it is the same work, whatever is in it
        """Count what is decided again."""
        self._on.started_over.inc()

    def handed_back(self, deliveries: Sequence[Delivery]) -> None:
        """Count what comes again."""
        self._on.handed_back.inc(len(deliveries))

    def committed(self, committed: Committed) -> None:
        """Count what was decided."""
        self._on.commit_duration.observe(committed.took_s)
        for letter in committed.letters:
            self._on.dead_lettered.labels(source_label(letter.source)).inc()
        for decided in committed.decisions:
            self._decision(decided, committed)

    def rules(self, modes: Mapping[str, Mode]) -> None:
        """Show the mode of each rule."""
        for rule, mode in modes.items():
            for each in Mode:
                self._on.rule_mode.labels(rule, each).set(each is mode)

    def swept(self, at: datetime) -> None:  # noqa: ARG002 - who watches over the sweep asks for true time
        """Note the time of a sweep."""
        self._on.swept_at.set(time.time())

    def corrected(self, effect: UpdateInventory, outcome: Correction, age: timedelta) -> None:  # noqa: ARG002 - each counts as one
        """Count a try to correct the inventory."""
        self._on.updates.labels(outcome).inc()
        if outcome is Correction.CHANGED:
            self._on.avoided.inc()
            self._on.avoided_gbp.inc(self._price_gbp)
        if outcome in (Correction.CHANGED, Correction.UNCHANGED):
            self._on.correction_delay.observe(age.total_seconds())

    def carried_out(self, effects: Sequence[Effect], at: datetime) -> None:  # noqa: ARG002 - each effect's delay is its own
        """Count what is done."""
        for effect in effects:
            self._on.carried_out.labels(effect_label(effect)).inc()

    def postponed(self, effect: Effect, error: str) -> None:  # noqa: ARG002 - what it was is in the log
        """Count a failed try."""
        self._on.postponed.labels(effect_label(effect)).inc()

    def failed(self, task: str, error: Exception) -> None:  # noqa: ARG002 - which error it was is in the log
        """Count a turn that failed; the intakes are one task here."""
        self._on.failures.labels(task.partition(" ")[0]).inc()

    def _decision(self, decided: Decided, committed: Committed) -> None:
        case, decision, event = decided.case, decided.decision, decided.event
        devices = {**case.devices, **{d.device: d for d in decision.devices}}
        for attempt in decision.attempts:
            self._attempt(case.attempts.get(attempt.key), attempt, devices, committed.at)
        for record in decision.pairs:
            was = case.pairs.get(record.pair)
            if was is None or was.state is not record.state:
                self._on.pair_moves.labels(record.state).inc()
                self._inferred(record)
        for contradiction in decision.contradictions:
            self._on.contradictions.labels(contradiction.rule).inc()
        for explanation in decision.explanations:
            self._on.explained.labels(explanation.rule).inc()
        self._on.surprises.inc(len(decision.surprises))
        self._on.unjoin_explained.inc(sum(1 for _ in _explained(decided)))
        for effect in decision.effects:
            self._effect(effect, committed)
        if isinstance(event, DeadlinePassed):
            self._on.lateness.observe(_seconds(event.deadline.due_at, committed.at))
            return
        for found in decision.evidence:
            if found.shadow and found.message == event.key and found.polarity is Polarity.JOINED and found.grade is Grade.CONCLUSIVE:
                self._on.inferences.labels(found.rule, Mode.SHADOW).inc()

    def _attempt(self, before: JoinAttempt | None, after: JoinAttempt, devices: Mapping[DeviceId, DeviceDescription], at: datetime) -> None:
        srv, target = srv_label(after.srv), devices.get(after.target)
        region = self._regions.label(None if target is None else target.region)
        if before is None:
            self._kind(target)
        if before is None or before.state is not after.state:
            self._on.attempt_moves.labels(srv, after.state).inc()
            if after.state is AttemptState.INFERRED_SUCCESS and after.lost_at is not None:
                self._on.inference_delay.observe(_seconds(after.lost_at, at))
            if after.intent is Intent.UNJOIN and after.refusal == SMI_SAYS_NOT_JOINED and after.state is AttemptState.NOT_SENT:
                self._on.unjoin_refusals.inc()
        if _newly(before, after, "lost_at") and after.lost_because is not None:
            self._on.lost.labels(srv, region, LEG_OF[after.lost_because], after.lost_because).inc()
            self._device(target, region, "lost")
        if _newly(before, after, "answered_at") and after.answered_at is not None:
            self._on.response_delay.labels(srv).observe(_seconds(after.asked_at, after.answered_at))
            if after.lost_at is None:
                self._on.responses.labels(srv, region).inc()
                self._device(target, region, "received")

    def _device(self, target: DeviceDescription | None, region: str, outcome: str) -> None:
        kind = self._kind(target)
        self._on.device_responses.labels(kind.make, kind.model, kind.firmware, region, outcome).inc()

    def _kind(self, target: DeviceDescription | None) -> Kind:
        """Return the kind to count `target` under; its series begin at 0 with the request, so that the first answer is an increase."""
        kind, gone = self._kinds.admit(Kind.of(target))
        if gone is not None:
            self._on.disown(gone)
        self._on.own(kind)
        return kind

    def _inferred(self, record: PairRecord) -> None:
        if record.state is PairState.INFERRED_SUCCESS:
            for rule in {found.rule for found in record.basis if not found.settles}:
                self._on.inferences.labels(rule, Mode.LIVE).inc()

    def _effect(self, effect: Effect, committed: Committed) -> None:
        self._on.effects.labels(effect_label(effect), "withheld" if committed.withheld else "owed").inc()
        if isinstance(effect, NotifySupplier):
            self._on.notices.labels(effect.kind).inc()


def _explained(decided: Decided) -> Iterator[AttemptKey]:
    """Return the refused Unjoins whose case this decision closed because it is known now whether the pair is joined."""
    known = HELD_JOINED | {PairState.NOT_JOINED}
    pairs = {**decided.case.pairs, **{record.pair: record for record in decided.decision.pairs}}
    for after in decided.decision.attempts:
        before = decided.case.attempts.get(after.key)
        if before is None or not before.deadlines or after.deadlines or after.refusal != SMI_SAYS_NOT_JOINED:
            continue
        record = None if after.pair is None else pairs.get(after.pair)
        if record is not None and record.state in known:
            yield after.key


def _newly(before: JoinAttempt | None, after: JoinAttempt, field: str) -> bool:
    return getattr(after, field) is not None and (before is None or getattr(before, field) is None)


def _seconds(start: datetime, end: datetime) -> float:
    """Return how long it is from `start` to `end`; clocks differ, and nothing takes less than no time."""
    return max(0.0, (end - start).total_seconds())
