"""The bus in memory: topic exchanges, queues and consumers of one process, with a broker's whole delivery contract.

The demo, `replay` and most tests run on it. It keeps nothing when the process ends. Everything happens in the order in
which it was asked for, and time is the injected clock's, so the same calls give the same deliveries.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from joinbridge.bus.letters import from_delivery, to_publication
from joinbridge.bus.topics import Binding, Origin, find_origin
from joinbridge.errors import TransportError, UnconfirmedError
from joinbridge.ports import Clock, DeadLetter, Delivery, Publication

DEFAULT_PREFETCH = 600  # three batches of 200: one in work, one waiting, one on its way


class MemoryBus:
    """Exchanges and queues; a `ports.Publisher` itself, and the maker of `ports.Source`s.

    A message goes once to each queue that has a binding it fits. Dead letters go to a queue of their own,
    `dead_letter_queue`, which can be read like any other.
    """

    def __init__(self, clock: Clock, *, dead_letter_queue: str = "joinbridge.dead") -> None:
        self._clock = clock
        self._exchanges: set[str] = set()
        self._queues: dict[str, _Queue] = {}
        self._arriving: int | None = None  # how many of a call still arrive; None while all do
        self._dead = dead_letter_queue
        self.bind(dead_letter_queue, Binding(exchange=dead_letter_queue, pattern="#"))

    def declare(self, *exchanges: str) -> None:
        """Make the exchanges exist. Idempotent."""
        self._exchanges.update(exchanges)

    def bind(self, queue: str, *bindings: Binding) -> None:
        """Make the queue exist, with its exchanges, and give it the messages that fit one of `bindings`. Idempotent.

        Where several fit, the first bound says what the message is.
        """
        bound = self._queues.setdefault(queue, _Queue(queue)).bindings
        bound.extend(binding for binding in bindings if binding not in bound)
        self.declare(*(binding.exchange for binding in bindings))

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Return when every publication is in each queue that it is for.

        Raises: UnconfirmedError when one was mandatory and is for no queue, when its exchange does not exist, or in an
        outage; the others arrive all the same, except in an outage.
        """
        lost = self._deliver(publications)
        # A broker's confirmation takes its time too: whoever waits for the messages has its turn.
        await asyncio.sleep(0)
        if lost:
            raise UnconfirmedError({one.key: f"{one.exchange}/{one.route}: not confirmed" for one in lost}, tried=len(publications))

    def source(self, queue: str, *, prefetch: int = DEFAULT_PREFETCH) -> MemorySource:
        """Return a new consumer of `queue`, which never holds more than `prefetch` unsettled deliveries.

        Raises: TransportError when there is no such queue.
        """
        return MemorySource(self, self._queue(queue), self._clock, prefetch)

    def ready(self, queue: str) -> int:
        """Return how many messages wait in `queue` to be handed over."""
        return len(self._queue(queue))

    def unsettled(self, queue: str) -> int:
        """Return how many messages of `queue` are handed over and not settled."""
        return sum(source.unsettled for source in self._queue(queue).sources)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the dead letters in the order of their deaths, without taking them."""
        return tuple(from_delivery(message.delivery(tag=0)) for message in self._queue(self._dead))

    @contextmanager
    def outage(self, *, arriving: int = 0) -> Iterator[None]:
        """Confirm nothing while this is open; the first `arriving` publications of each call arrive all the same."""
        before, self._arriving = self._arriving, arriving
        try:
            yield
        finally:
            self._arriving = before

    def bury(self, delivery: Delivery, letter: DeadLetter) -> None:
        """Put `delivery` among the dead letters, as `letter`.

        Raises: TransportError in an outage.
        """
        if self._deliver([to_publication(letter, delivery, self._dead)]):
            raise TransportError(f"a dead letter could not be put into {self._dead}")

    def _deliver(self, publications: Sequence[Publication]) -> Sequence[Publication]:
        """Put each publication into its queues; return those that are not confirmed."""
        arriving = publications if self._arriving is None else publications[: self._arriving]
        now = self._clock.now()
        unconfirmed = [one for one in arriving if not self._route(one, now)]
        return unconfirmed if self._arriving is None else publications

    def _route(self, publication: Publication, now: datetime) -> bool:
        if publication.exchange not in self._exchanges:
            return False
        routed = not publication.mandatory
        for queue in self._queues.values():
            origin = find_origin(queue.bindings, publication.exchange, publication.route)
            if origin is not None:
                queue.put(publication, origin, publication.at or now)
                routed = True
        return routed

    def _queue(self, name: str) -> _Queue:
        try:
            return self._queues[name]
        except KeyError:
            raise TransportError(f"there is no queue {name!r}; bind it first") from None


class MemorySource:
    """One consumer of one queue: a `ports.Source`. Leaving its context closes it.

    Settling what is settled already, or was handed over before the consumer was lost, does nothing; `late_settlements`
    counts it.
    """

    def __init__(self, bus: MemoryBus, queue: _Queue, clock: Clock, prefetch: int) -> None:
        self._bus = bus
        self._queue = queue
        self._clock = clock
        self._prefetch = prefetch
        # Tags are never used twice, so one from before a loss cannot settle what came after it.
        self._tags = itertools.count(1)
        self._held: dict[int, _Message] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False
        self.late_settlements = 0
        queue.sources.append(self)

    @property
    def unsettled(self) -> int:
        """How many deliveries are handed over and not settled."""
        return len(self._held)

    @property
    def is_live(self) -> bool:
        """Whether it is open: what waits is handed over at once."""
        return not self._closed

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        """Return up to `limit` deliveries: those that are there, or the first to come within `wait`. Empty when none came.

        While `prefetch` deliveries are unsettled none come. Cancelling takes nothing from the queue.

        Raises: TransportError when the source is closed.
        """
        # Publishers get their turn even when the queue never runs dry.
        await asyncio.sleep(0)
        taken = self._take(limit)
        if taken or wait <= timedelta(0):
            return taken
        timer = asyncio.create_task(self._clock.sleep(wait), name=f"waiting for {self._queue.name}")
        try:
            while not taken and not timer.done():
                await self._change_or(timer)
                # No await from here to the return: a delivery that was taken is always handed over.
                taken = self._take(limit)
        finally:
            timer.cancel()
        return taken

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Settle deliveries whose effects are committed."""
        self._settle(deliveries)

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Hand deliveries back to where they were in the queue, to be delivered again."""
        self._queue.give_back(self._settle(deliveries))

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        """Send one delivery to the dead letters with the reason.

        Raises: TransportError when it could not be put there; it stays unsettled.
        """
        message = self._held.get(delivery.tag)
        if message is None:
            self.late_settlements += 1
            return
        now = self._clock.now()
        letter = DeadLetter.of(delivery, reason, offset, first_seen=message.first_seen or now, last_seen=message.last_seen or now)
        self._bus.bury(delivery, letter)
        self._settle([delivery])

    def lose(self) -> None:
        """Lose the connection and come back at once: what is unsettled is delivered again, in its order."""
        lost = list(self._held.values())
        self._held.clear()
        self._queue.give_back(lost)

    def close(self) -> None:
        """Stop consuming: what is unsettled is delivered again, to others. Idempotent."""
        if not self._closed:
            self._closed = True
            self._queue.sources.remove(self)
            self.lose()
            self.notice()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def notice(self) -> None:
        """Look again: there may be something to hand over now."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _take(self, limit: int) -> Sequence[Delivery]:
        if self._closed:
            raise TransportError(f"the source of {self._queue.name!r} is closed")
        now = self._clock.now()
        taken = []
        for message in self._queue.take(min(limit, self._prefetch - len(self._held))):
            tag = next(self._tags)
            self._held[tag] = message
            message.hand_over(now)
            taken.append(message.delivery(tag))
        return taken

    def _settle(self, deliveries: Sequence[Delivery]) -> list[_Message]:
        settled = [message for one in deliveries if (message := self._held.pop(one.tag, None)) is not None]
        self.late_settlements += len(deliveries) - len(settled)
        self.notice()  # the prefetch has room again
        return settled

    async def _change_or(self, timer: asyncio.Task[None]) -> None:
        """Return when something may have come, or when `timer` is done."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait((timer, waiter), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiters.discard(waiter)
            waiter.cancel()


@dataclass(slots=True, eq=False)
class _Message:
    """A publication in one queue, and how often and when it was handed over."""

    position: int
    publication: Publication
    origin: Origin
    at: datetime
    attempts: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None

    def hand_over(self, now: datetime) -> None:
        self.attempts += 1
        self.first_seen = self.first_seen or now
        self.last_seen = now

    def delivery(self, tag: int) -> Delivery:
        return Delivery(
            body=self.publication.body,
            source=self.origin.source,
            route=self.publication.route,
            at=self.at,
            content_type=self.publication.content_type,
            region=self.origin.region,
            redelivered=self.attempts > 1,
            tag=tag,
            key=self.publication.key,
            attempts=self.attempts,
            headers=self.publication.headers,
        )


@dataclass(slots=True, eq=False)
class _Queue:
    """The messages of one queue. What was handed back goes to where it was, as with RabbitMQ: before all that came later."""

    name: str
    bindings: list[Binding] = field(default_factory=list)
    sources: list[MemorySource] = field(default_factory=list)
    fresh: deque[_Message] = field(default_factory=deque)
    returned: list[tuple[int, _Message]] = field(default_factory=list)  # a heap; positions are unique
    positions: Iterator[int] = field(default_factory=itertools.count)

    def __len__(self) -> int:
        return len(self.returned) + len(self.fresh)

    def __iter__(self) -> Iterator[_Message]:
        yield from (message for _, message in sorted(self.returned))
        yield from self.fresh

    def put(self, publication: Publication, origin: Origin, at: datetime) -> None:
        self.fresh.append(_Message(next(self.positions), publication, origin, at))
        self._notice()

    def give_back(self, messages: Iterable[_Message]) -> None:
        for message in messages:
            heapq.heappush(self.returned, (message.position, message))
        self._notice()

    def take(self, limit: int) -> Iterator[_Message]:
        """Take up to `limit` messages off the head. All that was ever taken is older than all that was not."""
        for _ in range(min(limit, len(self))):
            yield heapq.heappop(self.returned)[1] if self.returned else self.fresh.popleft()

    def _notice(self) -> None:
        for source in self.sources:
            source.notice()
