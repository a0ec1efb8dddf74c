"""The publisher: every publication confirmed by the broker, or reported."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from aiormq.abc import AbstractChannel
from aiormq.exceptions import DeliveryError, PublishError

from joinbridge.bus.amqp.health import AmqpHealth
from joinbridge.bus.amqp.link import Link
from joinbridge.bus.amqp.messages import to_properties
from joinbridge.bus.amqp.outcome import close_quietly, transport_errors
from joinbridge.errors import TransportError, UnconfirmedError
from joinbridge.ports import Clock, Publication

WINDOW = 500
"""Publications in flight: confirms are nearly free from a hundred on, and the driver looks through all of them for each confirmation."""


class AmqpPublisher:
    """A `ports.Publisher`. Each exchange has a channel of its own: one that does not exist takes only its own channel down."""

    def __init__(self, link: Link, *, clock: Clock, health: AmqpHealth, timeout: timedelta, window: int = WINDOW) -> None:
        self._link = link
        self._clock = clock
        self._health = health
        self._timeout_s = timeout.total_seconds()
        self._window = asyncio.Semaphore(window)
        self._channels: dict[str, AbstractChannel] = {}
        self._opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._in_flight: dict[tuple[str, str], _Flight] = {}
        self._silent_since: float | None = None

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Return when the broker has confirmed every one.

        Raises: UnconfirmedError naming those that were not, after all have been tried; they may have arrived.
        """
        outcomes = await asyncio.gather(*map(self._publish, publications), return_exceptions=True)
        failed = {one.key: outcome for one, outcome in zip(publications, outcomes, strict=True) if outcome is not None}
        for outcome in failed.values():
            if not isinstance(outcome, TransportError):
                raise outcome
        if failed:
            first = next(iter(failed.values()))
            raise UnconfirmedError({key: str(outcome) for key, outcome in failed.items()}, tried=len(publications)) from first

    @property
    def oldest_s(self) -> float:
        """How long the oldest publication in flight has been waiting, in seconds."""
        now = asyncio.get_running_loop().time()
        return max((now - flight.since for flight in self._in_flight.values()), default=0.0)

    @property
    def unanswered_s(self) -> float:
        """For how long the broker has answered to no publication at all, in seconds; 0 when it answered to the last."""
        return 0.0 if self._silent_since is None else asyncio.get_running_loop().time() - self._silent_since

    def forgive(self) -> None:
        """Begin to count anew."""
        self._silent_since = None

    async def close(self) -> None:
        """Close the channels."""
        while self._channels:
            await close_quietly(self._channels.popitem()[1])

    async def _publish(self, publication: Publication) -> None:
        # The broker returns what it cannot route by its identifier. Were two with the same one in flight, the driver would report the
        # return of one as that of the other, and a lost message as stored.
        name = (publication.exchange, publication.key)
        while name in self._in_flight:
            await asyncio.wait([self._in_flight[name].landed])
        loop = asyncio.get_running_loop()
        flight = self._in_flight[name] = _Flight(loop)
        try:
            async with self._window:
                flight.since = loop.time()
                await self._confirmed(publication)
                self._health.confirm_delays.note(loop.time() - flight.since)
        finally:
            del self._in_flight[name]
            flight.landed.set_result(None)

    async def _confirmed(self, publication: Publication) -> None:
        where = f"{publication.exchange}/{publication.route}"
        channel: AbstractChannel | None = None
        try:
            with transport_errors(where):
                async with asyncio.timeout(self._timeout_s):
                    channel = await self._channel(publication.exchange)
                    await channel.basic_publish(
                        publication.body,
                        exchange=publication.exchange,
                        routing_key=publication.route,
                        properties=to_properties(publication, self._clock.now()),
                        mandatory=publication.mandatory,
                    )
        except TransportError as error:
            cause = error.__cause__
            if not isinstance(cause, TimeoutError):
                self._silent_since = None
            elif self._silent_since is None:
                self._silent_since = asyncio.get_running_loop().time()
            match cause:
                case PublishError():
                    self._health.unroutable += 1
                    raise TransportError(f"{where}: no queue takes it") from error
                case DeliveryError():
                    self._health.refused += 1
                    raise TransportError(f"{where}: the broker refused it; a queue that it is for may be full") from error
            self._health.unknown += 1
            # A late confirmation must not be taken for that of the next message with the same key.
            if channel is not None and self._channels.get(publication.exchange) is channel:
                del self._channels[publication.exchange]
                await close_quietly(channel)
            raise
        self._silent_since = None
        self._health.confirmed += 1

    async def _channel(self, exchange: str) -> AbstractChannel:
        async with self._opening[exchange]:
            channel = self._channels.get(exchange)
            if channel is None or channel.is_closed:
                channel = self._channels[exchange] = await self._link.channel(confirms=True)
            return channel


class _Flight:
    """One publication on its way: since when, and a future for whoever waits until its key is free."""

    __slots__ = ("landed", "since")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.since = loop.time()
        self.landed: asyncio.Future[None] = loop.create_future()
