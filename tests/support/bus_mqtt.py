"""Mosquitto for the conformance suite: the estate's messages on topics, and what tests do to a broker and to a connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from pydantic import SecretStr

from joinbridge.bus.memory import MemoryBus
from joinbridge.bus.mqtt.publisher import open_publisher
from joinbridge.bus.mqtt.source import MqttSource
from joinbridge.bus.mqtt.topics import TopicPattern, alert_topics
from joinbridge.config import Mqtt
from joinbridge.ports import DeadLetter, Publication, Publisher, Source
from joinbridge.service.clock import SystemClock
from support.bus import Features
from support.eventually import eventually
from support.services import Mosquitto

DEAD = "joinbridge.dead"
LONG = timedelta(seconds=30)  # real time, on a machine that does other things as well
_CONFIRMED_S = 60.0


class Estate:
    """Topics and client identifiers of one test on a broker that others use too, and a publisher that plays the estate.

    Alerts are where production has them; Service Requests, which production gets over AMQP, are beside them.
    """

    def __init__(self, broker: Mosquitto, **settings: object) -> None:
        self.broker = broker
        self.name = f"test-{uuid4().hex[:12]}"
        self.topic = f"{self.name}/csp/{{region}}/alerts/{{code}}"
        self.patterns = (
            alert_topics(self.topic),
            TopicPattern(topic=f"{self.name}/dsp.sr/request/{{service}}", source="sr.request", route="request.{service}"),
            TopicPattern(topic=f"{self.name}/dsp.sr/response/{{service}}", source="sr.response", route="response.{service}"),
        )
        self._settings = settings
        self.letters = MemoryBus(SystemClock(), dead_letter_queue=DEAD)

    def settings(self, **changes: object) -> Mqtt:
        """Return settings for this broker, with pauses for tests."""
        usual: dict[str, object] = {
            "url": SecretStr(self.broker.url),
            "client_id": self.name,
            "session_expiry": timedelta(minutes=5),
            "reconnect_max": timedelta(milliseconds=500),
            "connect_timeout": timedelta(seconds=5),
        }
        return Mqtt.model_validate({**usual, **self._settings, **changes})

    def source(self, *, window: int = 100, **changes: object) -> MqttSource:
        """Return a source that has not started."""
        return MqttSource(
            self.settings(**changes), patterns=self.patterns, window=window, clock=SystemClock(), letters=self.letters, dead=DEAD
        )

    @asynccontextmanager
    async def consuming(self, *, window: int = 100, **changes: object) -> AsyncIterator[MqttSource]:
        """Start a source, and wait until it is subscribed."""
        async with self.source(window=window, **changes) as source:
            async with asyncio.timeout(LONG.total_seconds()):
                await source.connected()
            yield source

    async def publish(self, publications: Sequence[Publication], *, timeout_s: float = _CONFIRMED_S) -> None:
        """Publish with QoS 1, in order, and return when all is confirmed."""
        settings = self.settings(connect_timeout=timedelta(seconds=timeout_s))
        async with open_publisher(settings, client_id=f"{self.name}-publishing", topic_of=self._topic) as publisher:
            await publisher.publish(publications)

    def _topic(self, publication: Publication) -> str:
        first, _, rest = publication.route.partition(".")
        if publication.exchange == "csp.alerts":
            return self.topic.format(region=first, code=rest)
        return f"{self.name}/{publication.exchange}/{first}/{rest}"


async def cut(source: MqttSource) -> None:
    """Cut the connection of `source` below MQTT, after what it has acknowledged, and return when it has noticed."""
    connection = source._connection
    assert connection is not None
    await eventually(lambda: not connection.sending)
    raw = connection._paho.socket()
    assert isinstance(raw, socket.socket)
    with suppress(OSError):
        raw.shutdown(socket.SHUT_RDWR)
    await eventually(connection.lost.done)
    await eventually(lambda: source._connection is not connection)


@contextmanager
def frozen(broker: Mosquitto) -> Iterator[None]:
    """Let the broker hang meanwhile."""
    assert broker.server is not None
    broker.server.freeze()
    try:
        yield
    finally:
        broker.server.thaw()


class MqttHarness:
    """A session on Mosquitto. It counts no attempts, reports no publication for nobody, and hands nothing back but by a new connection."""

    def __init__(self, broker: Mosquitto) -> None:
        self.features = Features(requeue=False, mandatory=False, attempts=False, sharing=False, outage=broker.server is not None)
        self.estate = Estate(broker)
        self.publisher: Publisher = self
        self._timeout_s = _CONFIRMED_S

    async def publish(self, publications: Sequence[Publication]) -> None:
        await self.estate.publish(publications, timeout_s=self._timeout_s)

    def consume(self, *, prefetch: int = 100) -> AbstractAsyncContextManager[Source]:
        return self.estate.consuming(window=prefetch)

    async def lose(self, source: Source) -> None:
        assert isinstance(source, MqttSource)
        await cut(source)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        self._timeout_s = 0.5
        with frozen(self.estate.broker), self.estate.letters.outage():
            yield
        self._timeout_s = _CONFIRMED_S

    async def dead_letters(self) -> Sequence[DeadLetter]:
        return self.estate.letters.dead_letters()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def pass_time(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())


@asynccontextmanager
async def mqtt(broker: Mosquitto) -> AsyncIterator[MqttHarness]:
    """Make a session of its own on `broker`, with the subscription already there: what is published from now on waits for its consumer."""
    harness = MqttHarness(broker)
    async with harness.consume():
        pass
    yield harness
