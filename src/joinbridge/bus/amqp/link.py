"""A named connection to RabbitMQ that comes back by itself, and channels on it that do not."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aio_pika import RobustConnection
from aio_pika.connection import make_url
from aio_pika.exceptions import AMQPConnectionError, AuthenticationError, ProbableAuthenticationError
from aiormq.abc import AbstractChannel
from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from joinbridge.bus.amqp.leniency import be_lenient
from joinbridge.bus.amqp.outcome import CLOSE_TIMEOUT_S, transport_errors
from joinbridge.config import Amqp
from joinbridge.errors import ConfigError, TransportError

RECONNECT_S = (1.0, 2.0)
"""Between two tries to connect; spread, so that the instances do not all come at once when the broker is back."""


class Link:
    """One connection. aio-pika makes it anew whenever it is lost; the channels on it are gone then, and their owners open others."""

    def __init__(self, connection: RobustConnection, name: str) -> None:
        self._connection = connection
        self.name = name
        self.losses = 0
        connection.close_callbacks.add(self._lost)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        transport = self._connection.transport
        return self._connection.connected.is_set() and transport is not None and not transport.connection.is_closed

    async def ready(self) -> None:
        """Return when there is a connection."""
        await self._connection.connected.wait()

    async def channel(self, *, confirms: bool) -> AbstractChannel:
        """Open a channel once there is a connection; with `confirms`, one on which an unroutable message is an error.

        The caller bounds it in time and turns what it raises into TransportError.
        """
        await self.ready()
        transport = self._connection.transport
        if transport is None:
            raise ConnectionError("the connection was lost")
        return await transport.connection.channel(publisher_confirms=confirms, on_return_raises=confirms)

    @property
    def server(self) -> dict[str, object]:
        """What the broker says of itself: product, version, cluster_name, capabilities."""
        transport = self._connection.transport
        if transport is None:
            return {}
        properties: dict[str, object] = dict(getattr(transport.connection, "server_properties", None) or {})
        return properties

    async def drop(self) -> None:
        """Give the present connection up, because it seems stuck, and let another be made."""
        transport = self._connection.transport
        if transport is None:
            return
        with suppress(TransportError), transport_errors(f"giving up {self.name}"):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await transport.connection.close(ConnectionError("given up: it was stuck"))

    def _lost(self, *_: object) -> None:
        self.losses += 1


@asynccontextmanager
async def open_link(settings: Amqp, name: str) -> AsyncIterator[Link]:
    """Connect as `name`, trying until the deadline of `settings`, and close the connection at the end.

    Raises: TransportError when the broker could not be reached in time; ConfigError when it refuses the user or a file is wrong.
    """
    be_lenient()
    context = tls_context(settings)
    retrying = AsyncRetrying(
        stop=stop_before_delay(settings.connect_deadline.total_seconds()),
        wait=wait_random_exponential(multiplier=0.5, max=10),
        retry=retry_if_exception_type(TransportError),
        reraise=True,
    )
    connection: RobustConnection = await retrying(_connect, settings, context, name)
    try:
        yield Link(connection, name)
    finally:
        await _close(connection)


def tls_context(settings: Amqp) -> ssl.SSLContext | None:
    """Return how to speak TLS under `settings`; None when the URL asks for none.

    Raises: ConfigError that names the setting, when a file cannot be loaded.
    """
    if not settings.url.get_secret_value().startswith("amqps:"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"amqp.ca_file: {settings.ca_file}: {error}") from error
    if settings.certificate_file is not None:
        try:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"amqp.certificate_file, amqp.key_file: {settings.certificate_file}: {error}") from error
    return context


async def _connect(settings: Amqp, context: ssl.SSLContext | None, name: str) -> RobustConnection:
    url = make_url(settings.url.get_secret_value(), heartbeat=max(1, round(settings.heartbeat.total_seconds())))
    address = f"{url.host}:{url.port or (5671 if url.scheme == 'amqps' else 5672)}"
    connection = RobustConnection(
        url,
        ssl_context=context,
        reconnect_interval=random.uniform(*RECONNECT_S),  # noqa: S311 - spreads tries, guards nothing
        client_properties={"connection_name": f"joinbridge {name} on {socket.gethostname()}"},
    )
    try:
        with transport_errors(f"connecting to {address}{url.path}"):
            try:
                await connection.connect(timeout=settings.connect_timeout.total_seconds())
            except (AuthenticationError, ProbableAuthenticationError) as error:
                raise ConfigError(f"amqp.url: the broker at {address} refuses the user: {error}") from error
            except AMQPConnectionError as error:
                if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                    raise ConfigError(f"amqp.ca_file: the certificate of {address} does not verify: {error}") from error
                raise
    except BaseException:
        await _close(connection)
        raise
    return connection


async def _close(connection: RobustConnection) -> None:
    with suppress(TransportError), transport_errors("closing a connection"):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close()
