"""The metrics: bounded labels, nothing that harms, and what no simulated history brings about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from joinbridge.bus.amqp.health import Delays
from joinbridge.config import Settings
from joinbridge.core.attempt import AttemptState, Deadline, JoinAttempt, LossTrigger, Purpose
from joinbridge.core.case import Case, Contradiction, DeadlinePassed, Decision, Explanation
from joinbridge.core.effects import UpdateInventory
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.ids import JoinPair
from joinbridge.core.rules import RULES
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.observing import Committed, Correction, Decided, Observer
from joinbridge.ops.health import Check
from joinbridge.ops.metrics import Metrics
from joinbridge.ops.metrics.labels import OTHERS, Kind, Regions, TopKinds
from joinbridge.ops.metrics.transport import COUNTERS, GAUGES, Durations, Transport, TransportCollector
from joinbridge.ops.observers import Harmless
from joinbridge.ports import Delivery
from joinbridge.service.clock import ManualClock
from support.home import ESME, PPMID, START, request_id

A, B, C = (Kind("acme", "m1", firmware) for firmware in ("1", "2", "3"))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(Settings.model_validate({"metrics": {"top": 2}}), ManualClock(START))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.instruments.registry.get_sample_value(f"joinbridge_{name}", labels)


def lost(firmware: str, *, region: str = "North", counter: int = 1) -> Decided:
    before = JoinAttempt(request_id=request_id(counter), intent=Intent.JOIN, requested_at=START, srv="8.7.2", submitted_at=START)
    after = replace(before, state=AttemptState.RESPONSE_LOST, lost_at=START, lost_because=LossTrigger.DEADLINE)
    device = DeviceDescription(after.target, DeviceType.ESME, "acme", "m1", firmware, region)
    due = Deadline(due_at=START - timedelta(seconds=3), purpose=Purpose.ANSWER, armed_in=AttemptState.REQUESTED)
    case = Case(attempts={before.key: before}, devices={device.device: device})
    return Decided(event=DeadlinePassed(key=before.key, deadline=due), case=case, decision=Decision(attempts=(after,)))


def commit(*decisions: Decided) -> Committed:
    return Committed(at=START, decisions=decisions, withheld=False, took_s=0.01)


class TestFromTheStart:
    def test_counters_without_events_are_there_with_zero(self, metrics: Metrics) -> None:
        labels = {"srv": "8.7.1", "region": "north", "leg": "radio", "trigger": "8F2C"}

        assert value(metrics, "responses_lost_total", **labels) == 0
        assert value(metrics, "contradictions_total", rule=RULES[0].name) == 0

    def test_every_metric_has_a_name_a_type_and_a_sentence(self, metrics: Metrics) -> None:
        for family in text_string_to_metric_families(metrics.text().decode()):
            assert re.fullmatch("joinbridge_[a-z_]+", family.name)
            assert family.documentation.endswith(".")
            assert family.type in ("counter", "gauge", "histogram")
            assert not family.name.endswith(("_count", "_sum", "_info_info", "_milliseconds"))

    def test_every_metric_has_a_series_unless_its_labels_are_open(self, metrics: Metrics) -> None:
        empty = {family.name for family in text_string_to_metric_families(metrics.text().decode()) if not family.samples}

        assert empty == set()

    def test_two_of_them_in_one_process_count_apart(self) -> None:
        one, two = (Metrics(Settings(), ManualClock(START)) for _ in range(2))

        one.observer.handed_back([a_delivery()])

        assert (value(one, "messages_handed_back_total"), value(two, "messages_handed_back_total")) == (1, 0)


class TestLosses:
    def test_a_lost_answer_is_counted_where_it_was_lost_and_on_what_device(self, metrics: Metrics) -> None:
        metrics.observer.committed(commit(lost("1")))

        where = {"srv": "8.7.2", "region": "north", "leg": "unknown", "trigger": "deadline"}
        assert value(metrics, "responses_lost_total", **where) == 1
        device = {"make": "acme", "model": "m1", "firmware": "1", "region": "north", "outcome": "lost"}
        assert value(metrics, "device_responses_total", **device) == 1
        assert value(metrics, "deadline_lateness_seconds_sum") == 3

    def test_a_region_that_is_not_allowed_is_other(self, metrics: Metrics) -> None:
        metrics.observer.committed(commit(lost("1", region="Atlantis")))

        where = {"srv": "8.7.2", "region": "other", "leg": "unknown", "trigger": "deadline"}
        assert value(metrics, "responses_lost_total", **where) == 1

    def test_kinds_beyond_the_top_are_other_and_one_that_overtakes_gets_its_place_without_a_count_lost(self, metrics: Metrics) -> None:
        firmwares = ["1", "2", "2", "3", "3", "3"]

        metrics.observer.committed(commit(*(lost(firmware, counter=i) for i, firmware in enumerate(firmwares, 1))))

        def of(kind: Kind) -> float | None:
            labels = {"make": kind.make, "model": kind.model, "firmware": kind.firmware, "region": "north", "outcome": "lost"}
            return value(metrics, "device_responses_total", **labels)

        assert (of(A), of(B), of(C), of(OTHERS)) == (None, 2, 1, 3)


class TestContradictions:
    def test_each_is_counted_for_its_rule(self, metrics: Metrics) -> None:
        rule, pair = RULES[0].name, JoinPair(ESME, PPMID)
        found = Contradiction(rule=rule, pair=pair, at=START, says="the log says otherwise")
        event = lost("1").event

        metrics.observer.committed(commit(Decided(event=event, case=Case(), decision=Decision(contradictions=(found, found)))))

        assert value(metrics, "contradictions_total", rule=rule) == 2

    def test_those_that_were_explained_are_counted_too(self, metrics: Metrics) -> None:
        rule, pair = RULES[0].name, JoinPair(ESME, PPMID)
        explained = Explanation(rule=rule, pair=pair, since=START)

        metrics.observer.committed(
            commit(Decided(event=lost("1").event, case=Case(), decision=Decision(explanations=(explained, explained))))
        )

        assert value(metrics, "contradictions_explained_total", rule=rule) == 2

    def test_a_rule_that_returned_to_shadow_is_seen_to_be_there(self, metrics: Metrics) -> None:
        rule = RULES[0].name
        metrics.observer.rules({rule: Mode.LIVE})

        metrics.observer.rules({rule: Mode.SHADOW})

        assert [value(metrics, "rule_mode", rule=rule, mode=mode) for mode in (Mode.LIVE, Mode.SHADOW)] == [0, 1]


class TestCorrections:
    @pytest.mark.parametrize(("outcome", "avoided"), [("changed", 1), ("unchanged", 0), ("conflict", 0), ("failed", 0)])
    def test_only_an_entry_that_was_wrong_and_is_right_now_saves_money(self, metrics: Metrics, outcome: str, avoided: int) -> None:
        effect = UpdateInventory(key="k", pair=JoinPair(ESME, PPMID), joined=True, expected=False, reason="")

        metrics.observer.corrected(effect, Correction(outcome), timedelta(seconds=3))

        assert value(metrics, "inventory_updates_total", outcome=outcome) == 1
        assert value(metrics, "corrections_avoided_total") == avoided
        assert value(metrics, "corrections_avoided_gbp_total") == 2000 * avoided

    @pytest.mark.parametrize(
        ("outcome", "measured"), [("changed", [1, 3]), ("unchanged", [1, 3]), ("conflict", [0, 0]), ("failed", [0, 0])]
    )
    def test_what_is_right_now_took_so_long_whichever_instance_decided_it(
        self, metrics: Metrics, outcome: str, measured: list[int]
    ) -> None:
        effect = UpdateInventory(key="decided by another", pair=JoinPair(ESME, PPMID), joined=True, expected=False, reason="")

        metrics.observer.corrected(effect, Correction(outcome), timedelta(seconds=3))

        assert [value(metrics, f"correction_delay_seconds_{what}") for what in ("count", "sum")] == measured


class TestTopKinds:
    def test_what_is_counted_of_the_rest_is_bounded(self) -> None:
        top = TopKinds(3)

        for number in range(10_000):
            top.admit(Kind("acme", "m", str(number)))

        assert len(top._seen) <= 10 * 3 + 1
        assert top.admit(A) == (OTHERS, None)

    def test_control_characters_and_length_do_not_get_into_labels(self) -> None:
        kind = Kind.of(DeviceDescription(ESME, None, "a\nb", "x" * 1000, "\x00"))

        assert (kind.make, len(kind.model), kind.firmware) == ("a?b", 64, "?")

    def test_regions_are_told_apart_however_they_are_capitalised(self) -> None:
        regions = Regions({"North"})

        assert [regions.label(word) for word in ("NORTH", "north", "south", "", None)] == ["north", "north", "other", "unknown", "unknown"]


class TestTransport:
    def test_every_metric_of_the_brokers_is_exported_with_what_is_seen_at_the_time(self, metrics: Metrics) -> None:
        seen = Transport(gauges={name: {"amqp": 1} for name in GAUGES}, counters={name: {"amqp": 2} for name in COUNTERS})
        metrics.instruments.registry.register(TransportCollector(lambda: seen))

        assert value(metrics, "consumers", broker="amqp") == 1
        assert value(metrics, "connection_losses_total", broker="amqp") == 2

    def test_how_long_confirmations_took_is_a_histogram(self, metrics: Metrics) -> None:
        delays = Delays()
        for seconds in (0.001, 0.002, 0.4, 60.0):
            delays.note(seconds)
        seen = Transport(histograms={"publish_confirm_seconds": Durations(cumulative=delays.cumulative(), total_s=delays.total_s)})
        metrics.instruments.registry.register(TransportCollector(lambda: seen))

        within = {bound: value(metrics, "publish_confirm_seconds_bucket", le=bound) for bound in ("0.001", "0.0025", "0.5", "10.0", "+Inf")}
        assert within == {"0.001": 1, "0.0025": 2, "0.5": 3, "10.0": 3, "+Inf": 4}
        assert value(metrics, "publish_confirm_seconds_count") == 4
        assert value(metrics, "publish_confirm_seconds_sum") == pytest.approx(60.403)


class TestReady:
    def test_each_check_is_one_or_nought_and_one_that_is_not_made_any_more_is_gone(self, metrics: Metrics) -> None:
        metrics.ready([Check(name="instance", reason=""), Check(name="database", reason="away")])
        before = [value(metrics, "ready", check=check) for check in ("instance", "database")]

        metrics.ready([Check(name="instance", reason="ending")])

        assert before == [1, 0]
        assert [value(metrics, "ready", check=check) for check in ("instance", "database")] == [0, None]


class TestHarmless:
    def test_an_observer_that_fails_harms_neither_the_work_nor_the_others(self) -> None:
        class Failing(Observer):
            def received(self, deliveries: Sequence[Delivery]) -> None:
                raise RuntimeError(len(deliveries))

        class Hearing(Observer):
            heard = 0

            def received(self, deliveries: Sequence[Delivery]) -> None:
                self.heard += len(deliveries)

        hearing, errors = Hearing(), list[str]()

        Harmless([Failing(), hearing], on_error=lambda: errors.append("error")).received([a_delivery()])

        assert (hearing.heard, len(errors)) == (1, 1)


def a_delivery() -> Delivery:
    return Delivery(body=b"", source="sr.request", route="r", at=START)
