"""A deployed sidecar and a simulated estate as processes of their own, on real servers, and what becomes of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.simulator.ledger import read_ledger
from support.services import PostgreSql, VirtualHost

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0


@dataclass
class Process:
    """One joinbridge command that runs."""

    popen: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End it without a word."""
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> int:
        """Tell it to end, as an orchestrator does; return its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(STOP_TIMEOUT_S)

    def said(self) -> str:
        """Return all that it has written to standard error."""
        return self.log.read_text("utf-8", "replace")


@dataclass
class Deployment:
    """The settings that a sidecar and a simulated estate share, and the means to start both."""

    folder: Path
    host: VirtualHost
    database_url: str
    smi_url: str
    speed: float
    settings: Mapping[str, str] = field(default_factory=dict)
    for_sidecars: dict[str, str] = field(default_factory=dict)
    """Settings of sidecars alone: that they reach a server by another way, say."""
    started: list[Process] = field(default_factory=list)
    _origin: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    @property
    def environment(self) -> dict[str, str]:
        """The environment of both: settings are given there."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("JOINBRIDGE_")},
            "JOINBRIDGE_MODE": "live",
            "JOINBRIDGE_AMQP__URL": self.host.url,
            "JOINBRIDGE_AMQP__DECLARE_ESTATE": "true",
            "JOINBRIDGE_HTTP__PORT": "0",  # there may be several on one machine
            "JOINBRIDGE_DATABASE__URL": self.database_url,
            "JOINBRIDGE_INVENTORY__URL": self.smi_url,
            "JOINBRIDGE_REHEARSAL__SPEED": str(self.speed),
            "JOINBRIDGE_REHEARSAL__ORIGIN": self._origin,
            **self.settings,
        }

    def sidecar(self, number: int = 0, **more: str) -> Process:
        """Start a sidecar and return when it is ready."""
        ready = self.folder / f"ready-{number}"
        ready.unlink(missing_ok=True)
        given = {**self.for_sidecars, "JOINBRIDGE_RUNTIME__READY_FILE": str(ready), **more}
        process = self._start(f"sidecar-{number}", "run", "--migrate", **given)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.exists():
            assert process.popen.poll() is None, process.said()
            assert time.monotonic() < deadline, process.said()
            time.sleep(0.02)
        return process

    def estate(self, *options: str, homes: int, days: float, seed: int = 1, scenario: str = "harsh") -> Process:
        """Start a simulated estate; it ends by itself, with its score on standard output."""
        numbers = ("--homes", str(homes), "--days", str(days), "--seed", str(seed), "--scenario", scenario, "--quiet", "600")
        return self._start("estate", "simulate", "--json", "--ledger", str(self.ledger), *numbers, *options)

    @property
    def ledger(self) -> Path:
        """Where the estate writes down what it published and what is true."""
        return self.folder / "ledger.jsonl"

    def score(self, estate: Process, patience_s: float) -> Mapping[str, object]:
        """Wait until the estate has ended, and return its score."""
        code = estate.popen.wait(patience_s)
        told = (self.folder / "estate.out").read_text("utf-8")
        assert told, f"exit code {code}:\n{estate.said()}"
        score: dict[str, object] = json.loads(told)
        return score

    def _start(self, name: str, *arguments: str, **more: str) -> Process:
        log = self.folder / f"{name}.log"
        with log.open("ab") as err, (self.folder / f"{name}.out").open("wb") as out:
            command = [sys.executable, "-m", "joinbridge", *arguments]
            popen = subprocess.Popen(command, env={**self.environment, **more}, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        process = Process(popen, log)
        self.started.append(process)
        return process


@contextmanager
def deployment(
    folder: Path, host: VirtualHost, databases: PostgreSql, smi: PostgreSql, *, speed: float, settings: Mapping[str, str] | None = None
) -> Iterator[Deployment]:
    """Make a deployment with databases of its own; whatever still runs at the end is killed."""
    name = f"joinbridge_{host.name.replace('-', '_')}"
    for server, database in ((databases, name), (smi, f"{name}_smi")):
        run_sql(server.url, f"CREATE DATABASE {database}")
    made = Deployment(folder, host, databases.database_url(name), smi.database_url(f"{name}_smi"), speed, settings or {})
    try:
        yield made
    finally:
        for process in made.started:
            process.kill()


def run_sql(url: str, statement: str) -> Sequence[RowMapping]:
    """Run a statement in a PostgreSQL, outside any transaction; return its rows."""

    async def run() -> Sequence[RowMapping]:
        engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                result = await connection.execute(text(statement))
                return result.mappings().all() if result.returns_rows else ()
        finally:
            await engine.dispose()

    return asyncio.run(run())


def eventually(reached: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    """Wait until `reached`."""
    deadline = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < deadline, f"never {what}"
        time.sleep(0.1)


def under_way(made: Deployment) -> Mapping[str, int]:
    """Return what is not settled yet: messages in queues, and effects that are owed."""
    queues = made.host.call("GET", "queues")
    assert isinstance(queues, list)
    waiting = {str(queue["name"]): int(queue.get("messages", 0)) for queue in queues}
    owed = int(run_sql(made.database_url, "SELECT count(*) AS n FROM outbox WHERE due_at IS NOT NULL")[0]["n"])
    return {name: count for name, count in {**waiting, "owed effects": owed}.items() if count}


@dataclass(frozen=True, kw_only=True)
class Account:
    """What the ledger says was confirmed, held against what joinbridge has."""

    lost: set[str]
    lost_corrupted: set[str]
    waiting: Mapping[str, int]
    twice: dict[str, int]
    chain_breaks: str

    @property
    def is_clean(self) -> bool:
        """Whether nothing is lost, waiting, owed, or done twice."""
        return not (self.lost or self.lost_corrupted or self.waiting or self.twice or self.chain_breaks)


def settle_account(made: Deployment) -> Account:
    """Hold the ledger against the database and the queues, all at rest."""
    decisive, corrupted = set[str](), set[str]()
    for line in read_ledger(made.ledger):
        key, route = str(line.get("published", "")), str(line.get("route"))
        if key.endswith("-damaged"):
            corrupted.add(str(line["message"]))
        elif key and route.startswith(("request.8.7.", "response.8.7.", "request.8.8.", "response.8.8.")):
            decisive.add(str(line["message"]))
    seen = {row["key"] for row in run_sql(made.database_url, "SELECT key FROM inbox")}
    dead = {row["key"] for row in run_sql(made.database_url, "SELECT key FROM dead_letters")}
    # An effect is named for ever by its key; two that do the same to the same pair at one version would be one too many.
    commands = run_sql(made.database_url, "SELECT record::json->>'key' AS key, count(*) AS n FROM outbox GROUP BY 1 HAVING count(*) > 1")
    verified = subprocess.run(
        [sys.executable, "-m", "joinbridge", "audit", "verify", "--database", made.database_url],
        env=made.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Account(
        lost=decisive - seen,
        lost_corrupted=corrupted - dead,
        waiting=under_way(made),
        twice={row["key"]: row["n"] for row in commands},
        chain_breaks="" if verified.returncode == 0 else verified.stdout + verified.stderr,
    )


def explained(made: Deployment, request_id: str) -> object:
    """Return how joinbridge accounts for one attempt."""
    command = [sys.executable, "-m", "joinbridge", "explain", request_id, "--json", "--database", made.database_url]
    told = subprocess.run(command, env=made.environment, capture_output=True, text=True, check=False)
    return json.loads(told.stdout) if told.returncode == 0 else {"request_id": request_id, "says": told.stderr}
