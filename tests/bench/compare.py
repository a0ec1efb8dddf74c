"""Measure the deployed sidecar beside a ceiling and beside the obvious alternative, all in one run, and write docs/benchmarks.md.

Real RabbitMQ with a quorum queue, real PostgreSQL with fsync and synchronous_commit on, acknowledged after the commit. Machines differ and
are shared: the ratios within one run are what counts, each the median of several.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from joinbridge.bus.amqp.connecting import connect
from joinbridge.config import Settings
from joinbridge.ports import Publication
from joinbridge.service.clock import SystemClock
from support import traffic
from support.bench_database import fill
from support.postgresql import fresh_database
from support.services import PostgreSql, RabbitMq, VirtualHost, postgresql, rabbitmq

WORKER = Path(__file__).with_name("worker.py")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
DURABLE = ("fsync=on", "synchronous_commit=on", "shared_buffers=512MB", "max_wal_size=4GB")
SENT = "sent-ns"


@dataclass(frozen=True)
class Case:
    """One row of the table: a variant on so many messages, `share` of them about joins."""

    name: str
    variant: str
    count: int
    share: float
    open_attempts: int = 0


CASES = (
    Case("(a) raw aio-pika, no work: the ceiling", "raw", 20_000, 0.02),
    Case("(b) joinbridge, 2 % about joins", "joinbridge", 20_000, 0.02),
    Case("(c) joinbridge, all about joins", "joinbridge", 4_000, 1.0),
    Case("(d) FastStream + SQLAlchemy, a transaction a message", "engineer", 2_000, 1.0),
)


@dataclass
class Servers:
    """The two servers, and what they cost."""

    broker: RabbitMq
    database: PostgreSql

    def cpu_s(self) -> tuple[float, float]:
        """Return the seconds of processor that broker and database have used."""
        assert self.broker.server is not None
        assert self.database.server is not None
        return _session_cpu_s(self.broker.server.pid), _session_cpu_s(self.database.server.pid)


def _session_cpu_s(leader: int) -> float:
    """Return what all processes below `leader` have used, those that have ended included."""
    below = {leader}
    found: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15])) * TICK_S
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in found.items() if parent in below and pid not in below}
        grown = bool(more)
        below |= more
    return sum(found[pid][1] for pid in below if pid in found)


def messages(case: Case, first: int) -> list[Publication]:
    """Return the messages of a case, joins spread evenly among the others; `first` makes them new."""
    about = traffic.joins(first, int(case.count * case.share) // 2)
    others = traffic.alerts(first, case.count - len(about))
    every = max(1, round(case.count / max(1, len(about))))
    mixed: list[Publication] = []
    for number in range(case.count):
        source = about if about and (number % every == 0 or not others) else others
        mixed.append(source.pop(0) if source else about.pop(0))
    return mixed


def run_case(servers: Servers, case: Case, first: int) -> dict[str, Any]:
    """Measure a case once, on a virtual host and a database of its own."""
    with ExitStack() as stack:
        host = stack.enter_context(servers.broker.virtual_host())
        url = stack.enter_context(fresh_database(servers.database))
        settings = settings_for(host, url)
        if case.open_attempts:
            asyncio.run(fill(url, case.open_attempts))
        asyncio.run(_load(settings, messages(case, first)))
        before = servers.cpu_s()
        measured = _worker(case.variant, settings, case.count)
        after = servers.cpu_s()
        for name, old, new in zip(("broker_s", "database_s"), before, after, strict=True):
            measured[name] = new - old
        measured["per_s"] = case.count / measured["wall_s"]
        return measured


def settings_for(host: VirtualHost, url: str) -> dict[str, object]:
    """Return settings of a sidecar on `host` and the database at `url`."""
    return {"amqp": {"url": host.url, "declare_estate": True}, "database": {"url": url}}


def _worker(variant: str, settings: dict[str, object], count: int) -> dict[str, Any]:
    given = json.dumps({"settings": settings, "count": count})
    done = subprocess.run([sys.executable, str(WORKER), variant], input=given, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise SystemExit(done.stderr)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


async def _load(settings: dict[str, object], publications: Sequence[Publication]) -> None:
    """Make the queues, and publish."""
    async with connect(Settings.model_validate(settings), clock=SystemClock()) as bus:
        for start in range(0, len(publications), 500):
            await bus.publisher.publish(
                [Publication(**{**_fields(p), "key": f"m{start + n}"}) for n, p in enumerate(publications[start : start + 500])]
            )


def _fields(publication: Publication) -> dict[str, Any]:
    return {name: getattr(publication, name) for name in publication.__slots__}


def run_latency(servers: Servers, *, per_s: int, seconds: int) -> dict[str, Any]:
    """Publish at a steady rate, and measure from the publish to the commit."""
    count = per_s * seconds
    case = Case("", "joinbridge", count, 0.02)
    with ExitStack() as stack:
        host = stack.enter_context(servers.broker.virtual_host())
        url = stack.enter_context(fresh_database(servers.database))
        settings = settings_for(host, url)
        asyncio.run(_load(settings, ()))
        worker = subprocess.Popen(
            [sys.executable, str(WORKER), "joinbridge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps({"settings": settings, "count": count}))
        worker.stdin.close()
        assert worker.stdout.readline().strip() == "ready"
        asyncio.run(_publish_steadily(settings, messages(case, 1), per_s))
        told = worker.stdout.read()
        worker.wait()
        measured: dict[str, Any] = json.loads(told.splitlines()[-1])
        return measured


async def _publish_steadily(settings: dict[str, object], publications: Sequence[Publication], per_s: int) -> None:
    async with connect(Settings.model_validate(settings), clock=SystemClock()) as bus:
        began = time.perf_counter()
        waiting: set[asyncio.Task[None]] = set()
        for number, publication in enumerate(publications):
            await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
            fields = {**_fields(publication), "key": f"l{number}", "headers": {SENT: str(time.monotonic_ns())}}
            task = asyncio.create_task(bus.publisher.publish([Publication(**fields)]))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)


def median(rows: Sequence[dict[str, Any]], name: str) -> float:
    """Return the median of one figure."""
    return float(statistics.median(row[name] for row in rows))


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--open", type=int, default=1_000_000, help="open attempts in the database for the last rows; 0 leaves them out")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks.md"))
    given = parser.parse_args()
    with rabbitmq() as broker, postgresql(*DURABLE) as database:
        servers = Servers(broker, database)
        cases = list(CASES)
        results: dict[str, list[dict[str, Any]]] = {case.name: [] for case in cases}
        for number in range(given.rounds):
            for case in cases:  # side by side: what disturbs one round disturbs all
                results[case.name].append(run_case(servers, case, first=1 + number * 100_000))
                print(f"round {number + 1}: {case.name}: {results[case.name][-1]['per_s']:,.0f} msg/s", file=sys.stderr, flush=True)
        latency = [run_latency(servers, per_s=200, seconds=15) for _ in range(min(3, given.rounds))]
        if given.open:
            many = Case(f"(b) with {given.open:,} open attempts", "joinbridge", 20_000, 0.02, given.open)
            results[many.name] = [run_case(servers, many, first=1)]
            print(f"{many.name}: {results[many.name][-1]['per_s']:,.0f} msg/s", file=sys.stderr, flush=True)
    page = report(results, latency, given.rounds)
    given.out.write_text(page, "utf-8")
    print(page)


def report(results: dict[str, list[dict[str, Any]]], latency: Sequence[dict[str, Any]], rounds: int) -> str:
    """Return the page."""
    names = list(results)
    counts = {case.name: case.count for case in CASES}
    rate = {name: median(rows, "per_s") for name, rows in results.items()}
    lines = [
        "# Benchmarks",
        "",
        f"Made by `make bench-deployed` on {datetime.now(UTC):%d %B %Y}: {rounds} rounds, medians; all variants in each round.",
        "Processor seconds are for 1,000 messages. Ratios within a run are what counts: machines differ, and this one was shared.",
        "",
        "| variant | msg/s | adapter s | broker s | database s | peak MiB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in names:
        rows, count = results[name], counts.get(name, 20_000)
        cpu = [1000 * median(rows, figure) / count for figure in ("cpu_s", "broker_s", "database_s")]
        lines.append(f"| {name} | {rate[name]:,.0f} | {cpu[0]:.3f} | {cpu[1]:.3f} | {cpu[2]:.3f} | {median(rows, 'peak_mib'):.0f} |")
    a, b, c, d = names[:4]
    p50, p99 = (median(latency, name) for name in ("p50_ms", "p99_ms"))
    lines += [
        "",
        "| aim | measured |",
        "|---|---|",
        f"| (b) at least 0.75 x (a) | {rate[b] / rate[a]:.2f} |",
        f"| (c) at least 8 x (d) | {rate[c] / rate[d]:.1f} |",
        f"| p99 under 50 ms from publish to commit at 200 msg/s | p50 {p50:.1f} ms, p99 {p99:.1f} ms |",
    ]
    for name in names[4:]:
        peak = median(results[name], "peak_mib")
        lines.append(f"| {name}: at most 10 % slower, under 250 MB | {rate[name] / rate[b]:.2f} x (b), {peak:.0f} MiB |")
    lines += ["", "## Settings and versions", "", *_versions(), ""]
    return "\n".join(lines)


def _versions() -> list[str]:
    packages = ("aio-pika", "aiormq", "asyncpg", "sqlalchemy", "uvloop", "lxml", "faststream")
    return [
        f"- Python {platform.python_version()}, {os.cpu_count()} processors, {platform.system()}",
        f"- {', '.join(f'{name} {version(name)}' for name in packages)}",
        f"- RabbitMQ: quorum queue, prefetch three batches of 200; PostgreSQL: {', '.join(DURABLE)}",
        "- (b): every other message is a device alert that concerns no open join; (c): requests and answers in equal parts",
        "- shadow mode: decisions, evidence, audit chain and withheld effects are written; nothing is published",
    ]


if __name__ == "__main__":
    main()
