"""`joinbridge dashboards`: Grafana's dashboards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from joinbridge.cli.output import FOUND_WRONG, complain, console
from joinbridge.ops.dashboards import DASHBOARDS

app = typer.Typer(help="Make the Grafana dashboards.", no_args_is_help=True)

RUNBOOK = "docs/runbook.md"


@app.callback()
def _group() -> None:
    """Keep `build` a command of its own while it is the only one."""


@app.command("build")
def build(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path("dashboards"),
    runbook: Annotated[str, typer.Option(help="Where panels link to: the address at which docs/runbook.md can be read.")] = RUNBOOK,
) -> None:
    """Write Grafana's JSON of every dashboard. Needs grafana-foundation-sdk, which joinbridge needs for nothing else."""
    try:
        from joinbridge.ops.dashboards.grafana import as_json  # noqa: PLC0415 - whoever only draws need not have its library
    except ModuleNotFoundError as error:
        complain(f"{error.name} is not installed: pip install grafana-foundation-sdk")
        raise typer.Exit(FOUND_WRONG) from None
    folder.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        file = folder / f"{dashboard.uid}.json"
        file.write_text(as_json(dashboard, runbook=runbook), "utf-8")
        console().print(f"{file}: {sum(1 for _ in dashboard.panels())} panels")
