"""The instruments: every metric that joinbridge exports of its own work, by name, meaning and labels, in one registry of its own.

Every label set that is known beforehand is there from the start with 0, so that a rate exists before the first event and an alert on one
is not blind to it. Times are in seconds. What the store holds is a gauge without `_total`; every instance reports the same there, so take
the `max` of them; counters are each instance's own, so take the `sum`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from joinbridge.core.attempt import AttemptState, LossTrigger
from joinbridge.core.effects import NoticeKind
from joinbridge.core.evidence import Mode
from joinbridge.core.pair import PairState
from joinbridge.core.rules import RULES
from joinbridge.observing import Correction
from joinbridge.ops.metrics.labels import EFFECTS, LEG_OF, OTHERS, SOURCES, SRVS, Kind, Regions
from joinbridge.ports import DeadLetterStatus

OUTCOMES = ("judged", "passed_by", "duplicate", "dead")
FATES = ("owed", "withheld")
RESPONSES = ("received", "lost")
TASKS = ("intake", "devices", "deadlines", "relay", "upkeep", "census")
AGE_LABELS = ("under_1h", "1h_to_1d", "1d_to_3d", "3d_to_7d", "over_7d")

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
WAITS = (
    1,
    5,
    15,
    _MINUTE,
    5 * _MINUTE,
    15 * _MINUTE,
    _HOUR,
    2 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    _DAY,
    2 * _DAY,
    4 * _DAY,
    7 * _DAY,
    14 * _DAY,
)
"""Buckets of what takes as long as the field does: from an answer within seconds to proof after two weeks."""
WORK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Buckets of what takes as long as we do."""
LATENESS = (0.5, 1, 2, 5, 10, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR, _DAY)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Instruments:
    """All of them, on `registry`. `regions` are the values that the label of that name takes."""

    def __init__(self, regions: Regions) -> None:
        # Another series for each counter, with the time it was made, would tell nobody anything; it can only be left out of all registries.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has not annotated it
        self.registry = CollectorRegistry(auto_describe=True)
        rules = [rule.name for rule in RULES]
        states = list(AttemptState)

        self.build_info = self._gauge("build_info", "Version and mode of this instance; always 1.", "version", "mode")

        # What came in, and what became of it.
        self.received = self._counter("messages_received", "Messages handed over by a source, copies included.", source=SOURCES)
        self.redelivered = self._counter("messages_redelivered", "Messages that the broker says were handed over before.", source=SOURCES)
        self.settled = self._counter("messages_settled", "Messages whose effect is committed, by what became of them.", outcome=OUTCOMES)
        self.started_over = self._counter(
            "batches_started_over", "Batches that are decided again, as another instance changed a home of theirs meanwhile."
        )
        self.handed_back = self._counter("messages_handed_back", "Messages that could not be committed and come again.")
        self.dead_lettered = self._counter(
            "messages_dead_lettered", "Messages that became dead letters for the first time.", source=SOURCES
        )
        self.oldest_in_batch = self._histogram(
            "batch_oldest_message_age_seconds", "Bus time to commit, of the oldest message of a batch.", WAITS
        )
        self.ahead = self._gauge(
            "bus_clock_ahead_seconds", "How far the newest message of the last batch was ahead of our clock; 0 if it was not."
        )
        self.batch_size = self._histogram("batch_messages", "Messages in a batch.", SIZES)

        # Attempts, and the answers that were lost.
        self.attempt_moves = self._counter("attempt_transitions", "Times that an attempt came to a state.", srv=SRVS, state=states)
        self.responses = self._counter(
            "responses_received", "Attempts whose answer came and was not lost before.", srv=SRVS, region=regions.labels
        )
        self.lost = self._counter("responses_lost", "Attempts whose answer was found to be lost.", "srv", "region", "leg", "trigger")
        for srv, region, trigger in product(SRVS, regions.labels, LossTrigger):
            self.lost.labels(srv=srv, region=region, leg=LEG_OF[trigger], trigger=trigger)
        self.device_responses = self._counter(
            "device_responses",
            "Answers received and lost by what kind of device the target is; kinds that are not among the most frequent are `other`.",
            *("make", "model", "firmware", "region", "outcome"),
        )
        self._cells = tuple(product(regions.labels, RESPONSES))
        self.own(OTHERS)
        self.response_delay = self._histogram("response_delay_seconds", "Request to answer.", WAITS, srv=SRVS)
        self.inference_delay = self._histogram("inference_delay_seconds", "Loss noticed to success inferred.", WAITS)
        self.correction_delay = self._histogram(
            "correction_delay_seconds", "Correction decided, by any instance, to inventory corrected by this one.", WAITS
        )
        self.lateness = self._histogram("deadline_lateness_seconds", "Deadline due to fired.", LATENESS)

        # What was concluded.
        self.pair_moves = self._counter("pair_transitions", "Times that a pair came to a state.", state=list(PairState))
        self.inferences = self._counter(
            "inferences",
            "Times that a pair was inferred to be joined on this rule (live), or would have been on its word alone (shadow).",
            rule=rules,
            mode=(Mode.LIVE, Mode.SHADOW),
        )
        self.contradictions = self._counter(
            "contradictions", "Times that newer proof contradicted what this rule had inferred.", rule=rules
        )
        self.explained = self._counter(
            "contradictions_explained", "Those of them that were an Unjoin, read later than the proof of what it did.", rule=rules
        )
        self.rule_mode = self._gauge("rule_mode", "1 for the mode that a rule is in.", rule=rules, mode=list(Mode))
        self.surprises = self._counter("surprises", "Legal messages that nobody expected in that state.")
        self.unjoin_refusals = self._counter("unjoin_refusals", "Unjoins refused with E080801: the inventory says not joined.")
        self.unjoin_explained = self._counter("unjoin_refusals_explained", "Those of them whose pair is known to be joined or not by now.")

        # What was done about it.
        self.effects = self._counter("effects", "Effects decided, by what is done with them.", effect=EFFECTS.values(), fate=FATES)
        self.carried_out = self._counter("effects_carried_out", "Effects that are done.", effect=EFFECTS.values())
        self.postponed = self._counter("effects_postponed", "Failed tries to carry an effect out; it stays owed.", effect=EFFECTS.values())
        self.notices = self._counter("notices", "Notices to Suppliers decided, withheld ones included.", kind=list(NoticeKind))
        self.updates = self._counter(
            "inventory_updates", "Tries to correct the inventory, by what became of them.", outcome=list(Correction)
        )
        self.avoided = self._counter("corrections_avoided", "Wrong entries of the inventory that were put right without a person.")
        self.avoided_gbp = self._counter("corrections_avoided_gbp", "What those would have cost by hand (money.correction_gbp), in GBP.")

        # How we are.
        self.ready = self._gauge("ready", "1 for each check of readiness that finds all well, 0 for one that does not.", "check")
        self.commit_duration = self._histogram("commit_duration_seconds", "One transaction, decisions included.", WORK)
        self.loop_lag = self._histogram("event_loop_lag_seconds", "How late the event loop comes to what is due at once.", WORK)
        self.failures = self._counter("turn_failures", "Turns that failed and are tried again.", task=TASKS)
        self.swept_at = self._gauge("deadlines_swept_timestamp_seconds", "True time of the last sweep of deadlines; 0 before the first.")
        self.clock = self._gauge("clock_timestamp_seconds", "The sidecar's clock, to be compared with others.")
        self.observer_errors = self._counter("observer_errors", "Errors in metrics, traces or logs themselves.")

        # What the store holds.
        self.attempts = self._gauge("attempts", "Attempts on record.", state=states)
        self.open_attempts = self._gauge("attempts_open", "Attempts that are open, by the time since their request.", age=AGE_LABELS)
        self.pairs = self._gauge("pairs", "Pairs on record.", state=list(PairState))
        self.backlog = self._gauge("outbox_backlog", "Effects that are owed.", effect=EFFECTS.values())
        self.backlog_oldest = self._gauge("outbox_oldest_seconds", "Age of the oldest effect that is owed; 0 for none.")
        self.dead_letters = self._gauge("dead_letters", "Dead letters on record.", status=list(DeadLetterStatus))
        self.dead_letters_oldest = self._gauge(
            "dead_letters_oldest_seconds", "Age of the oldest dead letter that is not settled; 0 for none."
        )
        self.overdue = self._gauge("deadlines_overdue", "Deadlines that are due and have not fired.")
        self.overdue_oldest = self._gauge("deadlines_overdue_seconds", "How late the latest of them is; 0 for none.")
        self.audit_height = self._gauge("audit_height", "Entries of the audit chain.")
        self.census_at = self._gauge("census_timestamp_seconds", "True time at which the store was last counted; 0 before the first.")

    def own(self, kind: Kind) -> None:
        """Give devices of `kind` series of their own in every region, which begin at 0; those that they have stay as they are."""
        for region, outcome in self._cells:
            self.device_responses.labels(kind.make, kind.model, kind.firmware, region, outcome)

    def disown(self, kind: Kind) -> None:
        """Take the series of their own from devices of `kind`; what they counted goes to the others, so that sums stay right."""
        own = [kind.make, kind.model, kind.firmware]
        for sample in next(iter(self.device_responses.collect())).samples:
            labels = sample.labels
            if [labels["make"], labels["model"], labels["firmware"]] == own:
                where = (labels["region"], labels["outcome"])
                self.device_responses.labels(OTHERS.make, OTHERS.model, OTHERS.firmware, *where).inc(sample.value)
                self.device_responses.remove(*own, *where)

    def _counter(self, name: str, help_: str, *open_labels: str, **labels: Iterable[str]) -> Counter:
        made = Counter(f"joinbridge_{name}", help_, (*open_labels, *labels), registry=self.registry)
        _initialise(made, labels)
        return made

    def _gauge(self, name: str, help_: str, *open_labels: str, **labels: Iterable[str]) -> Gauge:
        made = Gauge(f"joinbridge_{name}", help_, (*open_labels, *labels), registry=self.registry)
        _initialise(made, labels)
        return made

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...], **labels: Iterable[str]) -> Histogram:
        made = Histogram(f"joinbridge_{name}", help_, tuple(labels), buckets=buckets, registry=self.registry)
        _initialise(made, labels)
        return made


def _initialise(made: Counter | Gauge | Histogram, labels: Mapping[str, Iterable[str]]) -> None:
    for values in product(*labels.values()) if labels else ():
        made.labels(*values)
