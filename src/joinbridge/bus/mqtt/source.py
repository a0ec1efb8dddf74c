"""An MQTT session as a `ports.Source`: acknowledged only when the effects are committed, resumed after every loss."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import tenacity

from joinbridge.bus.letters import to_publication
from joinbridge.bus.mqtt.connection import Connection, Loss, connect
from joinbridge.bus.mqtt.messages import Arrival, to_delivery
from joinbridge.bus.mqtt.topics import TopicPattern
from joinbridge.config import Mqtt
from joinbridge.errors import TransportError
from joinbridge.ports import Clock, DeadLetter, Delivery, Publisher

_LIMIT_IN_WINDOWS = 4
"""So many windows are buffered at most: Mosquitto 2.0 sends far more than it was asked to when it resumes a session."""

_STEADY_S = 30.0
"""A connection that lived so long was a good one: the next loss is a new one, not a part of the last."""

_EVICTIONS = 10
"""So many good connections in a row, each ended early by the broker, look like a fight with another client for our identifier."""

_TRUCE_S = 120.0
"""How long to leave the session to the other one then. The broker keeps what comes meanwhile, and it may have been the network."""


@dataclass(slots=True)
class MqttHealth:
    """What became of the connections and of what came through them, since the start."""

    connected: bool = False
    connections: int = 0
    losses: int = 0  # connections that ended without being asked to
    failures: int = 0  # attempts to connect or subscribe that failed
    sessions_lost: int = 0  # reconnections at which the broker had no session any more: what came meanwhile may be lost
    taken_over: bool = False  # the broker says that another client uses our identifier: stopped for good
    truces: int = 0  # it looks as if another client did: paused for minutes
    unprotected: int = 0  # messages published with QoS 0, which no broker sends again
    redelivered: int = 0
    overflows: int = 0  # connections on which the broker sent more than was asked for by far
    late_settlements: int = 0  # of deliveries whose connection was lost by then
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class _Held:
    """A delivery that was handed over and is not settled."""

    arrival: Arrival
    at: datetime


class MqttSource:
    """One session, and what is subscribed to in it: a `ports.Source`. Entering its context starts it; leaving it keeps the session.

    The connection is kept in the background, with jittered pauses, whether the broker is there at the start or not; each attempt that
    fails is raised by `receive` once. When the broker says that another client took the identifier over, it stops for good instead of
    fighting, and each `receive` raises; where the broker does not say so but it looks so, it pauses for minutes. Dead letters go to the
    exchange `dead` of `letters`, as MQTT has none.

    PUBACKs leave in the order of arrival within one `ack`; MQTT wants that order altogether, so settle batches in their order.
    """

    def __init__(
        self, settings: Mqtt, *, patterns: Sequence[TopicPattern], window: int, clock: Clock, letters: Publisher, dead: str
    ) -> None:
        self._settings = settings
        self._patterns = patterns
        self._window = window
        self._clock = clock
        self._letters = letters
        self._dead = dead
        self._connection: Connection | None = None
        # Tags are never used twice, so one from before a loss cannot settle what came after it.
        self._tags = itertools.count(1)
        self._held: dict[int, _Held] = {}
        self._unprotected: deque[Arrival] = deque()
        self._news = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._trouble: TransportError | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._evictions = 0
        self.health = MqttHealth()

    @property
    def unsettled(self) -> int:
        """How many deliveries are handed over and not settled."""
        return len(self._held)

    @property
    def is_live(self) -> bool:
        """Whether the subscription stands: the broker sends what the session held back before it confirms that."""
        return self._subscribed.is_set()

    async def connected(self) -> None:
        """Return when the subscription stands, for whoever must not go on before.

        Raises: TransportError when an attempt to get there failed; the next one follows all the same.
        """
        while not self._subscribed.is_set():
            self._complain()
            self._news.clear()
            await self._news.wait()

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        """Return up to `limit` deliveries: what is there and what follows without a pause, or the first to come within `wait`.

        While a whole window is unsettled none come. Cancelling loses nothing.

        Raises: TransportError when nothing came and the subscription does not stand, or an attempt to connect failed since the last
        call: the silence of a broker that is away does not mean that nothing waits there.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, wait.total_seconds())):
                await self._something(limit)
        # No await from here on: a delivery that was taken is always handed over.
        taken = self._take(limit)
        if not taken:
            self._complain()
            if not self._subscribed.is_set():
                why = f": {self.health.last_error}" if self.health.last_error else ""
                raise TransportError(f"not connected to the MQTT broker{why}; trying on")
        return taken

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Settle deliveries whose effects are committed, on the connection they came through; later ones are counted and come again."""
        connection = self._connection
        settled = self._settle(deliveries)
        if connection is None or not settled:
            return
        for held in settled:
            if held.arrival.qos:
                connection.acknowledge(held.arrival.mid)
        self._make_room()

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """End the connection, so that the broker sends all that is unsettled again: MQTT has no other way to hand anything back."""
        settled = self._settle(deliveries)
        self._unprotected.extendleft(held.arrival for held in reversed(settled) if not held.arrival.qos)
        if settled:
            self._hang_up()

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        """Send one delivery to the dead letters with the reason, and settle it.

        Raises: TransportError when it could not be put there; it stays unsettled.
        """
        held = self._held.get(delivery.tag)
        if held is None:
            self.health.late_settlements += 1
            return
        letter = DeadLetter.of(delivery, reason, offset, first_seen=held.at, last_seen=held.at)
        await self._letters.publish([to_publication(letter, delivery, self._dead)])
        await self.ack([delivery])

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_connected(), name=f"MQTT session {self._settings.client_id}")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        self._abandon()

    # Reading

    async def _something(self, limit: int) -> None:
        """Return when there is something to hand over, and no more follows at once; or when there is something to complain about."""
        while not self._ready():
            if self._trouble is not None:
                return
            self._news.clear()
            await self._news.wait()
        # paho reads one packet in each turn of the loop: as long as turns bring packets, the batch grows.
        before = 0
        while before < (now := self._ready()) < limit:
            before = now
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _ready(self) -> int:
        """Return how many deliveries could be handed over now."""
        waiting = len(self._unprotected) + (0 if self._connection is None else len(self._connection.inbox))
        return min(waiting, self._window - len(self._held))

    def _take(self, limit: int) -> Sequence[Delivery]:
        now = self._clock.now()
        taken = []
        for _ in range(min(limit, self._ready())):
            arrival = self._next()
            tag = next(self._tags)
            self._held[tag] = _Held(arrival, now)
            self.health.redelivered += arrival.duplicate
            self.health.unprotected += not arrival.qos
            taken.append(to_delivery(arrival, self._patterns, tag))
        return taken

    def _next(self) -> Arrival:
        if self._unprotected:
            return self._unprotected.popleft()
        assert self._connection is not None  # noqa: S101 - _ready has counted it
        return self._connection.inbox.popleft()

    def _settle(self, deliveries: Sequence[Delivery]) -> list[_Held]:
        tags = sorted(delivery.tag for delivery in deliveries)
        settled = [held for tag in tags if (held := self._held.pop(tag, None)) is not None]
        self.health.late_settlements += len(tags) - len(settled)
        self._news.set()  # the window has room again
        return settled

    def _complain(self) -> None:
        trouble = self._trouble
        if trouble is not None:
            if not self.health.taken_over:
                self._trouble = None
            raise trouble

    # Staying connected

    async def _keep_connected(self) -> None:
        """Open one connection after the other, until another client takes over."""
        loop = asyncio.get_running_loop()
        short_lives = 0
        while not self.health.taken_over:
            began = loop.time()
            try:
                await self._live_one_connection()
            except Exception as error:  # noqa: BLE001 - whatever ends a connection, the reader is told and the next one is tried
                self._evictions = 0
                self._failed(error)
            if loop.time() - began > _STEADY_S:
                short_lives = self._evictions = 0
            short_lives += 1
            await asyncio.sleep(self._pause_s(short_lives))

    async def _live_one_connection(self) -> None:
        async with connect(
            self._settings, self._clock, window=self._window, limit=_LIMIT_IN_WINDOWS * self._window, on_arrival=self._news.set
        ) as connection:
            # Taken up before the subscription stands: the session's backlog comes first and has to be read.
            self._connection = connection
            try:
                await self._subscribe(connection)
                # Shielded: cancelling it would look like the loss that closing in order waits for.
                self._lost(await asyncio.shield(connection.lost))
            finally:
                self._abandon()

    async def _subscribe(self, connection: Connection) -> None:
        share = "" if self._settings.share is None else f"$share/{self._settings.share}/"
        await connection.subscribe([share + pattern.filter for pattern in self._patterns])
        if self._connection is not connection or connection.lost.done():
            return  # we hung up, or it broke
        health = self.health
        health.sessions_lost += health.connections > 0 and not connection.session_present
        health.connections += 1
        health.connected = True
        self._trouble = None
        self._subscribed.set()
        self._news.set()

    def _lost(self, loss: Loss) -> None:
        if self._connection is None:
            return  # it was us who hung up
        self.health.losses += 1
        self.health.last_error = loss.reason
        self._evictions += 1
        name = f"as {self._settings.client_id!r}"
        advice = "Give each instance a mqtt.client_id of its own"
        if loss.taken_over:
            self.health.taken_over = True
            self._failed(
                TransportError(f"another client connected to the MQTT broker {name}; this one has stopped. {advice}; start it again")
            )
        elif self._evictions >= _EVICTIONS:
            self.health.truces += 1
            self._failed(
                TransportError(
                    f"the MQTT broker ended {_EVICTIONS} connections soon after they stood: most likely another client connects {name}."
                    f" {advice}. The next try is in {_TRUCE_S / 60:.0f} minutes"
                )
            )

    def _failed(self, error: Exception) -> None:
        self.health.failures += 1
        self.health.last_error = str(error)
        if isinstance(error, TransportError):
            self._trouble = error
        else:
            self._trouble = TransportError(f"the MQTT connection broke: {type(error).__name__}: {error}")
            self._trouble.__cause__ = error
        self._news.set()

    def _make_room(self) -> None:
        """When the broker had sent too much and all that was kept of it is settled, start again for the rest."""
        connection = self._connection
        if connection is not None and connection.overflowed and not connection.inbox and not self._held:
            self.health.overflows += 1
            self._hang_up()

    def _hang_up(self) -> None:
        connection = self._connection
        self._abandon()
        if connection is not None:
            connection.end()

    def _abandon(self) -> None:
        """Forget the connection and all that came through it: nothing of it can be settled any more, and the broker sends it again."""
        connection, self._connection = self._connection, None
        self._held.clear()
        self.health.connected = False
        self._subscribed.clear()
        if connection is not None:
            self._unprotected.extend(arrival for arrival in connection.inbox if not arrival.qos)

    def _pause_s(self, short_lives: int) -> float:
        """Return how long to wait before the next connection: exponential in the number of short-lived ones, anywhere up to that."""
        if self._evictions >= _EVICTIONS:
            self._evictions = 0
            return _TRUCE_S
        state = tenacity.RetryCallState(retry_object=tenacity.Retrying(), fn=None, args=(), kwargs={})
        state.attempt_number = short_lives
        return tenacity.wait_random_exponential(multiplier=0.1, max=self._settings.reconnect_max.total_seconds())(state)
