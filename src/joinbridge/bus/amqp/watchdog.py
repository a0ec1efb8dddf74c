"""The watchdog: notices what is stuck although nothing reported an error, revives it, and gives up when that does not help."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from joinbridge.bus.amqp.health import AmqpHealth
from joinbridge.bus.amqp.link import Link
from joinbridge.bus.amqp.publisher import AmqpPublisher
from joinbridge.bus.amqp.source import AmqpSource
from joinbridge.errors import TransportError

PERIOD_S = 5.0

STUCK_S = 60.0
"""So long may publications go unconfirmed, one after the other, on a connection that looks alive, before it is given up."""

LOST_S = 600.0
"""So long may a connection, or a consumer on a live connection, be away; then a new process may do what this one cannot."""


class Watchdog:
    """Looks every few seconds. Its clock is the event loop's."""

    def __init__(self, *, publishing: Link, consuming: Link, publisher: AmqpPublisher, health: AmqpHealth) -> None:
        self._publishing = publishing
        self._consuming = consuming
        self._publisher = publisher
        self._health = health
        self._sources: list[AmqpSource] = []
        self._away: dict[str, float] = {}

    @contextmanager
    def watching(self, source: AmqpSource) -> Iterator[None]:
        """Watch `source` while this is open."""
        self._sources.append(source)
        try:
            yield
        finally:
            self._sources.remove(source)

    async def run(self) -> NoReturn:
        """Look after everything for ever. Raises: TransportError when something cannot be revived."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_S)

    async def look(self) -> None:
        """Look once. Raises: TransportError when something cannot be revived."""
        for link in (self._publishing, self._consuming):
            self._alive(f"the connection for {link.name}", here=link.connected)
        for source in self._sources:
            if source.failure is not None:
                raise TransportError(f"the consumer of {source.queue} came to an unforeseen end") from source.failure
            self._health.revived += source.revive()
            # While there is no connection the consumer waits for it, and rightly so.
            self._alive(f"the consumer of {source.queue}", here=source.consuming or not self._consuming.connected)
        if self._publisher.unanswered_s > STUCK_S and self._publishing.connected:
            self._health.dropped_connections += 1
            self._publisher.forgive()
            await self._publishing.drop()
        self.measure()

    def measure(self) -> None:
        """Bring the gauges up to date."""
        health = self._health
        health.publishing_connected = self._publishing.connected
        health.consuming_connected = self._consuming.connected
        health.lost_connections = self._publishing.losses + self._consuming.losses
        health.consumers = sum(source.consuming for source in self._sources)
        health.buffered = sum(source.buffered for source in self._sources)
        health.unsettled = sum(source.unsettled for source in self._sources)
        health.oldest_unsettled_s = max((source.oldest_s for source in self._sources), default=0.0)
        health.oldest_publish_s = self._publisher.oldest_s

    def _alive(self, what: str, *, here: bool) -> None:
        """Note whether `what` is there. Raises: TransportError when it has been away too long."""
        now = asyncio.get_running_loop().time()
        if here:
            self._away.pop(what, None)
        elif now - self._away.setdefault(what, now) > LOST_S:
            raise TransportError(f"{what} has been away for {LOST_S:.0f} s and does not come back: {self._health.last_failure}")
