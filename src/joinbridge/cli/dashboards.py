"""`joinbridge dashboards`: Grafana's dashboards, and pictures of what they would show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from joinbridge.cli.output import FOUND_WRONG, UNREACHABLE, complain, console
from joinbridge.ops.dashboards import DASHBOARDS
from joinbridge.ops.dashboards.prometheus import Prometheus, PrometheusError
from joinbridge.ops.dashboards.render import page

app = typer.Typer(help="Make the Grafana dashboards, or draw them without Grafana.", no_args_is_help=True)

RUNBOOK = "docs/runbook.md"


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


@app.command("render")
def render(
    prometheus: Annotated[str, typer.Option(help="The Prometheus to ask.")] = "http://127.0.0.1:9090",
    folder: Annotated[Path, typer.Option("--out", help="Where to write the pages.")] = Path("out/dashboards"),
    minutes: Annotated[float, typer.Option(min=1, help="How far back to look.")] = 360,
) -> None:
    """Draw every dashboard as an HTML page from the same queries, so that one can look without Grafana."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        source = Prometheus(prometheus)
        for dashboard in DASHBOARDS:
            file = folder / f"{dashboard.uid}.html"
            file.write_text(page(dashboard, source, range_s=minutes * 60), "utf-8")
            console().print(str(file))
    except PrometheusError as error:
        complain(str(error))
        raise typer.Exit(UNREACHABLE if error.unreachable else FOUND_WRONG) from None
