"""That the pictures are true: a real Prometheus scrapes a sidecar that lives through an estate, and is asked every question of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

import pytest

from joinbridge.ops.dashboards import DASHBOARDS
from joinbridge.ops.dashboards.panels import Dashboard
from joinbridge.ops.dashboards.prometheus import Prometheus as Client
from joinbridge.ops.dashboards.render import page
from joinbridge.simulator.scenario import SCENARIOS
from support.prometheus import promtool
from support.services import free_port, rabbitmq
from support.watched import RULES, Watched, until, watched

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: run make install-dev")

RECORDED = [rule for file in RULES for group in yaml.safe_load(file.read_text("utf-8"))["groups"] for rule in group["rules"]]
EXPRESSIONS = {rule.get("alert") or rule["record"]: rule["expr"] for rule in RECORDED}
SELECTOR = re.compile(r"(?:joinbridge|rabbitmq_detailed)[:_][\w:]+(?:\{[^}]*\})?")


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

    answers, sure = (harsh.prometheus.query(f"joinbridge:device_loss:{what}1d") for what in ("responses", "sure"))
    assert len(answers) > 10
    shown = [int(number) for number in re.findall(r"<small>\d+ of (\d+); \d+ to \d+ %</small>", drawn)]
    assert len(shown) == drawn.count("<small>") == len(answers) + len(sure)
    # Prometheus extrapolates, and does so anew for each question.
    assert [number for _, number in answers if min(abs(number - one) for one in shown) > 1] == []


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
