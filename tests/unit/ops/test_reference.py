"""What is made from the code says what the code does now."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from joinbridge.config import Settings
from joinbridge.ops.reference import rules_markdown, write
from joinbridge.ops.settings_reference import settings_markdown
from joinbridge.ops.transitions import transitions_markdown

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", ["rules.md", "transitions.md", "settings.md", "asyncapi.yaml"])
def test_the_reference_is_what_the_code_does(tmp_path: Path, name: str) -> None:
    write(tmp_path)

    current = (tmp_path / name).read_text(encoding="utf-8")

    assert (DOCS / name).read_text(encoding="utf-8") == current, f"docs/{name} is out of date: run `make docs`"


def test_every_row_of_the_table_is_in_the_reference() -> None:
    text = rules_markdown()

    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}

    assert {str(row) for row in range(1, 40)} <= rows


def test_a_lost_answer_has_a_way_out_in_the_transitions() -> None:
    text = transitions_markdown("")

    assert "response_lost --> confirmed_late" in text
    assert "response_lost --> inferred_success" in text


def test_every_setting_is_in_the_reference() -> None:
    text = settings_markdown("")

    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            assert f"## [{name}]" in text
            assert all(f"| `{setting}` | " in text for setting in field.annotation.model_fields)
        else:
            assert f"| `{name}` | " in text
