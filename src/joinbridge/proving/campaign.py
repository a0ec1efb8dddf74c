"""A campaign: many simulations in several processes, added up as they come."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from joinbridge.proving.crashing import Crashes, crash_everywhere
from joinbridge.proving.faults import Fault
from joinbridge.proving.figures import Figures
from joinbridge.proving.plan import Plan, draw_plan
from joinbridge.proving.scratch import Scratch, own_scratch, scratch
from joinbridge.proving.shrinking import broken, shrunk
from joinbridge.proving.simulation import simulate
from joinbridge.proving.stories import STORIES
from joinbridge.proving.two_databases import Compared, compared

Item = TypeVar("Item")
Part = TypeVar("Part")

PORTION = 25
"""Seeds that a process takes at a time: a second or two."""


def campaign(seeds: Sequence[int], procs: int, on_progress: Callable[[Figures], None] = lambda _: None, *, sidecars: int = 1) -> Figures:
    """Simulate every one of `seeds` in `procs` processes, with so many sidecars in each, and return the figures.

    `on_progress` hears how far they are.
    """
    figures = Figures()
    for part in _parts(seeds, procs, sidecars):
        figures.add(part)
        on_progress(figures)
    return figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One seed again: everything that happened in it, in words."""

    lines: Sequence[str]
    trace: str
    messages: int
    schedule: Sequence[Fault]
    violations: Sequence[str]


def replay(seed: int, sidecars: int = 1) -> Replay:
    """Simulate `seed` and keep its trace."""
    with scratch() as database:
        outcome = simulate(draw_plan(seed, sidecars), database, keep=True)
    return Replay(
        lines=outcome.lines,
        trace=outcome.trace,
        messages=len(outcome.history.ledger.sent),
        schedule=outcome.plan.schedule,
        violations=outcome.violations,
    )


def shrink(seed: int, sidecars: int = 1) -> Plan:
    """Return the plan of a seed that breaks something with as few faults as still break the same."""
    plan = draw_plan(seed, sidecars)
    with scratch() as database:
        wanted = broken(simulate(plan, database).violations)
        return shrunk(plan, lambda plan: bool(wanted & broken(simulate(plan, database).violations)))


def compare_databases(seeds: Sequence[int], url: str, procs: int, on_progress: Callable[[Compared], None] = lambda _: None) -> Compared:
    """Simulate every one of `seeds` in memory and on the PostgreSQL at `url`, where each process makes a schema of its own, and drops it.

    Raises: StoreError when the database cannot be reached.
    """
    told = Compared()
    for part in _compared_parts(seeds, url, procs):
        told.add(part)
        on_progress(told)
    return told


def figures_of(seeds: Sequence[int], database: Scratch, sidecars: int = 1) -> Figures:
    """Simulate `seeds` one after the other in this process."""
    figures = Figures()
    with _garbage_kept():
        for seed in seeds:
            figures.take(simulate(draw_plan(seed, sidecars), database))
    return figures


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Collect what simulations leave behind all at once afterwards: that is cheaper than looking for it all the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def crash_campaign(procs: int, every: int = 1, on_progress: Callable[[Crashes], None] = lambda _: None) -> Crashes:
    """Crash at every point of every story, or at each `every`-th, in `procs` processes."""
    crashes = Crashes()
    for part in _stories(procs, every):
        crashes.add(part)
        on_progress(crashes)
    return crashes


def _parts(seeds: Sequence[int], procs: int, sidecars: int) -> Iterator[Figures]:
    if procs == 1:
        with scratch() as database:
            yield from (figures_of(portion, database, sidecars) for portion in _portions(seeds))
    else:
        yield from _spread(partial(_figures, sidecars=sidecars), _portions(seeds), procs)


def _figures(seeds: Sequence[int], sidecars: int) -> Figures:
    return figures_of(seeds, own_scratch(), sidecars)


def _compared_parts(seeds: Sequence[int], url: str, procs: int) -> Iterator[Compared]:
    if procs == 1:
        with scratch() as here, scratch(url) as there:
            yield from (compared(portion, here, there) for portion in _portions(seeds))
    else:
        yield from _spread(partial(_compared, url=url), _portions(seeds), procs)


def _compared(seeds: Sequence[int], url: str) -> Compared:
    return compared(seeds, own_scratch(), own_scratch(url))


def _stories(procs: int, every: int) -> Iterator[Crashes]:
    if procs == 1:
        with scratch() as database:
            yield from (crash_everywhere(story, database, every=every) for story in STORIES)
    else:
        yield from _spread(partial(_crashed, every=every), range(len(STORIES)), procs)


def _crashed(number: int, every: int) -> Crashes:
    return crash_everywhere(STORIES[number], own_scratch(), every=every)


def _portions(seeds: Sequence[int]) -> Sequence[Sequence[int]]:
    return [seeds[start : start + PORTION] for start in range(0, len(seeds), PORTION)]


def _spread(work: Callable[[Item], Part], items: Sequence[Item], procs: int) -> Iterator[Part]:
    """Do `work` to each of `items` in so many processes; give what comes of it in whatever order it comes."""
    # Not forked: a process that begins with nothing of ours in it cannot carry anything over.
    with ProcessPoolExecutor(procs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(work, item) for item in items]):
            yield done.result()
