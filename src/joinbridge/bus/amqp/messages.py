"""Between AMQP messages and the ports' deliveries and publications."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.common import FieldTable, FieldValue

from joinbridge.bus.topics import Origin
from joinbridge.ports import Delivery, Publication

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_PERSISTENT = 2

# The broker's own notes on a message. Published again with a dead letter they would lie: brokers differ in whether they believe them.
_BROKERS_OWN = frozenset(
    {
        "x-delivery-count",
        "x-acquired-count",
        "x-death",
        "x-first-death-exchange",
        "x-first-death-queue",
        "x-first-death-reason",
        "x-last-death-exchange",
        "x-last-death-queue",
        "x-last-death-reason",
    }
)

_ARRIVED_MS = "timestamp_in_ms"
"""Where a broker that is configured to notes when a message arrived at it, in milliseconds."""


def to_delivery(frame: Basic.Deliver, message: DeliveredMessage, *, tag: int, origin: Origin, now: datetime) -> Delivery:
    """Return what came in `frame` as the delivery `tag`; `now` is its time where neither the publisher nor the broker gave it one."""
    properties = message.header.properties
    headers: FieldTable = properties.headers or {}
    return Delivery(
        body=message.body,
        source=origin.source,
        route=frame.routing_key or "",
        at=_time(properties.timestamp, headers, now),
        content_type=properties.content_type or "application/octet-stream",
        region=origin.region,
        redelivered=bool(frame.redelivered),
        tag=tag,
        key=properties.message_id or "",
        attempts=1 + _earlier(headers, redelivered=bool(frame.redelivered)),
        headers=_texts(headers) if headers else _NO_HEADERS,
    )


def to_properties(publication: Publication, now: datetime) -> Basic.Properties:
    """Return the properties of `publication`: persistent, with its key as the message's identifier, published at `now` if not before."""
    return Basic.Properties(
        content_type=publication.content_type,
        delivery_mode=_PERSISTENT,
        message_id=publication.key,
        timestamp=publication.at or now,
        headers=dict(publication.headers) or None,
    )


def _time(published: datetime | None, headers: FieldTable, now: datetime) -> datetime:
    arrived = headers.get(_ARRIVED_MS)
    precise = _moment(arrived) if isinstance(arrived, int) else None
    # A broker may also stamp the whole second where the publisher gave none; its milliseconds say the same more precisely.
    if precise is not None and published in (None, precise.replace(microsecond=0)):
        return precise
    return published or now


def _moment(milliseconds: int) -> datetime | None:
    """Return the moment; None when it is beyond all years, as a publisher's own header of that name may be."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _earlier(headers: FieldTable, *, redelivered: bool) -> int:
    """Return how often the message was handed over before, as far as the broker knows."""
    for name in ("x-acquired-count", "x-delivery-count"):  # the first counts all, where there is one
        count = headers.get(name)
        if isinstance(count, int) and count >= 0:
            return count
    return int(redelivered)


def _texts(headers: FieldTable) -> Mapping[str, str]:
    return {name: _text(value) for name, value in headers.items() if name not in _BROKERS_OWN}


def _text(value: FieldValue) -> str:
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", errors="replace")
    return value if isinstance(value, str) else str(value)
