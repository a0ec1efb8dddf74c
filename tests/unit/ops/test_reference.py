"""docs/rules.md and docs/transitions.md say what the code does now."""

from __future__ import annotations

from pathlib import Path

import pytest

from joinbridge.ops.reference import rules_markdown, transitions_markdown, write

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(("name", "made"), [("rules.md", rules_markdown), ("transitions.md", transitions_markdown)])
def test_the_reference_is_what_the_code_does(name: str, made: object) -> None:
    assert callable(made)

    current = made()

    assert (DOCS / name).read_text(encoding="utf-8") == current, f"docs/{name} is out of date: run `make docs`"


def test_every_row_of_the_table_is_in_the_reference() -> None:
    text = rules_markdown()

    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}

    assert {str(row) for row in range(1, 40)} <= rows


def test_a_lost_answer_has_a_way_out_in_the_transitions() -> None:
    text = transitions_markdown()

    assert "response_lost --> confirmed_late" in text
    assert "response_lost --> inferred_success" in text


def test_both_files_are_written(tmp_path: Path) -> None:
    write(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"rules.md", "transitions.md"}
