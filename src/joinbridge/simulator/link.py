"""Connect an estate to a message bus: it talks through the ports like a stranger."""

from __future__ import annotations

from datetime import datetime, timedelta

from joinbridge.ports import Publisher, Source
from joinbridge.simulator.estate import Estate

_BATCH = 500
_AT_ONCE = timedelta(0)


class EstateLink:
    """Publishes what happens in `estate`, and hands it what joinbridge sent.

    `commands` is a source that is bound to joinbridge's exchanges for commands and events.
    """

    def __init__(self, estate: Estate, publisher: Publisher, commands: Source) -> None:
        self._estate = estate
        self._publisher = publisher
        self._commands = commands

    async def advance(self, to: datetime) -> int:
        """Let the estate live until `to` and publish what the bus gets of it; return how many messages that was."""
        publications = self._estate.advance(to)
        if publications:
            await self._publisher.publish(publications)
        return len(publications)

    async def listen(self, now: datetime, wait: timedelta = _AT_ONCE) -> int:
        """Hand the estate what joinbridge has sent, after waiting at most `wait` for the first; return how many messages that was."""
        deliveries = await self._commands.receive(_BATCH, wait)
        for delivery in deliveries:
            self._estate.receive(delivery.route, delivery.body, now)
        await self._commands.ack(deliveries)
        return len(deliveries)
