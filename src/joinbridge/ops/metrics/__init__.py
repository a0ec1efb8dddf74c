"""Metrics: what joinbridge counts of its own work, of the store, and of its brokers, for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

import joinbridge
from joinbridge.config import Settings
from joinbridge.ops.health import Check
from joinbridge.ops.metrics.counting import Counting
from joinbridge.ops.metrics.instruments import Instruments
from joinbridge.ops.metrics.labels import Regions
from joinbridge.ports import Clock

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The instruments, and the observer that counts on them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        regions = Regions(settings.metrics.regions)
        self._clock = clock
        self.instruments = Instruments(regions)
        self.observer = Counting(
            self.instruments, regions=regions, clock=clock, price_gbp=settings.money.correction_gbp, top=settings.metrics.top
        )
        self.instruments.build_info.labels(joinbridge.__version__, settings.mode).set(1)
        self.ready([Check(name="instance", reason="starting")])

    def ready(self, checks: Sequence[Check]) -> None:
        """Show what readiness found."""
        self.instruments.ready.clear()  # a check that is not made any more must not look as it did
        for check in checks:
            self.instruments.ready.labels(check.name).set(check.is_well)

    def text(self) -> bytes:
        """Return all metrics as of now, in Prometheus's text format (`CONTENT_TYPE`)."""
        self.instruments.clock.set(self._clock.now().timestamp())
        return generate_latest(self.instruments.registry)
