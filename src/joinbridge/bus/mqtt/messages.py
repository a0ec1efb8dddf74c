"""From an MQTT message to a Delivery. Pure.

Content type and user properties are those of MQTT 5. The publisher's key and time are the user properties `id` and `time` (RFC 3339), the
names that the MQTT binding of CloudEvents gives them; MQTT itself has neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from joinbridge.bus.mqtt.topics import TopicPattern, read_topic
from joinbridge.ports import Delivery

KEY = "id"
TIME = "time"
_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One PUBLISH packet as it arrived `at` this moment; `mid` is its packet identifier, 0 with QoS 0."""

    topic: str
    body: bytes
    at: datetime
    qos: int
    mid: int
    duplicate: bool
    content_type: str | None = None
    properties: tuple[tuple[str, str], ...] = ()


def to_delivery(arrival: Arrival, patterns: Iterable[TopicPattern], tag: int) -> Delivery:
    """Return `arrival` as a delivery. Its attempts are 2 when it came before, however often: MQTT has a flag and no count."""
    origin, route = read_topic(patterns, arrival.topic)
    headers = dict(arrival.properties)
    return Delivery(
        body=arrival.body,
        source=origin.source,
        route=route,
        at=_moment(headers.pop(TIME, "")) or arrival.at,
        content_type=arrival.content_type or _UNKNOWN_TYPE,
        region=origin.region,
        redelivered=arrival.duplicate,
        tag=tag,
        key=headers.pop(KEY, ""),
        attempts=2 if arrival.duplicate else 1,
        headers=headers,
    )


def _moment(text: str) -> datetime | None:
    """Return the moment; None when it is none, does not say in which zone it is, or has no like in UTC (the first and last day of all)."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
