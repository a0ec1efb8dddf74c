"""The port: liveness, readiness, metrics and the API."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from joinbridge.config import Settings
from joinbridge.core.policy import Policy
from joinbridge.core.rules import RULES
from joinbridge.errors import ConfigError, StoreError
from joinbridge.ops.health import Readiness, SweepWatch
from joinbridge.ops.http.app import application
from joinbridge.ops.http.serving import serving
from joinbridge.ops.metrics import Metrics
from joinbridge.service.clock import ManualClock
from joinbridge.store.records import Records
from support.home import CAD, ESME, GPF, PPMID, START, request_id
from support.messages import command_failure, gpf_report, inventory_answer, join_answer, join_request
from support.sidecar import Site, a_site


@asynccontextmanager
async def desk(records: Records | None, readiness: Readiness | None = None) -> AsyncIterator[httpx.AsyncClient]:
    app = an_application(readiness, records)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
        yield client


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A site at which joins were lost and answered, and a message could not be read."""
    async with a_site() as made:
        await made.send(inventory_answer(GPF, CAD), join_request(GPF, CAD), command_failure(request_id(1, target=GPF)))
        await made.send(gpf_report([CAD], START), b"<not even XML", join_request(ESME, PPMID, 2), join_answer(ESME, 2))
        await made.send(*(join_request(PPMID, ESME, counter) for counter in range(10, 15)))
        async with made.sidecar() as running:
            await running.sidecar.settle()
        yield made


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with desk(site.records) as made:
        yield made


async def well() -> str | None:
    return None


class TestHealth:
    async def test_it_lives_whatever_is_away(self) -> None:
        async with desk(None) as client:
            assert (await client.get("/livez")).status_code == 200

    async def test_it_is_not_ready_while_it_starts(self) -> None:
        async with desk(None) as client:
            answer = await client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "checks": [{"name": "instance", "ok": False, "reason": "starting"}]}

    async def test_it_is_ready_when_all_is_well_and_tells_each_check_when_asked(self) -> None:
        readiness = Readiness()
        readiness.add("amqp", well)

        async with desk(None, readiness) as client:
            short, long = await client.get("/readyz"), await client.get("/readyz?verbose")

        assert (short.status_code, short.json()) == (200, {"ready": True, "checks": []})
        assert long.json()["checks"] == [{"name": "amqp", "ok": True, "reason": ""}]

    async def test_the_reason_is_that_of_the_check_that_failed(self) -> None:
        async def away() -> str | None:
            raise StoreError("the database is away")

        readiness = Readiness()
        readiness.add("amqp", well)
        readiness.add("database", away)

        async with desk(None, readiness) as client:
            answer = await client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["checks"] == [{"name": "database", "ok": False, "reason": "the database is away"}]

    async def test_a_check_that_hangs_fails_in_time(self) -> None:
        async def hang() -> str | None:
            await asyncio.Event().wait()
            return None

        readiness = Readiness()
        readiness.add("database", hang)

        async with asyncio.timeout(60):
            (check,) = await readiness.look()

        assert check.reason == "no answer within 2 s"

    async def test_who_asks_often_does_not_load_the_database(self) -> None:
        asked = 0

        async def count() -> str | None:
            nonlocal asked
            asked += 1
            return None

        readiness = Readiness()
        readiness.add("database", count)

        await asyncio.gather(*(readiness.look() for _ in range(50)))

        assert asked == 1

    async def test_one_that_ends_is_not_ready_whatever_its_checks_say(self) -> None:
        readiness = Readiness()
        readiness.add("amqp", well)
        readiness.close("ending")

        (check,) = await readiness.look()

        assert check.reason == "ending"

    async def test_deadlines_that_were_never_swept_or_long_ago_are_a_reason(self) -> None:
        never, now, long_ago = SweepWatch(timedelta(hours=1)), SweepWatch(timedelta(hours=1)), SweepWatch(timedelta(0))

        now.swept(START)
        long_ago.swept(START)

        assert await now.probe() is None
        assert "not been swept yet" in (await never.probe() or "")
        assert "http.sweep_limit" in (await long_ago.probe() or "")


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'joinbridge_build_info{mode="shadow"' in answer.text


