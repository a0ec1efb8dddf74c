"""What the terminal says after a demo: one sentence, a small funnel, what to watch, and where to look next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from joinbridge.ops.account import DemoReport
from joinbridge.ops.funnel import Funnel, Stage, funnel
from joinbridge.ops.headline import headline
from joinbridge.ops.wording import counted, number, stretch

_BAR = 16
"""How many characters wide the longest bar is."""


def summary(report: DemoReport, *, elapsed_s: float) -> RenderableType:
    """Return what the demo comes to."""
    run, stages = report.run, funnel(report)
    lived = f"{counted(run.homes, 'home')}, {stretch(run.began, run.ended)}, {number(run.messages)} messages in {elapsed_s:.1f} s"
    parts: list[RenderableType] = [Text(), Text(lived, style="dim"), Text(headline(report, stages), style="bold"), Text()]
    if stages.lost.count:
        parts += [_funnel(stages), Text()]
    parts += [_watch(report), Text()]
    return Group(*parts)


def pointers(report: DemoReport, page: Path) -> Iterator[Text]:
    """Return where to look next, a line each. To be printed without wrapping, so that a command can be copied as it stands."""
    database = report.run.database
    example = next((each.request_id for each in report.lost), None)
    yield Text.assemble(("report   ", "dim"), (str(page), "bold"))
    yield Text.assemble(("records  ", "dim"), database)
    yield Text.assemble(("next     ", "dim"), f"joinbridge joins --database {database}")
    if example is not None:
        yield Text(f"         joinbridge explain {example} --database {database}")
    if report.run.dead_letters:
        yield Text(f"         joinbridge dead-letters list --database {database}")
    yield Text(f"         joinbridge audit verify --database {database}")


def _funnel(stages: Funnel) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(width=_BAR)
    grid.add_column(overflow="fold")
    for stage in stages.stages:
        full = round(_BAR * stage.count / stages.lost.count)
        bar = Text("█" * max(full, 1 if stage.count else 0), style="blue")
        grid.add_row(stage.label.lower(), Text(number(stage.count), style="bold"), bar, _parts(stage, first=stage is stages.lost))
    return grid


def _parts(stage: Stage, *, first: bool) -> Text:
    """Return what a stage consists of, and what it lost from the one before; failures in red."""
    words = [] if first else [Text(f"{number(part.count)} {part.label}") for part in stage.parts]
    words += [Text(f"less {number(part.count)} {part.label}", style="bold red" if part.tone == "bad" else "yellow") for part in stage.rest]
    return Text(" · ", style="dim").join(words)


def _watch(report: DemoReport) -> Table:
    totals, ledger = report.totals, report.ledger
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(style="dim", overflow="fold")
    missed = "proof had been delivered" if totals.missed_inferences else ""
    letters = "corrupted by the simulator on purpose" if report.run.dead_letters else ""
    grid.add_row("false inferences", _must_be_none(totals.false_inferences), "")
    grid.add_row("missed inferences", _must_be_none(totals.missed_inferences), missed)
    grid.add_row("inventory wrong at end", number(ledger.wrong_at_end), f"{number(ledger.wrong_unaided)} without joinbridge")
    grid.add_row("manual corrections spared", number(ledger.avoided), f"GBP {number(ledger.saved_gbp)}")
    grid.add_row("dead letters", number(report.run.dead_letters), letters)
    return grid


def _must_be_none(count: int) -> Text:
    return Text(number(count), style="bold red" if count else "green")
