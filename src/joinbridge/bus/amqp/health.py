"""What an operator may ask about the connection to RabbitMQ: plain counters and gauges, for whoever exports them."""

from __future__ import annotations

from dataclasses import dataclass


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

    # Connections.
    lost_connections: int = 0
    dropped_connections: int = 0
