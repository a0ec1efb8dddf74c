"""That the pictures are true: a real Prometheus scrapes a sidecar that lives through an estate, and is asked every question of ours."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

import pytest

from joinbridge.config import Settings
from joinbridge.observing import SILENT
from joinbridge.ops.dashboards import DASHBOARDS
from joinbridge.ops.dashboards.panels import Dashboard
from joinbridge.ops.dashboards.prometheus import Prometheus as Client
from joinbridge.ops.dashboards.render import page
from joinbridge.ops.metrics import Metrics
from joinbridge.ops.metrics.measuring import Measuring
from joinbridge.ops.metrics.transport import COUNTERS, GAUGES, Transport, TransportCollector
from joinbridge.service.clock import ManualClock
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.scenario import SCENARIOS, START, Scenario, build
from joinbridge.store.opening import open_database
from support.metrics_port import metrics_port
from support.observed import run_through
from support.prometheus import Prometheus, prometheus, promtool
from support.services import free_port, rabbitmq

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: run make install-dev")

# What is watched here takes half a minute to live: one process lives it for all tests.
pytestmark = pytest.mark.xdist_group("prometheus")

RULES = sorted((Path(__file__).parents[2] / "dashboards" / "rules").glob("*.yml"))
RECORDED = [rule for file in RULES for group in yaml.safe_load(file.read_text("utf-8"))["groups"] for rule in group["rules"]]
EXPRESSIONS = {rule.get("alert") or rule["record"]: rule["expr"] for rule in RECORDED}
SELECTOR = re.compile(r"(?:joinbridge|rabbitmq_detailed)[:_][\w:]+(?:\{[^}]*\})?")
CELL = "JoinbridgeFirmwareLosesAnswers"

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Watched:
    """A Prometheus that has watched an estate live, and what was counted."""

    prometheus: Prometheus
    metrics: Metrics

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a counter or gauge over the label sets that have `labels`, without Prometheus."""
        found = [
            sample.value
            for family in self.metrics.instruments.registry.collect()
            for sample in family.samples
            if sample.name == f"joinbridge_{name}" and labels.items() <= sample.labels.items()
        ]
        assert found
        return sum(found)


@contextmanager
def watched(folder: Path, scenario: Scenario, *, homes: int, seed: int = 7, broker: str | None = None) -> Iterator[Watched]:
    """Let an estate live while Prometheus watches, until it has seen the end of it and evaluated all rules on that."""
    clock = ManualClock(START)
    metrics = Metrics(Settings(mode="live"), clock)
    # An embedded sidecar has no broker: what connections say is what they say when all is well.
    metrics.instruments.registry.register(TransportCollector(lambda: AT_REST))
    with ExitStack() as stack:
        port = stack.enter_context(metrics_port(metrics.text))
        targets = [port] if broker is None else [port, broker]
        server = stack.enter_context(prometheus(*targets, rules=RULES, interval="500ms"))
        until(lambda: bool(server.query("joinbridge_build_info")), "the first scrape")
        asyncio.run(live(folder, scenario, homes, seed, clock, metrics))
        seen = Watched(server, metrics)
        received = seen.total("messages_received_total")
        until(lambda: sum(value for _, value in server.query("joinbridge_messages_received_total")) == received, "the last scrape")
        after = time.time()
        until(lambda: all(since > after for since in evaluations(server)), "the rules")
        yield seen


AT_REST = Transport(
    gauges={name: {"publishing" if label == "connection" else "amqp": 1.0} for name, (label, _) in GAUGES.items()},
    counters={name: {"confirmed" if label == "outcome" else "amqp": 1.0} for name, (label, _) in COUNTERS.items()},
)


async def live(folder: Path, scenario: Scenario, homes: int, seed: int, clock: ManualClock, metrics: Metrics) -> None:
    url = f"sqlite:///{folder / 'records.db'}"
    await run_through(build(scenario, seed, homes), clock, observer=metrics.observer, database_url=url)
    metrics.observer.swept(clock.now())
    async with open_database(url) as database:
        await Measuring(metrics.instruments, database=database, clock=clock, period=timedelta(seconds=30), observer=SILENT).take_census()


def evaluations(server: Prometheus) -> list[float]:
    """Return when each group of rules was evaluated last, in seconds since 1970; groups follow each other, so one moment more is needed."""
    groups = server.call("rules")["groups"]
    return [moment(group["lastEvaluation"]) - 1.0 for group in groups]


def moment(text: str) -> float:
    """Return RFC 3339 with nanoseconds, as Prometheus writes it, in seconds since 1970."""
    return datetime.fromisoformat(re.sub(r"\.(\d{6})\d*", r".\1", text)).timestamp()


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.1)


def filled(expr: str) -> str:
    """Return `expr` with what Grafana fills in."""
    return expr.replace("$__range", "1h").replace("$__rate_interval", "1m")