class TestApi:
    async def test_attempts_are_found_by_what_they_are(self, client: httpx.AsyncClient) -> None:
        found = (await client.get("/api/v1/attempts", params={"target": GPF, "state": "inferred_success"})).json()

        (attempt,) = found["items"]
        assert attempt["request_id"] == str(request_id(1, target=GPF))
        assert (attempt["other"], attempt["lost_because"]) == (CAD, "N13")
        assert (await client.get(f"/api/v1/attempts/{attempt['request_id']}")).json() == [attempt]

    @pytest.mark.parametrize("path", ["attempts", "attempts?newest_first=true", "pairs", "deadlines", "dead-letters"])
    async def test_pages_add_up_to_the_whole_without_repeating(self, client: httpx.AsyncClient, path: str) -> None:
        whole = (await client.get(f"/api/v1/{path}", params={"limit": "1000"})).json()["items"]

        pages, params = [], {"limit": "1"}
        while True:
            page = (await client.get(f"/api/v1/{path}", params=params)).json()
            pages += page["items"]
            if page["next"] is None:
                break
            params["after"] = page["next"]

        assert whole
        assert pages == whole

    async def test_a_pair_shows_the_evidence_it_rests_on(self, client: httpx.AsyncClient) -> None:
        (pair,) = (await client.get("/api/v1/pairs", params={"state": "inferred_success"})).json()["items"]
        found = (await client.get("/api/v1/evidence", params={"target": pair["target"], "other": pair["other"]})).json()

        assert (pair["target"], pair["other"]) == (GPF, CAD)
        assert pair["basis"]
        assert {each["message"] for each in pair["basis"]} <= {each["message"] for each in found}

    async def test_a_dead_letter_is_told_without_its_body(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/api/v1/dead-letters")

        (letter,) = answer.json()["items"]
        assert letter["size_bytes"] == len(b"<not even XML")
        assert "not even XML" not in answer.text

    async def test_rules_are_those_of_the_table(self, client: httpx.AsyncClient) -> None:
        assert [rule["name"] for rule in (await client.get("/api/v1/rules")).json()] == [rule.name for rule in RULES]

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("attempts?target=nonsense", 422),
            ("attempts?state=nonsense", 422),
            ("attempts?limit=0", 422),
            ("attempts?after=nonsense", 422),
            ("attempts?after=bnVsbA", 422),
            ("attempts?after=WyJcdTAwMDAiXQ", 422),
            ("attempts?since=9999-12-31T23:59:59-23:00", 200),
            ("attempts?since=0001-01-01T00:00:00%2B23:00", 200),
            ("attempts/nonsense", 422),
            (f"attempts/{request_id(99, target=GPF)}", 404),
            ("pairs?other=%00", 422),
            ("evidence", 422),
            ("nothing", 404),
        ],
    )
    async def test_what_makes_no_sense_is_refused_and_never_an_error_of_ours(self, client: httpx.AsyncClient, path: str, code: int) -> None:
        assert (await client.get(f"/api/v1/{path}")).status_code == code

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_nothing_can_be_changed(self, client: httpx.AsyncClient, method: str) -> None:
        assert (await client.request(method, "/api/v1/attempts")).status_code == 405

    async def test_without_a_database_it_says_so(self) -> None:
        async with desk(None) as client:
            answer = await client.get("/api/v1/attempts")

        assert (answer.status_code, answer.json()) == (503, {"detail": "the database is away"})

    async def test_it_describes_itself(self, client: httpx.AsyncClient) -> None:
        described = json.loads((await client.get("/openapi.json")).text)

        assert {method for path in described["paths"].values() for method in path} == {"get"}
        assert set(described["paths"]) >= {
            f"/api/v1/{name}" for name in ("attempts", "pairs", "evidence", "deadlines", "dead-letters", "rules")
        }


class TestServing:
    async def test_answers_come_over_the_network_until_it_is_closed(self) -> None:
        async with serving(an_application(), host="127.0.0.1", port=0) as served, httpx.AsyncClient() as client:
            assert (await client.get(f"{served.address}/livez")).text == "alive\n"

        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{served.address}/livez")

    async def test_signals_stay_with_the_sidecar(self) -> None:
        before = signal.getsignal(signal.SIGTERM)

        async with serving(an_application(), host="127.0.0.1", port=0) as served, httpx.AsyncClient() as client:
            await client.get(f"{served.address}/livez")

            assert signal.getsignal(signal.SIGTERM) is before

    async def test_an_address_that_is_taken_is_named_with_the_setting(self) -> None:
        async with serving(an_application(), host="127.0.0.1", port=0) as served:
            with pytest.raises(ConfigError, match=r"http\.port.*cannot listen"):
                async with serving(an_application(), host="127.0.0.1", port=served.port):
                    pytest.fail("two servers on one port")


def an_application(readiness: Readiness | None = None, records: Records | None = None) -> FastAPI:
    def found() -> Records:
        if records is None:
            raise StoreError("the database is away")
        return records

    metrics = Metrics(Settings(), ManualClock(START))
    return application(readiness=readiness or Readiness(), metrics=metrics, records=found, policy=Policy())
