"""What RabbitMQ, the network and an operator do to us, and that nothing is lost by it: what was confirmed was settled in the end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from joinbridge.bus.amqp import watchdog
from joinbridge.bus.amqp.connecting import AmqpBus
from joinbridge.bus.amqp.source import FIRST_PREFETCH, AmqpSource
from joinbridge.bus.letters import from_delivery
from joinbridge.errors import TransportError
from support.bus import PATIENT, alert, bodies, collect
from support.bus_amqp import LONG, Traffic, close_connections, opened, settings_for, waiting
from support.eventually import eventually
from support.proxy import Proxy
from support.services import RabbitMq, RabbitMqServer, VirtualHost

INTAKE = "joinbridge.in"
DEAD = "joinbridge.dead"


@pytest.fixture
async def bus(virtual_host: VirtualHost) -> AsyncIterator[AmqpBus]:
    async with opened(virtual_host) as bus:
        yield bus


@pytest.fixture
def server(rabbitmq: RabbitMq) -> RabbitMqServer:
    if rabbitmq.server is None:
        pytest.skip("this broker belongs to somebody else")
    return rabbitmq.server


@asynccontextmanager
async def publishing(traffic: Traffic, name: str, count: int) -> AsyncIterator[None]:
    """Publish meanwhile, and wait until all of it is confirmed."""
    task = asyncio.create_task(traffic.publish(name, count))
    try:
        yield
        async with asyncio.timeout(LONG.total_seconds()):
            await task
    finally:
        task.cancel()
        await asyncio.wait([task])


def control(server: RabbitMqServer, *arguments: str) -> None:
    """Run rabbitmqctl on `server`."""
    subprocess.run(
        ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-n", server.environment["RABBITMQ_NODENAME"], *arguments],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **server.environment},
        check=True,
        capture_output=True,
        timeout=60,
    )


def is_connected(bus: AmqpBus) -> bool:
    """Whether both of its connections are up: one that is not could not be lost."""
    health = bus.measure()
    return health.publishing_connected and health.consuming_connected


async def lose_both(bus: AmqpBus, virtual_host: VirtualHost) -> None:
    """Have the broker close all connections that it lists until both were lost: it lists one only some seconds after it was made."""
    links = (bus._publishing, bus._consuming)
    before = [link.losses for link in links]
    async with asyncio.timeout(LONG.total_seconds()):
        while any(link.losses == losses for link, losses in zip(links, before, strict=True)):
            await close_connections(virtual_host)


class TestLosingTheConnection:
    async def test_nothing_is_lost_when_the_broker_closes_all_connections_again_and_again(
        self, bus: AmqpBus, virtual_host: VirtualHost
    ) -> None:
        traffic = Traffic(bus)

        async with traffic.consuming():
            for round_ in range(2):
                async with publishing(traffic, f"round {round_}", 300):
                    await lose_both(bus, virtual_host)

        assert traffic.settled == traffic.confirmed
        assert len(traffic.confirmed) == 600
        assert await waiting(bus, INTAKE) == 0

    async def test_what_was_lost_and_settled_by_another_instance_is_not_remembered_for_ever(self, virtual_host: VirtualHost) -> None:
        prefetch = 3
        async with (
            Proxy(virtual_host.url) as proxy,
            opened(virtual_host, url=proxy.url) as bus,
            opened(virtual_host) as other,
            bus.source(INTAKE, prefetch=prefetch, first_prefetch=prefetch) as source,
        ):
            for round_ in range(3):
                await other.publisher.publish([alert(f"{round_}-{number}") for number in range(prefetch)])
                await collect(source, prefetch)
                proxy.refusing = True
                proxy.cut()
                async with other.source(INTAKE) as elsewhere:
                    await elsewhere.ack(await collect(elsewhere, prefetch))
                proxy.refusing = False
                await eventually(lambda: source.consuming, within=LONG)

            assert bus.health.stale_dropped == 3 * prefetch
            assert len(source._first_seen) == prefetch

    async def test_nothing_is_lost_when_the_network_cuts_in_the_middle_of_everything(self, virtual_host: VirtualHost) -> None:
        async with Proxy(virtual_host.url) as proxy, opened(virtual_host, url=proxy.url) as bus:
            traffic = Traffic(bus)

            async with traffic.consuming():
                for round_ in range(4):
                    before = len(traffic.settled)
                    async with publishing(traffic, f"round {round_}", 400):
                        await eventually(lambda before=before: len(traffic.settled) > before and is_connected(bus), within=LONG)  # type: ignore[misc]
                        proxy.cut()

            assert traffic.settled == traffic.confirmed
            assert len(traffic.confirmed) == 1600
            assert bus.measure().lost_connections >= 8

    async def test_every_message_is_settled_or_a_dead_letter_whatever_becomes_of_its_batch(self, virtual_host: VirtualHost) -> None:
        dice = random.Random(7)
        async with Proxy(virtual_host.url) as proxy, opened(virtual_host, url=proxy.url) as bus:
            traffic = Traffic(bus)
            buried: set[str] = set()

            async def consume(source: AmqpSource) -> None:
                while True:
                    deliveries = list(await source.receive(50, timedelta(milliseconds=50)))
                    if deliveries and dice.random() < 0.2:  # the database is away
                        await source.requeue(deliveries)
                        continue
                    poison = [one for one in deliveries if one.body.endswith(b"7")]
                    good = [one for one in deliveries if one not in poison]
                    traffic.settled.update(bodies(good))
                    try:
                        for one in poison:
                            await source.reject(one, "poison", None)
                            buried.add(one.body.decode())
                    except TransportError:
                        await source.requeue(poison)
                    await source.ack(good)

            async with bus.source(INTAKE) as source:
                consuming = asyncio.create_task(consume(source))
                for round_ in range(4):
                    before = len(traffic.settled)
                    async with publishing(traffic, f"round {round_}", 400):
                        await eventually(lambda before=before: len(traffic.settled) > before and is_connected(bus), within=LONG)  # type: ignore[misc]
                        proxy.cut()
                await eventually(lambda: traffic.confirmed <= traffic.settled | buried, within=LONG)
                consuming.cancel()
                await asyncio.wait([consuming])

            assert consuming.cancelled()
            assert traffic.settled | buried == traffic.confirmed
            assert {name for name in traffic.confirmed if name.endswith("7")} == buried
            assert not traffic.settled & buried
            async with bus.source(DEAD, prefetch=1000, first_prefetch=1000) as dead:
                letters: set[str] = set()
                while received := await dead.receive(1000, timedelta(seconds=5)):
                    letters.update(from_delivery(one).body.decode() for one in received)
            assert letters == buried

    async def test_nothing_is_lost_when_the_broker_is_killed_and_comes_back(self, bus: AmqpBus, server: RabbitMqServer) -> None:
        traffic = Traffic(bus)

        async with traffic.consuming():
            async with publishing(traffic, "before", 2000):
                # RabbitMQ 3.10 writes the register of its quorum queues down a moment later; one killed before forgets a new queue.
                await asyncio.sleep(5)
                server.kill()
                await asyncio.to_thread(server.start)
            await traffic.publish("after", 50)

        assert traffic.settled == traffic.confirmed
        assert len(traffic.confirmed) == 2050

    async def test_a_broker_that_hangs_is_noticed_by_its_silence(self, virtual_host: VirtualHost, server: RabbitMqServer) -> None:
        async with opened(virtual_host, heartbeat=1, publish_timeout=60) as bus:
            traffic = Traffic(bus)
            async with traffic.consuming():
                await traffic.publish("before", 20)
                await eventually(lambda: traffic.settled == traffic.confirmed, within=LONG)

                server.freeze()
                try:
                    confirmed = bus.health.confirmed
                    publication = asyncio.create_task(bus.publisher.publish([alert("during")]))
                    await eventually(lambda: not bus._publishing.connected and not bus._consuming.connected, within=LONG)
                    assert bus.health.confirmed == confirmed
                    # The driver cancels what waits on a dead connection; that nobody asked for it must not pass for a cancellation.
                    with pytest.raises(TransportError, match=r"csp\.alerts/north\.8F12"):
                        await publication
                finally:
                    server.thaw()
                await traffic.publish("after", 20)

            assert traffic.settled - {"during"} == traffic.confirmed

    async def test_whoever_really_cancels_a_publication_sees_it_cancelled(self, virtual_host: VirtualHost) -> None:
        async with Proxy(virtual_host.url) as proxy, opened(virtual_host, url=proxy.url) as bus:
            await bus.publisher.publish([alert("first")])
            proxy.freeze()
            publication = asyncio.create_task(bus.publisher.publish([alert("second")]))
            await eventually(lambda: bus.publisher.oldest_s > 0)

            publication.cancel()
            await asyncio.wait([publication])
            proxy.thaw()

            assert publication.cancelled()

    async def test_what_a_process_held_when_it_died_comes_again_and_is_marked(self, bus: AmqpBus, virtual_host: VirtualHost) -> None:
        await bus.publisher.publish([alert(str(number)) for number in range(5)])
        script = (
            "import asyncio, os, sys\n"
            "from datetime import timedelta\n"
            "from joinbridge.bus.amqp.connecting import connect\n"
            "from joinbridge.config import Settings\n"
            "from joinbridge.service.clock import SystemClock\n"
            "async def main():\n"
            "    async with connect(Settings.model_validate_json(sys.argv[1]), clock=SystemClock()) as bus:\n"
            "        async with bus.source('joinbridge.in') as source:\n"
            "            held = await source.receive(5, timedelta(seconds=20))\n"
            "            os._exit(10 + len(held))\n"
            "asyncio.run(main())\n"
        )
        amqp = json.dumps({"amqp": {"url": virtual_host.url}})

        died = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script, amqp], check=False, timeout=60)
        assert died.returncode > 10
        async with bus.source(INTAKE) as source:
            received = await collect(source, 5)

        assert bodies(received) == ["0", "1", "2", "3", "4"]
        assert received[0].redelivered
        assert received[0].attempts == 2


class TestLosingTheConsumer:
    async def test_a_queue_that_is_deleted_is_made_again_and_consumed(self, bus: AmqpBus, virtual_host: VirtualHost) -> None:
        traffic = Traffic(bus)

        async with traffic.consuming() as source:
            await traffic.publish("before", 20)
            await eventually(lambda: traffic.settled == traffic.confirmed, within=LONG)
            lives = bus.health.consumptions
            await asyncio.to_thread(virtual_host.call, "DELETE", "queues", f"/{INTAKE}")
            await eventually(lambda: bus.health.consumptions > lives and source.consuming, within=LONG)
            await traffic.publish("after", 20)

        assert traffic.settled == traffic.confirmed
        assert bus.health.cancelled_by_broker == 1

    async def test_a_queue_that_joinbridge_may_not_make_is_waited_for(self, bus: AmqpBus, virtual_host: VirtualHost) -> None:
        async with opened(virtual_host, topology="passive") as passive, passive.source(INTAKE) as source:
            await asyncio.to_thread(virtual_host.call, "DELETE", "queues", f"/{INTAKE}")
            await eventually(lambda: passive.health.failed_consumptions >= 2, within=LONG)
            assert "no queue" in passive.health.last_failure

            await bus.declare()
            await eventually(lambda: source.consuming, within=LONG)
            await bus.publisher.publish([alert("at last")])

            assert bodies(await collect(source, 1)) == ["at last"]

    async def test_a_channel_that_the_broker_closes_is_replaced(self, bus: AmqpBus) -> None:
        traffic = Traffic(bus)

        async with traffic.consuming() as source, publishing(traffic, "x", 200):
            for _ in range(3):
                before = len(traffic.settled)
                await eventually(lambda before=before: len(traffic.settled) > before and source.consuming, within=LONG)  # type: ignore[misc]
                assert source._consumer.current is not None
                await source._consumer.current.channel.basic_ack(1 << 30)  # a tag that the broker never gave: 406

        assert traffic.settled == traffic.confirmed
        assert bus.health.consumptions >= 3
        assert bus.measure().lost_connections == 0

    async def test_a_consumer_that_is_dead_without_knowing_it_is_revived(self, bus: AmqpBus) -> None:
        async with bus.source(INTAKE) as source:
            assert source._consumer.current is not None
            source._consumer.current.channel.consumers.clear()  # type: ignore[attr-defined]  # the driver's; its interface does not tell

            await bus._watchdog.look()
            await eventually(lambda: source.consuming)
            await bus.publisher.publish([alert("heard")])

            assert bodies(await collect(source, 1)) == ["heard"]
        assert bus.health.revived == 1

    async def test_a_consumer_that_fails_for_good_ends_the_watch_and_is_no_longer_silent(self, bus: AmqpBus) -> None:
        async with bus.source(INTAKE) as source:
            assert source._consumer._supervisor is not None
            source._consumer._supervisor.cancel()
            await asyncio.wait([source._consumer._supervisor])

            with pytest.raises(TransportError, match=r"joinbridge\.in"):
                await bus.watch()
            with pytest.raises(TransportError, match=r"joinbridge\.in"):
                await source.receive(10, timedelta(0))

    async def test_a_delivery_that_the_driver_lost_is_never_settled_with_its_neighbours(self, bus: AmqpBus) -> None:
        async with bus.source(INTAKE) as source:
            await bus.publisher.publish([alert("lost"), alert("next")])
            await eventually(lambda: source.buffered == 2)
            assert source._consumer.current is not None
            source._consumer.current.buffer.popleft()

            await source.ack(await source.receive(10, timedelta(0)))

            assert bodies(await collect(source, 2)) == ["lost", "next"]
        assert bus.health.gaps == 1

    async def test_an_acknowledgement_that_cannot_be_sent_is_counted_and_not_raised(self, bus: AmqpBus) -> None:
        async with bus.source(INTAKE) as source:
            await bus.publisher.publish([alert("x")])
            held = await collect(source, 1)
            assert source._consumer.current is not None
            # The broker's closing frame has been read, and nobody has been told yet.
            source._consumer.current.channel._Channel__close_event.set()  # type: ignore[attr-defined]  # no other way into that moment

            await source.ack(held)
            assert (bus.health.failed_acks, bus.health.acknowledged) == (1, 0)
            assert not source.consuming

    async def test_a_connection_that_is_given_up_is_made_anew(self, bus: AmqpBus) -> None:
        async with bus.source(INTAKE) as source:
            await bus.publisher.publish([alert("x")])
            await collect(source, 1)

            await bus._consuming.drop()
            await bus._publishing.drop()
            await bus.publisher.publish([alert("y")])

            assert bodies(await collect(source, 2)) == ["x", "y"]


class TestTheWatchdog:
    async def test_a_connection_on_which_nothing_is_confirmed_any_more_is_given_up(
        self, virtual_host: VirtualHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watchdog, "STUCK_S", 0.0)
        async with Proxy(virtual_host.url) as proxy, opened(virtual_host, url=proxy.url, publish_timeout=1) as bus:
            await bus.publisher.publish([alert("before")])
            proxy.freeze()
            with pytest.raises(TransportError, match="no answer in time"):
                await bus.publisher.publish([alert("during")])

            await bus._watchdog.look()
            assert not bus.measure().publishing_connected
            proxy.thaw()
            await eventually(lambda: bus.measure().publishing_connected, within=LONG)
            await bus.publisher.publish([alert("after")])

            assert bus.health.dropped_connections == 1

    async def test_a_connection_that_stays_away_ends_the_watch(self, virtual_host: VirtualHost, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watchdog, "LOST_S", 0.2)
        monkeypatch.setattr(watchdog, "PERIOD_S", 0.05)
        async with Proxy(virtual_host.url) as proxy, opened(virtual_host, url=proxy.url) as bus:
            watching = asyncio.create_task(bus.watch())
            await eventually(lambda: bus.health.publishing_connected)
            proxy.refusing = True
            proxy.cut()

            with pytest.raises(TransportError, match="has been away for"):
                async with asyncio.timeout(LONG.total_seconds()):
                    await watching

    async def test_it_knows_how_much_is_on_its_way(self, bus: AmqpBus) -> None:
        async with bus.source(INTAKE) as source:
            await bus.publisher.publish([alert(str(number)) for number in range(5)])
            await eventually(lambda: source.buffered == 5)
            held = await source.receive(2, timedelta(0))

            health = bus.measure()
            assert (health.consumers, health.buffered, health.unsettled) == (1, 3, 2)
            assert 0 <= health.oldest_unsettled_s < LONG.total_seconds()

            await source.ack(held)
            assert bus.measure().unsettled == 0
        assert bus.measure().consumers == 0


class TestHandingOver:
    async def test_few_are_at_risk_until_something_is_settled_and_then_many_may_come(self, bus: AmqpBus) -> None:
        sent = [str(number) for number in range(2000)]
        await bus.publisher.publish([alert(body) for body in sent])

        async with bus.source(INTAKE) as source:
            received = await collect(source, FIRST_PREFETCH)
            assert list(await source.receive(1, timedelta(milliseconds=200))) == []
            await source.ack(received)
            while len(received) < len(sent):
                batch = await source.receive(200, PATIENT)
                await source.ack(batch)
                received += batch

            assert await source.receive(1, timedelta(milliseconds=200)) == []

        assert bodies(received) == sent
        assert (bus.health.consumptions, bus.health.gaps) == (1, 0)
        # The broker takes back what was on its way to the first consumer when another took its place.
        assert bus.health.redelivered <= FIRST_PREFETCH
        assert await waiting(bus, INTAKE) == 0

    async def test_what_is_handed_back_again_and_again_does_not_count_against_it(self, bus: AmqpBus) -> None:
        async with bus.source(INTAKE) as source:
            await bus.publisher.publish([alert(str(number)) for number in range(4)])
            for _ in range(30):  # more than the broker would let it be
                await source.requeue(await collect(source, 4))
            held = await collect(source, 4)
            await source.ack(held)

        assert bodies(held) == ["0", "1", "2", "3"]
        assert (bus.health.consumptions, bus.health.acknowledged) == (1, 4)
        assert await waiting(bus, DEAD) == 0

    async def test_what_is_held_too_long_goes_back_to_the_broker(self, bus: AmqpBus) -> None:
        async with bus.source(INTAKE, hold=timedelta(milliseconds=1)) as source:
            await bus.publisher.publish([alert("x")])
            held = await collect(source, 1)
            await asyncio.sleep(0.005)
            await source.requeue(held)

            [again] = await collect(source, 1)

        assert (again.redelivered, again.attempts) == (True, 2)
        assert (bus.health.held_too_long, bus.health.consumptions) == (1, 2)

    async def test_what_is_lost_with_its_consumer_too_often_is_a_dead_letter_with_its_route(self, bus: AmqpBus) -> None:
        await bus.publisher.publish([alert("poison", "south.8071")])
        channel = await bus._publishing.channel(confirms=False)
        for _ in range(40):
            got = await channel.basic_get(INTAKE)
            if got.delivery_tag is None:
                break
            await channel.basic_reject(got.delivery_tag, requeue=True)
        await channel.close()

        async with bus.source(DEAD) as dead:
            [letter] = await collect(dead, 1)

        assert (letter.body, letter.route) == (b"poison", "south.8071")

    async def test_a_source_of_a_queue_that_is_not_there_does_not_start(self, bus: AmqpBus) -> None:
        with pytest.raises(TransportError, match=r"no queue 'no\.such'"):
            async with bus.source("no.such"):
                pass


class TestPublishing:
    async def test_one_that_no_queue_takes_is_named_and_the_others_arrive(self, bus: AmqpBus) -> None:
        lost = alert("lost", "retry.join", exchange="joinbridge.commands")

        with pytest.raises(TransportError, match=r"1 of 3 .* joinbridge\.commands/retry\.join: no queue takes it"):
            await bus.publisher.publish([alert("a"), lost, alert("b")])

        async with bus.source(INTAKE) as source:
            assert bodies(await collect(source, 2)) == ["a", "b"]
        assert (bus.health.unroutable, bus.health.confirmed) == (1, 2)

    async def test_two_with_one_key_in_flight_at_once_both_arrive(self, bus: AmqpBus) -> None:
        await asyncio.gather(bus.publisher.publish([alert("x", key="same")]), bus.publisher.publish([alert("y", key="same")]))

        async with bus.source(INTAKE) as source:
            assert bodies(await collect(source, 2)) == ["x", "y"]

    async def test_of_two_with_one_key_only_the_one_that_no_queue_takes_is_reported(self, bus: AmqpBus) -> None:
        taken, lost = alert("x", "", exchange="joinbridge.dead", key="same"), alert("y", "", exchange="csp.alerts", key="same")

        outcomes = await asyncio.gather(*(bus.publisher.publish([one]) for one in (taken, lost, taken)), return_exceptions=True)

        assert [isinstance(outcome, TransportError) for outcome in outcomes] == [False, True, False]

    async def test_many_more_than_the_window_are_all_confirmed_in_order(self, bus: AmqpBus) -> None:
        sent = [str(number) for number in range(1200)]

        await bus.publisher.publish([alert(body) for body in sent])

        async with bus.source(INTAKE, prefetch=1200, first_prefetch=1200) as source:
            assert bodies(await collect(source, 1200)) == sent

    async def test_a_broker_short_of_memory_takes_nothing_more_and_still_lets_us_work_off_what_it_has(
        self, bus: AmqpBus, server: RabbitMqServer
    ) -> None:
        traffic = Traffic(bus)
        await traffic.publish("before", 30)
        await asyncio.to_thread(control, server, "set_vm_memory_high_watermark", "absolute", "1")
        try:
            with pytest.raises(TransportError, match="no answer in time"):
                await bus.publisher.publish([alert("during")])

            async with traffic.consuming():
                await eventually(lambda: traffic.settled >= traffic.confirmed, within=LONG)
        finally:
            await asyncio.to_thread(control, server, "set_vm_memory_high_watermark", "absolute", "1GB")

        async with traffic.consuming():
            await traffic.publish("after", 10)
        assert traffic.settled - {"during"} == traffic.confirmed

    async def test_a_full_queue_is_reported(self, virtual_host: VirtualHost) -> None:
        async with opened(virtual_host, max_length=1000) as bus:
            with pytest.raises(TransportError, match="refused"):
                await bus.publisher.publish([alert(str(number)) for number in range(1500)])

        assert bus.health.refused > 0


class TestStarting:
    async def test_a_broker_that_is_not_there_is_given_up_at_the_deadline_and_named(self, virtual_host: VirtualHost) -> None:
        settings = settings_for(virtual_host, connect_deadline=1)
        assert settings.amqp.connect_deadline == timedelta(seconds=1)
        async with Proxy(virtual_host.url) as proxy:
            proxy.refusing = True
            with pytest.raises(TransportError, match=r"connecting to 127\.0\.0\.1"):
                async with opened(virtual_host, url=proxy.url, connect_deadline=1):
                    pass

    async def test_a_broker_that_comes_while_we_start_is_waited_for(self, virtual_host: VirtualHost) -> None:
        async with Proxy(virtual_host.url) as proxy:
            proxy.refusing = True

            async def start() -> bool:
                async with opened(virtual_host, url=proxy.url) as bus:
                    return bus.measure().publishing_connected

            starting = asyncio.create_task(start())
            await asyncio.sleep(0.2)
            proxy.refusing = False

            assert await starting
