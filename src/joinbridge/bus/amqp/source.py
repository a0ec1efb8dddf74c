"""The source: deliveries of one queue, settled on the channel they came by or not at all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self

from joinbridge.bus.amqp.consumer import ANSWER_TIMEOUT_S, Consumer
from joinbridge.bus.amqp.consumption import Consumption
from joinbridge.bus.amqp.health import AmqpHealth
from joinbridge.bus.amqp.link import Link
from joinbridge.bus.amqp.messages import to_delivery
from joinbridge.bus.amqp.outcome import transport_errors
from joinbridge.bus.letters import as_it_was, to_publication
from joinbridge.bus.topics import Binding, Origin, find_origin
from joinbridge.core.ids import message_key
from joinbridge.errors import TransportError
from joinbridge.ports import Clock, DeadLetter, Delivery, Publisher

FIRST_PREFETCH = 10
"""So many deliveries are at risk when one of them takes the process down each time; the broker counts that against all it had sent."""

IDLE_S = 0.002
"""How long nothing comes before a batch is full enough: the driver hands on a frame at a time, and each batch costs a transaction."""

SETTLED_S = 1.0
_NUMBER_SHIFT = 40  # a channel would need days at a million deliveries a second to use that many tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Consuming:
    """What is consumed, and how. `prefetch` is at most 2000, which quorum queues allow; `hold` must be shorter than `consumer_timeout`."""

    queue: str
    bindings: Sequence[Binding]
    dead: str
    prefetch: int
    first_prefetch: int = FIRST_PREFETCH
    hold: timedelta = timedelta(minutes=20)


class AmqpSource:
    """A consumer of one queue: a `ports.Source`. Entering its context starts it, leaving it stops it.

    When its channel is lost it starts again on another, after a pause that grows as long as nothing gets done. What was handed over by
    then can no longer be settled, and comes again. What is handed back stays here and is handed over again: given back to the broker,
    it would count towards the limit at which the broker takes a message for poison. Only when it has been held for `hold` does the
    consumer let go of everything.
    """

    def __init__(
        self,
        consuming: Consuming,
        *,
        link: Link,
        publisher: Publisher,
        clock: Clock,
        health: AmqpHealth,
        repair: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._what = consuming
        self._publisher = publisher
        self._clock = clock
        self._health = health
        self._origin = lru_cache(maxsize=4096)(self._find_origin)
        self._arrived = asyncio.Event()
        self._consumer = Consumer(
            consuming.queue,
            link=link,
            health=health,
            prefetch=consuming.prefetch,
            first=consuming.first_prefetch,
            on_change=self._arrived.set,
            repair=repair,
        )
        self._from: Consumption | None = None
        self._held: dict[int, _Held] = {}
        self._returned: deque[_Held] = deque()
        # Of what was lost with a consumption. Another instance may be sent it and settle it, so no more is kept than can be lost at once.
        self._first_seen: dict[str, datetime] = {}
        self._closed = False

    @property
    def queue(self) -> str:
        """The queue that is consumed."""
        return self._what.queue

    @property
    def consuming(self) -> bool:
        """Whether there is a consumer now."""
        return self._living() is not None

    @property
    def buffered(self) -> int:
        """How many deliveries wait here to be handed over."""
        return self._waiting()

    @property
    def unsettled(self) -> int:
        """How many deliveries are handed over and not settled."""
        return len(self._held) if self.consuming else 0

    @property
    def oldest_s(self) -> float:
        """How long ago the oldest unsettled delivery was first handed over, in seconds."""
        unsettled = [*self._held.values(), *self._returned] if self.consuming else []
        return asyncio.get_running_loop().time() - min(held.since_s for held in unsettled) if unsettled else 0.0

    @property
    def is_live(self) -> bool:
        """Whether there has been a consumer for a second: the broker begins to send within milliseconds."""
        current = self._living()
        return current is not None and asyncio.get_running_loop().time() - current.started >= SETTLED_S

    @property
    def failure(self) -> BaseException | None:
        """What ended the consumer for good; None while it goes on."""
        return None if self._closed else self._consumer.failure

    def revive(self) -> bool:
        """Start again if the consumer is dead without having noticed; return whether it was."""
        return self._consumer.revive()

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        """Return up to `limit` deliveries as soon as no more of them come, at the latest after `wait`; empty when none came.

        Raises: TransportError when the source is closed.
        """
        end = asyncio.get_running_loop().time() + wait.total_seconds()
        await asyncio.sleep(0)  # others get their turn even when the queue never runs dry
        if not self._waiting() and not self._closed:
            await self._arrival(end)
        while 0 < (there := self._waiting()) < limit and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(IDLE_S)
            if self._waiting() <= there:
                break
        # No await from here to the return: what is taken is always handed over.
        return self._take(limit)

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Settle deliveries whose effects are committed. Never raises: what cannot be settled comes again."""
        tags = [tag for delivery in deliveries if (tag := self._release(delivery)) is not None]
        current = self._living()
        if not tags or current is None:
            return
        # One frame settles all up to a tag, if nothing below it is still open. What waits in the buffer is above all that was taken.
        lowest = min(self._open(), default=None)
        together = max((tag for tag in tags if lowest is None or tag < lowest), default=None)
        alone = [tag for tag in tags if together is None or tag > together]
        try:
            with transport_errors("acknowledging"):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    if together is not None:
                        await current.channel.basic_ack(_on_channel(together), multiple=True, wait=False)
                    for tag in alone:
                        await current.channel.basic_ack(_on_channel(tag), wait=False)
        except TransportError as error:
            self._health.failed_acks += 1
            current.end(str(error))
        else:
            self._health.acknowledged += len(tags)
            current.prove()

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Keep deliveries, to be handed over again; what has been kept too long goes back to the broker with all that is unsettled."""
        current = self._living()
        if current is None:
            self._health.late_settlements += len(deliveries)
            return
        back = [held for delivery in deliveries if (held := self._held.pop(delivery.tag, None)) is not None]
        self._health.late_settlements += len(deliveries) - len(back)
        self._health.requeued += len(back)
        for held in sorted(back, key=lambda one: one.delivery.tag, reverse=True):
            again = replace(held.delivery, redelivered=True, attempts=held.delivery.attempts + 1)
            self._returned.appendleft(held._replace(delivery=again))
        # The broker's patience ends by the machine's time, whatever our clock says.
        if any(asyncio.get_running_loop().time() - held.since_s > self._what.hold.total_seconds() for held in back):
            self._health.held_too_long += 1
            current.end(f"deliveries were not settled within {self._what.hold}")
        self._arrived.set()

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        """Publish the delivery among the dead letters, and then settle it.

        Raises: TransportError when that was not confirmed; it stays unsettled.
        """
        held = self._held.get(delivery.tag)
        if held is None or self._living() is None:
            self._health.late_settlements += 1
            return
        first = self._first_seen.get(_name(delivery), held.since)
        letter = DeadLetter.of(delivery, reason, offset, first_seen=first, last_seen=held.latest)
        await self._publisher.publish([to_publication(letter, delivery, self._what.dead)])
        self._health.rejected += 1
        await self.ack([delivery])

    async def __aenter__(self) -> Self:
        """Start to consume. Raises: TransportError when the queue is not there, or the broker does not answer."""
        await self._consumer.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._closed = True
        self._arrived.set()
        await self._consumer.stop()

    def _waiting(self) -> int:
        current = self._living()
        return 0 if current is None else len(self._returned) + len(current.buffer)

    async def _arrival(self, end: float) -> None:
        """Return when something may have come, or at `end` on the loop's clock."""
        self._arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await self._arrived.wait()

    def _take(self, limit: int) -> Sequence[Delivery]:
        if self._closed:
            raise TransportError(f"the source of {self._what.queue!r} is closed")
        if self.failure is not None:
            raise TransportError(f"the consumer of {self._what.queue!r} came to an unforeseen end") from self.failure
        current, now = self._living(), self._clock.now()
        taken: list[Delivery] = []
        if current is None:
            return taken
        while self._returned and len(taken) < limit:
            held = self._returned.popleft()._replace(latest=now)
            self._held[held.delivery.tag] = held
            taken.append(held.delivery)
        base, since_s = current.number << _NUMBER_SHIFT, asyncio.get_running_loop().time()
        for _ in range(min(limit - len(taken), len(current.buffer))):
            came = current.take()
            if came is None:
                self._health.gaps += 1
                return []
            frame, message = came
            origin = self._origin(frame.exchange or "", frame.routing_key or "")
            delivery = to_delivery(frame, message, tag=base | (frame.delivery_tag or 0), origin=origin, now=now)
            if not frame.exchange:
                delivery = as_it_was(delivery)
            self._held[delivery.tag] = _Held(delivery, now, now, since_s)
            self._health.redelivered += delivery.redelivered
            taken.append(delivery)
        self._health.received += len(taken)
        return taken

    def _release(self, delivery: Delivery) -> int | None:
        """Return the tag of `delivery` if it is still to be settled here, and forget it."""
        if self._living() is None or self._held.pop(delivery.tag, None) is None:
            self._health.late_settlements += 1
            return None
        if self._first_seen:
            self._first_seen.pop(_name(delivery), None)
        return delivery.tag

    def _open(self) -> Iterable[int]:
        yield from self._held
        yield from (held.delivery.tag for held in self._returned)

    def _living(self) -> Consumption | None:
        """Return the consumption that goes on, if one does; what was handed over before it began is forgotten."""
        current = self._consumer.current
        if current is not self._from:
            self._forget()
            self._from = current
        return current

    def _forget(self) -> None:
        unsettled = [*self._held.values(), *self._returned]
        self._health.stale_dropped += len(unsettled) + (0 if self._from is None else len(self._from.buffer))
        for held in unsettled:
            self._first_seen.setdefault(_name(held.delivery), held.since)
        while len(self._first_seen) > self._what.prefetch:
            del self._first_seen[next(iter(self._first_seen))]
        self._held.clear()
        self._returned.clear()

    def _find_origin(self, exchange: str, route: str) -> Origin:
        # Whoever bound the queue to more by hand gets messages that say where they are from.
        return find_origin(self._what.bindings, exchange, route) or Origin(exchange)


class _Held(NamedTuple):
    """A delivery that was handed over on this channel: first at `since`, which is `since_s` on the loop's clock, and last at `latest`."""

    delivery: Delivery
    since: datetime
    latest: datetime
    since_s: float


def _name(delivery: Delivery) -> str:
    """Return by what a message is known again when it is redelivered."""
    return delivery.key or message_key(delivery.body)


def _on_channel(tag: int) -> int:
    return tag & ((1 << _NUMBER_SHIFT) - 1)
