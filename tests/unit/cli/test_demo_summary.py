"""What the terminal says after a demo."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from joinbridge.cli.demo_summary import pointers, summary
from joinbridge.ops.account import DemoReport
from support.demo_reports import falsely_inferred, missed, proven, report, unresolved

PAGE = Path("out", "demo.html")
UGLY = report([*(proven(n) for n in range(5)), unresolved(5), missed(6), falsely_inferred(7)])


def said(account: DemoReport, width: int = 100) -> str:
    console = Console(file=StringIO(), width=width, record=True, highlight=False)
    console.print(summary(account, elapsed_s=12.345))
    return console.export_text()


def row(account: DemoReport, label: str) -> list[str]:
    """Return the words of the line that begins with `label`, bars left out."""
    [line] = [line for line in said(account, 140).splitlines() if line.startswith(label)]
    return line.replace("█", "").removeprefix(label).split()


def test_it_begins_with_what_was_lived_through_and_one_sentence() -> None:
    words = " ".join(said(report([proven()])).split())

    assert words.startswith(
        "200 homes, two weeks, 23,456 messages in 12.3 s 1 of 1,258 join answers was lost in two weeks; "
        "joinbridge found the truth of it, with 0 false inferences, and spared GBP 2,000 of manual corrections."
    )


def test_the_funnel_says_at_each_stage_what_is_left_and_what_is_not() -> None:
    assert row(UGLY, "answers lost") == ["8"]
    assert " ".join(row(UGLY, "evidence came")) == "7 7 from logs and alerts · less 1 never provable, with a person"
    assert " ".join(row(UGLY, "truth found")) == "5 5 joined · less 1 inferred falsely · less 1 proof missed"
    assert " ".join(row(UGLY, "inventory right")) == "5 5 corrected by joinbridge"


def test_where_nothing_was_lost_there_is_no_funnel() -> None:
    assert "evidence came" not in said(report())
    assert row(report(), "false inferences") == ["0"]


def test_failures_are_counted_where_they_must_not_be() -> None:
    assert row(UGLY, "false inferences") == ["1"]
    assert row(UGLY, "missed inferences") == ["1", "proof", "had", "been", "delivered"]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits_the_terminal(width: int) -> None:
    assert all(len(line) <= width for line in said(UGLY, width).splitlines())


def test_it_ends_with_commands_that_can_be_copied() -> None:
    lines = [line.plain for line in pointers(UGLY, PAGE)]

    assert lines[0] == f"report   {PAGE}"
    assert lines[1] == "records  sqlite:///out/demo.db"
    assert [line.split(maxsplit=1 if line.startswith("next") else 0)[-1] for line in lines[2:]] == [
        "joinbridge joins --database sqlite:///out/demo.db",
        f"joinbridge explain {UGLY.lost[0].request_id} --database sqlite:///out/demo.db",
        "joinbridge dead-letters list --database sqlite:///out/demo.db",
        "joinbridge audit verify --database sqlite:///out/demo.db",
    ]


def test_where_nothing_was_lost_there_is_nothing_to_explain() -> None:
    assert not any("explain" in line.plain for line in pointers(report(), PAGE))
