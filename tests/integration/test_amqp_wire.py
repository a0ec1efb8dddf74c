"""The wire of the rehearsals, on a real RabbitMQ: it does what it was told, the broker and the client each believe the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from joinbridge.bus.amqp.connecting import AmqpBus
from joinbridge.errors import TransportError
from support.amqp_wire import AmqpWire, Mischief, Orders
from support.bus import alert, bodies, collect
from support.bus_amqp import LONG, opened, waiting
from support.eventually import eventually
from support.proxy import Proxy
from support.services import VirtualHost

INTAKE = "joinbridge.in"


@pytest.fixture
def orders() -> Orders:
    return Orders()


@pytest.fixture
async def bus(virtual_host: VirtualHost, orders: Orders) -> AsyncIterator[AmqpBus]:
    async with meddled(virtual_host, orders) as bus:
        yield bus


@asynccontextmanager
async def meddled(virtual_host: VirtualHost, orders: Orders) -> AsyncIterator[AmqpBus]:
    async with Proxy(virtual_host.url, lambda: AmqpWire(orders)) as proxy, opened(virtual_host, url=proxy.url, publish_timeout=1) as bus:
        yield bus


async def test_it_passes_everything_on_when_it_has_no_orders(bus: AmqpBus) -> None:
    await bus.publisher.publish([alert("x" * size, key=str(size)) for size in (0, 1, 100_000, 300_000)])

    async with bus.source(INTAKE) as source:
        received = await collect(source, 4)

    assert sorted(len(one.body) for one in received) == [0, 1, 100_000, 300_000]


async def test_a_message_whose_confirm_is_dropped_is_there_although_its_publisher_cannot_know(bus: AmqpBus, orders: Orders) -> None:
    orders.every = {Mischief.DROP_CONFIRM: 1}
    with pytest.raises(TransportError, match="no answer in time"):
        await bus.publisher.publish([alert("x")])
    orders.every = {}

    await bus.publisher.publish([alert("y")])

    async with bus.source(INTAKE) as source:
        assert bodies(await collect(source, 2)) == ["x", "y"]
    assert orders.done[Mischief.DROP_CONFIRM] == 1


async def test_a_delivery_whose_ack_is_dropped_comes_again(bus: AmqpBus, orders: Orders) -> None:
    await bus.publisher.publish([alert("x")])
    async with bus.source(INTAKE) as source:
        orders.every = {Mischief.DROP_ACK: 1}
        await source.ack(await collect(source, 1))
        await eventually(lambda: orders.done[Mischief.DROP_ACK] == 1)
        orders.every = {}
        await bus._consuming.drop()

        [again] = await collect(source, 1)
        assert again.body == b"x"
        assert again.redelivered
        await source.ack([again])
    await _emptied(bus)


async def test_a_doubled_delivery_is_settled_once_whichever_copy_is_acknowledged_first(bus: AmqpBus, orders: Orders) -> None:
    orders.every = {Mischief.DOUBLE_DELIVERY: 2}
    await bus.publisher.publish([alert(str(number)) for number in range(4)])
    async with bus.source(INTAKE) as source:
        received = await collect(source, 6)
        assert bodies(received) == ["0", "1", "1", "2", "3", "3"]
        await source.ack(received[2:3])
        await source.ack([*received[:2], *received[3:5]])
        await source.ack(received[5:])

        orders.every = {}
        await bus.publisher.publish([alert("after")])
        assert bodies(await collect(source, 1)) == ["after"]
        assert bus.measure().lost_connections == 0
        assert bus.health.consumptions == 1, "the broker was told of something that it did not know"
    await _emptied(bus, 1)


@pytest.mark.parametrize("mischief", [Mischief.CUT_IN_DELIVERY, Mischief.CUT_AFTER_ACK])
async def test_a_connection_is_cut_between_two_frames_and_what_was_under_way_comes_again(
    bus: AmqpBus, orders: Orders, mischief: Mischief
) -> None:
    async with bus.source(INTAKE) as source:
        orders.every = {mischief: 3}
        names = [str(number) for number in range(8)]
        settled = set[str]()
        for name in names:
            await bus.publisher.publish([alert(name)])
            for one in await source.receive(1, timedelta(seconds=1)):
                settled.add(one.body.decode())
                await source.ack([one])
        await eventually(lambda: orders.done[mischief] >= 1, within=LONG)
        orders.every = {}
        while settled < set(names):
            received = await collect(source, 1)
            settled.update(bodies(received))
            await source.ack(received)

    await _emptied(bus)
    assert bus.measure().lost_connections >= 1


async def test_a_connection_that_is_cut_within_a_publication_has_published_nothing(bus: AmqpBus, orders: Orders) -> None:
    orders.every = {Mischief.CUT_IN_PUBLICATION: 1}
    with pytest.raises(TransportError):
        await bus.publisher.publish([alert("x")])
    orders.every = {}
    await eventually(lambda: bus.measure().publishing_connected, within=LONG)

    await bus.publisher.publish([alert("y")])

    async with bus.source(INTAKE) as source:
        assert bodies(await collect(source, 1)) == ["y"]
    await _emptied(bus, 1)


async def _emptied(bus: AmqpBus, count: int = 0) -> None:
    """Wait until the queue, whose consumers are gone, holds so many."""
    async with asyncio.timeout(LONG.total_seconds()):
        while await waiting(bus, INTAKE) != count:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.05)
