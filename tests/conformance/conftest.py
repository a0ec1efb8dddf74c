"""The databases that the suites of Store and Outbox run on, and two instances on each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from support.postgresql import fresh_database
from support.store import KINDS, Instance, Shared, StoreKind


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def store_kind(request: pytest.FixtureRequest) -> StoreKind:
    chosen: StoreKind = request.param
    return chosen


@pytest.fixture
def database_url(store_kind: StoreKind, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if store_kind.url:
        yield store_kind.url.format(folder=tmp_path)
    else:
        with fresh_database(request.getfixturevalue("postgresql")) as url:
            yield url


@pytest.fixture
async def data(store_kind: StoreKind, database_url: str) -> AsyncIterator[Shared]:
    async with Shared(store_kind, database_url).prepared() as shared:
        yield shared


@pytest.fixture
async def one(data: Shared) -> AsyncIterator[Instance]:
    async with data.instance() as instance:
        yield instance


@pytest.fixture
async def two(data: Shared) -> AsyncIterator[Instance]:
    async with data.instance() as instance:
        yield instance
