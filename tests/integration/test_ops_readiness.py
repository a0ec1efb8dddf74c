"""A deployed sidecar among servers that are killed: it lives, it says at once why it is not ready, and is ready again afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from joinbridge.ops.health import FRESH_S, PATIENCE_S
from support import services
from support.deployment import Deployment, Process, deployment, eventually, run_sql
from support.desk import Desk
from support.postgresql import frozen
from support.prometheus import promtool
from support.services import Mosquitto, PostgreSql, RabbitMq, Server, free_port

WITHIN_S = 5.0
"""What an orchestrator and a desk are promised."""
AGAIN_WITHIN_S = 60.0
"""Connections come back with pauses that grow, of at most half a minute."""


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    with services.rabbitmq() as server:
        yield server


@pytest.fixture(scope="module")
def records() -> Iterator[PostgreSql]:
    with services.postgresql("fsync=off") as server:
        yield server


@pytest.fixture(scope="module")
def inventory() -> Iterator[PostgreSql]:
    """Whose PostgreSQL is not that of the records."""
    with services.postgresql("fsync=off") as server:
        yield server


@pytest.fixture(scope="module")
def alerts() -> Iterator[Mosquitto]:
    with services.mosquitto() as server:
        yield server


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, broker: RabbitMq, records: PostgreSql, inventory: PostgreSql, alerts: Mosquitto
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployed")
    settings = {"JOINBRIDGE_HTTP__PORT": str(free_port()), "JOINBRIDGE_MQTT__URL": alerts.url, "JOINBRIDGE_REHEARSAL__SPEED": "1"}
    with broker.virtual_host() as host, deployment(folder, host, records, inventory, speed=1, settings=settings) as made:
        yield made


@pytest.fixture(scope="module")
def sidecar(made: Deployment) -> Process:
    return made.sidecar()


@pytest.fixture
def desk(made: Deployment, sidecar: Process) -> Iterator[Desk]:
    """A desk that sees a sidecar that is ready."""
    assert sidecar.popen.poll() is None
    asking = Desk(f"http://127.0.0.1:{made.settings['JOINBRIDGE_HTTP__PORT']}")
    eventually(lambda: not asking.failing(), "ready", AGAIN_WITHIN_S)
    yield asking
    asking.close()


def within(limit_s: float, reached: Callable[[], bool], told: Callable[[], object]) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < limit_s, told()
        time.sleep(0.05)


def test_one_that_is_ready_says_so_of_each_part(desk: Desk) -> None:
    checks = desk.get("/readyz?verbose").json()["checks"]

    assert [check["name"] for check in checks] == ["instance", "database", "schema", "amqp", "consumers", "mqtt", "deadlines"]
    assert all(check["ok"] for check in checks)


def test_the_metrics_show_its_connections_and_consumers(desk: Desk) -> None:
    lines = desk.get("/metrics").text.splitlines()

    for connection in ("amqp_publishing", "amqp_consuming", "mqtt"):
        assert f'joinbridge_connection_up{{connection="{connection}"}} 1.0' in lines
    assert 'joinbridge_consumers{broker="amqp"} 1.0' in lines
    assert 'joinbridge_consumers_expected{broker="amqp"} 1.0' in lines


def test_the_metrics_show_each_check_of_readiness(desk: Desk) -> None:
    checks = {check["name"] for check in desk.get("/readyz?verbose").json()["checks"]}

    shown = {line for line in desk.get("/metrics").text.splitlines() if line.startswith("joinbridge_ready{")}

    assert shown == {f'joinbridge_ready{{check="{check}"}} 1.0' for check in checks}


def test_promtool_has_nothing_to_complain_of_in_what_is_scraped(desk: Desk) -> None:
    done = promtool("check", "metrics", stdin=desk.get("/metrics").text)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_census_of_the_store_is_taken_before_anybody_asks(desk: Desk) -> None:
    def census() -> float:
        line = next(line for line in desk.get("/metrics").text.splitlines() if line.startswith("joinbridge_census_timestamp_seconds "))
        return float(line.split()[1])

    eventually(lambda: census() > 0, "counted", WITHIN_S)


@contextmanager
def killed(server: Server) -> Iterator[None]:
    server.kill()
    try:
        yield
    finally:
        server.start()


@pytest.mark.parametrize(
    ("which", "how", "checks"),
    [
        pytest.param("broker", killed, {"amqp", "consumers"}, id="rabbitmq killed"),
        pytest.param("records", killed, {"database", "schema"}, id="postgresql killed"),
        pytest.param("records", frozen, {"database", "schema"}, id="postgresql frozen"),
        pytest.param("alerts", killed, {"mqtt"}, id="mosquitto killed"),
    ],
)
def test_each_dependency_that_dies_makes_it_not_ready_with_the_reason_and_never_dead(
    desk: Desk,
    request: pytest.FixtureRequest,
    which: str,
    how: Callable[[Server], AbstractContextManager[None]],
    checks: set[str],
) -> None:
    with how(request.getfixturevalue(which).server):
        within(WITHIN_S, lambda: checks <= desk.failing().keys(), desk.failing)
        reasons, alive, metrics = desk.failing(), desk.lives(), desk.get("/metrics").text.splitlines()

    assert all(reasons[check] for check in checks)
    assert {f'joinbridge_ready{{check="{check}"}} 0.0' for check in checks} <= set(metrics)
    assert alive
    within(AGAIN_WITHIN_S, lambda: not desk.failing(), desk.failing)


def test_an_inventory_that_dies_leaves_it_ready_since_corrections_can_wait(desk: Desk, inventory: PostgreSql) -> None:
    assert inventory.server is not None
    with killed(inventory.server):
        looked_until = time.monotonic() + PATIENCE_S + FRESH_S
        while time.monotonic() < looked_until:
            assert desk.failing() == {}


def test_a_database_that_takes_no_more_writes_makes_it_not_ready(desk: Desk, made: Deployment, records: PostgreSql) -> None:
    name = urlsplit(made.database_url).path.lstrip("/")

    def change(to: str) -> None:
        run_sql(records.url, f"ALTER DATABASE {name} {to}")
        # Connections that there are already do not notice.
        run_sql(records.url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608 - ours

    change("SET default_transaction_read_only = on")
    try:
        within(WITHIN_S, lambda: "read-only" in desk.failing().get("database", ""), desk.failing)
        assert desk.lives()
    finally:
        change("RESET default_transaction_read_only")
    within(AGAIN_WITHIN_S, lambda: not desk.failing(), desk.failing)


def test_a_schema_of_another_version_makes_it_not_ready(desk: Desk, made: Deployment) -> None:
    [row] = run_sql(made.database_url, "SELECT version_num FROM alembic_version")

    run_sql(made.database_url, "UPDATE alembic_version SET version_num = '9999'")
    try:
        within(WITHIN_S, lambda: "has schema 9999, this version needs" in desk.failing().get("schema", ""), desk.failing)
        assert desk.lives()
    finally:
        run_sql(made.database_url, f"UPDATE alembic_version SET version_num = '{row['version_num']}'")  # noqa: S608 - as it was
    within(AGAIN_WITHIN_S, lambda: not desk.failing(), desk.failing)


def test_the_port_answers_until_the_sidecar_has_ended_in_order(desk: Desk, sidecar: Process) -> None:
    assert desk.lives()

    assert sidecar.stop() == 0

    assert '"event": "ended_in_order"' in sidecar.said()
    with pytest.raises(httpx.ConnectError):
        desk.get("/livez")


def test_all_that_it_has_logged_is_json(sidecar: Process) -> None:
    events = [json.loads(line)["event"] for line in sidecar.said().splitlines()]

    assert "ready" in events
