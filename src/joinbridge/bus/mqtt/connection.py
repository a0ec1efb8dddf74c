"""One connection to an MQTT broker; with `leniency` and `publisher` all that knows aiomqtt and paho.

aiomqtt drives the socket; it has no manual acknowledgement, loses the DUP flag and hides whether the broker kept the session
(docs/decisions/0007). So the callbacks and the acknowledgements are those of the paho client inside it. Each connection has a client
of its own: packet identifiers, buffered messages and state of a lost one must not outlive it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import aiomqtt
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from joinbridge.bus.mqtt.leniency import be_lenient
from joinbridge.bus.mqtt.messages import Arrival
from joinbridge.config import Mqtt
from joinbridge.errors import ConfigError, TransportError
from joinbridge.ports import Clock

_TAKEN_OVER = 0x8E  # MQTT 5, 3.14.2.1: another client connected with our identifier
_REFUSED = 0x80  # reason codes from here on say no
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_LONGEST_KEEPALIVE_S = 65535  # two octets
_SUBSCRIBE_TIMEOUT_S = 30.0  # the answer may stand behind a whole window of the session's backlog


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a connection ended."""

    reason: str
    taken_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is, and who we are to it."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None


def broker(settings: Mqtt) -> Broker:
    """Return the broker that `settings` name.

    Raises: ConfigError when `mqtt.url` is none, or not that of an MQTT broker.
    """
    text = "" if settings.url is None else settings.url.get_secret_value()
    wrong = ConfigError("mqtt.url: must be mqtt://[user:password@]host[:port], or mqtts:// for TLS, with a password percent-encoded")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise wrong from None  # the error may quote a part of the password
    if url.scheme not in _PORTS or not url.hostname:
        raise wrong
    return Broker(
        host=url.hostname,
        port=port or _PORTS[url.scheme],
        tls=url.scheme == "mqtts",
        username=None if url.username is None else unquote(url.username),
        password=None if url.password is None else unquote(url.password),
    )


