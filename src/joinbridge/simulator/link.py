"""Connect an estate to a message bus: it talks through the ports like a stranger."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from joinbridge.ports import Delivery, Publication, Publisher, Source
from joinbridge.simulator.ledger import Ledger

_BATCH = 500
_AT_ONCE = timedelta(0)


class Lives(Protocol):
    """What can be connected: an `Estate`, or the recording of one."""

    def advance(self, to: datetime) -> list[Publication]:
        """Let time pass up to and including `to`; return what the bus delivered meanwhile, in the order of delivery."""
        ...

    def receive(self, route: str, body: bytes, at: datetime) -> None:
        """Take what joinbridge sent."""
        ...


class EstateLink:
    """Publishes what happens in `estate`, and hands it what joinbridge sent.

    `commands` is a source that is bound to joinbridge's exchanges for commands and events. What comes a second time under one key is
    dropped, as every consumer of an at-least-once bus has to; `repeated` counts it.
    """

    def __init__(self, estate: Lives, publisher: Publisher, commands: Source, ledger: Ledger | None = None) -> None:
        self._estate = estate
        self._publisher = publisher
        self._commands = commands
        self._ledger = ledger
        self._unconfirmed: list[Publication] = []
        self._heard: set[str] = set()
        self.repeated = 0

    @property
    def unconfirmed(self) -> int:
        """How many messages wait to be published."""
        return len(self._unconfirmed)

    async def advance(self, to: datetime) -> int:
        """Let the estate live until `to` and publish what the bus gets of it; return how many messages that was.

        Raises: TransportError when the broker did not confirm; the next call publishes again what is missing.
        """
        self.live(to)
        return await self.publish()

    def live(self, to: datetime) -> None:
        """Let the estate live until `to`; what the bus gets of it waits for `publish`."""
        self._unconfirmed += self._estate.advance(to)

    async def publish(self) -> int:
        """Publish what waits; return how many messages that was.

        Raises: TransportError when the broker did not confirm; the next call publishes again what is missing.
        """
        published = 0
        while self._unconfirmed:
            batch = self._unconfirmed[:_BATCH]
            await self._publisher.publish(batch)
            if self._ledger is not None:
                self._ledger.published(batch)
            del self._unconfirmed[:_BATCH]
            published += len(batch)
        return published

    async def listen(self, now: datetime, wait: timedelta = _AT_ONCE) -> int:
        """Hand the estate what joinbridge has sent, after waiting at most `wait` for the first; return how many messages that was.

        Raises: TransportError when the broker is away.
        """
        deliveries = await self._commands.receive(_BATCH, wait)
        for delivery in deliveries:
            if self._is_new(delivery):
                self._estate.receive(delivery.route, delivery.body, now)
        if self._ledger is not None:
            self._ledger.heard(deliveries, now)
        await self._commands.ack(deliveries)
        return len(deliveries)

    def _is_new(self, delivery: Delivery) -> bool:
        if delivery.key in self._heard:
            self.repeated += 1
            return False
        self._heard.add(delivery.key)
        return True
