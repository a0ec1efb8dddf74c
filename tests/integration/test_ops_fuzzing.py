"""The API under nonsense: whatever is asked, the answer is what its description says, and never an error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Thread

import pytest
import schemathesis
from hypothesis import given
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from joinbridge.config import Settings
from joinbridge.core.policy import Policy
from joinbridge.ops.health import Readiness
from joinbridge.ops.http.app import application
from joinbridge.ops.http.serving import serving
from joinbridge.ops.metrics import Metrics
from support.home import CAD, ESME, GPF, PPMID, START, request_id
from support.messages import command_failure, gpf_report, inventory_answer, join_request
from support.sidecar import a_site

LISTINGS = ("attempts", "attempts/{request_id}", "pairs", "evidence", "deadlines", "dead-letters", "rules")


@asynccontextmanager
async def a_desk() -> AsyncIterator[str]:
    """Serve the records of a site at which there is something of everything."""
    async with a_site() as site:
        await site.send(inventory_answer(GPF, CAD), join_request(GPF, CAD), command_failure(request_id(1, target=GPF)))
        await site.send(gpf_report([CAD], START), b"<not even XML", *(join_request(ESME, PPMID, number) for number in range(5)))
        async with site.sidecar() as running:
            await running.sidecar.settle()
        metrics, readiness = Metrics(Settings(), site.clock), Readiness()
        readiness.add("instance", _well)
        app = application(readiness=readiness, metrics=metrics, records=lambda: site.records, policy=Policy())
        async with serving(app, host="127.0.0.1", port=0) as served:
            yield served.address


async def _well() -> str | None:
    return None


@contextmanager
def beside() -> Iterator[str]:
    """Run the desk in a thread, as Schemathesis asks from this one; return its address."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    desk = a_desk()
    try:
        yield asyncio.run_coroutine_threadsafe(desk.__aenter__(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(desk.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def described() -> Iterator[BaseSchema]:
    with beside() as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json")


# Not by its own plugin, which this version of pytest breaks.
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", *(f"/api/v1/{name}" for name in LISTINGS)])
def test_every_answer_is_one_that_the_description_knows(described: BaseSchema, path: str) -> None:
    @given(case=described[path]["GET"].as_strategy())
    def ask(case: schemathesis.Case) -> None:  # type: ignore[type-arg] # what a case carries besides is of no concern here
        # That a text is a cursor or an identifier is more than a description can say.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    ask()


def test_all_that_it_describes_is_asked(described: BaseSchema) -> None:
    assert {path.removeprefix("/api/v1/") for path in described if path.startswith("/api/")} == set(LISTINGS)
