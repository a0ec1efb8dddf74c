"""The databases that the suites of Store and Outbox run on, and two instances on each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.store import KINDS, Instance, Shared, StoreKind


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
async def data(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shared]:
    kind: StoreKind = request.param
    async with Shared(kind, tmp_path).prepared() as shared:
        yield shared


@pytest.fixture
async def one(data: Shared) -> AsyncIterator[Instance]:
    async with data.instance() as instance:
        yield instance


@pytest.fixture
async def two(data: Shared) -> AsyncIterator[Instance]:
    async with data.instance() as instance:
        yield instance
