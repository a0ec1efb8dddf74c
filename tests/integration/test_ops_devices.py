"""A deployed sidecar that is told where devices are described: its metrics name them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from joinbridge.bus.amqp.connecting import connect
from joinbridge.config import Settings
from joinbridge.ports import Publication
from joinbridge.service.clock import SystemClock
from support.deployment import Deployment, deployment, eventually, run_sql
from support.home import CAD, GSME
from support.messages import command_failure, join_request, request_id
from support.services import PostgreSql, VirtualHost, free_port

COLUMNS = {"type": "kind", "make": "maker", "model": "model", "firmware": "version", "region": "csp"}


@pytest.fixture
def made(tmp_path: Path, virtual_host: VirtualHost, postgresql: PostgreSql) -> Iterator[Deployment]:
    named = {f"JOINBRIDGE_INVENTORY__{name.upper()}_COLUMN": column for name, column in COLUMNS.items()}
    settings = {"JOINBRIDGE_HTTP__PORT": str(free_port()), "JOINBRIDGE_INVENTORY__DEVICES_TABLE": "asset", **named}
    with deployment(tmp_path, virtual_host, postgresql, postgresql, speed=1, settings=settings) as made:
        run_sql(made.smi_url, "CREATE TABLE asset (device TEXT PRIMARY KEY, kind INT, maker TEXT, model TEXT, version TEXT, csp TEXT)")
        row = f"('{GSME}', 0, '10D4', '0004A400', 'G4000031', 'North')"
        run_sql(made.smi_url, f"INSERT INTO asset VALUES {row}")  # noqa: S608 - ours
        yield made


def publish(made: Deployment, *messages: tuple[str, bytes]) -> None:
    """Publish documents by their routes, one after the other."""

    async def published() -> None:
        async with connect(Settings.model_validate({"amqp": {"url": made.host.url}}), clock=SystemClock()) as bus:
            for route, body in messages:
                what = {"key": route, "exchange": "dsp.sr", "route": route, "body": body, "content_type": "application/xml"}
                await bus.publisher.publish([Publication(**what)])  # type: ignore[arg-type] # fields of two types

    asyncio.run(published())


def test_a_lost_answer_is_counted_under_what_the_inventory_says_of_the_device(made: Deployment) -> None:
    made.sidecar()
    publish(made, ("request.8.7.2", join_request(GSME, CAD)), ("response.8.7.2", command_failure(request_id(GSME))))

    def counted() -> bool:
        text = httpx.get(f"http://127.0.0.1:{made.settings['JOINBRIDGE_HTTP__PORT']}/metrics").text
        cell = 'firmware="G4000031",make="10D4",model="0004A400",outcome="lost",region="north"'
        return f"joinbridge_device_responses_total{{{cell}}} 1.0" in text

    eventually(counted, "counted in its cell")


def told(made: Deployment, **settings: str) -> list[tuple[str, str]]:
    """Return what the doctor says of the table of devices."""
    command = [sys.executable, "-m", "joinbridge", "doctor", "--json"]
    environment = {name: value for name, value in {**made.environment, **settings}.items() if value}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return [(finding["severity"], finding["detail"]) for finding in json.loads(done.stdout) if finding["what"] == "devices"]


def test_the_doctor_says_whether_the_table_can_be_read(made: Deployment) -> None:
    [well] = told(made)
    run_sql(made.smi_url, "ALTER TABLE asset DROP COLUMN csp")
    [(severity, detail)] = told(made)

    assert well == ("ok", "table asset can be read")
    assert severity == "warning"
    assert "csp" in detail


def test_the_doctor_says_what_it_means_that_there_is_no_table_where_types_are_needed(made: Deployment) -> None:
    none = {"JOINBRIDGE_INVENTORY__DEVICES_TABLE": ""}

    [(severity, detail)] = told(made, **none, JOINBRIDGE_MODE="live")

    assert severity == "warning"
    assert "8.2" in detail
    assert told(made, **none, JOINBRIDGE_MODE="shadow") == []
    assert told(made, **none, JOINBRIDGE_MODE="shadow", JOINBRIDGE_EVIDENCE__NEEDS_TYPE="true") == [(severity, detail)]
