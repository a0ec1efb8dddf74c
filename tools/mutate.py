"""Change the code a little, again and again, and see whether a test notices: mutation testing of the core and of the step, by mutmut.

    .venv/bin/python tools/mutate.py [--modules core/order.py …] [--processes N] [--results FILE]

Works on a copy of the project. Survivors are held against docs/mutants.toml, which says of each why it may live; exits with 1 when one has
no reason there, or a reason has no survivor any more. The whole takes an hour or two; `pip install mutmut` first, which is in no lock.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("src/joinbridge")
REASONS = ROOT / "docs" / "mutants.toml"

SUITES = {"core": ("tests/unit/core",), "service": ("tests/unit/service",)}
"""The tests that are to notice a change in a room of the house."""

# What mutmut keeps of a mutant is the exit code of its tests.
SURVIVED, NO_TESTS = (0,), (5, 33)
NOT_TRIED = (None, 2, 34)


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A change that no test noticed: in which function, and what line became which."""

    function: str
    was: str
    becomes: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", nargs="+", default=list(_modules()), metavar="FILE", help="within src/joinbridge; all if not given")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, metavar="FILE", help="where to write the figures as JSON, besides the terminal")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("mutmut") is None:
        print("mutmut is not installed: pip install mutmut", file=sys.stderr)
        return 2
    began = time.monotonic()
    counts: dict[str, Counter[str]] = {}
    survivors: list[Mutant] = []
    for room, tests in SUITES.items():
        modules = [module for module in options.modules if module.startswith(f"{room}/")]
        if modules:
            with TemporaryDirectory(prefix="joinbridge-mutants-") as folder:
                copy = Path(folder)
                _copy(copy, modules, tests)
                _run(copy, options.processes)
                counts.update((module, _count(copy, module)) for module in modules)
                survivors += [mutant for module in modules for mutant in _survivors(copy, module)]
    facts = _facts(counts, survivors, time.monotonic() - began)
    print(json.dumps(facts, indent=1))
    if options.results is not None:
        options.results.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    return _judge(survivors, options.modules)


def _modules() -> Iterator[str]:
    base = ROOT / PACKAGE
    yield from sorted(str(path.relative_to(base)) for path in (base / "core").rglob("*.py") if path.stem != "__init__")
    yield "service/step.py"


def _copy(copy: Path, modules: Iterable[str], tests: Iterable[str]) -> None:
    """Copy what is needed to `copy`, with what mutmut is to do."""
    for name in ("src", "tests", "docs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    settings = {
        "source_paths": ["src"],
        "only_mutate": [str(PACKAGE / module) for module in modules],
        "also_copy": ["tests", "docs"],
        "pytest_add_cli_args_test_selection": list(tests),
        "pytest_add_cli_args": ["-m", "not slow", "-p", "no:cacheprovider"],
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (copy / "pyproject.toml").write_text("\n".join([project, "[tool.mutmut]", *lines, ""]), "utf-8")


def _run(copy: Path, processes: int) -> None:
    # It ends with 0 whatever has survived, and says on the terminal how far it is.
    subprocess.run([sys.executable, "-m", "mutmut", "run", "--max-children", str(processes)], cwd=copy, stdout=sys.stderr, check=True)


def _outcomes(copy: Path, module: str) -> Mapping[str, int | None]:
    kept = copy / "mutants" / PACKAGE / f"{module}.meta"
    outcomes: Mapping[str, int | None] = json.loads(kept.read_text("utf-8"))["exit_code_by_key"]
    return outcomes


def _count(copy: Path, module: str) -> Counter[str]:
    return Counter(_word(code) for code in _outcomes(copy, module).values())


def _word(code: int | None) -> str:
    if code in NOT_TRIED:
        return "not tried"
    return "survived" if code in SURVIVED else "without tests" if code in NO_TESTS else "noticed"


def _survivors(copy: Path, module: str) -> Iterator[Mutant]:
    for name, code in _outcomes(copy, module).items():
        if _word(code) in ("survived", "without tests"):
            command = [sys.executable, "-m", "mutmut", "show", name]
            shown = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout.splitlines()
            changed = [line for line in shown if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")]
            # joinbridge.core.order.x__as_of__mutmut_3, or xǁDraftǁput__mutmut_1 for a method
            function = name.rpartition(".")[2].rpartition("__mutmut_")[0].removeprefix("x").removeprefix("_").lstrip("ǁ").replace("ǁ", ".")
            was = "\n".join(line[1:].strip() for line in changed if line.startswith("-"))
            becomes = "\n".join(line[1:].strip() for line in changed if line.startswith("+"))
            yield Mutant(f"{module}: {function}", was, becomes)


def _facts(counts: Mapping[str, Counter[str]], survivors: Sequence[Mutant], took_s: float) -> Mapping[str, object]:
    total: Counter[str] = sum(counts.values(), Counter())
    modules = {module: {**count, "score": _score(count)} for module, count in counts.items()}
    return {
        "took_s": round(took_s, 1),
        "mutants": total.total(),
        "score": _score(total),
        "modules": modules,
        "survivors": [asdict(mutant) for mutant in sorted(survivors)],
    }


def _score(count: Counter[str]) -> float:
    """Return which part of the mutants a test has noticed, in percent."""
    tried = count.total() - count["not tried"]
    return round(100 * count["noticed"] / tried, 2) if tried else 100.0


def _judge(survivors: Iterable[Mutant], modules: Sequence[str]) -> int:
    """Hold the survivors against the reasons; return the exit code."""
    kept = tomllib.loads(REASONS.read_text("utf-8")).get("mutant", ()) if REASONS.exists() else ()
    reasons = {Mutant(one["function"], one["was"], one["becomes"]) for one in kept if one["function"].partition(":")[0] in modules}
    alive = set(survivors)
    for mutant in sorted(alive - reasons):
        print(f"no reason why it may live: {mutant.function}\n- {mutant.was}\n+ {mutant.becomes}", file=sys.stderr)
    for mutant in sorted(reasons - alive):
        print(f"a reason for one that does not live: {mutant.function}\n- {mutant.was}\n+ {mutant.becomes}", file=sys.stderr)
    return 1 if alive ^ reasons else 0


if __name__ == "__main__":
    sys.exit(main())
