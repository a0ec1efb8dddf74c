"""What every bus promises, whatever it is made of: the guarantees of `ports.Source` and `ports.Publisher`, one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta

import pytest

from joinbridge.errors import TransportError
from support.bus import BRIEF, EVENTS, PATIENT, BusHarness, alert, bodies, collect, memory, nothing_more, what_comes
from support.bus_amqp import rabbitmq
from support.bus_mqtt import mqtt
from support.eventually import eventually

AT_ONCE = timedelta(0)

# A server starts only for the tests that want it.
HARNESSES: Mapping[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[BusHarness]]] = {
    "memory": lambda _: memory(),
    "mqtt": lambda request: mqtt(request.getfixturevalue("mosquitto")),
    "rabbitmq": lambda request: rabbitmq(request.getfixturevalue("virtual_host")),
}


@pytest.fixture(params=sorted(HARNESSES))
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[BusHarness]:
    async with HARNESSES[request.param](request) as harness:
        yield harness


@pytest.fixture(autouse=True)
def only_what_this_bus_can(request: pytest.FixtureRequest, bus: BusHarness) -> None:
    for mark in request.node.iter_markers("needs"):
        for feature in mark.args:
            if not getattr(bus.features, feature):
                pytest.skip(f"this bus has no {feature}")


class TestWhatArrives:
    async def test_a_message_arrives_as_it_was_published(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert(b"\x00\xff\r\n", content_type="application/vnd.gbcs+hex")])

            [delivery] = await collect(source, 1)

        assert delivery.body == b"\x00\xff\r\n"
        assert delivery.content_type == "application/vnd.gbcs+hex"
        assert (delivery.redelivered, delivery.attempts) == (False, 1)

    @pytest.mark.parametrize(
        ("exchange", "route", "source_name", "region"),
        [
            ("dsp.sr", "request.8.7.1", "sr.request", None),
            ("dsp.sr", "response.8.7.2", "sr.response", None),
            ("csp.alerts", "north.8F12", "csp.alert", "north"),
            ("csp.alerts", "central.8071", "csp.alert", "central"),
        ],
    )
    async def test_its_route_says_what_it_is(
        self, bus: BusHarness, exchange: str, route: str, source_name: str, region: str | None
    ) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x", route, exchange=exchange)])

            [delivery] = await collect(source, 1)

        assert (delivery.source, delivery.route, delivery.region) == (source_name, route, region)

    @pytest.mark.needs("headers")
    async def test_its_key_and_headers_come_with_it(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x", key="the key", headers={"traceparent": "00-1-2-01"})])

            [delivery] = await collect(source, 1)

        assert delivery.key == "the key"
        assert delivery.headers["traceparent"] == "00-1-2-01"

    @pytest.mark.needs("headers")
    async def test_its_time_is_the_publishers(self, bus: BusHarness) -> None:
        published = bus.now().replace(microsecond=0) - timedelta(hours=3)  # brokers keep seconds
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x", at=published)])

            [delivery] = await collect(source, 1)

        assert delivery.at == published

    async def test_its_time_is_its_arrival_when_the_publisher_gave_none(self, bus: BusHarness) -> None:
        before = bus.now()
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x")])
            published = bus.now()
            await bus.pass_time(BRIEF)

            [delivery] = await collect(source, 1)

        # Brokers keep seconds.
        assert before - timedelta(seconds=1) <= delivery.at < published + BRIEF

    async def test_messages_of_one_route_come_in_order(self, bus: BusHarness) -> None:
        sent = [str(number) for number in range(300)]
        async with bus.consume(prefetch=500) as source:
            await bus.publisher.publish([alert(body) for body in sent])

            assert bodies(await collect(source, 300)) == sent

    async def test_messages_wait_for_their_consumer(self, bus: BusHarness) -> None:
        async with bus.consume():
            pass
        await bus.publisher.publish([alert("early")])

        async with bus.consume() as source:
            assert bodies(await collect(source, 1)) == ["early"]


class TestReceiving:
    async def test_never_more_than_the_limit(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert(str(number)) for number in range(5)])

            first = await source.receive(3, PATIENT)
            rest = await collect(source, 5 - len(first))

        assert 1 <= len(first) <= 3
        assert bodies([*first, *rest]) == ["0", "1", "2", "3", "4"]

    async def test_what_is_there_comes_without_waiting_for_more(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("alone")])

            async with asyncio.timeout(PATIENT.total_seconds() / 2):
                received = await source.receive(100, PATIENT)

        assert bodies(received) == ["alone"]

    async def test_nothing_comes_after_the_wait_when_nothing_came(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            receiving = asyncio.create_task(source.receive(10, 2 * BRIEF))

            await bus.pass_time(BRIEF)
            early = receiving.done()
            await bus.pass_time(2 * BRIEF)

            assert not early
            assert list(await receiving) == []

    async def test_nothing_comes_at_once_without_a_wait(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            assert list(await source.receive(10, AT_ONCE)) == []

    async def test_a_message_ends_the_wait(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            receiving = asyncio.create_task(source.receive(10, PATIENT))
            await bus.pass_time(BRIEF)

            await bus.publisher.publish([alert("at last")])

            async with asyncio.timeout(PATIENT.total_seconds() / 2):
                assert bodies(await receiving) == ["at last"]

    async def test_a_wait_that_is_over_leaves_nothing_behind(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            assert await nothing_more(bus, source)
            await bus.publisher.publish([alert("later")])

            assert bodies(await collect(source, 1)) == ["later"]
            assert await nothing_more(bus, source)

    async def test_cancelling_a_wait_loses_nothing(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            receiving = asyncio.create_task(source.receive(10, PATIENT))
            await bus.pass_time(BRIEF)

            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            await bus.publisher.publish([alert("kept")])

            assert bodies(await collect(source, 1)) == ["kept"]

    @pytest.mark.parametrize("turns", range(6))
    async def test_cancelling_while_a_message_comes_loses_nothing(self, bus: BusHarness, turns: int) -> None:
        async with bus.consume() as source:
            receiving = asyncio.create_task(source.receive(10, PATIENT))
            await bus.pass_time(BRIEF)

            await bus.publisher.publish([alert("kept")])
            for _ in range(turns):
                await asyncio.sleep(0)
            receiving.cancel()
            await asyncio.wait([receiving])
            # Handed over to nobody, or to one who will not settle it: it comes again either way.
            await bus.lose(source)

            assert bodies(await collect(source, 1)) == ["kept"]

    async def test_no_more_is_handed_over_than_the_prefetch_until_some_is_settled(self, bus: BusHarness) -> None:
        async with bus.consume(prefetch=3) as source:
            await bus.publisher.publish([alert(str(number)) for number in range(5)])
            held = await collect(source, 3)
            full = await nothing_more(bus, source)

            await source.ack(held[:2])

            assert full
            assert bodies(await collect(source, 2)) == ["3", "4"]

    async def test_settling_ends_a_wait_for_room(self, bus: BusHarness) -> None:
        async with bus.consume(prefetch=1) as source:
            await bus.publisher.publish([alert("first"), alert("second")])
            held = await collect(source, 1)
            receiving = asyncio.create_task(source.receive(10, PATIENT))
            await bus.pass_time(BRIEF)

            await source.ack(held)

            async with asyncio.timeout(PATIENT.total_seconds() / 2):
                assert bodies(await receiving) == ["second"]


class TestRedelivery:
    async def test_nothing_unsettled_comes_twice_to_a_consumer_that_lives(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("once")])
            await collect(source, 1)

            assert await nothing_more(bus, source)

    async def test_what_is_unsettled_when_the_consumer_is_lost_comes_again_in_order_and_marked(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert(str(number)) for number in range(4)])
            await collect(source, 3)

            await bus.lose(source)
            again = await collect(source, 4)

        assert bodies(again) == ["0", "1", "2", "3"]
        assert [delivery.redelivered for delivery in again[:3]] == [True, True, True]

    async def test_what_was_acknowledged_never_comes_again(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert(str(number)) for number in range(4)])
            held = await collect(source, 4)
            await source.ack([held[0], held[2]])

            await bus.lose(source)

            assert bodies(await collect(source, 2)) == ["1", "3"]
            assert await nothing_more(bus, source)

    async def test_what_a_closed_consumer_left_goes_to_the_next(self, bus: BusHarness) -> None:
        async with bus.consume() as leaving:
            await bus.publisher.publish([alert("settled"), alert("left")])
            held = await collect(leaving, 2)
            await leaving.ack(held[:1])

        async with bus.consume() as coming:
            [delivery] = await collect(coming, 1)

        assert delivery.body == b"left"
        assert delivery.redelivered

    async def test_an_end_by_an_exception_settles_nothing(self, bus: BusHarness) -> None:
        async def crash() -> None:
            async with bus.consume() as source:
                await collect(source, 1)
                raise ZeroDivisionError

        await bus.publisher.publish([alert("left")])

        with pytest.raises(ZeroDivisionError):
            await crash()

        async with bus.consume() as coming:
            assert bodies(await collect(coming, 1)) == ["left"]

    @pytest.mark.needs("attempts")
    async def test_each_delivery_counts_its_attempts(self, bus: BusHarness) -> None:
        counted = []
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x")])
            for _ in range(3):
                [delivery] = await collect(source, 1)
                counted.append((delivery.attempts, delivery.redelivered))
                await bus.lose(source)

        assert counted == [(1, False), (2, True), (3, True)]

    @pytest.mark.needs("sharing")
    async def test_consumers_of_one_queue_share_its_messages(self, bus: BusHarness) -> None:
        async with bus.consume(prefetch=2) as one, bus.consume(prefetch=2) as other:
            await bus.publisher.publish([alert(str(number)) for number in range(4)])

            received = bodies([*await collect(one, 2), *await collect(other, 2)])

        assert sorted(received) == ["0", "1", "2", "3"]

    @pytest.mark.needs("sharing")
    async def test_a_consumer_takes_over_from_one_that_is_lost(self, bus: BusHarness) -> None:
        async with AsyncExitStack() as stack:
            async with bus.consume() as leaving:
                await bus.publisher.publish([alert("left")])
                received = await collect(leaving, 1)
                waiting = await stack.enter_async_context(bus.consume())
                receiving = asyncio.create_task(waiting.receive(10, PATIENT))
                await bus.pass_time(BRIEF)

            async with asyncio.timeout(PATIENT.total_seconds() / 2):
                taken_over = await receiving

        assert bodies(taken_over) == bodies(received)


class TestHandingBack:
    pytestmark = pytest.mark.needs("requeue")

    async def test_what_is_handed_back_comes_again_and_is_marked(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x")])
            held = await collect(source, 1)

            await source.requeue(held)
            [again] = await collect(source, 1)

        assert (again.body, again.redelivered) == (b"x", True)

    async def test_what_is_handed_back_holds_nothing_up(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert(str(number)) for number in range(4)])
            held = await collect(source, 3)

            await source.requeue([held[0], held[2]])
            await source.ack([held[1]])

            assert sorted(bodies(await collect(source, 3))) == ["0", "2", "3"]
            assert await nothing_more(bus, source)

    @pytest.mark.needs("sharing")
    async def test_what_is_handed_back_can_go_to_another_consumer(self, bus: BusHarness) -> None:
        async with bus.consume(prefetch=1) as full, bus.consume() as other:
            await bus.publisher.publish([alert("busy")])
            await collect(full, 1)
            await bus.publisher.publish([alert("back")])
            held = await collect(other, 1)

            await other.requeue(held)

            assert bodies(await collect(other, 1)) == ["back"]


class TestDeadLetters:
    async def test_a_rejected_message_is_kept_with_all_that_explains_it(self, bus: BusHarness) -> None:
        started = bus.now()
        async with bus.consume() as source:
            await bus.publisher.publish([alert(b"\xdf\x09", "south.8071", content_type="application/octet-stream")])
            [held] = await collect(source, 1)

            await source.reject(held, "cut off: 2 of 40 bytes — ends early", 2)
            [letter] = await bus.dead_letters()

        assert (letter.body, letter.content_type) == (b"\xdf\x09", "application/octet-stream")
        assert (letter.source, letter.route, letter.region) == ("csp.alert", "south.8071", "south")
        assert (letter.reason, letter.offset, letter.attempts) == ("cut off: 2 of 40 bytes — ends early", 2, 1)
        assert started <= letter.first_seen <= letter.last_seen <= bus.now()

    async def test_a_reason_without_a_place_has_no_offset(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x", "request.8.7.1", exchange="dsp.sr")])
            [held] = await collect(source, 1)

            await source.reject(held, "poison", None)
            [letter] = await bus.dead_letters()

        assert (letter.offset, letter.region) == (None, None)

    async def test_a_rejected_message_does_not_come_again(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("bad"), alert("good")])
            held = await collect(source, 2)

            await source.reject(held[0], "bad", 0)
            await bus.lose(source)

            assert bodies(await collect(source, 1)) == ["good"]
            assert await nothing_more(bus, source)

    @pytest.mark.needs("attempts")
    async def test_a_dead_letter_knows_how_often_and_since_when_it_was_tried(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x")])
            await collect(source, 1)
            first = bus.now()
            await bus.pass_time(BRIEF)
            await bus.lose(source)
            [again] = await collect(source, 1)
            last = bus.now()
            await bus.pass_time(BRIEF)

            await source.reject(again, "poison", None)
            [letter] = await bus.dead_letters()

        assert letter.attempts == 2
        assert letter.first_seen <= first < letter.last_seen <= last

    @pytest.mark.needs("outage")
    async def test_what_cannot_be_put_among_the_dead_letters_stays_unsettled(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("bad")])
            [held] = await collect(source, 1)

            async with bus.outage():
                with pytest.raises(TransportError):
                    await source.reject(held, "bad", 0)
            buried = len(await bus.dead_letters())
            await bus.lose(source)

            assert buried == 0
            assert bodies(await collect(source, 1)) == ["bad"]


class TestSettlingLate:
    async def test_settling_twice_settles_nothing_else(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("settled"), alert("open")])
            held = await collect(source, 2)

            await source.ack(held[:1])
            await source.ack(held[:1])
            await bus.lose(source)

            assert bodies(await collect(source, 1)) == ["open"]
            assert await nothing_more(bus, source)

    async def test_an_ack_after_the_loss_leaves_the_redelivery_alone(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x")])
            held = await collect(source, 1)
            await bus.lose(source)
            await collect(source, 1)

            await source.ack(held)
            await bus.lose(source)

            assert bodies(await collect(source, 1)) == ["x"]

    @pytest.mark.needs("requeue")
    async def test_handing_back_after_the_loss_makes_no_second_copy(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x")])
            held = await collect(source, 1)
            await bus.lose(source)

            await source.requeue(held)

            assert bodies(await collect(source, 1)) == ["x"]
            assert await nothing_more(bus, source)

    async def test_rejecting_after_an_ack_makes_no_dead_letter(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x")])
            held = await collect(source, 1)
            await source.ack(held)

            await source.reject(held[0], "too late", None)

            assert await nothing_more(bus, source)
            assert list(await bus.dead_letters()) == []

    async def test_settling_after_closing_is_harmless(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await bus.publisher.publish([alert("x")])
            held = await collect(source, 1)

        await source.ack(held)

        async with bus.consume() as coming:
            assert bodies(await collect(coming, 1)) == ["x"]

    async def test_settling_nothing_is_fine(self, bus: BusHarness) -> None:
        async with bus.consume() as source:
            await source.ack([])
            await source.requeue([])

            assert await nothing_more(bus, source)


class TestPublishing:
    async def test_publishing_returns_when_all_is_there(self, bus: BusHarness) -> None:
        await bus.publisher.publish([alert(str(number)) for number in range(3)])

        async with bus.consume() as source:
            assert bodies(await collect(source, 3)) == ["0", "1", "2"]

    async def test_publishing_nothing_is_fine(self, bus: BusHarness) -> None:
        await bus.publisher.publish([])

        async with bus.consume() as source:
            assert await nothing_more(bus, source)

    @pytest.mark.needs("mandatory")
    async def test_a_publication_for_nobody_is_not_confirmed(self, bus: BusHarness) -> None:
        with pytest.raises(TransportError):
            await bus.publisher.publish([alert("x", "join.joined", exchange=EVENTS)])

    async def test_a_publication_for_nobody_is_fine_where_nobody_needs_to_listen(self, bus: BusHarness) -> None:
        await bus.publisher.publish([alert("x", "join.joined", exchange=EVENTS, mandatory=False)])

    @pytest.mark.needs("mandatory")
    async def test_one_that_is_for_nobody_does_not_take_the_others_with_it(self, bus: BusHarness) -> None:
        with pytest.raises(TransportError):
            await bus.publisher.publish([alert("a"), alert("x", "join.joined", exchange=EVENTS), alert("b")])

        async with bus.consume() as source:
            assert bodies(await collect(source, 2)) == ["a", "b"]

    @pytest.mark.needs("mandatory")
    async def test_an_exchange_that_does_not_exist_confirms_nothing(self, bus: BusHarness) -> None:
        with pytest.raises(TransportError):
            await bus.publisher.publish([alert("x", exchange="no.such.exchange")])

    @pytest.mark.needs("outage", "headers")
    async def test_what_was_not_confirmed_can_be_published_again_with_the_same_key(self, bus: BusHarness) -> None:
        publications = [alert("a", key="1"), alert("b", key="2")]
        async with bus.outage():
            with pytest.raises(TransportError):
                await bus.publisher.publish(publications)

        await bus.publisher.publish(publications)

        async with bus.consume() as source:
            arrived = [*await collect(source, 2), *await what_comes(bus, source)]
        # At least once: some may have come through in the outage, and are known by their keys.
        assert {delivery.key for delivery in arrived} == {"1", "2"}


async def test_whoever_consumes_is_live_after_a_while(bus: BusHarness) -> None:
    async with bus.consume() as source:
        await eventually(lambda: source.is_live)
