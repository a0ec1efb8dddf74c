"""One process that fuzzes one target; `fuzz.run` starts as many as it wants. Prints what it did as one line of JSON.

    PYTHONPATH=tests python -m fuzz.worker TARGET --executions N --seed S --engine atheris|mutation

With atheris, libFuzzer leads, and ends the process: what it did is in its own last words, which `fuzz.run` reads.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import sys
import time
from base64 import b64encode
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from fuzz.limits import LIMIT_S, MAX_BYTES

_ENOUGH = 20
"""Findings after which a target is not tried any longer: they are probably all the same."""


def by_mutation(name: str, executions: int, seed: int) -> None:
    """Try `executions` inputs, and go on after a finding."""
    from fuzz.corpus import inputs  # noqa: PLC0415  # below, atheris must be first
    from fuzz.mutation import Mutator, tried, watched  # noqa: PLC0415
    from fuzz.targets import TARGETS  # noqa: PLC0415

    began, done, findings = time.monotonic(), 0, {}
    with watched():
        for octets in itertools.islice(Mutator(inputs(name), seed), executions):
            done += 1
            error = tried(TARGETS[name], octets)
            if error is not None:
                findings[f"{type(error).__name__}: {error}"[:300]] = b64encode(octets).decode()
                if len(findings) >= _ENOUGH:
                    break
    print(json.dumps({"executions": done, "seconds": time.monotonic() - began, "findings": findings}))


def by_coverage(name: str, executions: int, seed: int) -> None:
    """Let atheris try `executions` inputs, led by the branches of joinbridge that they take. It ends the process, and so does a finding."""
    atheris: Any = importlib.import_module("atheris")  # Any: it is installed only where it is wanted
    with atheris.instrument_imports(include=["joinbridge"]):
        targets = importlib.import_module("fuzz.targets").TARGETS
    corpus = importlib.import_module("fuzz.corpus").inputs(name)
    folder = Path(mkdtemp(prefix=f"joinbridge-fuzz-{name}-"))
    seeds, found = folder / "seeds", folder / "found"
    seeds.mkdir()
    found.mkdir()
    for known, octets in corpus.items():
        (seeds / known).write_bytes(octets)
    print(f"findings of {name}: {folder}", flush=True)
    flags = [f"-runs={executions}", f"-seed={seed}", f"-timeout={int(LIMIT_S)}", f"-max_len={MAX_BYTES}", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *flags, "-print_final_stats=1", "-rss_limit_mb=2048", str(found), str(seeds)], targets[name])
    atheris.Fuzz()


def main() -> None:
    """Fuzz as the command line says."""
    parser = argparse.ArgumentParser(prog="fuzz.worker", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--executions", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--engine", choices=("atheris", "mutation"), required=True)
    options = parser.parse_args()
    fuzz = by_coverage if options.engine == "atheris" else by_mutation
    fuzz(options.target, options.executions, options.seed)


if __name__ == "__main__":
    main()
