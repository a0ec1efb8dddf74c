"""Waiting for something that other tasks, threads or processes bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.005


async def eventually(look: Callable[[], T], *, within: timedelta = timedelta(seconds=60)) -> T:
    """Return what `look` returns once that is true; `within` is real time, and long, as a test that passes never waits for it.

    Raises: AssertionError with what `look` last returned when that does not become true.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within.total_seconds()
    pause = 0.0  # most things are done within one turn of the loop
    while not (seen := look()):
        if loop.time() > end:
            raise AssertionError(f"not within {within}: {getattr(look, '__name__', look)} still returns {seen!r}")
        await asyncio.sleep(pause)
        pause = POLL_S
    return seen
