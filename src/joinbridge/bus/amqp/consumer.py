"""The lives of a consumer: a consumption after the other, with a pause that grows as long as nothing gets done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiormq.exceptions import ChannelNotFoundEntity
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from joinbridge.bus.amqp.consumption import CANCELLED, Consumption
from joinbridge.bus.amqp.health import AmqpHealth
from joinbridge.bus.amqp.link import Link
from joinbridge.bus.amqp.outcome import close_quietly, transport_errors
from joinbridge.errors import ConfigError, TransportError

FRUITFUL_S = 60.0
"""A consumption that lived so long, or settled anything, was no failure, whatever ended it."""

LONGEST_PAUSE_S = 60.0
ANSWER_TIMEOUT_S = 10.0


class Consumer:
    """Keeps consuming `queue`: at most `first` deliveries unsettled until something is settled, then `prefetch`.

    A process that dies of a message dies again when it comes back, and the broker counts that against all that was on its way. So few
    are, to begin with. `repair` is asked for the queue when that is not there.
    """

    def __init__(
        self,
        queue: str,
        *,
        link: Link,
        health: AmqpHealth,
        prefetch: int,
        first: int,
        on_change: Callable[[], None],
        repair: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self.queue = queue
        self._link = link
        self._health = health
        self._prefetch = prefetch
        self._first = min(first, prefetch)
        self._on_change = on_change
        self._repair = repair
        self._current: Consumption | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def current(self) -> Consumption | None:
        """The consumption that goes on now, if one does."""
        return None if self._current is None or self._current.ended.done() else self._current

    @property
    def failure(self) -> BaseException | None:
        """What ended the consumer for good, though nobody had stopped it; None while it goes on."""
        if self._supervisor is None or not self._supervisor.done():
            return None
        return asyncio.CancelledError() if self._supervisor.cancelled() else self._supervisor.exception()

    async def start(self) -> None:
        """Begin. Raises: TransportError when the queue is not there, or the broker does not answer."""
        self._current = first = await self._open()
        self._supervisor = asyncio.create_task(self._supervise(first), name=f"consumer of {self.queue}")

    async def stop(self) -> None:
        """End it; the broker takes back what is unsettled."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        if self._current is not None:  # cancelled before it had begun
            await self._current.close()

    def revive(self) -> bool:
        """End a consumption that is over without having noticed, so that another begins; return whether there was one."""
        current = self.current
        if current is None or current.healthy:
            return False
        current.end("it was dead and had not noticed")
        return True

    async def _supervise(self, first: Consumption) -> None:
        """Keep a consumption going for ever, one after the other."""
        await self._live(first)
        while True:
            retrying = AsyncRetrying(
                wait=wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE_S),
                retry=retry_if_exception_type(TransportError),
                before_sleep=self._failed,
            )
            await retrying(self._live_once)

    async def _live_once(self) -> None:
        """Consume until that ends. Raises: TransportError when nothing came of it, so that the next try waits longer."""
        await self._link.ready()  # to wait for a broker is no failure of the consumer
        reason, fruitful = await self._live(await self._open())
        if not fruitful:
            raise TransportError(reason)

    async def _live(self, consumption: Consumption) -> tuple[str, bool]:
        self._current = consumption
        try:
            await asyncio.wait((consumption.ended, consumption.proven), return_when=asyncio.FIRST_COMPLETED)
            if not consumption.ended.done() and self._first < self._prefetch:
                await self._grow(consumption)
            reason = await consumption.ended
        finally:
            await consumption.close()
        self._health.cancelled_by_broker += reason == CANCELLED
        self._health.last_failure = reason
        lived_s = asyncio.get_running_loop().time() - consumption.started
        return reason, consumption.proven.done() or lived_s >= FRUITFUL_S

    async def _grow(self, consumption: Consumption) -> None:
        try:
            with transport_errors(f"consuming more of {self.queue}"):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await consumption.grow(self._prefetch)
        except TransportError as error:
            consumption.end(str(error))

    async def _open(self) -> Consumption:
        """Start to consume, small. Raises: TransportError; when the queue is not there, it was asked for again first."""
        self._health.consumptions += 1
        number = self._health.consumptions
        try:
            with transport_errors(f"consuming {self.queue}"):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    channel = await self._link.channel(confirms=False)
                    consumption = Consumption(channel, self.queue, number, self._on_change)
                    try:
                        await consumption.start(self._first)
                    except BaseException:
                        await close_quietly(channel)
                        raise
        except TransportError as error:
            if isinstance(error.__cause__, ChannelNotFoundEntity):
                await self._ask_again_for_the_queue()
            raise
        return consumption

    async def _ask_again_for_the_queue(self) -> None:
        """Raises: TransportError when it cannot be made: that may pass, as when the estate's exchanges are not back yet."""
        try:
            if self._repair is not None:
                await self._repair()
        except ConfigError as error:
            raise TransportError(str(error)) from error

    def _failed(self, state: RetryCallState) -> None:
        self._health.failed_consumptions += 1
        if state.outcome is not None and (error := state.outcome.exception()) is not None:
            self._health.last_failure = str(error)
