"""The command line as a function: arguments and standard input in, exit code and both outputs out."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from joinbridge.cli import main
from joinbridge.wire.capture import CaptureLine, write_line


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        """Standard output as text."""
        return self.stdout.decode()

    @property
    def complaint(self) -> str:
        """Standard error without line breaks and frames, which depend on the terminal."""
        return re.sub(r"[\s│╭╮╰╯─]+", " ", self.stderr.decode()).strip()

    @property
    def json(self) -> Any:
        """The one JSON value on standard output. Any: it is JSON."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[Any]:
        """The JSON values on standard output, one a line. Any: they are JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


class Cli:
    """Runs commands in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]) -> None:
        self._monkeypatch = monkeypatch
        self._capture = capture

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
        """Run `joinbridge` with `arguments` and return how it ended."""
        self._monkeypatch.setattr(sys, "argv", ["joinbridge", *map(str, arguments)])
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capture.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        out, err = self._capture.readouterr()
        assert isinstance(code, int)
        return Outcome(code, out, err)


def write_capture(file: Path, lines: Iterable[CaptureLine]) -> Path:
    """Write a capture and return its path."""
    file.write_bytes(b"".join(map(write_line, lines)))
    return file
