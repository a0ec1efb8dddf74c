"""`joinbridge demo`: the whole pipeline on a simulated estate, and a report that compares every decision with the ground truth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from joinbridge.cli.demo_account import Played, account
from joinbridge.cli.demo_summary import pointers, summary
from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import FOUND_WRONG, complain, console, errors, print_json
from joinbridge.config import Settings, load
from joinbridge.ops.report import render
from joinbridge.service.clock import ManualClock
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.inventory import EstateInventory
from joinbridge.simulator.link import EstateLink
from joinbridge.simulator.scenario import SCENARIOS, START, build
from joinbridge.simulator.score import Score, score
from joinbridge.wiring.embedded import OUTPUT_QUEUE, Embedded, embedded

STRIDE = timedelta(seconds=5)
"""How far time moves at once: what happens in it goes through in one batch, as it would on a busy bus."""


def demo(
    homes: Annotated[int, typer.Option(min=1, help="How many homes are installed.")] = 200,
    seed: Annotated[int, typer.Option(help="Same seed, same history, same verdicts.")] = 1,
    scenario: Annotated[str, typer.Option(help=f"What goes wrong: {', '.join(SCENARIOS)}.")] = "everyday",
    out: Annotated[Path, typer.Option(help="Folder for the report and the records.")] = Path("out"),
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Live through two weeks of a simulated estate in seconds: lost answers are found, proven and recorded.

    The report says for every decision what was true. Exit code 1 when joinbridge inferred a join that was not there.
    """
    if scenario not in SCENARIOS:
        raise typer.BadParameter(f"there is no scenario {scenario!r}; there are {', '.join(SCENARIOS)}", param_hint="--scenario")
    settings = load(config)
    estate = build(SCENARIOS[scenario], seed, homes)
    began = time.monotonic()
    facts, result = asyncio.run(_live(settings, estate, None if as_json else out, quiet=as_json))
    if as_json:
        print_json({"seed": seed, "homes": homes, "scenario": scenario, **score_as_json(result), **facts})
    else:
        played = Played(
            homes=homes,
            seed=seed,
            scenario=SCENARIOS[scenario],
            estate=estate,
            result=result,
            facts=facts,
            price_gbp=settings.money.correction_gbp,
            database=_database_url(out),
        )
        _report(out, played, elapsed_s=time.monotonic() - began)
    if result.false_inferences:
        complain(f"{result.false_inferences} false inferences")
        raise typer.Exit(FOUND_WRONG)


async def _live(settings: Settings, estate: Estate, out: Path | None, *, quiet: bool) -> tuple[Mapping[str, int], Score]:
    clock = ManualClock(START)
    async with (
        embedded(settings, clock=clock, inventory=EstateInventory(estate), database_url=_database(out), live=True) as bridge,
        bridge.bus.source(OUTPUT_QUEUE) as output,
    ):
        link = EstateLink(estate, bridge.bus, output)
        with _View(estate, clock, quiet=quiet) as view:
            messages = await _play(bridge, link, estate, clock, view)
        totals = bridge.sidecar.intakes[0].totals
        facts = {"messages": messages, "dead_letters": await bridge.records.dead_letter_count(), "passed_by": totals.passed_by}
    return facts, score(estate.truth, estate.announced, estate.commands, clock.now(), price_gbp=settings.money.correction_gbp)


async def _play(bridge: Embedded, link: EstateLink, estate: Estate, clock: ManualClock, view: _View) -> int:
    """Move time on, stride by stride, wherever something is to happen; return how many messages there were."""
    messages = 0
    while True:
        await bridge.sidecar.settle()
        if await link.listen(clock.now()):
            continue
        moments = (estate.next_at(), await bridge.sidecar.next_due())
        next_at = min((m for m in moments if m is not None), default=None)
        if next_at is None or next_at > estate.ends_at:
            return messages
        clock.jump(max(clock.now(), min(next_at + STRIDE, estate.ends_at)))
        messages += await link.advance(clock.now())
        view.show(messages)


def _database(out: Path | None) -> str:
    if out is None:
        return "sqlite://"
    out.mkdir(parents=True, exist_ok=True)
    file = out / "demo.db"
    for old in (file, file.with_name("demo.db-wal"), file.with_name("demo.db-shm")):
        with suppress(FileNotFoundError):
            old.unlink()
    return _database_url(out)


def _database_url(out: Path) -> str:
    return f"sqlite:///{out / 'demo.db'}"


class _View:
    """The live view: how far the two weeks have come, and what was found so far."""

    def __init__(self, estate: Estate, clock: ManualClock, *, quiet: bool) -> None:
        self._estate = estate
        self._clock = clock
        self._start = clock.now()
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns)
        self._task = self._progress.add_task("two weeks", total=(estate.ends_at - self._start).total_seconds())
        shown = errors()
        self._live = Live(console=shown, refresh_per_second=4, transient=True) if shown.is_terminal and not quiet else None
        self._shown_at = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, messages: int) -> None:
        """Bring the view up to date, at most a few times a second."""
        if self._live is None or time.monotonic() - self._shown_at < 0.25:
            return
        self._shown_at = time.monotonic()
        now = self._clock.now()
        self._progress.update(self._task, completed=(now - self._start).total_seconds(), description=f"{now:%a %d %b %H:%M}")
        counts: dict[str, int] = {}
        for announced in self._estate.announced:
            counts[announced.state] = counts.get(announced.state, 0) + 1
        grid = Table.grid(padding=(0, 2))
        grid.add_row("messages", f"{messages:,}")
        for name in ("response_lost", "inferred_success", "confirmed_late", "disproved", "unresolved"):
            grid.add_row(name.replace("_", " "), f"{counts.get(name, 0):,}")
        self._live.update(Group(self._progress, grid))


def score_as_json(result: Score) -> dict[str, object]:
    """Return the score without its records, which are for the report."""
    plain = replace(result, records=()).to_json()
    del plain["records"]
    return plain


def _report(out: Path, played: Played, *, elapsed_s: float) -> None:
    """Write the report, and say in the terminal what it comes to and where it is."""
    told = asyncio.run(account(played))
    page = out / "demo.html"
    page.write_text(render(told), "utf-8")
    terminal = console()
    terminal.print(summary(told, elapsed_s=elapsed_s))
    for line in pointers(told, page):
        terminal.print(line, soft_wrap=True)
