"""The commands, put together. Each is imported when it is called: who decodes a file does not wait for a broker's library."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

import joinbridge

COMMANDS = {
    "demo": ("demo:demo", "Live through two weeks of a simulated estate in seconds: lost answers are found, proven and recorded."),
    "run": ("run:run", "Run the sidecar: read the bus, decide, and in live mode act. SIGTERM ends it in order."),
    "simulate": (
        "simulate:simulate",
        "Play the estate on the brokers of the configuration: devices, CSPs, DSP and Suppliers, with faults, and a ledger of the truth.",
    ),
    "sim": ("sim:sim", "Simulate the whole sidecar with everything around it failing, and check what must hold at all times."),
    "doctor": (
        "doctor:doctor",
        "Look at broker, database, inventory and MQTT as the configuration names them; say what is wrong and how to mend it.",
    ),
    "replay": ("replay:replay", "Replay captures: every decision is made as it would have been, on a clock that follows the messages."),
    "decode": ("decode:decode", "Decode DUIS and GBCS messages, told apart by their content."),
    "explain": (
        "explain:explain",
        "Explain a join: its evidence in order, the rule that decided, what was missing, what would change the answer.",
    ),
    "joins": ("records:joins", "List joins and unjoins, newest first, or the pairs they are about."),
    "deadlines": ("deadlines:app", "What joinbridge waits for, and until when."),
    "dead-letters": ("records:dead_letters", "Messages that could not be processed."),
    "audit": ("records:audit", "The hash-chained record of every decision."),
    "dashboards": ("dashboards:app", "Make the Grafana dashboards, or draw them without Grafana."),
    "rules": ("config:rules", "List the rules of evidence with row, grade and mode."),
    "config": ("config:app", "Check or show the configuration."),
    "db": ("db:app", "The database that holds joinbridge's records."),
}
"""Of each command: where it is, as `module:name` in this package, and the first line of its help."""


def load(name: str) -> TyperCommand | TyperGroup:
    """Import the command `name` of `COMMANDS`."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"joinbridge.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    command = typer.main.get_command(alone)
    assert isinstance(command, TyperCommand)  # noqa: S101 - an app of one command is that command
    return command


class _OnDemand(TyperGroup):
    """A group that lists its commands by what `COMMANDS` says of them, and imports the one that is called."""

    # typer.Context is the public name of the class that Typer annotates here by a private one.
    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple[str | None, TyperCommand | TyperGroup | None, list[str]]:  # type: ignore[override]
        name, known, rest = super().resolve_command(ctx, args)
        return name, None if name is None or known is None else load(name), rest


app = typer.Typer(
    name="joinbridge",
    cls=_OnDemand,
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


def _announced() -> None:
    """Stand for a command that is not imported yet."""


for _name, (_, _help) in COMMANDS.items():
    app.command(_name, help=_help)(_announced)
