"""A Prometheus that watches a simulated estate live on an embedded sidecar, until it has seen the end of it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from joinbridge.bus.amqp.health import Delays
from joinbridge.config import Settings
from joinbridge.observing import SILENT
from joinbridge.ops.health import Check
from joinbridge.ops.metrics import Metrics
from joinbridge.ops.metrics.measuring import Measuring
from joinbridge.ops.metrics.transport import COUNTERS, GAUGES, HISTOGRAMS, Durations, Transport, TransportCollector
from joinbridge.service.clock import ManualClock
from joinbridge.simulator.scenario import START, Scenario, build
from joinbridge.store.opening import open_database
from support.metrics_port import metrics_port
from support.observed import run_through
from support.prometheus import Prometheus, prometheus

RULES = sorted((Path(__file__).parents[2] / "dashboards" / "rules").glob("*.yml"))

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
    # An embedded sidecar has no broker and no port: what connections and checks say is what they say when all is well.
    metrics.instruments.registry.register(TransportCollector(at_rest()))
    metrics.ready([Check(name=name, reason="") for name in ("instance", "database", "schema", "amqp", "consumers", "deadlines")])
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


def at_rest() -> Callable[[], Transport]:
    """Return what connections say when all is well; between two looks a publication was confirmed."""
    delays = Delays()

    def look() -> Transport:
        delays.note(0.003)
        return Transport(
            gauges={name: {"publishing" if label == "connection" else "amqp": 1.0} for name, (label, _) in GAUGES.items()},
            counters={name: {"confirmed" if label == "outcome" else "amqp": 1.0} for name, (label, _) in COUNTERS.items()},
            histograms={name: Durations(cumulative=delays.cumulative(), total_s=delays.total_s) for name in HISTOGRAMS},
        )

    return look


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
