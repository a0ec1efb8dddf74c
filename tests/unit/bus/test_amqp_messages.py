"""Between AMQP messages and deliveries: nothing of the publisher's is lost, and nothing of the broker's is passed on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.common import FieldTable
from pamqp.header import ContentHeader

from joinbridge.bus.amqp.messages import to_delivery, to_properties
from joinbridge.bus.topics import Origin
from joinbridge.ports import Delivery, Publication

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
WHOLE = NOW.replace(microsecond=0)
NOW_MS = int(NOW.timestamp() * 1000)


def delivered(properties: Basic.Properties | None = None, *, redelivered: bool = False) -> Delivery:
    frame = Basic.Deliver(delivery_tag=7, redelivered=redelivered, exchange="csp.alerts", routing_key="north.8F12")
    header = ContentHeader(properties=properties or Basic.Properties())
    message = DeliveredMessage(frame, header, b"body", channel=None)  # type: ignore[arg-type]  # of no interest here
    return to_delivery(frame, message, tag=42, origin=Origin("csp.alert", "north"), now=NOW)


def test_a_bare_message_is_taken_for_octets_that_came_now() -> None:
    assert delivered() == Delivery(body=b"body", source="csp.alert", route="north.8F12", at=NOW, region="north", tag=42)


def test_what_is_published_is_what_is_delivered() -> None:
    publication = Publication(
        key="k", exchange="csp.alerts", route="north.8F12", body=b"body", content_type="text/plain", at=WHOLE, headers={"a": "b"}
    )

    delivery = delivered(to_properties(publication, NOW))

    assert (delivery.key, delivery.content_type, delivery.at) == ("k", "text/plain", WHOLE)
    assert dict(delivery.headers) == {"a": "b"}


def test_it_is_persistent_and_published_now_when_nobody_says_when() -> None:
    properties = to_properties(Publication(key="k", exchange="e", route="r", body=b"", content_type="text/plain"), NOW)

    assert (properties.delivery_mode, properties.timestamp) == (2, NOW)


@pytest.mark.parametrize(
    ("published", "arrived_ms", "at"),
    [
        (None, NOW_MS, NOW),
        (WHOLE, NOW_MS, NOW),  # the broker's own stamp, twice
        (WHOLE.replace(hour=9), NOW_MS, WHOLE.replace(hour=9)),  # the publisher knows better
        (WHOLE, None, WHOLE),
        (WHOLE, 10**18, WHOLE),  # no moment: a publisher's own header of that name
        (None, -(10**18), NOW),
    ],
)
def test_its_time_is_the_publishers_or_else_the_brokers_as_precisely_as_there_is(
    published: datetime | None, arrived_ms: int | None, at: datetime
) -> None:
    headers: FieldTable = {} if arrived_ms is None else {"timestamp_in_ms": arrived_ms}

    assert delivered(Basic.Properties(timestamp=published, headers=headers)).at == at


@pytest.mark.parametrize(
    ("headers", "redelivered", "attempts"),
    [
        ({}, False, 1),
        ({}, True, 2),  # a classic queue does not count
        ({"x-delivery-count": 4}, True, 5),
        ({"x-delivery-count": 1, "x-acquired-count": 6}, True, 7),
        ({"x-delivery-count": -5}, True, 2),  # not the broker's: a classic queue passes on what the publisher wrote
    ],
)
def test_its_attempts_are_counted_as_far_as_the_broker_knows(headers: FieldTable, redelivered: bool, attempts: int) -> None:
    delivery = delivered(Basic.Properties(headers=headers), redelivered=redelivered)

    assert (delivery.attempts, delivery.redelivered) == (attempts, redelivered)


def test_headers_are_text_and_the_brokers_own_are_left_out() -> None:
    headers: FieldTable = {"number": 7, "octets": bytearray(b"\xc3\xa9\xff"), "text": "t", "x-delivery-count": 1, "x-death": [{"count": 1}]}

    assert dict(delivered(Basic.Properties(headers=headers)).headers) == {"number": "7", "octets": "é\ufffd", "text": "t"}
