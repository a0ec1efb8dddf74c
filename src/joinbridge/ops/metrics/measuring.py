"""Measuring: what nobody tells and somebody has to look at: the store, now and then, and the event loop, all the time."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import NoReturn

from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin, UpdateInventory
from joinbridge.core.pair import PairState
from joinbridge.observing import Observer
from joinbridge.ops.metrics.instruments import AGE_LABELS, Instruments
from joinbridge.ops.metrics.labels import EFFECTS
from joinbridge.ports import Clock, DeadLetterStatus
from joinbridge.store.census import Census, census
from joinbridge.store.codec import PAIR_EVENT
from joinbridge.store.database import Database

LAG_PERIOD_S = 0.5

_EFFECT_OF_KIND = {
    **{cls.__name__: EFFECTS[cls] for cls in (UpdateInventory, ReissueJoin, ProbeDeviceLog, NotifySupplier, PublishEvent)},
    PAIR_EVENT: EFFECTS[PublishEvent],
}


class Measuring:
    """Counts the store every `period`, and measures how late the event loop is; times are true ones."""

    def __init__(self, instruments: Instruments, *, database: Database, clock: Clock, period: timedelta, observer: Observer) -> None:
        self._on = instruments
        self._database = database
        self._clock = clock
        self._period = period
        self._observer = observer

    async def run(self) -> NoReturn:
        """Measure for ever; when the store cannot be counted, its gauges stay as they were and `census_timestamp_seconds` tells."""
        next_census = time.monotonic()
        while True:
            due = time.monotonic() + LAG_PERIOD_S
            await asyncio.sleep(LAG_PERIOD_S)
            self._on.loop_lag.observe(max(0.0, time.monotonic() - due))
            if time.monotonic() >= next_census:
                next_census = time.monotonic() + self._period.total_seconds()
                try:
                    await self.take_census()
                except Exception as error:  # noqa: BLE001 - whatever it is, to be blind for a while must not end the work
                    self._observer.failed("census", error)

    async def take_census(self) -> None:
        """Count the store now. Raises: StoreError."""
        now = self._clock.now()
        self._show(await census(self._database, now), now)
        self._on.census_at.set(time.time())

    def _show(self, counted: Census, now: datetime) -> None:
        on = self._on
        for state in AttemptState:
            on.attempts.labels(state).set(counted.attempts.get(state, 0))
        for age, number in zip(AGE_LABELS, counted.open_by_age, strict=True):
            on.open_attempts.labels(age).set(number)
        for pair_state in PairState:
            on.pairs.labels(pair_state).set(counted.pairs.get(pair_state, 0))
        for label in EFFECTS.values():
            on.backlog.labels(label).set(sum(number for kind, number in counted.owed.items() if _EFFECT_OF_KIND[kind] == label))
        for status in DeadLetterStatus:
            on.dead_letters.labels(status).set(counted.dead_letters.get(status, 0))
        on.backlog_oldest.set(_age(counted.oldest_owed_at, now))
        on.dead_letters_oldest.set(_age(counted.oldest_letter_at, now))
        on.overdue.set(counted.overdue)
        on.overdue_oldest.set(_age(counted.earliest_due_at, now))
        on.audit_height.set(counted.audit_height)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
