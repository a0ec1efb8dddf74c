"""Write requirements/*.txt: exact versions with hashes for what pyproject.toml asks for, and no address of any registry.

build.txt     the build backend, so that the project installs without build isolation
runtime.txt   what joinbridge needs to run, nothing else
dev.txt       both, and every dependency group

Each names everything that is needed, so whoever installs from it says `--no-deps`: pip has nothing left to resolve then. Left to resolve,
it refuses the whole lock once somebody publishes a newer release of a package that another asks for with an extra, `coverage[toml]` say.

Versions already locked stay unless pyproject.toml rules them out; `--upgrade` or `--upgrade-package NAME` moves them.
Run it with the oldest Python that is supported: what is right there is installable on newer ones.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = Path("requirements")
PYTHON = (3, 11)


def main(arguments: Sequence[str]) -> int:
    """Write the three locks; `arguments` go to pip-compile as they are."""
    if sys.version_info[:2] != PYTHON:
        print(f"the locks are made with Python {PYTHON[0]}.{PYTHON[1]}, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    build = project["build-system"]["requires"]
    runtime = project["project"]["dependencies"]
    groups = project["dependency-groups"].values()

    write("build", build, arguments)
    write("runtime", runtime, arguments, within=["build"])
    # The first two bind the third, so that one environment can hold all of them.
    write("dev", [*build, *runtime, *itertools.chain(*groups)], arguments, within=["build", "runtime"])
    return 0


def write(lock: str, requirements: Iterable[str], arguments: Sequence[str], within: Iterable[str] = ()) -> None:
    """Resolve `requirements` into `requirements/<lock>.txt`, choosing the versions that the locks `within` chose.

    Raises: subprocess.CalledProcessError when pip-compile found no solution; it has said why.
    """
    subprocess.run(
        [
            *(sys.executable, "-m", "piptools", "compile", "--quiet"),
            # pip's own configuration of this machine decides where packages come from, and none of it is written down.
            *("--no-emit-options", "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links"),
            *("--generate-hashes", "--allow-unsafe", "--strip-extras", "--no-annotate"),
            *(f"--constraint={LOCKS / other}.txt" for other in within),
            *("--output-file", str(LOCKS / f"{lock}.txt"), *arguments, "-"),
        ],
        input="\n".join(requirements),
        text=True,
        cwd=ROOT,
        env={**os.environ, "CUSTOM_COMPILE_COMMAND": "make lock"},
        check=True,
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
