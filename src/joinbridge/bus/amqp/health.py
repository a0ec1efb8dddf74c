"""What an operator may ask about the connection to RabbitMQ: plain counters and gauges, for whoever exports them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf

CONFIRMED_WITHIN_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, inf)
"""Buckets: a broker in health confirms within milliseconds, and one that takes longer than the timeout of a publication never does."""


@dataclass(slots=True)
class Delays:
    """How long confirmations took, counted by the buckets of CONFIRMED_WITHIN_S."""

    counts: list[int] = field(default_factory=lambda: [0] * len(CONFIRMED_WITHIN_S))
    total_s: float = 0.0

    def note(self, seconds: float) -> None:
        """Count one that took so long."""
        self.counts[bisect_left(CONFIRMED_WITHIN_S, seconds)] += 1
        self.total_s += seconds

    def cumulative(self) -> Sequence[tuple[float, int]]:
        """Return for each bucket how many took as long as that or shorter."""
        return list(zip(CONFIRMED_WITHIN_S, accumulate(self.counts), strict=True))


@dataclass(slots=True, kw_only=True)
class AmqpHealth:
    """Counters since the start, and gauges as of the last time somebody looked.

    A consumption is one life of a consumer on one channel. Every field is written by the event loop's thread only.
    """

    # Gauges.
    publishing_connected: bool = False
    consuming_connected: bool = False
    consumers: int = 0
    buffered: int = 0
    unsettled: int = 0
    oldest_unsettled_s: float = 0.0
    oldest_publish_s: float = 0.0

    # What came.
    received: int = 0
    redelivered: int = 0
    acknowledged: int = 0
    requeued: int = 0
    rejected: int = 0

    # What went wrong on the way in, and was made good by a redelivery.
    late_settlements: int = 0
    failed_acks: int = 0
    stale_dropped: int = 0
    gaps: int = 0

    # Lives of consumers.
    consumptions: int = 0
    failed_consumptions: int = 0
    cancelled_by_broker: int = 0
    held_too_long: int = 0
    revived: int = 0
    last_failure: str = ""

    # What was published.
    confirmed: int = 0
    unroutable: int = 0
    refused: int = 0
    unknown: int = 0
    confirm_delays: Delays = field(default_factory=Delays)

    # Connections.
    lost_connections: int = 0
    dropped_connections: int = 0
