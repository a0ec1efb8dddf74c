"""That the pictures are true of what is deployed: Prometheus scrapes a sidecar on real servers beside which an estate lives."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape

import pytest

from joinbridge.ops.dashboards import DASHBOARDS
from joinbridge.ops.dashboards.panels import Dashboard
from joinbridge.ops.dashboards.prometheus import Prometheus as Client
from joinbridge.ops.dashboards.render import page
from support import services
from support.deployment import Deployment, deployment, eventually, run_sql
from support.living import Sidecar, at_rest, await_last_day
from support.prometheus import Prometheus, prometheus
from support.services import PostgreSql, free_port
from support.watched import RULES

SPEED, HOMES, DAYS = 4000.0, 60, 1.5  # so many that some kind of device has twenty answers in a region


@dataclass(frozen=True)
class Seen:
    """A deployment that is at rest, and the Prometheus that has watched it."""

    made: Deployment
    prometheus: Prometheus

    def sum(self, expr: str) -> float:
        return sum(value for _, value in self.prometheus.query(expr))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSql) -> Iterator[Seen]:
    brokers_port, sidecars_port = free_port(), free_port()
    plugins = ("rabbitmq_management", "rabbitmq_prometheus")
    with ExitStack() as stack:
        told = f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {brokers_port}\n"
        broker = stack.enter_context(services.rabbitmq(told, plugins=plugins))
        alerts = stack.enter_context(services.mosquitto())
        host = stack.enter_context(broker.virtual_host())
        settings = {"JOINBRIDGE_HTTP__PORT": str(sidecars_port), "JOINBRIDGE_MQTT__URL": alerts.url, "JOINBRIDGE_METRICS__CENSUS": "1"}
        folder = tmp_path_factory.mktemp("deployed")
        made = stack.enter_context(deployment(folder, host, postgresql, postgresql, speed=SPEED, settings=settings))
        sidecar = Sidecar(made)
        queues = f"127.0.0.1:{brokers_port}/metrics/detailed?family=queue_coarse_metrics"
        server = stack.enter_context(prometheus(f"127.0.0.1:{sidecars_port}", queues, rules=RULES))
        estate = made.estate(homes=HOMES, days=DAYS)
        await_last_day(made, estate)
        at_rest(made, sidecar)
        estate.popen.send_signal(signal.SIGTERM)
        lived = Seen(made, server)
        moves = audited(made, "attempt.changed")
        eventually(lambda: lived.sum("joinbridge_attempt_transitions_total") == moves, "scraped to the end")
        eventually(lambda: lived.sum("joinbridge:device_loss:responses1d") > 0, "recorded")
        yield lived


def audited(made: Deployment, kind: str) -> int:
    [row] = run_sql(made.database_url, f"SELECT count(*) AS n FROM audit WHERE kind = '{kind}'")  # noqa: S608 - ours
    return int(row["n"])


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_every_panel_of_a_dashboard_shows_something(seen: Seen, dashboard: Dashboard) -> None:
    drawn = page(dashboard, Client(seen.prometheus.url), range_s=300)

    assert all(f"<h3>{escape(panel.title)}</h3>" in drawn for panel in dashboard.panels())
    assert "no data" not in drawn


def test_no_rule_fails_when_it_is_evaluated(seen: Seen) -> None:
    rules = [rule for group in seen.prometheus.call("rules")["groups"] for rule in group["rules"]]

    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


def test_what_prometheus_has_is_what_the_store_has(seen: Seen) -> None:
    lost = run_sql(seen.made.database_url, "SELECT count(*) AS n FROM attempts WHERE record::json->>'lost_at' IS NOT NULL")

    assert seen.sum("joinbridge_responses_lost_total") == lost[0]["n"] > 0
    assert seen.sum("joinbridge_messages_dead_lettered_total") == audited(seen.made, "message.dead") > 0
    assert seen.sum('joinbridge_pair_transitions_total{state="inferred_success"}') > 0


def test_it_is_ready_and_every_connection_stands(seen: Seen) -> None:
    assert {labels["connection"]: value for labels, value in seen.prometheus.query("joinbridge_connection_up")} == {
        "amqp_publishing": 1,
        "amqp_consuming": 1,
        "mqtt": 1,
    }
    assert {value for _, value in seen.prometheus.query("joinbridge_ready")} == {1}


def test_each_publication_was_confirmed_and_its_delay_counted(seen: Seen) -> None:
    confirmed = seen.sum('joinbridge_publications_total{outcome="confirmed"}')

    assert seen.sum("joinbridge_publish_confirm_seconds_count") == confirmed > 0
