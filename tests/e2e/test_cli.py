"""The command line as a process of its own: pipes, exit codes, and an incident from the capture to the audit."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

import joinbridge
from joinbridge.cli.app import app
from joinbridge.core.ids import message_key
from joinbridge.wire.capture import CaptureLine
from support.captures import START, line
from support.cli import write_capture
from support.home import CAD, ESME, GPF, PPMID, SUPPLIER, request_id
from support.messages import acknowledgement, command_failure, gpf_report, join_request

LOST = f"{SUPPLIER}:{GPF}:1"
BROKEN = b"<sr:Broken"


def environment(**changes: str) -> Mapping[str, str]:
    """Return our own environment without what sets joinbridge up, with `changes`."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("JOINBRIDGE_")}, **changes}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "joinbridge", *arguments]


def run(folder: Path, *arguments: str, stdin: bytes = b"", **changes: str) -> subprocess.CompletedProcess[bytes]:
    """Run joinbridge in `folder`."""
    return subprocess.run(
        command(*arguments), cwd=folder, input=stdin, capture_output=True, env=environment(**changes), timeout=60, check=False
    )


def incident() -> Iterable[CaptureLine]:
    """A join whose answer is lost, and the report of the Gas Proxy Function that proves it."""
    yield line(join_request(GPF, CAD), "sr.request", 0)
    yield line(acknowledgement(request_id(1, target=GPF)), "sr.response", 1)
    yield line(command_failure(request_id(1, target=GPF)), "sr.response", 20)
    yield line(BROKEN, "sr.response", 21)
    yield line(gpf_report([PPMID, CAD], START), "csp.alert", 22, region="north")


def test_an_incident_from_the_capture_to_the_audit(tmp_path: Path) -> None:
    write_capture(tmp_path / "incident.jsonl", incident())
    database = ("--database", "sqlite:///incident.db")

    replayed = run(tmp_path, "replay", "--json", "incident.jsonl", *database)
    assert (replayed.returncode, replayed.stderr) == (0, b"")
    told = json.loads(replayed.stdout)
    assert [(a["request_id"], a["state"]) for a in told["attempts"]] == [(LOST, "inferred_success")]

    body = run(tmp_path, "dead-letters", "show", message_key(BROKEN), "--body", *database)
    assert (body.returncode, body.stdout) == (0, BROKEN)

    with sqlite3.connect(tmp_path / "incident.db") as connection:
        connection.execute("""UPDATE audit SET body = replace(body, 'pending', 'joined') WHERE kind = 'pair.changed'""")
    connection.close()
    tampered = run(tmp_path, "audit", "verify", *database)
    assert tampered.returncode == 1
    assert tampered.stderr.endswith(b"was altered\n")
    assert tampered.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("rules", "--json"), 0),
        (("decode", "missing"), 1),
        (("replay", "missing.jsonl"), 2),
        (("joins", "--database", "sqlite:///missing.db"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_exit_codes(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    ended = run(tmp_path, *arguments)

    assert ended.returncode == code
    assert b"Traceback" not in ended.stderr
    assert bool(ended.stdout) is (code == 0)
    assert bool(ended.stderr) is (code != 0)


def test_the_script_is_installed_with_the_package(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("joinbridge")
    if not script.exists():
        pytest.skip("joinbridge is not installed beside this interpreter")

    ended = subprocess.run([script, "--version"], cwd=tmp_path, capture_output=True, check=True, timeout=60)

    assert ended.stdout == f"joinbridge {joinbridge.__version__}\n".encode()


def test_a_reader_that_has_seen_enough_is_no_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "request.xml").write_bytes(join_request(ESME, PPMID))
    many = command("decode", "--json", *["request.xml"] * 3000)

    with subprocess.Popen(many, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"file": "request.xml"')
        process.stdout.close()
        complaint = process.stderr.read()
        process.wait(timeout=60)

    assert complaint == b""


@pytest.mark.parametrize(("columns", "whole"), [({}, True), ({"COLUMNS": "60"}, False)])
def test_an_identifier_stays_whole_in_a_pipe_unless_a_width_is_asked_for(tmp_path: Path, columns: dict[str, str], whole: bool) -> None:
    capture = write_capture(tmp_path / "incident.jsonl", incident())
    unasked = {name: value for name, value in environment().items() if name != "COLUMNS"}

    done = subprocess.run(
        command("replay", str(capture)), cwd=tmp_path, capture_output=True, env={**unasked, **columns}, timeout=60, check=True
    )

    assert (LOST in done.stdout.decode()) is whole


def test_a_terminal_that_knows_few_characters_is_no_error_either(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "incident.jsonl", incident())
    database = f"sqlite:///{tmp_path / 'incident.db'}"
    CliRunner().invoke(app, ["replay", str(capture), "--database", database], catch_exceptions=False)

    ended = run(tmp_path, "explain", LOST, "--database", database, PYTHONIOENCODING="ascii")

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert f"pair {GPF}?{CAD} inferred_success".encode() in ended.stdout