@pytest.fixture(scope="module")
def harsh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A harsh estate, with a RabbitMQ beside it whose queues are scraped."""
    port = free_port()
    plugins = ("rabbitmq_management", "rabbitmq_prometheus")
    with rabbitmq(f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {port}\n", plugins=plugins) as broker:
        broker.call("PUT", "/api/queues/%2F/joinbridge.in.0", {"durable": True})
        queues = f"127.0.0.1:{port}/metrics/detailed?family=queue_coarse_metrics"
        with watched(tmp_path_factory.mktemp("harsh"), SCENARIOS["harsh"], homes=40, broker=queues) as seen:
            until(lambda: bool(seen.prometheus.query("rabbitmq_detailed_queue_messages_ready")), "the broker's metrics")
            yield seen


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_every_question_of_a_dashboard_has_an_answer(harsh: Watched, dashboard: Dashboard) -> None:
    empty = [
        (panel.title, query.expr)
        for panel in dashboard.panels()
        for query in panel.queries
        if not harsh.prometheus.query(filled(query.expr))
    ]

    assert not empty


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_a_dashboard_can_be_drawn_with_every_panel_and_its_numbers(harsh: Watched, dashboard: Dashboard) -> None:
    drawn = page(dashboard, Client(harsh.prometheus.url), range_s=300)

    for panel in dashboard.panels():
        assert f"<h3>{escape(panel.title)}</h3>" in drawn
    assert "no data" not in drawn
    assert "nan" not in re.sub(r"<[^>]*>", " ", drawn).lower().split()


def test_the_picture_of_lost_responses_counts_what_was_lost_in_each_cell(harsh: Watched) -> None:
    [lost] = [dashboard for dashboard in DASHBOARDS if dashboard.uid == "joinbridge-lost"]
    drawn = page(lost, Client(harsh.prometheus.url), range_s=300)

    answers = harsh.prometheus.query("joinbridge:device_loss:responses1d")
    assert len(answers) > 10
    assert drawn.count("<small>") == 2 * len(answers)
    for _, number in answers:
        assert re.search(rf"<small>\d+ of {round(number)}; \d+ to \d+ %</small>", drawn)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_rule_is_about_series_that_there_are(harsh: Watched, name: str) -> None:
    harsh.prometheus.query(EXPRESSIONS[name])

    empty = [selector for selector in SELECTOR.findall(EXPRESSIONS[name]) if not harsh.prometheus.query(selector)]
    assert not empty


def test_metrics_are_named_and_explained_as_prometheus_wants_them(harsh: Watched) -> None:
    done = promtool("check", "metrics", stdin=harsh.metrics.text().decode())

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_rule_fails_when_it_is_evaluated(harsh: Watched) -> None:
    rules = [rule for group in harsh.prometheus.call("rules")["groups"] for rule in group["rules"]]

    assert len(rules) == len(RECORDED)
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []


@pytest.mark.parametrize("name", [rule["record"] for rule in RECORDED if "record" in rule])
def test_everything_recorded_is_there(harsh: Watched, name: str) -> None:
    assert harsh.prometheus.query(name)


def test_what_a_harsh_estate_must_set_off_is_set_off(harsh: Watched) -> None:
    alerts = {labels["alertname"] for labels, _ in harsh.prometheus.query("ALERTS")}

    assert {"JoinbridgeAnswersLost", "JoinbridgeDeadLettersNew", "JoinbridgeUnresolved"} <= alerts


def test_prometheus_has_the_numbers_that_were_counted(harsh: Watched) -> None:
    for name in ("responses_lost_total", "corrections_avoided_total", "inferences_total", "audit_height", "attempts"):
        [(_, seen)] = harsh.prometheus.query(f"sum(joinbridge_{name})")

        assert seen == harsh.total(name)


def test_a_firmware_that_loses_answers_stands_out_and_no_other(tmp_path: Path) -> None:
    scenario = SCENARIOS["one-firmware-loses"]
    [firmware] = scenario.faults.lossy_firmware

    with watched(tmp_path, scenario, homes=150) as seen:
        accused = {labels["firmware"] for labels, _ in seen.prometheus.query(f'ALERTS{{alertname="{CELL}"}}')}
        [(worst, _)] = seen.prometheus.query("topk(1, joinbridge:device_loss:lower1d)")

    assert accused == {firmware}
    assert worst["firmware"] == firmware


def test_a_loss_of_one_in_a_hundred_everywhere_accuses_nobody(tmp_path: Path) -> None:
    scenario = replace(SCENARIOS["clean"], faults=replace(Faults.none(), answer_lost_wan=0.01))

    with watched(tmp_path, scenario, homes=100) as seen:
        assert seen.total("responses_lost_total") > 3
        assert seen.prometheus.query(f'ALERTS{{alertname=~"{CELL}|JoinbridgeRegionLosesAnswers|JoinbridgeAnswersLost"}}') == []
