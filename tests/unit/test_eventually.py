"""Waiting in tests."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from support.eventually import eventually


async def test_it_returns_what_others_bring_about() -> None:
    finding = asyncio.create_task(asyncio.sleep(0, "found"))

    assert await eventually(lambda: finding.done() and finding.result()) == "found"


async def test_it_gives_up_and_says_what_it_saw() -> None:
    def look() -> int:
        return 0

    with pytest.raises(AssertionError, match="look still returns 0"):
        await eventually(look, within=timedelta(0))
