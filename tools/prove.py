"""Run every proof at full length, or a fraction of it, and write docs/reliability.md from what came out.

    .venv/bin/python tools/prove.py [--share 0.1] [--only simulation …] [--processes N] [--again] [--out FOLDER] [--page FILE]

Each part writes its figures as JSON to the folder, with the commit and the machine; the page is made from all that lie there, so that parts
can be run on different days. The longest part, the simulation, comes in portions of which each is kept by itself: started again, it goes on
after the last, and `--again` begins anew. Exits with 1 when a part failed, or its aim was missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from joinbridge.proving.figures import Figures as SimulationFigures

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / "out" / "prove"
MATTERS = ("src", "tests", "tools", "requirements", "pyproject.toml")
"""What has to be as committed for figures to be those of a commit."""
PYTHON = sys.executable
Figures = Mapping[str, Any]  # Any: as the parts print them


@dataclass(frozen=True)
class Aim:
    """One line of the page: what is aimed at, what was measured, and whether that is enough."""

    says: str
    measured: str
    reached: bool


@dataclass(frozen=True)
class Scale:
    """How long a part is to be run, in how many processes, and where it is to write its figures, if it writes them itself.

    `portion` is which of its portions, from 0.
    """

    share: float
    processes: int
    written: Path
    portion: int = 0

    def of(self, count: int) -> str:
        """Return the share of `count`, as an argument."""
        return str(int(count * self.share))

    def writes(self) -> list[str]:
        """Return the arguments for a program that takes both by the usual names."""
        return ["--processes", str(self.processes), "--json", str(self.written)]

    def tests(self, *arguments: str) -> list[str]:
        """Return the command line of a suite of tests."""
        return [PYTHON, "-m", "pytest", "-q", "-n", str(self.processes), *arguments, f"--junitxml={self.written}.xml"]

    def simulate(self, *arguments: str) -> list[str]:
        """Return the command line of a simulation."""
        return [PYTHON, "-m", "joinbridge", "sim", "--json", "--procs", str(self.processes), *arguments]


@dataclass(frozen=True)
class Part:
    """One proof: how it is run, and what its figures come to.

    Of one in `portions`, a share is so many of them; one that is not `divisible` is run whole, whatever share is asked for.
    """

    name: str
    says: str
    commands: Callable[[Scale], Sequence[Sequence[str]]]
    aims: Callable[[Figures, float], Sequence[Aim]]
    portions: int = 1
    divisible: bool = True

    def files(self, out: Path) -> Sequence[Path]:
        """Return where the figures of its portions are kept."""
        return [out / (f"{self.name}.{number:02}.json" if self.portions > 1 else f"{self.name}.json") for number in range(self.portions)]


@dataclass(frozen=True)
class Kept:
    """What is kept of one part: for each portion that was run, how and what came out."""

    part: Part
    portions: Sequence[Mapping[str, Any]]  # Any: plain JSON

    @property
    def share(self) -> float:
        """How much of its full length was run."""
        if not self.part.divisible:
            return 1.0
        if self.part.portions > 1:
            return len(self.portions) / self.part.portions
        return float(self.portions[0]["run"]["share"])

    @property
    def figures(self) -> Figures:
        """What came out, of all portions together."""
        first, *others = (one["figures"] for one in self.portions)
        return together([first, *others]) if others else first

    @property
    def aims(self) -> Sequence[Aim]:
        """The lines of the page."""
        return self.part.aims(self.figures, self.share)


def at_least(says: str, value: float, aim: float, share: float) -> Aim:
    """Return the line of a count that is to reach `share` of `aim`."""
    wanted = aim * share
    return Aim(f"{says}: at least {wanted:,.0f}", f"{value:,.0f}", value >= wanted)


def none_of(says: str, value: int) -> Aim:
    """Return the line of a count that is to be 0."""
    return Aim(f"{says}: 0", f"{value:,}", value == 0)


SEEDS, SHARED, TWICE, ON_BOTH, EXECUTIONS = 100_000, 5_000, 500, 2_000, 10_000_000
SIDECARS = 3
PORTIONS = 20
"""Of the simulation: five minutes to a quarter of an hour each, on two processors."""


def together(portions: Sequence[Figures]) -> Figures:
    """Return the figures of several ranges of seeds as those of all of them."""
    whole = SimulationFigures()
    for one in portions:
        whole.add(SimulationFigures.of_json(one))
    return whole.to_json()


def simulation_aims(told: Figures, share: float) -> Sequence[Aim]:
    """What is asked of the simulation."""
    bound = told["false_rate_below_95"]
    return (
        at_least("seeds", told["seeds"], SEEDS, share),
        at_least("simulated messages", told["messages"], 5_000_000, share),
        at_least("virtual years", told["virtual_days"] / 365.25, 20, share),
        none_of("violations of an invariant", len(told["violations"])),
        at_least("inferences", told["inferences"], 200_000, share),
        none_of("false inferences", told["false_inferences"]),
        Aim("their rate, 95 % bound", "none" if bound is None else f"below {bound:.1e}", bound is not None),
        Aim("recall where conclusive proof was delivered: at least 99 %", f"{100 * told['recall']:.2f} %", told["recall"] >= 0.99),
        none_of("declared to happen, and never did", len(told["never_happened"])),
    )


def several_aims(told: Figures, share: float) -> Sequence[Aim]:
    """What is asked of the simulation of several sidecars."""
    return (
        at_least(f"seeds, each with {SIDECARS} sidecars", told["seeds"], SHARED, share),
        none_of("violations of an invariant", len(told["violations"])),
        none_of(f"false inferences, of {told['inferences']:,}", told["false_inferences"]),
        Aim("recall where conclusive proof was delivered: at least 99 %", f"{100 * told['recall']:.2f} %", told["recall"] >= 0.99),
        at_least("times that one stood still", told["faults"].get("standstill", 0), SHARED, share),
    )


def same_twice_aims(told: Figures, _: float) -> Sequence[Aim]:
    """Whether the first and the second time came out the same."""
    first, again = ({key: value for key, value in one.items() if key not in VARIES} for one in (told["first"], told["again"]))
    return (Aim(f"{first['seeds']} seeds twice: the same traces", "the same" if first == again else "different", first == again),)


VARIES = {"took_s", "seeds_per_s"}


def two_databases_aims(told: Figures, share: float) -> Sequence[Aim]:
    """What is asked of the seeds that are simulated on two databases."""
    return (
        at_least("seeds on SQLite and on PostgreSQL", told["seeds"], ON_BOTH, share),
        none_of("of them that did not come to the same on both, row by row", len(told["different"])),
    )


def crash_aims(told: Figures, share: float) -> Sequence[Aim]:
    """What is asked of the crash points."""
    return (
        at_least("crash points that were reached", told["reached"], 10_000, share),
        none_of("of them not recovered", told["reached"] - told["recovered"]),
        Aim("every story was crashed until it went through untouched", "yes" if told["complete"] else "no", bool(told["complete"])),
    )


def fuzz_aims(told: Figures, share: float) -> Sequence[Aim]:
    """What is asked of the fuzzing."""
    return (
        at_least(f"executions ({told['engine']})", told["executions"], EXECUTIONS, share),
        none_of("inputs that raised anything but the documented error, or hung", len(told["found"])),
    )


def planted_aims(told: Figures, _: float) -> Sequence[Aim]:
    """What is asked of the planted bugs."""
    found = [one for one in told["list"] if one["suite"] is not None]
    return (
        Aim(f"planted bugs: {len(told['list'])} of {len(told['list'])} noticed", f"{len(found)}", len(found) == len(told["list"]) >= 30),
    )


def mutant_aims(told: Figures, _: float) -> Sequence[Aim]:
    """What is asked of the mutants. Scores are in percent."""
    tried = told["mutants"] - sum(module.get("not tried", 0) for module in told["modules"].values())
    enough = tried > 0 and told["score"] >= 95
    return (Aim("mutants of the core and the step that a test notices: at least 95 %", f"{told['score']:.1f} % of {tried:,}", enough),)


def suite_aims(told: Figures, _: float) -> Sequence[Aim]:
    """What is asked of a suite of tests."""
    bad = int(told["failures"]) + int(told["errors"])
    return (
        Aim("tests: all passed", f"{told['tests'] - bad} of {told['tests']}, {told['skipped']} skipped", bad == 0 and told["tests"] > 0),
    )


def stateful_aims(told: Figures, share: float) -> Sequence[Aim]:
    """What is asked of the stateful properties."""
    return (*suite_aims(told, share), at_least("steps", told["steps"], 1_000_000, share))


def campaign_aims(told: Figures, share: float) -> Sequence[Aim]:
    """What is asked of the hour among faults of all kinds."""
    slope = told["memory"]["slope_mb_per_100_000_messages"]
    return (
        at_least("messages", told["messages"], 250_000, share),
        at_least("sidecars killed", told["adapter_kills"], 300, share),
        at_least("brokers killed", told["broker_kills"], 20, share),
        at_least("databases stopped at once", told["database_stops"], 20, share),
        at_least("faults of the network", told["network_faults"], 200, share),
        none_of("messages lost", told["lost"]),
        none_of("effects that were done twice", told["duplicate_effects"]),
        none_of("messages taken that were never published", told["unexpected"]),
        none_of("false inferences", told["false_inferences"]),
        none_of("Joins missed although their proof was delivered", told["missed_inferences"]),
        Aim(
            "memory of the sidecar that was never killed: under 1 MB more for 100,000 messages",
            "too few messages to tell" if slope is None else f"{slope:.2f} MB",
            slope is not None and slope < 1,
        ),
    )


PARTS = (
    Part(
        "simulation",
        "The whole sidecar on virtual time, among seeded faults; every invariant held against the ground truth.",
        lambda scale: [scale.simulate("--seeds", str(SEEDS // PORTIONS), "--from", str(scale.portion * (SEEDS // PORTIONS)))],
        simulation_aims,
        PORTIONS,
    ),
    Part(
        "several-sidecars",
        "The same with several sidecars on one queue and one database, each of which fails by itself, or stands still.",
        lambda scale: [scale.simulate("--sidecars", str(SIDECARS), "--seeds", scale.of(SHARED))],
        several_aims,
    ),
    Part(
        "same-twice",
        "The same seeds give the same traces.",
        lambda scale: [scale.simulate("--seeds", str(TWICE)) for _ in range(2)],
        same_twice_aims,
        divisible=False,
    ),
    Part(
        "two-databases",
        "The same seeds on SQLite and on a real PostgreSQL: the same happens, and every row left behind is the same.",
        lambda scale: [
            [PYTHON, "-m", "support.two_databases", "--json", "--procs", str(scale.processes), "--seeds", scale.of(ON_BOTH)],
        ],
        two_databases_aims,
    ),
    Part(
        "crash-points",
        "A crash before, after and within operation 1, 2, 3 … of every reference story.",
        lambda scale: [scale.simulate("--crash-points", "--every", str(max(1, round(1 / scale.share))))],
        crash_aims,
    ),
    Part(
        "fuzzing",
        "Everything that reads what somebody else wrote: a value or the documented error.",
        lambda scale: [
            [PYTHON, "-m", "fuzz.run", "--executions", scale.of(EXECUTIONS), *scale.writes()],
        ],
        fuzz_aims,
    ),
    Part(
        "stateful",
        "Store, deadlines, requeue, relays, routing and bus against models of a few lines.",
        lambda scale: [scale.tests("tests/properties", "-k", "stateful or memory_bus")],
        stateful_aims,
    ),
    Part(
        "chaos",
        "A deployed sidecar that loses its broker, database, inventory, network or life.",
        lambda scale: [scale.tests("tests/faults", "-m", "faults")],
        suite_aims,
        divisible=False,
    ),
    Part(
        "campaign",
        "Three sidecars on one queue, among kills, stops and faults of the network chosen by a seed; then the account.",
        lambda scale: [[PYTHON, "-m", "faults.campaign", "--minutes", str(60 * scale.share), "--json"]],
        campaign_aims,
    ),
    Part(
        "planted",
        "Bugs that were planted, each in a copy; the suite that noticed it first, and how many seeds the simulation alone takes, of 200.",
        lambda scale: [[PYTHON, "-m", "planted.run", *scale.writes()]],
        planted_aims,
        divisible=False,
    ),
    Part(
        "mutants",
        "Every small change to the core and the step; what survives has its reason in docs/mutants.toml.",
        lambda scale: [[PYTHON, "tools/mutate.py", "--processes", str(scale.processes), "--results", str(scale.written)]],
        mutant_aims,
        divisible=False,
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="prove", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the full length; the aims shrink with it")
    parser.add_argument("--only", nargs="*", choices=[part.name for part in PARTS], metavar="PART", help="these parts; all if not given")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "reliability", help="where the figures of each part are kept")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "reliability.md")
    parser.add_argument("--again", action="store_true", help="also what is kept already of a part in portions")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in PARTS:
        if options.only is None or part.name in options.only:
            for number, file in enumerate(part.files(options.out)[: math.ceil(part.portions * min(options.share, 1))]):
                if part.portions > 1 and file.exists() and not options.again:
                    print(f"=== {file.name} is kept: {json.loads(file.read_text('utf-8'))['run']['commit']}", file=sys.stderr)
                elif not run(part, Scale(options.share, options.processes, SCRATCH / f"{part.name}.figures", number), file):
                    failed.append(file.stem)
                write_page(options.out, options.page)
    missed = [f"{kept.part.name}: {aim.says}" for kept in write_page(options.out, options.page) for aim in kept.aims if not aim.reached]
    for line in (*(f"{name} failed" for name in failed), *(f"missed: {line}" for line in missed)):
        print(line, file=sys.stderr)
    return 1 if failed or missed else 0


def run(part: Part, scale: Scale, file: Path) -> bool:
    """Run one part, or a portion of it, and keep its figures in `file`; return whether it ended well."""
    for stale in (scale.written, Path(f"{scale.written}.xml"), file):
        stale.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])}
    environment |= {"HYPOTHESIS_PROFILE": "prove", "PROVE_SHARE": str(scale.share)} if part.name == "stateful" else {}
    began, well, said = time.monotonic(), True, []
    for command in part.commands(scale):
        print(f"=== {file.stem}: {' '.join(command[1:])}", file=sys.stderr, flush=True)
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        well &= done.returncode == 0
        said.append(done.stdout)
    told = figures_of(scale.written, said)
    if told is None:
        return False
    facts = {
        "commit": git("rev-parse", "--short", "HEAD") + (", changed" if git("status", "--porcelain", "--", *MATTERS) else ""),
        "on": f"{datetime.now(UTC):%d %B %Y}",
        "share": scale.share,
        "took_s": round(time.monotonic() - began),
        "processes": scale.processes,
        "machine": f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}",
    }
    file.write_text(json.dumps({"run": facts, "figures": told}, indent=1) + "\n", "utf-8")
    return well


def figures_of(written: Path, said: Sequence[str]) -> Figures | None:
    """Return what a part told, whichever way it tells; None when it told nothing."""
    junit = Path(f"{written}.xml")
    if junit.exists():
        suite = ET.parse(junit).getroot()[0]  # noqa: S314 - written a moment ago by our own tests
        counts: dict[str, Any] = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
        steps = re.search(r"^([\d,]+) stateful steps", said[0], re.MULTILINE)
        return {**counts, "steps": int(steps[1].replace(",", "")) if steps else 0}
    if written.exists():
        told = json.loads(written.read_text("utf-8"))
        return {"list": told} if isinstance(told, list) else told
    values = [json.loads(text) for text in said if text.strip().startswith("{")]
    if len(values) != len(said):
        return None
    return values[0] if len(values) == 1 else dict(zip(("first", "again"), values, strict=True))


def git(*arguments: str) -> str:
    """Return what git says of this checkout."""
    program = shutil.which("git") or "git"
    return subprocess.run([program, "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False).stdout.strip()


def write_page(out: Path, file: Path) -> Sequence[Kept]:
    """Write docs/reliability.md from all that is kept in `out`, and return that."""
    found = [Kept(part, [json.loads(one.read_text("utf-8")) for one in part.files(out) if one.exists()]) for part in PARTS]
    kept = [one for one in found if one.portions]
    file.write_text(page(kept), "utf-8")
    return kept


def page(kept: Sequence[Kept]) -> str:
    """Return docs/reliability.md."""
    lines = [
        "# Reliability",
        "",
        "Made by `make prove` from what each part measured ([reliability/](reliability)); nothing here is written by hand. What the parts",
        "are and how they work is in decisions [0012](decisions/0012-how-the-tests-are-tested.md) and",
        "[0013](decisions/0013-deterministic-simulation.md).",
        "",
    ]
    for one in kept:
        how = "At full length." if one.share == 1 else f"At {one.share:g} of the full length, and so its aims."
        lines += [
            f"## {one.part.name}",
            "",
            f"{one.part.says} {how}",
            "",
            *(how_it_was_run(portion) for portion in one.portions),
            "",
            "| aim | measured | |",
            "|---|---:|---|",
            *(f"| {aim.says} | {aim.measured} | {'reached' if aim.reached else '**missed**'} |" for aim in one.aims),
            "",
        ]
        lines += tables(one.part, one.figures)
    missing = [part for part in PARTS if part not in [one.part for one in kept]]
    if missing:
        lines += ["## Not run yet", "", *(f"- {part.name}: {part.says}" for part in missing), ""]
    return "\n".join(lines)


def how_it_was_run(portion: Mapping[str, Any]) -> str:
    """Return a line of the page."""
    facts, figures = portion["run"], portion["figures"]
    seeds = f"seeds {figures['from']:,} to {figures['from'] + figures['seeds'] - 1:,}, " if {"from", "seeds"} <= set(figures) else ""
    return f"- {seeds}commit {facts['commit']}, {facts['on']}: {facts['took_s']:,} s, {facts['processes']} processes on {facts['machine']}"


def tables(part: Part, told: Figures) -> Sequence[str]:
    """Return what a part has to show besides its aims."""
    match part.name:
        case "simulation":
            faults = [f"| {kind} | {times:,} |" for kind, times in told["faults"].items()]
            return ["| fault | times |", "|---|---:|", *faults, ""]
        case "crash-points":
            return ["| story | crash points |", "|---|---:|", *(f"| {name} | {count:,} |" for name, count in told["by_story"].items()), ""]
        case "planted":
            rows = [
                f"| {one['says']} | {one['suite'] or '**nobody**'} | {one['seconds']:.0f} | {one['simulated']} |" for one in told["list"]
            ]
            return ["| bug | noticed by | after s | seeds |", "|---|---|---:|---:|", *rows, ""]
        case "mutants":
            rows = [f"| {name} | {one['score']:.1f} % |" for name, one in told["modules"].items()]
            return ["| module | noticed |", "|---|---:|", *rows, ""]
    return []


if __name__ == "__main__":
    sys.exit(main())
