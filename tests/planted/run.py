"""Plant every bug, one after the other, in a copy of the project, and see which suite notices it first.

    PYTHONPATH=tests python -m planted.run [--only NAME …] [--suites NAME …] [--seeds N] [--processes N] [--json FILE]

The suites are tried cheapest first until one notices the bug, and the simulation in any case, to tell how many seeds it takes by itself.
Exits with 1 when a bug is not noticed at all, does not fit the source any more, or breaks it outright.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

from planted.bug import ROOT, Bug, StrayError, all_bugs
from planted.suites import SUITES, Outcome, Suite, SuiteError, copy_of, run, simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one bug: the suite that noticed it first, None when none did; `problem` when it could not be tried.

    `simulated` is what the simulation says by itself: how many seeds it took, or nothing.
    """

    bug: str
    says: str
    suite: str | None = None
    by: str = ""
    seconds: float = 0.0
    simulated: str = ""
    problem: str = ""


class Nursery:
    """Copies of the project to plant bugs in, and one that stays as it is, to tell which suites pass without any bug."""

    def __init__(self, suites: Sequence[Suite], pristine: Path, copies: Sequence[Path], seeds: Suite | None = None) -> None:
        self._suites = suites
        self._seeds = seeds
        self._pristine = pristine
        self._free: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            self._free.put(copy)
        self._sound: dict[str, Outcome] = {}
        self._one_at_a_time = Lock()

    def try_out(self, bug: Bug) -> Finding:
        """Return which suite notices `bug` first."""
        copy = self._free.get()
        try:
            with bug.planted(copy):
                finding = self._simulated(self._noticed(bug, copy), copy)
        except (StrayError, SuiteError) as error:
            finding = Finding(bug=bug.name, says=bug.says, problem=str(error))
        finally:
            self._free.put(copy)
        caught = finding.problem or (f"{finding.suite}: {finding.by}" if finding.suite else "NOBODY")
        print(f"{bug.name:<34} {finding.seconds:7.1f} s  {caught}; seeds: {finding.simulated or '-'}", flush=True)
        return finding

    def _noticed(self, bug: Bug, copy: Path) -> Finding:
        seconds = 0.0
        for suite in self._suites:
            outcome = run(suite, copy)
            seconds += outcome.seconds
            if outcome.noticed:
                self._require_sound(suite)
                return Finding(bug=bug.name, says=bug.says, suite=suite.name, by=outcome.by, seconds=seconds)
        return Finding(bug=bug.name, says=bug.says, seconds=seconds)

    def _simulated(self, finding: Finding, copy: Path) -> Finding:
        """Return the finding with how many seeds it takes until the simulation notices the bug."""
        if self._seeds is None:
            return finding
        outcome = run(self._seeds, copy)
        if not outcome.noticed:
            return finding
        self._require_sound(self._seeds)
        first = (
            finding if finding.suite else replace(finding, suite=self._seeds.name, by=outcome.by, seconds=finding.seconds + outcome.seconds)
        )
        return replace(first, simulated=outcome.by)

    def _require_sound(self, suite: Suite) -> None:
        """Make sure that `suite` passes without any bug: else it has noticed nothing."""
        with self._one_at_a_time:
            if suite.name not in self._sound:
                self._sound[suite.name] = run(suite, self._pristine)
        if self._sound[suite.name].noticed:
            raise SuiteError(f"{suite.name} fails without any bug: {self._sound[suite.name].by}")


def table(findings: Sequence[Finding]) -> str:
    """Return the findings as a table in Markdown."""
    rows = ["| bug | noticed by | seconds | simulated seeds |", "|---|---|---:|---:|"]
    rows += [f"| {one.says} | {one.suite or one.problem or '**nobody**'} | {one.seconds:.1f} | {one.simulated} |" for one in findings]
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="planted.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="the project; this one if not given")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these bugs; all if not given")
    parser.add_argument("--suites", nargs="+", default=[], metavar="NAME", help="these suites; all if not given")
    parser.add_argument("--seeds", type=int, default=200, help="how many are simulated at the most for each; 0: none")
    parser.add_argument("--processes", type=int, default=1, help="how many bugs are tried at the same time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the findings")
    options = parser.parse_args(arguments)
    bugs = [bug for bug in all_bugs() if not options.only or bug.name in options.only]
    with ExitStack() as stack:
        pristine, *copies = (stack.enter_context(copy_of(options.root)) for _ in range(options.processes + 1))
        suites = [suite for suite in SUITES if not options.suites or suite.name in options.suites]
        nursery = Nursery(suites, pristine, copies, simulation(options.seeds) if options.seeds else None)
        with ThreadPoolExecutor(options.processes) as pool:
            findings = list(pool.map(nursery.try_out, bugs))
    print(table(findings))
    noticed = [one for one in findings if one.suite is not None]
    print(f"\n{len(noticed)} of {len(findings)} planted bugs were noticed")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(one) for one in findings], indent=1) + "\n", "utf-8")
    return 0 if len(noticed) == len(findings) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
