"""A site for each test of the service: time, bus, inventory and an empty database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.sidecar import Site, a_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as made:
        yield made
