"""`joinbridge sim`: the whole sidecar among seeded faults on virtual time, simulation after simulation, held against the truth."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import joinbridge
from joinbridge.cli.options import AsJson
from joinbridge.cli.output import FOUND_WRONG, complain, console, errors, print_json
from joinbridge.proving.campaign import campaign, compare_databases, crash_campaign, replay, shrink
from joinbridge.proving.figures import ENOUGH_SEEDS, Figures

_LISTED = 30  # of a table, so many fit on a screen
_SHRUNK = 3  # failing seeds that are shrunk, which takes a few dozen simulations each


def sim(
    seeds: Annotated[int, typer.Option(min=1, help="How many simulations.")] = 200,
    begin: Annotated[int, typer.Option("--from", help="The first seed.")] = 0,
    procs: Annotated[int, typer.Option(min=1, help="How many processes.")] = 1,
    sidecars: Annotated[int, typer.Option(min=1, max=9, help="So many sidecars share one queue and one database.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Only this seed, with what goes wrong in it.")] = None,
    trace: Annotated[bool, typer.Option(help="With --seed: print everything that happens, in order.")] = False,
    crash_points: Annotated[bool, typer.Option(help="Instead: crash at operation 1, 2, 3 … of every reference story.")] = False,
    every: Annotated[int, typer.Option(min=1, help="With --crash-points: only every so many of them.")] = 1,
    database: Annotated[
        str | None, typer.Option(help="Instead: each seed in memory and on this PostgreSQL, in schemas of its own; both come to the same.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate the whole sidecar with everything around it failing, and check what must hold at all times.

    One seed decides everything: the estate, what goes wrong in it, when calls fail, when processes are killed. The same seed gives the same
    trace on any machine. Exit code 1 when anything was broken, or when a run of many seeds never brought about what it must.
    """
    if sidecars > 1 and (crash_points or database is not None):
        raise typer.BadParameter("it goes with seeds in memory, not with --crash-points or --database", param_hint="--sidecars")
    if seed is not None:
        _one(seed, sidecars, trace=trace)
    elif crash_points:
        _crash(procs, every, as_json=as_json)
    elif database is not None:
        _compare(range(begin, begin + seeds), database, procs, as_json=as_json)
    else:
        _many(range(begin, begin + seeds), procs, sidecars, as_json=as_json)


def _many(seeds: range, procs: int, sidecars: int, *, as_json: bool) -> None:
    began = time.monotonic()
    with _progress() as view:
        bar = view.add_task("simulating", total=len(seeds))

        def show(figures: Figures) -> None:
            view.update(bar, completed=figures.seeds, description=f"{figures.messages:,} messages, {len(figures.failures)} broken")

        figures = campaign(seeds, procs, show, sidecars=sidecars)
    told = {**_run(began), "from": seeds.start, "seeds_per_s": round(figures.seeds / (time.monotonic() - began), 2), **figures.to_json()}
    _print(told, as_json=as_json)
    for failure in sorted(figures.failures, key=lambda each: each.seed)[:_SHRUNK]:
        plan = shrink(failure.seed, sidecars)
        kept = "; ".join(map(str, plan.schedule)) or "nothing around the sidecar"
        again = f"joinbridge sim --seed {failure.seed} --trace" + (f" --sidecars {sidecars}" if sidecars > 1 else "")
        complain(f"seed {failure.seed} breaks {failure.violations[0]}\n  with {kept}\n  replay: {again}")
    short = len(seeds) >= ENOUGH_SEEDS and figures.never
    if short:
        complain(f"never happened in {len(seeds)} simulations: {', '.join(figures.never)}")
    if figures.failures or short:
        raise typer.Exit(FOUND_WRONG)


def _one(seed: int, sidecars: int, *, trace: bool) -> None:
    outcome = replay(seed, sidecars)
    terminal = console()
    if trace:
        for line in outcome.lines:
            terminal.print(line, soft_wrap=True)
    terminal.print(f"seed {seed}: {outcome.messages} messages, trace {outcome.trace}")
    for fault in outcome.schedule:
        terminal.print(f"  {fault}", soft_wrap=True)
    for wrong in outcome.violations:
        complain(wrong)
    if outcome.violations:
        raise typer.Exit(FOUND_WRONG)


def _crash(procs: int, every: int, *, as_json: bool) -> None:
    began = time.monotonic()
    with _progress() as view:
        bar = view.add_task("crashing", total=None)
        crashes = crash_campaign(procs, every, lambda done: view.update(bar, description=f"{done.tellings:,} tellings"))
    _print({**_run(began), "every": every, **crashes.to_json()}, as_json=as_json)
    for broken in crashes.broken[:10]:
        complain(f"{broken.story}: {broken.point.mode} {broken.point.call} {broken.point.nth}: {broken.wrong[0]}")
    for left in crashes.open_ended:
        complain(left)
    if not crashes.complete:
        raise typer.Exit(FOUND_WRONG)


def _compare(seeds: range, url: str, procs: int, *, as_json: bool) -> None:
    began = time.monotonic()
    with _progress() as view:
        bar = view.add_task("simulating on two databases", total=len(seeds))
        compared = compare_databases(seeds, url, procs, lambda done: view.update(bar, completed=done.seeds))
    _print({**_run(began), "from": seeds.start, **compared.to_json()}, as_json=as_json)
    for difference in compared.different[:10]:
        complain(f"seed {difference.seed}: {difference.wrong[0]}")
    if compared.different:
        raise typer.Exit(FOUND_WRONG)


def _run(began: float) -> dict[str, object]:
    return {"version": joinbridge.__version__, "commit": _commit(), "took_s": round(time.monotonic() - began, 1)}


def _commit() -> str | None:
    """Return the commit of the checkout that this program runs from; None when it was installed."""
    command = ["git", "-C", str(Path(joinbridge.__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - nothing in it comes from outside
    except OSError:
        return None
    return found.stdout.strip() or None


def _print(told: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        console().print(f"{name.replace('_', ' '):>32}  {_for_people(value)}", soft_wrap=True)


def _for_people(value: object) -> str:
    match value:
        case dict() if len(value) > _LISTED:
            return f"{len(value)} kinds of things, which --json lists"
        case dict():
            return ", ".join(f"{key} {times:,}" for key, times in value.items())
        case [dict(), *_]:
            return f"{len(value)}, which --json lists"
        case list():
            return ", ".join(map(str, value)) or "nothing"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
    return str(value)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors(), disable=not errors().is_terminal, transient=True)
