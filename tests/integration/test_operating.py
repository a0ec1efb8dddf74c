"""What an operator does beside a deployed sidecar: asks the doctor, and sends dead letters again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from joinbridge.bus.amqp.connecting import connect
from joinbridge.config import Settings
from joinbridge.ports import Publication
from joinbridge.service.clock import SystemClock
from support.deployment import Deployment, deployment, eventually, run_sql
from support.home import ESME, PPMID
from support.messages import join_request
from support.services import PostgreSql, VirtualHost

BROKEN = b"<sr:Request"
REASON = ("--reason", "the sender was mended", "--by", "ops")


@pytest.fixture
def made(tmp_path: Path, virtual_host: VirtualHost, postgresql: PostgreSql) -> Iterator[Deployment]:
    with deployment(tmp_path, virtual_host, postgresql, postgresql, speed=1) as made:
        yield made


def joinbridge(made: Deployment, *arguments: str, **changes: str) -> tuple[int, Any]:
    """Run a command with the settings of the deployment; return its exit code and what it prints, read as JSON."""
    command = [sys.executable, "-m", "joinbridge", *arguments]
    done = subprocess.run(command, env={**made.environment, **changes}, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def publish(made: Deployment, route: str, body: bytes) -> None:
    """Publish a document as the estate does."""

    async def published() -> None:
        settings = Settings.model_validate({"amqp": {"url": made.host.url}})
        async with connect(settings, clock=SystemClock()) as bus:
            await bus.publisher.publish(
                [Publication(key="k", exchange="dsp.sr", route=route, body=body, content_type="application/xml", at=SystemClock().now())]
            )

    asyncio.run(published())


def letters(made: Deployment) -> list[tuple[str, int]]:
    """Return status and attempts of each dead letter."""
    return [(row["status"], row["attempts"]) for row in run_sql(made.database_url, "SELECT status, attempts FROM dead_letters")]


class TestDeadLetters:
    def test_one_that_is_as_broken_as_before_comes_back_under_its_own_route(self, made: Deployment) -> None:
        made.sidecar()
        publish(made, "request.8.7.1", BROKEN)
        eventually(lambda: letters(made) == [("open", 1)], "a dead letter")
        _, listed = joinbridge(made, "dead-letters", "list", "--json")
        key = listed[0]["key"]

        code, told = joinbridge(made, "dead-letters", "requeue", key, *REASON, "--json")

        # The sidecar may have read it again before the command could say that it was sent.
        assert (code, told) in [(0, {key: "sent again"}), (1, {key: "sent again, and came back as a dead letter"})]
        eventually(lambda: letters(made) == [("open", 2)], "a dead letter again")
        _, shown = joinbridge(made, "dead-letters", "show", key, "--json")
        assert (shown["source"], shown["route"], shown["region"]) == ("sr.request", "request.8.7.1", None)

    def test_one_that_can_be_read_now_is_judged(self, made: Deployment) -> None:
        sidecar = made.sidecar()
        publish(made, "request.8.7.1", join_request(ESME, PPMID))
        eventually(lambda: run_sql(made.database_url, "SELECT 1 FROM attempts") != [], "an attempt")
        sidecar.stop()
        # As if an older version had not been able to read it.
        body = join_request(ESME, PPMID)
        run_sql(made.database_url, "DELETE FROM attempts")
        run_sql(made.database_url, "DELETE FROM pairs")
        key = run_sql(made.database_url, "SELECT key FROM inbox")[0]["key"]
        run_sql(
            made.database_url,
            "INSERT INTO dead_letters (key, body, content_type, source, route, reason, attempts, first_seen, last_seen, status) VALUES "  # noqa: S608
            f"('{key}', decode('{body.hex()}', 'hex'), 'application/xml', 'sr.request', 'request.8.7.1', 'old', 1, now(), now(), 'open')",
        )
        made.sidecar()

        code, told = joinbridge(made, "dead-letters", "requeue", "--all", *REASON, "--json")

        assert (code, told) == (0, {key: "sent again"})
        eventually(lambda: run_sql(made.database_url, "SELECT 1 FROM attempts") != [], "an attempt")
        assert letters(made) == [("requeued", 1)]

    def test_one_is_dismissed(self, made: Deployment) -> None:
        made.sidecar()
        publish(made, "request.8.7.1", BROKEN)
        eventually(lambda: letters(made) == [("open", 1)], "a dead letter")
        _, listed = joinbridge(made, "dead-letters", "list", "--json")
        command = [sys.executable, "-m", "joinbridge", "dead-letters", "dismiss", listed[0]["key"], *REASON]

        done = [subprocess.run(command, env=made.environment, capture_output=True, check=False).returncode for _ in range(2)]

        assert done == [0, 1]
        assert letters(made) == [("dismissed", 1)]
        assert joinbridge(made, "dead-letters", "list", "--json") == (0, [])


class TestDoctor:
    def test_it_finds_nothing_to_mend_where_a_sidecar_runs(self, made: Deployment) -> None:
        made.sidecar()
        run_sql(made.smi_url, "CREATE TABLE joins (target text, other text, joined boolean)")

        code, findings = joinbridge(made, "doctor", "--json")

        # The servers of the tests forget what they have committed when the machine ends, and the doctor says so.
        assert {f["what"] for f in findings if f["severity"] == "error"} <= {"fsync", "synchronous_commit", "full_page_writes"}
        assert code in {0, 1}
        assert {"connection", "broker", "database", "schema", "inventory"} <= {f["what"] for f in findings if f["severity"] == "ok"}

    def test_it_names_what_is_missing_and_the_fix(self, made: Deployment) -> None:
        code, findings = joinbridge(made, "doctor", "--json")

        wrong = {f["what"]: f["fix"] for f in findings if f["severity"] == "error"}
        assert code == 3  # there is no table in the inventory
        assert wrong["schema"] == "joinbridge db upgrade"
        assert "inventory" in wrong
        assert all(wrong.values())

    def test_it_says_what_cannot_be_reached(self, made: Deployment) -> None:
        nowhere = {"JOINBRIDGE_AMQP__URL": "amqp://guest:guest@127.0.0.1:1/", "JOINBRIDGE_AMQP__CONNECT_DEADLINE": "1"}

        code, findings = joinbridge(made, "doctor", "--json", **nowhere)

        assert code == 3
        assert next(f for f in findings if f["what"] == "connection")["severity"] == "error"
        assert any(f["what"] == "database" and f["severity"] == "ok" for f in findings)
