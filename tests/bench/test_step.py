"""How fast whole steps are: bus, decoding, decision, SQLite in memory, outbox. Messages a second are in `extra_info`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from joinbridge.config import Settings
from joinbridge.inventory.memory import MemoryInventory
from joinbridge.ports import Publication
from joinbridge.service.clock import ManualClock
from joinbridge.wiring.embedded import Embedded, embedded
from support import traffic

pytestmark = pytest.mark.bench

ROUNDS = 30


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with asyncio.Runner() as runner:
        yield runner.get_loop()


def _measure(
    benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop, batch: int, make: Callable[[int, int], list[Publication]]
) -> None:
    stack = AsyncExitStack()
    settings = Settings()

    async def start() -> Embedded:
        clock = ManualClock(traffic.START)
        bridge = embedded(settings, clock=clock, inventory=MemoryInventory(), database_url="sqlite://", live=False)
        return await stack.enter_async_context(bridge)

    bridge = loop.run_until_complete(start())
    numbers = count(1, batch)

    def publish() -> tuple[tuple[()], dict[str, object]]:
        publications = make(next(numbers), batch)[:batch]
        loop.run_until_complete(bridge.bus.publish(publications))
        return (), {}

    def settle() -> None:
        loop.run_until_complete(bridge.sidecar.settle())

    # The library leaves this method untyped.
    benchmark.pedantic(settle, setup=publish, rounds=ROUNDS, warmup_rounds=2)  # type: ignore[no-untyped-call]

    if benchmark.stats is not None:
        benchmark.extra_info["messages_per_s"] = round(batch / benchmark.stats.stats.median)
    loop.run_until_complete(stack.aclose())


@pytest.mark.benchmark(group="whole step, joins")
@pytest.mark.parametrize("batch", [1, 200])
def test_step_with_joins(benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop, batch: int) -> None:
    _measure(benchmark, loop, batch, traffic.joins)


@pytest.mark.benchmark(group="whole step, traffic that concerns nothing open")
@pytest.mark.parametrize("batch", [1, 200])
def test_step_with_other_traffic(benchmark: BenchmarkFixture, loop: asyncio.AbstractEventLoop, batch: int) -> None:
    _measure(benchmark, loop, batch, traffic.alerts)