class Connection:
    """What came through one connection, to be acknowledged through this one alone.

    `inbox` is filled by the broker; never more than `limit`: what is beyond it is let go unacknowledged (`overflowed`), for the broker to
    send again on the next connection. `lost` is done when the connection has ended.
    """

    def __init__(self, client: aiomqtt.Client, clock: Clock, limit: int, on_arrival: Callable[[], None]) -> None:
        self._client = client
        self._paho: PahoClient = client._client  # noqa: SLF001 - see the module
        self._clock = clock
        self._limit = limit
        self._on_arrival = on_arrival
        self.inbox: deque[Arrival] = deque()
        self.overflowed = False
        self.session_present = False
        self.lost: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()
        paho = self._paho
        # Before connecting: otherwise paho acknowledges each message as soon as its callback returns.
        paho.manual_ack_set(True)  # type: ignore[no-untyped-call,unused-ignore]
        paho.on_message = self._arrived
        connected, disconnected = paho.on_connect, paho.on_disconnect

        def on_connect(client: PahoClient, data: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None) -> None:
            self.session_present = flags.session_present
            connected(client, data, flags, code, properties)  # type: ignore[misc,call-arg,arg-type]  # aiomqtt's own

        def on_disconnect(
            client: PahoClient, data: object, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
        ) -> None:
            self._end(Loss(str(code), taken_over=flags.is_disconnect_packet_from_server and code.value == _TAKEN_OVER))
            disconnected(client, data, flags, code, properties)  # type: ignore[misc,call-arg,arg-type]  # aiomqtt's own

        paho.on_connect = on_connect
        paho.on_disconnect = on_disconnect
        # When reading fails, aiomqtt resolves this future and nothing else; entering its context may replace it afterwards.
        client._disconnected.add_done_callback(self._broke)  # noqa: SLF001

    async def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe with QoS 1; return too when the connection is lost meanwhile. The backlog of the session comes before the answer.

        Raises: TransportError when the broker refuses, or grants less than QoS 1.
        """
        # Retained messages are not sent again with each subscription: they are as old as they are.
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        subscribing = asyncio.ensure_future(self._client.subscribe([(one, options) for one in filters], timeout=_SUBSCRIBE_TIMEOUT_S))
        try:
            # aiomqtt would wait on for an answer that cannot come any more.
            await asyncio.wait((subscribing, self.lost), return_when=asyncio.FIRST_COMPLETED)
            if not subscribing.done():
                return
            answers = subscribing.result()
        except aiomqtt.MqttError as error:
            raise TransportError(f"could not subscribe to {', '.join(filters)}: {error}") from error
        finally:
            subscribing.cancel()
        granted_or_not = [answer if isinstance(answer, int) else int(answer.value) for answer in answers]
        for one, granted in zip(filters, granted_or_not, strict=True):
            if granted >= _REFUSED:
                raise TransportError(
                    f"the broker refused the subscription to {one} with code {granted:#x}; grant joinbridge the right to read it"
                )
            if granted < 1:
                raise TransportError(f"the broker granted {one} only with QoS {granted}, which loses messages; let it grant QoS 1")

    def acknowledge(self, mid: int) -> None:
        """Send the PUBACK for the packet `mid` of this connection."""
        self._paho.ack(mid, 1)

    def end(self) -> None:
        """End the connection in order, after all that was acknowledged; the broker keeps the session."""
        self._paho.disconnect()

    @property
    def sending(self) -> bool:
        """Whether something is still to be handed to the network."""
        return self._paho.want_write()

    def _arrived(self, client: PahoClient, data: object, message: MQTTMessage) -> None:  # noqa: ARG002 - paho's signature
        if self.overflowed or len(self.inbox) >= self._limit:
            self.overflowed = True
            return
        properties = message.properties
        self.inbox.append(
            Arrival(
                topic=message.topic,
                body=bytes(message.payload),
                at=self._clock.now(),
                qos=message.qos,
                mid=message.mid,
                duplicate=bool(message.dup),
                content_type=getattr(properties, "ContentType", None),
                properties=tuple(getattr(properties, "UserProperty", ())),
            )
        )
        self._on_arrival()

    def _broke(self, future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        self._end(Loss(str(error or "ended")))

    def _end(self, loss: Loss) -> None:
        if not self.lost.done():
            self.lost.set_result(loss)


@asynccontextmanager
async def connect(settings: Mqtt, clock: Clock, *, window: int, limit: int, on_arrival: Callable[[], None]) -> AsyncIterator[Connection]:
    """Open a connection that resumes the session of `settings.client_id`; the broker is asked to send at most `window` unacknowledged.

    Raises: TransportError when the broker cannot be reached or refuses; ConfigError when `mqtt.url` is wrong.
    """
    client = await client_of(settings, window=window)
    connection = Connection(client, clock, limit, on_arrival)
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            # A thread connects meanwhile; only when it is done is there a socket to close.
            await asyncio.wait({entering})
            raise
        if connection.lost.done():
            raise TransportError(f"the broker ended the connection at once: {connection.lost.result().reason}")
        yield connection
    except aiomqtt.MqttError as error:
        raise TransportError(f"no connection to the MQTT broker: {error}") from error
    finally:
        await _close(connection, client)
        if entering.done() and not entering.cancelled():
            entering.exception()  # it was reported, or nobody waits for it any more


async def _close(connection: Connection, client: aiomqtt.Client) -> None:
    paho: PahoClient = client._client  # noqa: SLF001 - see the module
    try:
        if paho.is_connected():
            paho.disconnect()
            # What was acknowledged goes out before the DISCONNECT does.
            await asyncio.wait({connection.lost}, timeout=client.timeout)
    finally:
        # A broker that hangs takes no DISCONNECT, and aiomqtt leaves the socket open when the broker never answers a CONNECT.
        paho._sock_close()  # noqa: SLF001


async def client_of(settings: Mqtt, *, window: int | None = None, clean_start: bool = False) -> aiomqtt.Client:
    """Return a client that is not connected yet. With `clean_start` its session is new, and ends with the connection.

    Raises: TransportError when its TLS files cannot be used; ConfigError when `mqtt.url` is wrong.
    """
    be_lenient()
    where = broker(settings)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho types not all
    properties.SessionExpiryInterval = 0 if clean_start else int(settings.session_expiry.total_seconds())
    if window is not None:
        properties.ReceiveMaximum = window
    client = aiomqtt.Client(
        where.host,
        where.port,
        username=where.username,
        password=where.password,
        identifier=settings.client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        # aiomqtt's default wipes the session's backlog at each start of the process.
        clean_start=clean_start,
        properties=properties,
        # 0 would turn it off.
        keepalive=min(max(1, round(settings.keepalive.total_seconds())), _LONGEST_KEEPALIVE_S),
        timeout=settings.connect_timeout.total_seconds(),
        tls_context=await asyncio.to_thread(_tls, settings) if where.tls else None,
        # Otherwise each PUBACK may wait 40 ms for the one before it.
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
    client._client.connect_timeout = settings.connect_timeout.total_seconds()  # noqa: SLF001 - see the module
    return client


def _tls(settings: Mqtt) -> ssl.SSLContext:
    """Return the TLS context, made anew for each connection, so that a certificate can be renewed while joinbridge runs."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(str(file) for file in (settings.ca_file, settings.certificate_file, settings.key_file) if file is not None)
        raise TransportError(f"the TLS files of [mqtt] cannot be used ({files}): {error}") from error
    return context
