"""One consumer under measurement, in a process of its own: reads what lies in the queue, and says how long that took.

`raw` consumes and acknowledges and does nothing else: the ceiling. `joinbridge` is the deployed sidecar. `engineer` is what a Python
engineer would write: FastStream and SQLAlchemy, an inbox and a correlation table, one transaction a message.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from faststream.rabbit import RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage
from lxml import etree
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.config import Settings
from joinbridge.ports import Delivery, Source
from joinbridge.service.intake import Intake
from joinbridge.wiring.deployed import deployed

BATCH, PREFETCH = 200, 600
SENT = "sent-ns"
"""The header that says when a message was published, on the clock that all processes of a machine share."""


@dataclass
class Measured:
    """What a worker saw: seconds for all messages, seconds of processor, latencies in milliseconds where they were asked for."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)

    def tell(self) -> None:
        """Print it as one JSON object."""
        ordered = sorted(self.latencies_ms)
        told = {
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "p50_ms": ordered[len(ordered) // 2] if ordered else None,
            "p99_ms": ordered[int(len(ordered) * 0.99)] if ordered else None,
        }
        print(json.dumps(told))


class Stopwatch:
    """From the first message to the last."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._began: tuple[float, float] | None = None

    def start(self) -> None:
        """Start at the first call."""
        if self._began is None:
            self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """Write down what has passed."""
        assert self._began is not None
        wall, cpu = self._began
        self._measured.wall_s, self._measured.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


async def raw(url: str, queue: str, count: int) -> Measured:
    """Consume through aio-pika into a buffer and acknowledge every 200: the fastest that keeps the order of commit and ack."""
    measured = Measured()
    watch = Stopwatch(measured)
    connection = await aio_pika.connect_robust(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(PREFETCH)
        arrived: deque[AbstractIncomingMessage] = deque()
        wake = asyncio.Event()

        async def take(message: AbstractIncomingMessage) -> None:
            arrived.append(message)
            wake.set()

        await (await channel.declare_queue(queue, passive=True)).consume(take)
        done = 0
        while done < count:
            await wake.wait()
            wake.clear()
            watch.start()
            while arrived:
                batch = [arrived.popleft() for _ in range(min(BATCH, len(arrived)))]
                await batch[-1].ack(multiple=True)
                done += len(batch)
        watch.stop()
    return measured


class Watched:
    """A source that passes everything on, and notes when messages came and when they were settled."""

    def __init__(self, source: Source, watch: Stopwatch, measured: Measured, count: int) -> None:
        self._source = source
        self._count = count
        self.finished = asyncio.Event()
        self._watch = watch
        self._measured = measured
        self.settled = 0

    @property
    def is_live(self) -> bool:
        """Pass on."""
        return self._source.is_live

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        """Pass on."""
        deliveries = await self._source.receive(limit, wait)
        if deliveries:
            self._watch.start()
        return deliveries

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Pass on: everything is committed by now."""
        now = time.monotonic_ns()
        self._measured.latencies_ms += [(now - int(d.headers[SENT])) / 1e6 for d in deliveries if SENT in d.headers]
        await self._source.ack(deliveries)
        self.settled += len(deliveries)
        if self.settled >= self._count:
            self._watch.stop()
            self.finished.set()

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Pass on."""
        await self._source.requeue(deliveries)

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        """Pass on."""
        await self._source.reject(delivery, reason, offset)


async def joinbridge(settings: Settings, count: int) -> Measured:
    """Run the deployed sidecar until it has settled `count` messages."""
    measured = Measured()
    watch = Stopwatch(measured)
    async with deployed(settings) as deployment:
        intake: Intake = deployment.sidecar.intakes[0]
        watched = Watched(intake._source, watch, measured, count)
        intake._source = watched
        print("ready", flush=True)
        stop = asyncio.Event()
        errors: list[str] = []
        running = asyncio.create_task(deployment.run(stop, on_error=lambda task, error: errors.append(f"{task}: {error}")))
        finishing = asyncio.create_task(watched.finished.wait())
        await asyncio.wait((finishing, running), return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await running
        if errors:
            raise SystemExit("\n".join(errors))
    return measured


async def engineer(url: str, database: str, queue: str, count: int) -> Measured:
    """Handle each message in a transaction of its own."""
    measured = Measured()
    watch = Stopwatch(measured)
    engine = create_async_engine(database, pool_size=10)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE IF NOT EXISTS seen (id text PRIMARY KEY)"))
        await connection.execute(
            text("CREATE TABLE IF NOT EXISTS correlation (request_id text PRIMARY KEY, state text, asked text, answered text)")
        )
    broker = RabbitBroker(url, default_channel=None)
    finished = asyncio.Event()
    done = 0

    async def handle(message: RabbitMessage) -> None:
        nonlocal done
        watch.start()
        root = etree.fromstring(message.body)
        names = {etree.QName(e).localname: e.text for e in root.iter()}
        request_id = names.get("RequestID") or ""
        answered = "ResponseCode" in names
        async with engine.begin() as connection:
            fresh = await connection.execute(
                text("INSERT INTO seen VALUES (:id) ON CONFLICT DO NOTHING RETURNING id"), {"id": f"{request_id}/{answered}"}
            )
            if fresh.first() is not None:
                column = "answered" if answered else "asked"
                await connection.execute(
                    text(
                        f"INSERT INTO correlation (request_id, state, {column}) VALUES (:id, :state, 'now') "  # noqa: S608
                        f"ON CONFLICT (request_id) DO UPDATE SET state = excluded.state, {column} = excluded.{column}"
                    ),
                    {"id": request_id, "state": "answered" if answered else "asked"},
                )
        done += 1
        if done >= count:
            finished.set()

    broker.subscriber(RabbitQueue(queue, declare=False))(handle)
    await broker.start()
    await finished.wait()
    watch.stop()
    await broker.stop()
    await engine.dispose()
    return measured


def main() -> None:
    """Run the variant that the first argument names, with the settings on standard input."""
    variant, given = sys.argv[1], json.loads(sys.stdin.read())
    settings = Settings.model_validate(given["settings"])
    url, database = settings.amqp.url.get_secret_value(), settings.database.url.get_secret_value()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        match variant:
            case "raw":
                measured = runner.run(raw(url, settings.amqp.queue, given["count"]))
            case "joinbridge":
                measured = runner.run(joinbridge(settings, given["count"]))
            case "engineer":
                measured = runner.run(engineer(url, database, settings.amqp.queue, given["count"]))
            case _:
                raise SystemExit(f"no such variant: {variant}")
    measured.tell()


if __name__ == "__main__":
    main()
