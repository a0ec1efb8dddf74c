"""The suites that planted bugs are looked for with, cheapest first, each run by a process of its own on a copy of the project."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_NEEDED = ("src", "tests", "docs", "pyproject.toml", "README.md")
_PASSED, _FAILED = 0, 1  # exit codes of pytest and of the simulation; all others say that the run itself went wrong

_PATIENCE = 10
"""How many times as long a suite may take by the clock on the wall."""

_NO_SERVERS = ("-k", "not postgresql and not rabbitmq and not mqtt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A command for the Python interpreter, and how much of the processor's time it may take: a bug that makes it hang is found too."""

    name: str
    command: tuple[str, ...]
    limit_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run: `noticed` when a test failed, or when it took more than its limit; `by` names the first test that did."""

    noticed: bool
    seconds: float
    by: str = ""


class SuiteError(Exception):
    """A suite could not be run to its end; what it printed says why."""


def _pytest(name: str, *arguments: str, limit_s: int = 60) -> Suite:
    command = ("-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-seed=0", *arguments)
    return Suite(name=name, command=command, limit_s=limit_s)


SUITES = (
    _pytest("core", "tests/unit/core", "-m", "not slow"),
    _pytest("wire", "tests/unit/wire", "-m", "not slow"),
    _pytest("service", "tests/unit/service", "tests/unit/bus", "tests/unit/inventory", "-m", "not slow"),
    _pytest("store", "tests/unit/store", "-m", "not slow"),
    _pytest("conformance", "tests/conformance", *_NO_SERVERS, limit_s=120),
    _pytest("properties", "tests/properties", "--ignore-glob=*/test_stateful_*", limit_s=300),
    _pytest("stateful", "tests/properties", "-k", "stateful or memory_bus", limit_s=300),
    _pytest("crash", "tests/unit/service/test_crashes.py", limit_s=300),
)


def simulation(seeds: int) -> Suite:
    """Return the suite that simulates up to so many seeds; its outcome is `by` the number that it took."""
    return Suite(name="simulation", command=("-m", "planted.first_seed", str(seeds)), limit_s=max(60, 3 * seeds))


@contextmanager
def copy_of(root: Path) -> Iterator[Path]:
    """Make a copy of what the suites need of the project at `root`, for as long as the context lasts."""
    with TemporaryDirectory(prefix="joinbridge-planted-") as folder:
        copy = Path(folder)
        for name in _NEEDED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
            elif source.exists():
                shutil.copy2(source, copy / name)
        yield copy


def run(suite: Suite, copy: Path) -> Outcome:
    """Run `suite` on the project at `copy`.

    Raises: SuiteError when it ended otherwise than by passing, failing or taking too long.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *suite.command],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy / 'src'}{os.pathsep}{copy / 'tests'}", "HYPOTHESIS_PROFILE": "first"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that what it has started ends with it
    )
    try:
        # Of the processor's time, so that a busy machine makes nothing of a bug. Who waits for ever takes none of it.
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (suite.limit_s, suite.limit_s))
        said, _ = process.communicate(timeout=suite.limit_s * _PATIENCE)
    except subprocess.TimeoutExpired:
        return Outcome(noticed=True, seconds=time.monotonic() - began, by=f"stood still for {suite.limit_s * _PATIENCE} s")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    seconds = time.monotonic() - began
    if process.returncode == _PASSED:
        return Outcome(noticed=False, seconds=seconds)
    if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return Outcome(noticed=True, seconds=seconds, by=f"took more than {suite.limit_s} s of the processor's time")
    if process.returncode == _FAILED:
        return Outcome(noticed=True, seconds=seconds, by=_first_failure(said))
    raise SuiteError(f"{suite.name} ended with {process.returncode}:\n{said[-2000:]}")


def _first_failure(said: str) -> str:
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", said, flags=re.MULTILINE)
    return "" if found is None else found[1]
