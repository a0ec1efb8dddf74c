"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

import joinbridge
from joinbridge.cli import config, dashboards, db, deadlines, decode, demo, doctor, explain, records, replay, run, simulate

app = typer.Typer(
    name="joinbridge",
    help="Find lost smart-meter Join answers, prove what happened, and make the Smart Metering Inventory true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"joinbridge {joinbridge.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")] = False,
) -> None:
    del version


app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("simulate")(simulate.simulate)
app.command("doctor")(doctor.doctor)
app.command("replay")(replay.replay)
app.command("decode")(decode.decode)
app.command("explain")(explain.explain)
app.command("joins")(records.joins)
app.add_typer(deadlines.app, name="deadlines")
app.add_typer(records.dead_letters, name="dead-letters")
app.add_typer(records.audit, name="audit")
app.add_typer(dashboards.app, name="dashboards")
app.command("rules")(config.rules)
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")
