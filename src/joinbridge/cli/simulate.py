"""`joinbridge simulate`: the simulated estate on real brokers, for a sidecar that runs beside it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from joinbridge.cli.demo import score_as_json
from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import FOUND_WRONG, complain, console, errors, print_json
from joinbridge.config import Rehearsal as RehearsalSettings
from joinbridge.config import Settings, load
from joinbridge.simulator.estate import Estate, Pace
from joinbridge.simulator.ledger import Ledger, open_ledger
from joinbridge.simulator.rehearsal import Progress as Done
from joinbridge.simulator.scenario import SCENARIOS, build
from joinbridge.simulator.score import Score, score
from joinbridge.wiring.clocks import clock_of
from joinbridge.wiring.rehearsing import AlertsOver, rehearsing

PATIENCE = timedelta(minutes=10)
"""The longest that joinbridge is listened to when the estate has lived its days."""


def simulate(
    homes: Annotated[int, typer.Option(min=1, help="How many homes are installed.")] = 200,
    seed: Annotated[int, typer.Option(help="Same seed, same homes and the same faults.")] = 1,
    scenario: Annotated[str, typer.Option(help=f"What goes wrong: {', '.join(SCENARIOS)}.")] = "everyday",
    days: Annotated[float, typer.Option(min=1, max=60, help="How long the estate lives.")] = 14,
    installing: Annotated[
        float | None, typer.Option(min=1, max=60, help="In how many of them homes are installed; the first quarter if not given.")
    ] = None,
    quiet: Annotated[float, typer.Option(min=1, help="At the end, listen until nothing has come for so many seconds.")] = 5,
    rate: Annotated[float | None, typer.Option(min=1, help="Publish at most so many messages a second.")] = None,
    alerts_over: Annotated[
        AlertsOver, typer.Option(help="By which protocol the CSPs' alerts come; mqtt takes the broker of mqtt.url.")
    ] = "amqp",
    ledger: Annotated[Path | None, typer.Option(help="Append what is published, heard and true to this file, JSON Lines.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Play the estate on the brokers of the configuration: devices, CSPs, DSP and Suppliers, with faults, and a ledger of the truth.

    The sidecar runs beside it with the same configuration. With rehearsal.speed above 1 both live faster. At the end every decision is
    held against the truth; exit code 1 when joinbridge inferred what was not so.
    """
    if installing is not None and installing > days:
        raise typer.BadParameter(f"the estate lives {days:g} days only", param_hint="--installing")
    if scenario not in SCENARIOS:
        raise typer.BadParameter(f"there is no scenario {scenario!r}; there are {', '.join(SCENARIOS)}", param_hint="--scenario")
    settings = load(config)
    if settings.rehearsal.origin is None:
        if days > 1 and not as_json:
            complain(f"time runs at its true pace: {days:g} days will take {days:g} days; rehearsal.speed makes it faster")
        settings = settings.model_copy(update={"rehearsal": RehearsalSettings(speed=1, origin=datetime.now(UTC))})
    estate = build(replace(SCENARIOS[scenario], pace=_pace(days, installing)), seed, homes, clock_of(settings).now())
    with nullcontext(None) if ledger is None else open_ledger(ledger) as book:
        if book is not None:
            estate.truth.tell = book.true
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            play = _play(settings, estate, book, rate=rate, alerts_over=alerts_over, quiet=timedelta(seconds=quiet), silent=as_json)
            done, result = runner.run(play)
    missed = [str(story.request_id) for story in result.records if story.missed]
    told = {"seed": seed, "homes": homes, "scenario": scenario, **score_as_json(result), "missed": missed, **done}
    if as_json:
        print_json(told)
    else:
        for name, value in told.items():
            console().print(f"{name.replace('_', ' '):>28}  {value}")
    if result.false_inferences:
        complain(f"{result.false_inferences} false inferences")
        raise typer.Exit(FOUND_WRONG)


def _pace(days: float, installing: float | None) -> Pace:
    whole = timedelta(days=days)
    if installing is None:
        return Pace(installing=max(whole / 4, timedelta(days=1)), active=whole / 2, duration=whole)
    installed = timedelta(days=installing)
    return Pace(installing=installed, active=(installed + whole) / 2, duration=whole)


async def _play(
    settings: Settings,
    estate: Estate,
    ledger: Ledger | None,
    *,
    rate: float | None,
    alerts_over: AlertsOver,
    quiet: timedelta,
    silent: bool,
) -> tuple[dict[str, int], Score]:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    clock = clock_of(settings)
    start = clock.now()
    view = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), console=errors(), disable=silent
    )
    whole_s = (estate.ends_at - start).total_seconds()
    async with rehearsing(settings, estate, clock=clock, ledger=ledger, rate=rate, alerts_over=alerts_over) as rehearsal:
        with view:
            bar = view.add_task("connected", total=whole_s)

            def show(done: Done) -> None:
                lived_s = (min(clock.now(), estate.ends_at) - start).total_seconds()
                view.update(bar, completed=lived_s, description=f"{done.published:,} published, {done.heard:,} heard")

            await rehearsal.live(stop, on_error=lambda error: complain(str(error)), on_progress=show)
        if ledger is not None:
            ledger.lived(clock.now())
        stop.clear()  # a first signal ends the estate's days, a second the listening
        await rehearsal.hear_out(stop, quiet=quiet, patience=PATIENCE)
        # What joinbridge said later counts; what the estate would have done later does not.
        lived = rehearsal.lived_until
        result = score(estate.truth, estate.announced, estate.commands, lived, price_gbp=settings.money.correction_gbp, as_proven=True)
        if ledger is not None:
            ledger.ended(result.to_json(), lived)
    done = rehearsal.progress
    return {"messages": done.published, "heard": done.heard, "repeated": rehearsal.repeated, "failures": done.failures}, result
