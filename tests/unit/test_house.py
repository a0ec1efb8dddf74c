"""The rules of the house that no other tool keeps: what may be committed, and that the project's own papers agree."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import joinbridge

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SOFT_CAP = 400
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

# Written so that this file is not its own first finding.
REGISTRIES = re.compile(r"\b(?:pypi|pythonhosted|npmjs|deb\.debian)\.(?:org|com|net|io)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.~$}/-])/(?:root|home|Users|work|mnt|private|var/folders|opt/(?:wheels|pypi))/[\w.-]")
NEIGHBOUR = ".." + "/shared"


@cache
def committed() -> dict[str, str]:
    """Return the text of each file that git knows, by its path; files that are not text are left out."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing here is committed")
    listed = subprocess.run(  # nothing in it comes from outside
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],  # noqa: S607  # whichever git is on the PATH
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    texts = {}
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if not name or not path.is_file():
            continue
        octets = path.read_bytes()
        if b"\0" not in octets:
            texts[name] = octets.decode("utf-8", errors="replace")
    return texts


def findings(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in committed().items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def pins(lock: Path) -> dict[str, Requirement]:
    """Return what `lock` pins, by canonical name."""
    lines = lock.read_text("utf-8").replace("\\\n", " ").splitlines()
    requirements = [Requirement(line.split("--hash")[0].strip()) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def version_of(requirement: Requirement) -> str:
    [pin] = requirement.specifier
    assert pin.operator == "=="
    return pin.version


class TestWhatIsCommitted:
    def test_no_file_names_a_registry(self) -> None:
        assert findings(REGISTRIES) == []

    def test_no_file_names_a_path_of_somebodys_machine(self) -> None:
        assert findings(MACHINE_PATHS) == []

    def test_nothing_but_tests_knows_of_folders_beside_the_checkout(self) -> None:
        assert [name for name, text in committed().items() if NEIGHBOUR in text and not name.startswith("tests/")] == []


class TestLocks:
    def test_all_three_are_there(self) -> None:
        assert [lock.name for lock in LOCKS] == ["build.txt", "dev.txt", "runtime.txt"]

    @pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
    def test_each_entry_is_one_version_with_hashes_and_nothing_else_is_in_it(self, lock: Path) -> None:
        entry = re.compile(r"[a-z0-9-]+==[\w.+!]+(?: ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+")
        lines = re.sub(r" *\\\n *", " ", lock.read_text("utf-8")).splitlines()

        strange = [line[:120] for line in lines if line and not line.startswith("#") and not entry.fullmatch(line)]

        assert strange == []

    @pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
    def test_no_address_is_in_it(self, lock: Path) -> None:
        assert [line for line in lock.read_text("utf-8").splitlines() if re.search(r"://|\s@\s|^\s*-[a-z]|^\s*--(?!hash)", line)] == []

    @pytest.mark.parametrize("name", ["build", "runtime"])
    def test_the_development_lock_holds_the_others(self, name: str) -> None:
        small, large = (pins(ROOT / "requirements" / f"{lock}.txt") for lock in (name, "dev"))

        assert {pinned: version_of(small[pinned]) for pinned in small} == {
            pinned: version_of(large[pinned]) for pinned in small if pinned in large
        }

    def test_they_fit_what_the_project_asks_for(self) -> None:
        table = PYPROJECT
        asked = {
            "build": table["build-system"]["requires"],
            "runtime": table["project"]["dependencies"],
            "dev": [one for group in table["dependency-groups"].values() for one in group],
        }

        unfit = [
            f"{name}.txt: {wanted}"
            for name, requirements in asked.items()
            for wanted in map(Requirement, requirements)
            if (pin := pins(ROOT / "requirements" / f"{name}.txt").get(canonicalize_name(wanted.name))) is None
            or not wanted.specifier.contains(version_of(pin))
        ]

        assert unfit == [], "run make lock"


class TestModules:
    @pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
    def test_each_starts_with_the_reason_why_it_exists(self, module: Path) -> None:
        said = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""

        assert re.match(r"[A-Z`].*[.:!]$", said.split("\n", 1)[0]), "the first line of a module is one sentence"

    def test_none_grows_without_being_asked_why(self) -> None:
        lines = {path: len(path.read_text("utf-8").splitlines()) for path in MODULES}

        long = [f"{path.relative_to(ROOT)} ({count} lines)" for path, count in lines.items() if count > SOFT_CAP]

        if long:
            pytest.xfail(f"above {SOFT_CAP} lines, why? {', '.join(long)}")


class TestPapers:
    def test_the_version_is_one_version(self) -> None:
        assert importlib.metadata.version("joinbridge") == joinbridge.__version__, "run make install"

    def test_the_changelog_speaks_of_this_version_or_of_what_comes(self) -> None:
        headings = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)

        assert headings, "no section"
        assert headings[0] in ("Unreleased", joinbridge.__version__)

    def test_the_licence_is_the_one_that_is_declared(self) -> None:
        text = (ROOT / "LICENSE").read_text("utf-8")
        declared = PYPROJECT["project"]["license"]

        assert declared == "Apache-2.0"
        assert "Apache License\n                           Version 2.0, January 2004" in text
        assert "END OF TERMS AND CONDITIONS" in text

    def test_every_target_of_the_makefile_says_what_it_is_for(self) -> None:
        makefile = (ROOT / "Makefile").read_text("utf-8")
        # The parts of check and the files are below the line that says so.
        targets, _ = makefile.split("# The parts of check", 1)

        undocumented = set(re.findall(r"^\.PHONY: ([\w-]+)$", targets, flags=re.MULTILINE)) - set(
            re.findall(r"^## ([\w-]+): \S", targets, flags=re.MULTILINE)
        )

        assert undocumented == set()
