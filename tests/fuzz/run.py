"""Fuzz every target, and print what was found as JSON. Exits with 1 when anything was.

    PYTHONPATH=tests python -m fuzz.run [--executions N] [--processes P] [--targets NAME …] [--seed S] [--engine NAME] [--json FILE]

With atheris, where it is installed, coverage leads; without, the corpus is mutated blindly.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]

WEIGHTS: Mapping[str, int] = {
    "duis": 20,
    "gbcs": 30,
    "message": 30,
    "payload": 60,
    "capture": 20,
    "history": 2,
    "configuration": 2,
    "environment": 4,
    "amqp": 16,
    "mqtt": 16,
}
"""How many of the executions each target gets: a history costs as much as fifty payloads."""

PORTION = 200_000
"""Executions of one process: it starts anew afterwards, with another seed, and with the corpus only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one process is to do."""

    target: str
    executions: int
    seed: int
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one process did; findings are inputs in base64, by what they made the target raise."""

    target: str
    executions: int
    seconds: float
    findings: Mapping[str, str] = field(default_factory=dict)


def jobs(targets: Sequence[str], executions: int, seed: int, engine: str) -> Iterator[Job]:
    """Share out `executions` among `targets`, in portions."""
    whole = sum(WEIGHTS[target] for target in targets)
    for target in targets:
        left = -(-executions * WEIGHTS[target] // whole)
        while left > 0:
            yield Job(target=target, executions=min(left, PORTION), seed=seed, engine=engine)
            left -= PORTION
            seed += 1


def run(job: Job) -> Report:
    """Do `job` in a process of its own."""
    arguments = [job.target, "--executions", str(job.executions), "--seed", str(job.seed), "--engine", job.engine]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "fuzz.worker", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    seconds = time.monotonic() - began
    if job.engine == "atheris":
        return _of_atheris(job, done, seconds)
    try:
        told = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError:
        return Report(target=job.target, executions=0, seconds=seconds, findings={_last_words(done): ""})
    return Report(target=job.target, **told)


def _of_atheris(job: Job, done: subprocess.CompletedProcess[str], seconds: float) -> Report:
    counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    findings: dict[str, str] = {}
    if done.returncode != 0:
        written = re.search(r"Test unit written to (\S+)", done.stderr)
        octets = Path(written[1]).read_bytes() if written else b""
        findings[_last_words(done)] = b64encode(octets).decode()
    return Report(target=job.target, executions=int(counted[1]) if counted else 0, seconds=seconds, findings=findings)


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    raised = re.search(r"Uncaught Python exception: ===\n(.+?)\n", done.stderr)
    return raised[1][:300] if raised else f"exit code {done.returncode}: {(done.stderr or done.stdout)[-500:]}"


def summary(reports: Sequence[Report]) -> Mapping[str, object]:
    """Return all `reports` as one: what the report of the project quotes."""
    executions, busy_s = sum(one.executions for one in reports), sum(one.seconds for one in reports)
    by_target = {
        target: {
            "executions": sum(one.executions for one in reports if one.target == target),
            "seconds": round(sum(one.seconds for one in reports if one.target == target), 1),
        }
        for target in dict.fromkeys(one.target for one in reports)
    }
    found = [asdict(one) for one in reports if one.findings]
    return {
        "executions": executions,
        "per_second_and_process": round(executions / busy_s) if busy_s else 0,
        "targets": by_target,
        "found": found,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="fuzz.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=1)
    has_atheris = importlib.util.find_spec("atheris") is not None
    parser.add_argument("--engine", choices=("atheris", "mutation"), default="atheris" if has_atheris else "mutation")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures, besides the terminal")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with ThreadPoolExecutor(options.processes) as pool:
        reports = list(pool.map(run, jobs(options.targets, options.executions, options.seed, options.engine)))
    facts = {"engine": options.engine, "seed": options.seed, "took_s": round(time.monotonic() - began, 1), **summary(reports)}
    text = json.dumps(facts, indent=1)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n", "utf-8")
    return 1 if facts["found"] else 0


if __name__ == "__main__":
    sys.exit(main())
