"""What the MQTT source does when things break: real brokers that are killed, frozen and restarted, real connections that are cut."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from joinbridge.bus.mqtt import source as source_module
from joinbridge.bus.mqtt.connection import connect
from joinbridge.bus.mqtt.source import MqttSource
from joinbridge.errors import TransportError
from joinbridge.ports import Delivery
from joinbridge.service.clock import SystemClock
from support import services
from support.bus import BRIEF, PATIENT, alert, bodies, collect
from support.bus_mqtt import LONG, Estate, cut, frozen
from support.eventually import eventually
from support.services import Mosquitto

TESTS = Path(__file__).parents[1]


@pytest.fixture
def estate(mosquitto: Mosquitto) -> Estate:
    """An estate on the broker that all tests share."""
    return Estate(mosquitto)


@pytest.fixture
def mortal() -> Iterator[Mosquitto]:
    """A broker to kill. It writes nothing down but when it ends in order."""
    with services.mosquitto("autosave_interval 86400\n") as broker:
        if broker.server is None:
            pytest.skip("the broker is somebody else's")
        yield broker


async def failure(source: MqttSource) -> str:
    """Return what `receive` complains about next."""
    async with asyncio.timeout(LONG.total_seconds()):
        while True:
            try:
                assert not await source.receive(10, PATIENT)
            except TransportError as error:
                return str(error)


async def silent(source: MqttSource) -> bool:
    """Return whether nothing comes for a while."""
    return not await source.receive(100, BRIEF)


class TestAProcessThatIsKilled:
    @asynccontextmanager
    async def consumer(self, estate: Estate, file: Path, *how: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a consumer of the estate's alerts in a process of its own, and kill it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "support.mqtt_consumer", estate.broker.url, estate.name, estate.topic, str(file), *how),
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert await self.says(process) == "ready"
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            await process.communicate()

    async def says(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        async with asyncio.timeout(LONG.total_seconds()):
            return (await process.stdout.readline()).decode().strip()

    async def test_between_receipt_and_commit_gets_the_messages_again(self, estate: Estate, tmp_path: Path) -> None:
        sent = [str(number) for number in range(5)]
        file = tmp_path / "committed"
        async with self.consumer(estate, file, "hang") as killed:
            await estate.publish([alert(body) for body in sent])
            assert (await self.says(killed)).startswith("received")

        async with self.consumer(estate, file):
            await eventually(lambda: len(file.read_bytes().splitlines()) >= len(sent), within=LONG)

        lines = [line.split() for line in file.read_text().splitlines()]
        assert [body for body, _ in lines] == sent
        assert lines[0][1] == "True"

    async def test_after_the_acknowledgement_gets_nothing_again(self, estate: Estate, tmp_path: Path) -> None:
        file = tmp_path / "committed"
        async with self.consumer(estate, file):
            await estate.publish([alert("once")])
            await eventually(lambda: file.exists() and file.read_bytes(), within=LONG)
            # Acknowledgements keep their order: when the second message was committed, the first one's has long gone out.
            await estate.publish([alert("second")])
            await eventually(lambda: len(file.read_bytes().splitlines()) == 2, within=LONG)

        async with estate.consuming() as source:
            assert "once" not in bodies(await source.receive(10, BRIEF))


class TestABrokerThatGoesAway:
    async def test_and_comes_back_sends_what_is_unsettled_again(self, mortal: Mosquitto) -> None:
        estate = Estate(mortal)
        assert mortal.server is not None
        async with estate.consuming() as source:
            await estate.publish([alert(str(number)) for number in range(3)])
            held = await collect(source, 3)
            await source.ack(held[:1])
            await answered(source)

            await asyncio.to_thread(mortal.server.stop)
            await eventually(lambda: source.health.losses)
            await asyncio.to_thread(mortal.server.start)
            await reconnected(source)

            assert bodies(await collect(source, 2)) == ["1", "2"]
            assert (source.health.connections, source.health.sessions_lost) == (2, 0)
            assert source.health.redelivered == 2

    async def test_and_forgets_the_session_is_counted_and_read_on(self, mortal: Mosquitto) -> None:
        estate = Estate(mortal)
        assert mortal.server is not None
        async with estate.consuming() as source:
            await asyncio.to_thread(mortal.server.kill)
            await eventually(lambda: source.health.losses)
            await asyncio.to_thread(mortal.server.start)
            await reconnected(source)
            await estate.publish([alert("after")])

            assert bodies(await collect(source, 1)) == ["after"]
            assert source.health.sessions_lost == 1

    async def test_is_complained_about_at_each_try_until_it_is_back(self, mortal: Mosquitto) -> None:
        estate = Estate(mortal)
        assert mortal.server is not None
        async with estate.consuming() as source:
            await asyncio.to_thread(mortal.server.kill)

            assert "no connection to the MQTT broker" in await failure(source)
            assert "no connection to the MQTT broker" in await failure(source)
            assert not source.health.connected
            await asyncio.to_thread(mortal.server.start)
            await reconnected(source)

            assert await silent(source)
            assert source.health.connected

    async def test_and_is_not_there_at_the_start_is_waited_for(self, mortal: Mosquitto) -> None:
        estate = Estate(mortal)
        assert mortal.server is not None
        await asyncio.to_thread(mortal.server.kill)
        async with estate.source() as source:
            with pytest.raises(TransportError, match="no connection"):
                await source.connected()

            await asyncio.to_thread(mortal.server.start)
            await reconnected(source)
            await estate.publish([alert("x")])

            assert bodies(await collect(source, 1)) == ["x"]
            assert source.health.sessions_lost == 0  # there was none to lose

    async def test_is_not_taken_for_one_that_has_nothing_to_say(self, mortal: Mosquitto) -> None:
        estate = Estate(mortal, connect_timeout=1)
        with frozen(mortal):
            async with estate.source() as source:
                with pytest.raises(TransportError, match="not connected to the MQTT broker"):
                    await source.receive(10, BRIEF)

        async with estate.consuming() as source:
            assert await silent(source)

    async def test_an_acknowledgement_from_before_never_settles_another_message(self, mortal: Mosquitto) -> None:
        # A broker that forgot counts its packets from 1 again: the new message has the identifier of the old one.
        estate = Estate(mortal)
        assert mortal.server is not None
        async with estate.consuming() as source:
            await estate.publish([alert("old")])
            old = await collect(source, 1)
            identifier = held_identifier(source)
            await asyncio.to_thread(mortal.server.kill)
            await eventually(lambda: source.health.losses)
            await asyncio.to_thread(mortal.server.start)
            await reconnected(source)
            await estate.publish([alert("new")])
            await collect(source, 1)
            assert held_identifier(source) == identifier

            await source.ack(old)
            await cut(source)

            assert bodies(await collect(source, 1)) == ["new"]
            assert source.health.late_settlements == 1


class TestABrokerThatHangs:
    async def test_is_noticed_by_its_silence_and_read_on_afterwards(self, mortal: Mosquitto) -> None:
        estate = Estate(mortal, keepalive=1, connect_timeout=1)
        async with estate.consuming() as source:
            await estate.publish([alert("x")])
            await collect(source, 1)

            with frozen(mortal):
                complaint = await failure(source)
            await reconnected(source)
            [again] = await collect(source, 1)

        assert "no connection to the MQTT broker" in complaint
        assert (again.body, again.redelivered) == (b"x", True)

    async def test_does_not_keep_a_source_from_closing(self, mortal: Mosquitto) -> None:
        estate = Estate(mortal, connect_timeout=1)
        async with asyncio.timeout(LONG.total_seconds()):
            async with estate.consuming():
                mortal_server(mortal).freeze()
        mortal_server(mortal).thaw()

    async def test_does_not_keep_a_source_from_closing_while_it_connects(self, mortal: Mosquitto) -> None:
        estate = Estate(mortal, connect_timeout=1)
        with frozen(mortal):
            async with asyncio.timeout(LONG.total_seconds()):
                async with estate.source():
                    await asyncio.sleep(0)  # the first attempt is under way


class TestAConnectionThatIsCut:
    async def test_is_resumed_where_it_was(self, estate: Estate) -> None:
        sent = [str(number) for number in range(500)]
        seen: list[Delivery] = []
        cuts: list[int] = []  # what was left open in each
        async with estate.consuming(window=50) as source, asyncio.timeout(LONG.total_seconds()):
            await estate.publish([alert(body) for body in sent])
            while len({delivery.body for delivery in seen}) < len(sent):
                batch = await source.receive(30, PATIENT)
                seen += batch
                await source.ack(batch[:20])
                if len(cuts) < 5 and len(seen) > 60 * len(cuts):
                    cuts.append(len(batch[20:]))
                    await cut(source)
                await source.ack(batch[20:])

        fresh = list(dict.fromkeys(bodies(seen)))
        assert fresh == sent
        assert source.health.losses == len(cuts)
        assert source.health.late_settlements == sum(cuts)

    async def test_takes_no_message_of_quality_0_with_it(self, estate: Estate) -> None:
        async with estate.consuming() as source:
            async with aiomqtt.Client(estate.broker.host, estate.broker.port) as client:
                for body in ("a", "b"):
                    await client.publish(estate.topic.format(region="north", code="8F12"), body, qos=0)
            connection = source._connection
            assert connection is not None
            await eventually(lambda: len(connection.inbox) == 2)

            await cut(source)
            received = await collect(source, 2)
            await source.ack(received)

        assert bodies(received) == ["a", "b"]
        assert source.health.unprotected == 2

    async def test_brings_no_retained_message_back_as_if_it_were_new(self, estate: Estate) -> None:
        topic = estate.topic.format(region="north", code="8F12")
        async with aiomqtt.Client(estate.broker.host, estate.broker.port) as client:
            try:
                async with estate.consuming() as source:
                    await client.publish(topic, "x", qos=1, retain=True)
                    await source.ack(await collect(source, 1))

                    await cut(source)
                    await reconnected(source)

                    assert await silent(source)
            finally:
                await client.publish(topic, b"", qos=1, retain=True)


class TestHandingBack:
    async def test_ends_the_connection_so_that_all_that_is_unsettled_comes_again(self, estate: Estate) -> None:
        async with estate.consuming() as source:
            await estate.publish([alert(str(number)) for number in range(4)])
            held = await collect(source, 4)
            await source.ack(held[:1])

            await source.requeue(held[1:3])
            again = await collect(source, 3)

        assert bodies(again) == ["1", "2", "3"]
        assert all(delivery.redelivered for delivery in again)
        assert source.health.losses == 0  # it was us

    async def test_keeps_what_came_with_quality_0_in_our_own_hands(self, estate: Estate) -> None:
        async with estate.consuming() as source:
            async with aiomqtt.Client(estate.broker.host, estate.broker.port) as client:
                await client.publish(estate.topic.format(region="north", code="8F12"), "x", qos=0)
            held = await collect(source, 1)

            await source.requeue(held)

            assert bodies(await collect(source, 1)) == ["x"]

    async def test_after_the_loss_does_not_end_the_next_connection(self, estate: Estate) -> None:
        async with estate.consuming() as source:
            await estate.publish([alert("x")])
            held = await collect(source, 1)
            await cut(source)
            await collect(source, 1)

            await source.requeue(held)

            assert source.health.connected
            assert await silent(source)


class TestABacklog:
    async def test_of_thousands_is_drained_by_one_connection(self, estate: Estate) -> None:
        sent = [str(number) for number in range(5000)]
        async with estate.consuming():
            pass
        await estate.publish([alert(body) for body in sent], timeout_s=LONG.total_seconds())

        seen: list[str] = []
        async with estate.consuming(window=600) as source, asyncio.timeout(LONG.total_seconds()):
            while len(seen) < len(sent):
                batch = await collect(source, 1)
                batch += await source.receive(199, BRIEF)
                seen += bodies(batch)
                await source.ack(batch)
            rest = await silent(source)

        assert seen == sent
        assert rest
        assert source.health.connections == 1

    async def test_that_exceeds_all_bounds_is_taken_in_parts(self, estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
        # As if the broker sent twice what it was asked for.
        monkeypatch.setattr(source_module, "_LIMIT_IN_WINDOWS", 0.5)
        sent = [str(number) for number in range(100)]
        async with estate.consuming():
            pass
        await estate.publish([alert(body) for body in sent])

        seen: list[str] = []
        async with estate.consuming(window=40) as source, asyncio.timeout(LONG.total_seconds()):
            while len(set(seen)) < len(sent):
                batch = await collect(source, 1)
                seen += bodies(batch)
                await source.ack(batch)

        assert list(dict.fromkeys(seen)) == sent
        assert source.health.overflows >= 1

    async def test_never_fills_more_than_its_bounds(self, estate: Estate) -> None:
        async with estate.consuming():
            pass
        await estate.publish([alert(str(number)) for number in range(50)])
        news = asyncio.Event()

        async with connect(estate.settings(), SystemClock(), window=100, limit=10, on_arrival=news.set) as connection:
            await connection.subscribe([pattern.filter for pattern in estate.patterns])
            await eventually(lambda: connection.overflowed)

            assert len(connection.inbox) == 10


class TestTwoClients:
    async def test_of_one_group_divide_the_alerts_among_them(self, estate: Estate) -> None:
        sent = [str(number) for number in range(20)]
        one, other = (estate.consuming(client_id=f"{estate.name}-{n}", share=estate.name) for n in (1, 2))
        async with one as first, other as second:
            await estate.publish([alert(body) for body in sent])
            parts = [[*await collect(each, 1), *await each.receive(100, BRIEF)] for each in (first, second)]

        assert all(parts)
        assert sorted(bodies([*parts[0], *parts[1]])) == sorted(sent)

    async def test_with_one_identifier_do_not_fight_for_ever(self, estate: Estate) -> None:
        # Mosquitto 2.0.11 ends the older connection without saying why.
        async with estate.consuming() as first, estate.consuming() as second:
            complaint = asyncio.create_task(failure(first))
            other = asyncio.create_task(failure(second))
            await asyncio.wait({complaint, other}, return_when=asyncio.FIRST_COMPLETED, timeout=LONG.total_seconds())
            pausing, going_on = (first, second) if complaint.done() else (second, first)
            said = await (complaint if complaint.done() else other)
            for waiting in (complaint, other):
                waiting.cancel()
            await reconnected(going_on)
            await estate.publish([alert("x")])

            assert bodies(await collect(going_on, 1)) == ["x"]
            assert not pausing.health.connected

        assert f"most likely another client connects as '{estate.name}'" in said
        assert (pausing.health.truces, going_on.health.truces) == (1, 0)

    async def test_of_which_the_broker_names_the_newer_leave_the_session_to_it_for_good(self, estate: Estate) -> None:
        async with taking_over() as port, estate.source(url=f"mqtt://127.0.0.1:{port}") as source:
            complaints = [await failure(source) for _ in range(2)]

        assert complaints[0] == complaints[1]
        assert f"another client connected to the MQTT broker as '{estate.name}'; this one has stopped" in complaints[0]
        assert source.health.taken_over
        assert source.health.losses == 1


@pytest.mark.parametrize(
    ("granted", "complaint"),
    [(0x87, "refused the subscription to {} with code 0x87"), (0, "granted {} only with QoS 0, which loses messages")],
)
async def test_a_subscription_that_is_not_granted_as_asked_is_named(estate: Estate, granted: int, complaint: str) -> None:
    async with taking_over(granted) as port, estate.source(url=f"mqtt://127.0.0.1:{port}") as source:
        with pytest.raises(TransportError) as error:
            await source.connected()

    assert complaint.format(estate.patterns[-1].filter) in str(error.value)


@asynccontextmanager
async def taking_over(granted: int = 1) -> AsyncIterator[int]:
    """Answer CONNECT and SUBSCRIBE as MQTT 5 wants it, and where that was `granted` say that another client took over; return the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(bytes.fromhex("20 03 01 00 00"))  # CONNACK: the session is present
        subscribe = await packet(reader)
        writer.write(b"\x90\x06" + subscribe[:2] + bytes([0, 1, 1, granted]))  # SUBACK: an answer for each of three filters
        if granted == 1:
            writer.write(bytes.fromhex("e0 02 8e 00"))  # DISCONNECT: session taken over
        await reader.read()  # until it leaves
        writer.close()
        served.set()

    served = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        async with asyncio.timeout(PATIENT.total_seconds()):
            await served.wait()


async def packet(reader: asyncio.StreamReader) -> bytes:
    """Return the next packet without its header."""
    await reader.readexactly(1)
    size, shift, more = 0, 0, True
    while more:
        [octet] = await reader.readexactly(1)
        size, shift, more = size + ((octet & 0x7F) << shift), shift + 7, octet >= 0x80
    return await reader.readexactly(size)


async def answered(source: MqttSource) -> None:
    """Return when the broker has read all that `source` sent: it answers in order."""
    connection = source._connection
    assert connection is not None
    await connection.subscribe([pattern.filter for pattern in source._patterns])


async def reconnected(source: MqttSource) -> None:
    """Return when `source` is subscribed again, whatever it had to complain about until then."""
    await eventually(lambda: source.health.connected, within=LONG)


def held_identifier(source: MqttSource) -> int:
    """Return the packet identifier of the one delivery that is held."""
    [held] = source._held.values()
    return held.arrival.mid


def mortal_server(broker: Mosquitto) -> services.Server:
    assert broker.server is not None
    return broker.server
