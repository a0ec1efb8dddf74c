"""Intake: from a source to committed batches, and back to the source what became of them.

A batch is retried whole while the database is away. A batch that fails although the database is there is split until the message that
does it is alone, and only that one goes to the dead letters. A batch whose homes another instance changes again and again is split as
well: half of it meets fewer of them, and is done sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from joinbridge.errors import StaleVersionError, StoreError, StoreRefusedError, TransportError
from joinbridge.observing import SILENT, Observer, Taken
from joinbridge.ports import Clock, Delivery, Source
from joinbridge.service.retrying import Retrying
from joinbridge.service.step import Step

BATCH_LIMIT = 200  # the knee lies at 100-300 messages
BATCH_WAIT = timedelta(milliseconds=25)  # and at 20-50 ms
TRIES_AT_ONCE = 3
CURRENT_WITHIN = timedelta(minutes=1)


class Intake:
    """One source, drained batch by batch.

    `is_current` tells whether it has caught up with the bus: the last turn found nothing waiting, or what it took was published at most
    `current_within` before. After an outage of our own, an answer may be waiting behind what was read so far.
    """

    def __init__(
        self,
        *,
        source: Source,
        step: Step,
        clock: Clock,
        limit: int = BATCH_LIMIT,
        wait: timedelta = BATCH_WAIT,
        tries_at_once: int = TRIES_AT_ONCE,
        current_within: timedelta = CURRENT_WITHIN,
        observer: Observer = SILENT,
    ) -> None:
        self._source = source
        self._step = step
        self._clock = clock
        self._limit = limit
        self._wait = wait
        self._retrying = Retrying(clock, tries=tries_at_once, pause_s=0.05, passes=_passes)
        self._current_within = current_within
        self._observer = observer
        self.is_current = False
        self.totals = Taken()

    async def turn(self) -> int:
        """Take one batch off the source, commit it, acknowledge it; return its size, 0 when nothing came.

        Raises: StoreError when the database stayed away, TransportError when the dead letters could not be reached. What is not settled
        by then is handed back to the source.
        """
        try:
            deliveries = await self._source.receive(self._limit, self._wait)
        except TransportError:
            self.is_current = False  # nobody knows what waits on a bus that is away
            raise
        unsettled = [deliveries] if deliveries else []
        self._observer.received(deliveries)
        try:
            while unsettled:
                unsettled[:1] = await self._settle(unsettled[0])
        except Exception:
            self.is_current = False  # what is handed back says something that nobody has read
            left = [delivery for part in unsettled for delivery in part]
            await self._source.requeue(left)
            self._observer.handed_back(left)
            raise
        if deliveries:
            self.is_current = self._clock.now() - max(d.at for d in deliveries) <= self._current_within
        else:
            self.is_current = self._source.is_live
        return len(deliveries)

    async def _settle(self, deliveries: Sequence[Delivery]) -> Sequence[Sequence[Delivery]]:
        """Commit and acknowledge `deliveries`, or return their halves; a message that fails by itself, alone, is rejected."""
        try:
            taken = await self._retrying(self._take, deliveries)
        except StoreRefusedError as error:
            reason = str(error)
        except StaleVersionError:
            if len(deliveries) == 1:
                raise
            return _halves(deliveries)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever one message does to us must not take its neighbours down
            reason = f"internal error: {type(error).__name__}: {error}"
        else:
            self._count(deliveries, taken)
            await self._source.ack(deliveries)
            return ()
        if len(deliveries) > 1:
            return _halves(deliveries)
        await self._source.reject(deliveries[0], reason, None)
        self._count(deliveries, Taken(dead=1))
        return ()

    async def _take(self, deliveries: Sequence[Delivery]) -> Taken:
        try:
            return await self._step.take(deliveries)
        except StaleVersionError:
            self._observer.started_over(deliveries)
            raise

    def _count(self, deliveries: Sequence[Delivery], taken: Taken) -> None:
        self._observer.settled(deliveries, taken)
        was = self.totals
        self.totals = Taken(
            judged=was.judged + taken.judged,
            passed_by=was.passed_by + taken.passed_by,
            duplicates=was.duplicates + taken.duplicates,
            dead=was.dead + taken.dead,
        )


def _halves(deliveries: Sequence[Delivery]) -> Sequence[Sequence[Delivery]]:
    middle = len(deliveries) // 2
    return deliveries[:middle], deliveries[middle:]


def _passes(error: BaseException) -> bool:
    return isinstance(error, StoreError) and not isinstance(error, StoreRefusedError)
