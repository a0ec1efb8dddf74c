"""`joinbridge config` and `joinbridge rules`: what is set, and what counts as proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer
from pydantic import BaseModel

from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import FOUND_WRONG, complain, console, print_json, table
from joinbridge.config import load
from joinbridge.core.rules import RECORDED_ONLY, RULES
from joinbridge.errors import ConfigError
from joinbridge.wiring.signers import reading

app = typer.Typer(help="Check or show the configuration.", no_args_is_help=True)


@app.command("check")
def check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Check the configuration: every setting is known and in range, every rule exists, every key can be read."""
    problems = list(_problems(config))
    if as_json:
        print_json({"ok": not problems, "problems": problems})
    elif problems:
        for problem in problems:
            complain(problem)
    else:
        console().print(f"configuration is fine; mode = {load(config).mode}")
    if problems:
        raise typer.Exit(FOUND_WRONG)


@app.command("show")
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show every setting with its value, default and meaning. Secrets are masked."""
    settings = load(config)
    if as_json:
        print_json(settings.model_dump(mode="json"))
        return
    console().print(table("", ("setting", "value", "default", "meaning"), _rows(settings, "")))


def rules(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the rules of evidence with row, grade and mode."""
    policy = load(config).policy()
    listed = [
        {
            "row": rule.row or None,
            "name": rule.name,
            "version": rule.version,
            "mode": rule.mode(policy),
            "grade": rule.grade.name.lower(),
            "polarity": rule.polarity,
            "summary": rule.summary,
        }
        for rule in RULES
    ]
    recorded = [{"row": row, "reason": reason} for row, reason in sorted(RECORDED_ONLY.items())]
    if as_json:
        print_json({"rules": listed, "recorded_only": recorded})
        return
    columns = ("row", "name", "mode", "grade", "polarity", "summary")
    console().print(table("Rules of evidence (docs/rules.md)", columns, ([rule[c] for c in columns] for rule in listed)))
    console().print()
    console().print(table("Rows that are recorded only", ("row", "reason"), ([r["row"], r["reason"]] for r in recorded)))


def _problems(config: Path | None) -> Iterator[str]:
    try:
        settings = load(config)
        reading(settings)
    except ConfigError as error:
        yield from str(error).splitlines()
        return
    if settings.deadlines.final <= settings.pursuit.probe_wait:
        yield "deadlines.final: not longer than pursuit.probe_wait, so that no probe could be answered; make it longer"


def _rows(section: BaseModel, prefix: str) -> Iterator[tuple[str, object, object, object]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _rows(value, f"{prefix}{name}.")
        else:
            default = field.get_default(call_default_factory=True)
            yield f"{prefix}{name}", _shown(value), _shown(default), field.description or ""


def _shown(value: object) -> object:
    return ", ".join(sorted(map(str, value))) if isinstance(value, frozenset) else value
