"""What the stateful properties have in common: one site that all of them use, emptied for each history, and a count of the steps taken."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant

from joinbridge.store.opening import open_database
from support.sidecar import Site, site_on

T = TypeVar("T")

STEPS: Counter[str] = Counter()
"""How many steps each machine has taken in this process."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """The loop that the machines of this process run their coroutines on, and the site that they work on, one after the other."""

    runner: asyncio.Runner
    stack: AsyncExitStack
    site: Site


@cache
def workshop() -> Workshop:
    """Return the one of this process, made when it is first asked for: a database with its tables takes longer than a whole history."""
    runner, stack = asyncio.Runner(), AsyncExitStack()

    async def made() -> Site:
        return await site_on(await stack.enter_async_context(open_database("sqlite://", synchronous="OFF", direct=True)))

    return Workshop(runner, stack, runner.run(made()))


def close_workshop() -> None:
    """Close it, if there is one."""
    if workshop.cache_info().currsize:
        shop = workshop()
        shop.runner.run(shop.stack.aclose())
        shop.runner.close()
        workshop.cache_clear()


class Machine(RuleBasedStateMachine):
    """A state machine that counts its steps."""

    @invariant()
    def a_step_was_taken(self) -> None:
        STEPS[type(self).__name__] += 1


class SiteMachine(Machine):
    """A state machine on the site of this process, which is empty when a history begins."""

    site: Site

    def __init__(self) -> None:
        super().__init__()
        self.site = workshop().site
        self.run(self.site.empty())

    # Any: what a coroutine is sent and yields is nobody's business.
    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what `work` returns."""
        return workshop().runner.run(work)


def tried(quick: int, *, long: int) -> settings:
    """Return how hard a machine is tried: `quick` histories at a first look, three times that in CI, and `long` in the long version.

    Of the long version the environment may ask for a share (PROVE_SHARE=0.1). The numbers make up for what a step of each costs, so that
    none takes the time of all.
    """
    said = settings().max_examples
    first, most = (settings.get_profile(name).max_examples for name in ("dev", "prove"))
    long = max(1, round(long * float(os.environ.get("PROVE_SHARE", "1"))))
    return settings(max_examples=long if said >= most else quick * max(1, said // first))
