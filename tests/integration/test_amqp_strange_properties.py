"""One message whose properties no library can read stops nothing: it is delivered, and so is what comes behind it."""

from __future__ import annotations

import struct
from datetime import timedelta

import pytest
from pamqp.commands import Basic

from joinbridge.service.clock import SystemClock
from support.bus import alert, bodies, collect
from support.bus_amqp import opened
from support.services import VirtualHost

HEADERS, MESSAGE_ID, TIMESTAMP = 1 << 13, 1 << 7, 1 << 6


class RawProperties(Basic.Properties):
    """Properties as octets: the flags of those that are there, and what they hold."""

    def __init__(self, flags: int, octets: bytes) -> None:
        super().__init__()
        self._octets = struct.pack(">H", flags) + octets

    def marshal(self) -> bytes:
        return self._octets


def table(name: bytes, value: bytes) -> bytes:
    """A field table with one entry."""
    entry = bytes([len(name)]) + name + value
    return struct.pack(">I", len(entry)) + entry


@pytest.mark.parametrize(
    ("flags", "octets"),
    [
        (TIMESTAMP, struct.pack(">Q", 1_772_366_400_000_000)),  # in microseconds: the year 58,000
        (TIMESTAMP, b"\xff" * 8),
        (HEADERS, table(b"when", b"T" + b"\xff" * 8)),
        (HEADERS, table(b"\xff", b"t\x01")),
        (HEADERS, table(b"inner", b"F" + table(b"\xff", b"t\x01"))),
        (MESSAGE_ID, b"\x02\xff\xfe"),
    ],
    ids=["microseconds", "no-moment", "no-moment-in-a-header", "name-of-no-text", "inner-name-of-no-text", "key-of-no-text"],
)
async def test_a_message_with_a_property_that_cannot_be_read_is_delivered_and_so_is_the_next(
    virtual_host: VirtualHost, flags: int, octets: bytes
) -> None:
    clock = SystemClock()
    async with opened(virtual_host) as bus, bus.source("joinbridge.in") as source:
        channel = await bus._publishing.channel(confirms=True)
        await channel.basic_publish(b"strange", exchange="csp.alerts", routing_key="north.8F12", properties=RawProperties(flags, octets))
        await bus.publisher.publish([alert(b"good")])

        deliveries = await collect(source, 2)

    assert bodies(deliveries) == ["strange", "good"]
    assert abs(deliveries[0].at - clock.now()) < timedelta(minutes=5), "it has the time of its arrival"
