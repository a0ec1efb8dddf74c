"""What joinbridge makes on a broker, what it only checks, and what it says when that is not as it should be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from joinbridge.bus.amqp.link import Link, open_link
from joinbridge.errors import ConfigError
from support import services
from support.bus import alert, bodies, collect
from support.bus_amqp import opened, settings_for
from support.services import VirtualHost

INTAKE = "joinbridge.in"


@pytest.fixture
async def link(virtual_host: VirtualHost) -> AsyncIterator[Link]:
    async with open_link(settings_for(virtual_host).amqp, "testing") as link:
        yield link


@pytest.fixture(scope="module")
def hashing() -> Iterator[services.RabbitMq]:
    """A RabbitMQ with the plugin for consistent hashing."""
    plugins = ("rabbitmq_management", "rabbitmq_consistent_hash_exchange")
    with services.rabbitmq("# of its own, for its plugin\n", plugins=plugins) as server:
        yield server


async def refused(virtual_host: VirtualHost, **amqp: object) -> str:
    with pytest.raises(ConfigError) as error:
        async with opened(virtual_host, **amqp):
            pass
    return str(error.value)


async def arguments(virtual_host: VirtualHost, queue: str) -> dict[str, object]:
    found = await asyncio.to_thread(virtual_host.call, "GET", "queues", f"/{queue}")
    assert isinstance(found, dict)
    assert found["durable"] is True
    return dict(found["arguments"])


class TestAsserting:
    async def test_it_makes_queues_that_neither_lose_nor_forget(self, virtual_host: VirtualHost) -> None:
        async with opened(virtual_host, delivery_limit=30, max_length=5000):
            pass

        assert await arguments(virtual_host, INTAKE) == {
            "x-queue-type": "quorum",
            "x-delivery-limit": 30,
            "x-dead-letter-exchange": "joinbridge.dead",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": 5000,
        }
        dead = await arguments(virtual_host, "joinbridge.dead")
        assert (dead["x-queue-type"], dead["x-overflow"]) == ("quorum", "reject-publish")

    async def test_a_second_start_changes_nothing_and_keeps_what_waits(self, virtual_host: VirtualHost) -> None:
        async with opened(virtual_host) as bus:
            await bus.publisher.publish([alert("kept")])

        async with opened(virtual_host) as bus, bus.source(INTAKE) as source:
            assert bodies(await collect(source, 1)) == ["kept"]

    async def test_the_estates_exchanges_are_not_its_to_make_unless_it_is_told_to(self, virtual_host: VirtualHost) -> None:
        complaint = await refused(virtual_host, declare_estate=False)

        assert "exchange dsp.sr: no exchange 'dsp.sr'" in complaint
        assert "exchange csp.alerts: no exchange 'csp.alerts'" in complaint
        assert "amqp.declare_estate" in complaint

    async def test_how_the_estate_made_its_exchanges_is_its_own_affair(self, virtual_host: VirtualHost, link: Link) -> None:
        channel = await link.channel(confirms=False)
        for name in ("dsp.sr", "csp.alerts"):
            await channel.exchange_declare(name, exchange_type="topic", durable=True, arguments={"alternate-exchange": "lost"})
        await channel.close()

        async with opened(virtual_host, declare_estate=False) as bus, bus.source(INTAKE) as source:
            await bus.publisher.publish([alert("x"), alert("y", "request.8.7.1", exchange="dsp.sr")])
            assert sorted(bodies(await collect(source, 2))) == ["x", "y"]

    async def test_an_exchange_of_the_wrong_type_is_named(self, virtual_host: VirtualHost, link: Link) -> None:
        channel = await link.channel(confirms=False)
        await channel.exchange_declare("csp.alerts", exchange_type="fanout", durable=True)
        await channel.close()

        complaint = await refused(virtual_host, declare_estate=False)

        assert "exchange csp.alerts: inequivalent arg 'type'" in complaint

    async def test_a_queue_that_was_made_otherwise_is_named_with_the_difference(self, virtual_host: VirtualHost) -> None:
        async with opened(virtual_host, max_length=5000):
            pass

        complaint = await refused(virtual_host, max_length=6000)

        assert f"queue {INTAKE}: inequivalent arg 'x-max-length'" in complaint
        assert "drain and delete it" in complaint


class TestChecking:
    async def test_all_that_is_missing_is_said_at_once_and_nothing_is_made(self, virtual_host: VirtualHost) -> None:
        complaint = await refused(virtual_host, topology="passive")

        for missing in ("exchange dsp.sr", "exchange joinbridge.commands", "queue joinbridge.in", "queue joinbridge.dead"):
            assert f"{missing}: no " in complaint
        queues = await asyncio.to_thread(virtual_host.call, "GET", "queues")
        assert queues == []

    async def test_what_is_there_is_enough(self, virtual_host: VirtualHost) -> None:
        async with opened(virtual_host):
            pass

        async with opened(virtual_host, topology="passive") as bus, bus.source(INTAKE) as source:
            await bus.publisher.publish([alert("x")])
            assert bodies(await collect(source, 1)) == ["x"]

    async def test_limits_may_come_from_a_policy(self, virtual_host: VirtualHost, link: Link) -> None:
        async with opened(virtual_host):
            pass
        channel = await link.channel(confirms=False)
        await channel.queue_delete(INTAKE)
        await channel.queue_declare(INTAKE, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.close()

        async with opened(virtual_host, topology="passive"):
            pass

    async def test_a_classic_queue_is_refused(self, virtual_host: VirtualHost, link: Link) -> None:
        async with opened(virtual_host):
            pass
        channel = await link.channel(confirms=False)
        await channel.queue_delete(INTAKE)
        await channel.queue_declare(INTAKE, durable=True)
        await channel.close()

        complaint = await refused(virtual_host, topology="passive")

        assert f"queue {INTAKE}: inequivalent arg 'x-queue-type'" in complaint


class TestPartitions:
    async def test_without_the_plugin_the_fix_is_named(self, virtual_host: VirtualHost) -> None:
        complaint = await refused(virtual_host, partitions=4)

        assert "exchange joinbridge.in: unknown exchange type 'x-consistent-hash'" in complaint
        assert "rabbitmq_consistent_hash_exchange" in complaint
        assert "amqp.partitions" in complaint

    async def test_each_device_has_one_queue_and_each_queue_one_consumer_at_a_time(self, hashing: services.RabbitMq) -> None:
        devices = [f"00-DB-12-34-56-78-9A-{number:02X}" for number in range(32)]
        with hashing.virtual_host() as host:
            async with opened(host, partitions=4) as bus:
                sent = [alert(f"{device} {number}", headers={"device": device}) for number in range(5) for device in devices]
                await bus.publisher.publish(sent)

                seen: dict[str, list[str]] = {}
                for queue in bus.queues:
                    async with bus.source(queue, prefetch=200, first_prefetch=200) as source, bus.source(queue) as second:
                        seen[queue] = bodies(await source.receive(200, timedelta(seconds=2)))
                        while more := await source.receive(200, timedelta(milliseconds=300)):
                            seen[queue] += bodies(more)
                        assert list(await second.receive(10, timedelta(0))) == []

        assert bus.queues == tuple(f"joinbridge.in.{number}" for number in range(4))
        where = {(body.split()[0], queue) for queue, received in seen.items() for body in received}
        assert Counter(device for device, _ in where) == dict.fromkeys(devices, 1)
        assert sum(map(len, seen.values())) == len(sent)
        for received in seen.values():
            for device in devices:
                of_device = [body for body in received if body.startswith(device)]
                assert of_device == sorted(of_device)
