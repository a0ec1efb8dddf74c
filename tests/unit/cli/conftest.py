"""The command line for tests: in an empty folder, with nothing of the environment around them, and with long lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.cli import Cli


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Cli:
    for name in [name for name in os.environ if name.startswith("JOINBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.chdir(tmp_path)
    return Cli(monkeypatch, capsysbinary)
