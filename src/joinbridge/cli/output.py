"""How the command line speaks: JSON for machines on standard output, tables for people, complaints on standard error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

FOUND_WRONG = 1
USAGE = 2
UNREACHABLE = 3

STANDARD_INPUT = "-"

PIPED_COLUMNS = 240
"""Enough for every listing with its identifiers whole."""

STATE_STYLES = {
    "joined": "green",
    "succeeded": "green",
    "confirmed_late": "green",
    "inferred_success": "bold green",
    "pending": "yellow",
    "response_lost": "yellow",
    "retried": "yellow",
    "probed": "yellow",
    "not_joined": "red",
    "rejected": "red",
    "disproved": "red",
    "disputed": "bold red",
    "unresolved": "magenta",
}


def console() -> Console:
    """Return the console for people. Made anew each time, so that it fits the terminal there is now.

    What is printed is no markup: file names and messages may have square brackets. What goes into a file or to `grep` is not folded to
    fit a terminal that is not there: a RequestID in pieces would not be found.
    """
    made = Console(highlight=False, markup=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPED_COLUMNS
    return made


def errors() -> Console:
    """Return the console for complaints and progress: standard error, so that JSON on standard output stays whole."""
    return Console(stderr=True, highlight=False, markup=False)


def complain(message: str) -> None:
    """Say what is wrong, in one line or a few, on standard error."""
    errors().print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)


def print_json(value: object) -> None:
    """Print one JSON value on one line, in ASCII: file names need not be Unicode, nor the terminal."""
    print(json.dumps(value, default=plain))  # noqa: T201 - this is the machine's output


def plain(value: object) -> object:
    """Return what JSON knows for a value it does not."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex().upper()
        case tuple() | frozenset() | set():
            return list(value)
    return str(value)


def state(name: object) -> Text:
    """Return a state in its colour."""
    return Text(str(name), style=STATE_STYLES.get(str(name), ""))


def moment(value: datetime | None) -> str:
    """Return a moment as people read it, in UTC; a dash for none."""
    return "-" if value is None else f"{value:%Y-%m-%d %H:%M:%S}Z"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table for people; None becomes a dash."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text("-" if cell is None else str(cell)) for cell in row))
    return made
