"""One life of a consumer: a channel with one consumer on it, from its start until something ends it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from joinbridge.bus.amqp.outcome import close_quietly

CANCELLED = "the broker cancelled the consumer: its queue is gone, or a delivery was held too long"


class Consumption:
    """A consumer on a channel of its own. What it is sent waits in `buffer`; `ended` says why it is over, once it is.

    One consumer a channel: an acknowledgement of many settles everything on the channel. Nothing is declared here but, passively, the
    queue itself: a declaration that fails closes the channel, and would do so on every return.
    """

    def __init__(self, channel: AbstractChannel, queue: str, number: int, on_arrival: Callable[[], None]) -> None:
        self.channel = channel
        self.number = number
        self.buffer: deque[DeliveredMessage] = deque()
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = loop.create_future()
        self.proven: asyncio.Future[None] = loop.create_future()
        self.started = loop.time()
        self._queue = queue
        self._on_arrival = on_arrival
        self._tag = ""
        self._next = 1
        self._watched = (channel.closing, channel.connection.closing)
        for watched in self._watched:
            watched.add_done_callback(self._closed)
        channel.on_consumer_cancel_callbacks.add(self._cancelled)

    async def start(self, prefetch: int) -> None:
        """Begin to consume with at most `prefetch` deliveries unsettled. Raises what the driver raises."""
        await self.channel.queue_declare(self._queue, passive=True)
        await self._consume(prefetch)

    async def grow(self, prefetch: int) -> None:
        """Go on with another `prefetch`. Raises what the driver raises.

        A prefetch belongs to a consumer for its whole life, so another takes its place on the same channel; what is unsettled stays so.
        """
        await self.channel.basic_cancel(self._tag)
        await self._consume(prefetch)

    async def close(self) -> None:
        """End it, and have the broker take back what is unsettled."""
        self.end("closed")
        for watched in self._watched:  # the connection lives on, and would keep this for as long
            watched.cancel()
        await close_quietly(self.channel)

    def end(self, reason: str) -> None:
        """Let it be over for `reason`, unless it is already: nothing of it is handed out or settled from now on."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def prove(self) -> None:
        """Note that something of it was worked through to the end."""
        if not self.proven.done():
            self.proven.set_result(None)

    def take(self) -> tuple[Basic.Deliver, DeliveredMessage] | None:
        """Return the next message, or None, and the consumption ended, when one before it is missing.

        Tags of a channel run without gaps. One that the driver lost would be settled together with its neighbours.
        """
        message = self.buffer.popleft()
        frame = cast("Basic.Deliver", message.delivery)  # a consumer is sent nothing else
        if frame.delivery_tag != self._next:
            self.end(f"delivery {self._next} never came")
            return None
        self._next += 1
        return frame, message

    @property
    def healthy(self) -> bool:
        """Whether it is what it believes to be: on an open channel that knows its consumer."""
        return not self.channel.is_closed and self._tag in getattr(self.channel, "consumers", {})

    async def _consume(self, prefetch: int) -> None:
        await self.channel.basic_qos(prefetch_count=prefetch)
        consumed = await self.channel.basic_consume(self._queue, self._arrived)
        self._tag = consumed.consumer_tag or ""

    async def _arrived(self, message: DeliveredMessage) -> None:
        # No await and nothing that raises: the driver cancels these callbacks when the channel is lost, and forgets their errors.
        self.buffer.append(message)
        self._on_arrival()

    def _closed(self, closing: asyncio.Future[None]) -> None:
        error = None if closing.cancelled() else closing.exception()
        self.end(f"channel closed: {error!r}")

    def _cancelled(self, _: Basic.Cancel) -> None:
        self.end(CANCELLED)
