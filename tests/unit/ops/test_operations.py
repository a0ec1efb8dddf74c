"""Operations: there before everything else, and bound to nothing that is optional."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest

from joinbridge.config import Settings
from joinbridge.errors import ConfigError
from joinbridge.ops.metrics.transport import COUNTERS, GAUGES, HISTOGRAMS
from joinbridge.store.opening import open_database
from joinbridge.wiring.operations import Operations
from support.eventually import eventually
from support.sidecar import a_site


def operations(**sections: Mapping[str, object]) -> Operations:
    return Operations(Settings.model_validate({"http": {"port": 0}, **sections}))


async def test_the_port_answers_while_everything_else_is_still_being_reached() -> None:
    async with operations().opened() as served, httpx.AsyncClient() as client:
        assert served is not None
        lives, ready = await client.get(f"{served.address}/livez"), await client.get(f"{served.address}/readyz")
        records = await client.get(f"{served.address}/api/v1/attempts")

    assert (lives.status_code, ready.status_code, records.status_code) == (200, 503, 503)
    assert ready.json()["checks"] == [{"name": "instance", "ok": False, "reason": "starting"}]


async def test_without_a_port_nothing_listens() -> None:
    async with operations(http={"enabled": False}).opened() as served:
        assert served is None


async def test_metrics_of_brokers_that_are_not_there_yet_have_names_and_no_series() -> None:
    text = operations().metrics.text().decode()

    for name in (*GAUGES, *(f"{counter}_total" for counter in COUNTERS), *HISTOGRAMS):
        assert f"# HELP joinbridge_{name} " in text
        assert f"\njoinbridge_{name}{{" not in text
        assert f"\njoinbridge_{name}_count" not in text


async def test_while_it_runs_the_store_is_counted_and_one_that_was_told_to_end_is_not_ready() -> None:
    made, stop = operations(metrics={"census": timedelta(seconds=0.1)}), asyncio.Event()
    async with a_site() as site:
        with made.watching_database(site.database):
            running = asyncio.create_task(made.run(stop))
            try:
                await eventually(lambda: made.metrics.instruments.registry.get_sample_value("joinbridge_census_timestamp_seconds"))
                stop.set()
                checks = {check.name: check.reason for check in await made.readiness.look()}
            finally:
                running.cancel()
                await asyncio.wait((running,))

    assert checks["instance"] == "ending"
    assert (checks["database"], checks["schema"]) == ("", "")
    assert [check.reason for check in await made.readiness.look()] == ["ending"]


async def test_a_store_that_cannot_be_counted_is_tried_again_and_ends_nothing() -> None:
    made = operations(metrics={"census": timedelta(seconds=0.1)})

    async with open_database("sqlite://") as without_tables:
        with made.watching_database(without_tables):
            running = asyncio.create_task(made.run(asyncio.Event()))
            failures = "joinbridge_turn_failures_total", {"task": "census"}
            await eventually(lambda: (made.metrics.instruments.registry.get_sample_value(*failures) or 0) >= 2)
            still_runs = not running.done()
            running.cancel()
            await asyncio.wait((running,))

    assert still_runs


async def test_without_the_extra_tracing_can_only_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "joinbridge.ops.tracing", raising=False)

    with pytest.raises(ConfigError, match=r"install joinbridge\[tracing\]"):
        async with operations(tracing={"exporter": "console"}).opened():
            pytest.fail("there is nothing to trace with")


async def test_with_it_what_is_published_carries_a_trace() -> None:
    made = operations(tracing={"exporter": "console"})
    before = made.headers

    async with made.opened():
        during = made.headers

    assert during is not before
