"""The servers of compose/, started here with those very files, and joinbridge's parts as their users. Only ports and places differ."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.bus.amqp.connecting import AmqpBus, connect
from joinbridge.bus.amqp.link import open_link
from joinbridge.bus.mqtt.publisher import open_publisher
from joinbridge.bus.mqtt.source import MqttSource
from joinbridge.bus.mqtt.topics import alert_topics
from joinbridge.config import Settings
from joinbridge.errors import ConfigError
from joinbridge.service.clock import SystemClock
from joinbridge.wiring.rehearsing import ESTATE_QUEUE, _topology
from support import services
from support.bus import alert, bodies, collect
from support.bus_mqtt import Estate
from support.services import Mosquitto, PostgreSql, RabbitMq

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets as the tool makes them."""
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    subprocess.run([sys.executable, str(ROOT / "tools" / "compose_secrets.py"), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def rabbitmq_as_composed(secrets: Path) -> Iterator[RabbitMq]:
    """RabbitMQ as compose starts it."""
    definitions = secrets.parent / "definitions.d"
    definitions.mkdir()
    shutil.copy(secrets / "rabbitmq-users.json", definitions / "00-users.json")
    shutil.copy(COMPOSE / "definitions.json", definitions / "10-topology.json")
    lines = (COMPOSE / "rabbitmq.conf").read_text("utf-8").replace("/etc/rabbitmq/definitions.d", str(definitions)).splitlines()
    # The test's own server says these itself.
    own = re.compile(r"listeners\.|management\.|log\.|disk_free_limit|vm_memory_high_watermark")
    with services.rabbitmq("\n".join(line for line in lines if not own.match(line)) + "\n") as broker:
        yield replace(broker, url=broker.url.replace("guest:guest", f"operator:{password(secrets, 'operator')}"))


@pytest.fixture(scope="module")
def mosquitto_as_composed(secrets: Path) -> Iterator[Mosquitto]:
    """Mosquitto as compose starts it."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        services.missing("Mosquitto")
    with services._folder("mosquitto", "mosquitto" if os.geteuid() == 0 else None) as folder:
        port = services.free_port()
        shutil.copy(secrets / "mosquitto-passwords", folder / "passwords")
        shutil.copy(COMPOSE / "mosquitto.acl", folder / "acl")
        places = {
            "listener 1883": f"listener {port} 127.0.0.1",
            "/run/secrets/mosquitto-passwords": f"{folder}/passwords",
            "/mosquitto/config/mosquitto.acl": f"{folder}/acl",
            "/mosquitto/data/": f"{folder}/",
        }
        text = (COMPOSE / "mosquitto.conf").read_text("utf-8")
        for theirs, ours in places.items():
            assert theirs in text
            text = text.replace(theirs, ours)
        (folder / "mosquitto.conf").write_text(text)
        server = services.Server(command=[str(program), "-c", str(folder / "mosquitto.conf")], folder=folder, port=port)
        with services._started(server):
            yield Mosquitto("127.0.0.1", port, server)


class TestRabbitMq:
    def settings(self, broker: RabbitMq, secrets: Path, user: str) -> Settings:
        url = (secrets / f"{user}-amqp-url").read_text("utf-8").replace("rabbitmq:5672", f"127.0.0.1:{urlsplit(broker.url).port}")
        return Settings.model_validate({"amqp": {"url": SecretStr(url), "connect_deadline": 30}})

    async def test_joinbridge_and_the_simulated_estate_reach_each_other(self, rabbitmq_as_composed: RabbitMq, secrets: Path) -> None:
        ours, theirs = (self.settings(rabbitmq_as_composed, secrets, user) for user in ("joinbridge", "estate"))

        async with (
            connect(ours, clock=SystemClock()) as bus,
            bus.source(bus.queues[0]) as source,
            estate_bus(theirs) as estate,
            estate.source(ESTATE_QUEUE) as heard,
        ):
            await estate.publisher.publish([alert("x"), alert("y", "request.8.7.1", exchange="dsp.sr")])
            received = await collect(source, 2)
            await source.ack(received[:1])
            await source.reject(received[1], "as a test", None)
            await bus.publisher.publish([alert("z", "retry.join", exchange=ours.bus.commands)])
            answered = await collect(heard, 1)
            await heard.ack(answered)

        assert bodies(received) == ["x", "y"]
        assert bodies(answered) == ["z"]

    def test_the_policy_and_the_definitions_are_in_force(self, rabbitmq_as_composed: RabbitMq) -> None:
        found = rabbitmq_as_composed.call("GET", "/api/definitions")
        assert isinstance(found, dict)
        wanted = json.loads((COMPOSE / "definitions.json").read_text("utf-8"))

        assert {one["name"] for one in found["users"]} == {"joinbridge", "estate", "operator"}
        assert {one["name"] for one in found["vhosts"]} == {"joinbridge"}
        for kind in ("exchanges", "queues", "policies"):
            assert {one["name"] for one in found[kind]} >= {one["name"] for one in wanted[kind]}

    async def test_nobody_may_do_more_than_he_needs(self, rabbitmq_as_composed: RabbitMq, secrets: Path) -> None:
        settings = self.settings(rabbitmq_as_composed, secrets, "joinbridge")
        elsewhere = settings.model_copy(update={"amqp": settings.amqp.model_copy(update={"queue": "somebody.elses"})})

        with pytest.raises(ConfigError, match="access to queue 'somebody\\.elses'"):
            async with connect(elsewhere, clock=SystemClock()):
                pass


class TestMosquitto:
    async def test_what_a_csp_publishes_reaches_joinbridge(self, mosquitto_as_composed: Mosquitto, secrets: Path) -> None:
        def url(user: str) -> str:
            return (secrets / f"{user}-mqtt-url").read_text("utf-8").replace("mosquitto:1883", f"127.0.0.1:{mosquitto_as_composed.port}")

        estate = Estate(mosquitto_as_composed, url=url("joinbridge"))
        topic = alert_topics().topic_of
        source = MqttSource(
            estate.settings(), patterns=[alert_topics()], window=600, clock=SystemClock(), letters=estate.letters, dead="joinbridge.dead"
        )

        async with source:
            await source.connected()
            async with open_publisher(estate.settings(url=url("csp")), client_id="csp", topic_of=lambda one: topic(one.route)) as theirs:
                await theirs.publish([alert("x")])
            [delivery] = await collect(source, 1)
            await source.ack([delivery])

        assert (delivery.body, delivery.route, delivery.region) == (b"x", "north.8F12", "north")


@pytest.fixture(scope="module")
def postgresql_as_composed(secrets: Path) -> Iterator[PostgreSql]:
    """PostgreSQL, prepared as compose has it prepared at its first start."""
    script = (COMPOSE / "databases.sh").read_text("utf-8").replace("/run/secrets", str(secrets))
    with services.postgresql("fsync=off") as server:
        programs = f"{services._POSTGRESQL[-1]}:{os.environ['PATH']}"
        environment = {"PATH": programs, "PGHOST": "127.0.0.1", "PGPORT": str(urlsplit(server.url).port)}
        subprocess.run(["/bin/sh", "-c", script], check=True, env=environment)
        yield server


class TestPostgreSql:
    @pytest.mark.parametrize(
        ("file", "name", "other"), [("joinbridge-database-url", "joinbridge", "smi"), ("smi-url", "smi", "joinbridge")]
    )
    async def test_each_has_a_database_that_only_it_may_enter(
        self, postgresql_as_composed: PostgreSql, secrets: Path, file: str, name: str, other: str
    ) -> None:
        url = (secrets / file).read_text("utf-8").replace("postgresql:5432", f"127.0.0.1:{urlsplit(postgresql_as_composed.url).port}")

        assert await who_makes_a_table(url) == name
        with pytest.raises(DBAPIError, match="permission denied for database"):
            await who_makes_a_table(url.removesuffix(name) + other)


async def who_makes_a_table(url: str) -> str:
    """Make a table in the database, and return who did."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE made (x int)"))
            return str(await connection.scalar(text("SELECT current_user")))
    finally:
        await engine.dispose()


@asynccontextmanager
async def estate_bus(settings: Settings) -> AsyncIterator[AmqpBus]:
    """Connect as the simulator does."""
    async with open_link(settings.amqp, "publishing") as publishing, open_link(settings.amqp, "listening") as listening:
        bus = AmqpBus(settings, publishing=publishing, consuming=listening, clock=SystemClock(), topology=_topology(settings))
        await bus.declare()
        yield bus


def password(secrets: Path, user: str, broker: str = "rabbitmq") -> str:
    return (secrets / f"{broker}-{user}-password").read_text("utf-8")
