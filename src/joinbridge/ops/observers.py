"""Observers together: each is told, and none can harm the work it hears of, nor another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from joinbridge.core.effects import Effect, UpdateInventory
from joinbridge.core.evidence import Mode
from joinbridge.observing import Committed, Correction, Observer, Taken
from joinbridge.ports import Delivery

log = logging.getLogger(__name__)


class Harmless(Observer):
    """Tells each of `observers`; what one of them raises is logged and given to `on_error`, and goes no further."""

    def __init__(self, observers: Sequence[Observer], *, on_error: Callable[[], None] = lambda: None) -> None:
        self._observers = observers
        self._on_error = on_error

    def received(self, deliveries: Sequence[Delivery]) -> None:
        """Tell each."""
        self._each(lambda one: one.received(deliveries))

    def settled(self, deliveries: Sequence[Delivery], taken: Taken) -> None:
        """Tell each."""
        self._each(lambda one: one.settled(deliveries, taken))

    def started_over(self, deliveries: Sequence[Delivery]) -> None:
        """Tell each."""
        self._each(lambda one: one.started_over(deliveries))

    def handed_back(self, deliveries: Sequence[Delivery]) -> None:
        """Tell each."""
        self._each(lambda one: one.handed_back(deliveries))

    def committed(self, committed: Committed) -> None:
        """Tell each."""
        self._each(lambda one: one.committed(committed))

    def rules(self, modes: Mapping[str, Mode]) -> None:
        """Tell each."""
        self._each(lambda one: one.rules(modes))

    def swept(self, at: datetime) -> None:
        """Tell each."""
        self._each(lambda one: one.swept(at))

    def corrected(self, effect: UpdateInventory, outcome: Correction, age: timedelta) -> None:
        """Tell each."""
        self._each(lambda one: one.corrected(effect, outcome, age))

    def carried_out(self, effects: Sequence[Effect], at: datetime) -> None:
        """Tell each."""
        self._each(lambda one: one.carried_out(effects, at))

    def postponed(self, effect: Effect, error: str) -> None:
        """Tell each."""
        self._each(lambda one: one.postponed(effect, error))

    def failed(self, task: str, error: Exception) -> None:
        """Tell each."""
        self._each(lambda one: one.failed(task, error))

    def _each(self, tell: Callable[[Observer], None]) -> None:
        for one in self._observers:
            try:
                tell(one)
            except Exception:
                self._on_error()
                log.exception("%s failed; what it was told of is done all the same", type(one).__name__)
