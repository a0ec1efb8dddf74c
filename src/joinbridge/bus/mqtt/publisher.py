"""A publisher on MQTT, for the simulated estate: joinbridge itself publishes over AMQP alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from joinbridge.bus.mqtt.connection import client_of
from joinbridge.bus.mqtt.messages import KEY, TIME
from joinbridge.config import Mqtt
from joinbridge.errors import TransportError
from joinbridge.ports import Publication

_AT_ONCE = 1_000_000  # aiomqtt warns of more than ten publications that wait for their confirmation


class MqttPublisher:
    """A `ports.Publisher` with QoS 1, by a session that ends with each connection. It connects when it is needed, and again after a loss.

    MQTT does not report what nobody listens to: `mandatory` means nothing here.
    """

    def __init__(self, settings: Mqtt, *, client_id: str, topic_of: Callable[[Publication], str]) -> None:
        self._settings = settings
        self._client_id = client_id
        self._topic_of = topic_of
        self._open = AsyncExitStack()
        self._client: aiomqtt.Client | None = None

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Return when the broker has confirmed every one.

        Raises: TransportError when it has not; any may have arrived.
        """
        try:
            client = await self._connected()
            await asyncio.gather(*(client.publish(self._topic_of(one), one.body, 1, properties=_properties(one)) for one in publications))
        except aiomqtt.MqttError as error:
            await self.close()
            raise TransportError(f"{len(publications)} publications over MQTT were not confirmed: {error}") from error

    async def close(self) -> None:
        """Disconnect, if there is a connection."""
        self._client = None
        with suppress(aiomqtt.MqttError):  # it was lost before
            await self._open.aclose()

    async def _connected(self) -> aiomqtt.Client:
        if self._client is None:
            client = await client_of(self._settings.model_copy(update={"client_id": self._client_id}), clean_start=True)
            client.pending_calls_threshold = _AT_ONCE
            self._client = await self._open.enter_async_context(client)
        return self._client


@asynccontextmanager
async def open_publisher(settings: Mqtt, *, client_id: str, topic_of: Callable[[Publication], str]) -> AsyncIterator[MqttPublisher]:
    """Make a publisher that is closed at the end."""
    publisher = MqttPublisher(settings, client_id=client_id, topic_of=topic_of)
    try:
        yield publisher
    finally:
        await publisher.close()


def _properties(publication: Publication) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho types not all
    properties.ContentType = publication.content_type
    at = [] if publication.at is None else [(TIME, publication.at.isoformat())]
    properties.UserProperty = [(KEY, publication.key), *at, *publication.headers.items()]
    return properties
