"""What only the bus in memory does: faults on demand, and a look into its queues."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from joinbridge.bus.memory import MemoryBus
from joinbridge.bus.topics import Binding, estate_bindings
from joinbridge.errors import TransportError
from joinbridge.service.clock import ManualClock
from support.bus import QUEUE, START, alert, bodies, collect

NOT_AT_ALL = timedelta(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def bus(clock: ManualClock) -> MemoryBus:
    bus = MemoryBus(clock)
    bus.bind(QUEUE, *estate_bindings())
    return bus


async def test_each_queue_gets_its_own_copy(bus: MemoryBus) -> None:
    bus.bind("everything", Binding(exchange="csp.alerts", pattern="#"))

    await bus.publish([alert("x")])

    async with bus.source(QUEUE) as one, bus.source("everything") as other:
        await one.ack(await collect(one, 1))
        [copy] = await collect(other, 1)
    assert copy.source == "csp.alerts"


async def test_a_message_that_fits_two_bindings_of_a_queue_comes_once(bus: MemoryBus) -> None:
    bus.bind(QUEUE, Binding(exchange="csp.alerts", pattern="north.#"))

    await bus.publish([alert("x", "north.8F12")])

    assert bus.ready(QUEUE) == 1


async def test_binding_twice_changes_nothing(bus: MemoryBus) -> None:
    bus.bind(QUEUE, *estate_bindings())

    await bus.publish([alert("x")])

    assert bus.ready(QUEUE) == 1


async def test_the_depth_of_a_queue_can_be_seen(bus: MemoryBus) -> None:
    await bus.publish([alert(str(number)) for number in range(5)])

    async with bus.source(QUEUE) as source:
        held = await source.receive(3, NOT_AT_ALL)
        await source.ack(held[:1])

        assert (bus.ready(QUEUE), bus.unsettled(QUEUE), source.unsettled) == (2, 2, 2)


async def test_what_is_handed_back_keeps_its_place(bus: MemoryBus) -> None:
    await bus.publish([alert(str(number)) for number in range(5)])

    async with bus.source(QUEUE) as source:
        held = await source.receive(4, NOT_AT_ALL)
        await source.requeue([held[2], held[0]])

        assert bodies(await source.receive(10, NOT_AT_ALL)) == ["0", "2", "4"]


async def test_the_dead_letters_are_a_queue_like_any_other(bus: MemoryBus) -> None:
    await bus.publish([alert("bad", "north.8F12")])
    async with bus.source(QUEUE) as source:
        [held] = await collect(source, 1)
        await source.reject(held, "poison", 1)

    async with bus.source("joinbridge.dead") as source:
        [letter] = await collect(source, 1)

    assert (letter.body, letter.route, letter.headers["x-joinbridge-reason"]) == (b"bad", "north.8F12", "poison")


async def test_an_outage_can_come_after_some_have_arrived(bus: MemoryBus) -> None:
    with bus.outage(arriving=1), pytest.raises(TransportError, match="2 of 2"):
        await bus.publish([alert("arrives"), alert("does not")])
    await bus.publish([alert("after")])

    async with bus.source(QUEUE) as source:
        assert bodies(await source.receive(10, NOT_AT_ALL)) == ["arrives", "after"]


async def test_late_settlements_are_counted(bus: MemoryBus) -> None:
    await bus.publish([alert("a"), alert("b")])
    async with bus.source(QUEUE) as source:
        held = await collect(source, 2)
        source.lose()

        await source.ack(held)
        await source.requeue(held)
        await source.reject(held[0], "late", None)

        assert source.late_settlements == 5
    assert bus.dead_letters() == ()


async def test_a_closed_source_has_nothing_more_to_give(bus: MemoryBus) -> None:
    source = bus.source(QUEUE)
    receiving = asyncio.create_task(source.receive(1, timedelta(hours=1)))
    await asyncio.sleep(0)

    source.close()
    source.close()

    with pytest.raises(TransportError, match="closed"):
        await receiving
    with pytest.raises(TransportError, match="closed"):
        await source.receive(1, NOT_AT_ALL)


async def test_a_queue_that_nobody_bound_cannot_be_read(bus: MemoryBus) -> None:
    with pytest.raises(TransportError, match=r"no\.such"):
        bus.source("no.such")


async def test_a_wait_leaves_no_sleeper_on_the_clock(bus: MemoryBus, clock: ManualClock) -> None:
    async with bus.source(QUEUE) as source:
        receiving = asyncio.create_task(source.receive(1, timedelta(hours=1)))
        await clock.advance(by=timedelta(minutes=1))
        waited_on = clock.sleeping

        await bus.publish([alert("x")])
        await receiving

    assert (waited_on, clock.sleeping) == (1, 0)
    assert clock.next_wake is None


async def test_a_consumer_that_never_rests_lets_others_work(bus: MemoryBus) -> None:
    async def publish_three() -> None:
        for number in range(3):
            await bus.publish([alert(str(number))])

    async with bus.source(QUEUE) as source:
        publishing = asyncio.create_task(publish_three())
        received = 0
        while received < 3:
            received += len(await source.receive(1, NOT_AT_ALL))

        await publishing
    assert received == 3


async def test_two_receives_on_one_source_share_what_comes(bus: MemoryBus, clock: ManualClock) -> None:
    async with bus.source(QUEUE) as source:
        receiving = [asyncio.create_task(source.receive(1, timedelta(hours=1))) for _ in range(2)]
        await clock.advance(by=NOT_AT_ALL)

        await bus.publish([alert("a"), alert("b")])
        received = [bodies(await one) for one in receiving]

    assert sorted(received) == [["a"], ["b"]]
