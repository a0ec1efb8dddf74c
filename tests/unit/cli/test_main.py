"""The command line as a whole: version, help, exit codes, and how errors become one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

import joinbridge
from joinbridge.cli import decode
from joinbridge.cli.app import COMMANDS as ANNOUNCED
from joinbridge.cli.app import load
from joinbridge.cli.output import moment, plain
from joinbridge.errors import (
    AuditError,
    ConfigError,
    InventoryConflictError,
    InventoryError,
    JoinbridgeError,
    StaleVersionError,
    StoreError,
    TransportError,
)
from support.cli import Cli
from support.home import START

COMMANDS = (
    ("demo",),
    ("replay",),
    ("decode",),
    ("joins",),
    ("explain",),
    ("run",),
    ("doctor",),
    ("simulate",),
    ("sim",),
    ("dashboards", "build"),
    ("dashboards", "render"),
    ("rules",),
    ("deadlines", "list"),
    ("deadlines", "move"),
    ("deadlines", "cancel"),
    ("dead-letters", "list"),
    ("dead-letters", "show"),
    ("dead-letters", "requeue"),
    ("dead-letters", "dismiss"),
    ("audit", "verify"),
    ("audit", "export"),
    ("config", "check"),
    ("config", "show"),
    ("db", "upgrade"),
)


def test_the_version(cli: Cli) -> None:
    outcome = cli("--version")

    assert (outcome.code, outcome.out) == (0, f"joinbridge {joinbridge.__version__}\n")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(cli: Cli, option: str) -> None:
    outcome = cli(option)

    assert outcome.code == 0
    for command, *_ in COMMANDS:
        assert command in outcome.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_of_its_own(cli: Cli, command: tuple[str, ...]) -> None:
    outcome = cli(*command, "--help")

    assert outcome.code == 0
    usage, description, *_ = filter(None, map(str.strip, outcome.out.splitlines()))
    assert usage.startswith("Usage: ")
    assert f"joinbridge {' '.join(command)}" in usage
    assert description.endswith((".", ":")) or description[0].isupper()


NO_LISTINGS = {
    ("audit", "export"),
    ("run",),
    ("deadlines", "move"),
    ("deadlines", "cancel"),
    ("dead-letters", "dismiss"),
    ("dashboards", "build"),
    ("dashboards", "render"),
}
LISTINGS = [command for command in COMMANDS if command not in NO_LISTINGS]


@pytest.mark.parametrize("command", LISTINGS, ids=" ".join)
def test_every_listing_has_json(cli: Cli, command: tuple[str, ...]) -> None:
    assert "--json" in cli(*command, "--help").out


def test_the_commands_are_all_known_here() -> None:
    assert set(ANNOUNCED) == {command[0] for command in COMMANDS}


@pytest.mark.parametrize("name", ANNOUNCED)
def test_a_command_is_announced_by_its_own_words(name: str) -> None:
    own = load(name).help

    assert own is not None
    assert own.partition("\n")[0] == ANNOUNCED[name][1]


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["decode", "--help"]], ids=" ".join)
def test_what_needs_no_service_imports_no_service(arguments: list[str]) -> None:
    heavy = "{'sqlalchemy', 'aio_pika', 'aiomqtt', 'fastapi'}"
    program = f"import sys, joinbridge.cli as cli\ntry: cli.main()\nfinally: print({heavy} & set(sys.modules), file=sys.stderr)"

    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)

    assert done.stderr == "set()\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("joins", "--frobnicate"), "No such option: --frobnicate"),
        (("audit", "frobnicate"), "No such command 'frobnicate'"),
        (("demo", "--scenario", "none"), "there is no scenario 'none'; there are"),
    ],
)
def test_a_mistake_is_exit_code_2(cli: Cli, arguments: tuple[str, ...], says: str) -> None:
    outcome = cli(*arguments)

    assert outcome.code == 2
    assert says in outcome.complaint
    assert outcome.stdout == b""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreError("the database says: no"), 3),
        (StaleVersionError("somebody was first"), 3),
        (TransportError("no broker"), 3),
        (InventoryError("no inventory"), 3),
        (InventoryConflictError("it holds something else", held=True), 3),
        (ConfigError("joinbridge.toml: mode: no"), 1),
        (AuditError("audit entry 3 was altered", sequence=3), 1),
        (JoinbridgeError("whatever"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_one_line_and_an_exit_code(cli: Cli, monkeypatch: pytest.MonkeyPatch, error: JoinbridgeError, code: int) -> None:
    def fail(_: str) -> bytes:
        raise error

    monkeypatch.setattr(decode, "_octets", fail)

    outcome = cli("decode", "x")

    assert outcome.code == code
    assert outcome.stderr.decode() == f"error: {error}\n"
    assert outcome.stdout == b""


def test_an_error_in_words_of_others_is_no_markup(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> bytes:
        raise StoreError("[bold]as it is[/]")

    monkeypatch.setattr(decode, "_octets", fail)

    assert cli("decode", "x").stderr == b"error: [bold]as it is[/]\n"


def test_an_error_of_our_own_is_not_hidden(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(decode, "_octets", fail)

    with pytest.raises(ZeroDivisionError):
        cli("decode", "x")


def test_interrupting_is_no_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(decode, "_octets", interrupted)

    outcome = cli("decode", "x")

    assert (outcome.code, outcome.stdout, outcome.stderr) == (130, b"", b"")


def test_what_json_does_not_know_is_written_plainly() -> None:
    assert plain(START) == START.isoformat()
    assert plain(b"\xab") == "AB"
    assert plain(frozenset({1})) == [1]
    assert plain(START - START) == 0.0
    assert plain(ValueError("x")) == "x"
    assert moment(None) == "-"
    assert moment(START) == "2025-06-15 15:00:00Z"
