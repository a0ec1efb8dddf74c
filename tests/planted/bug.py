"""A planted bug: a small change to the source that a suite must notice, kept as a text that says what is wrong with it."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class StrayError(Exception):
    """A bug does not fit the source any more: what it changes is not there, or there more than once."""


@dataclass(frozen=True, slots=True)
class Change:
    """One text in a file, and what takes its place."""

    was: str
    becomes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """What is wrong, in one sentence, and the changes to one file that make it so. Its name is that of its own file."""

    name: str
    says: str
    file: str
    changes: tuple[Change, ...]

    def applied(self, text: str) -> str:
        """Return `text`, that of the file, with the bug in it.

        Raises: StrayError when a change does not fit exactly one place.
        """
        for change in self.changes:
            places = text.count(change.was)
            if places != 1:
                raise StrayError(f"{self.name} fits {places} places of {self.file} instead of one: {change.was.strip()[:80]!r}")
            text = text.replace(change.was, change.becomes)
        return text

    @contextmanager
    def planted(self, root: Path) -> Iterator[None]:
        """Have the bug in the copy of the project at `root`.

        Raises: StrayError when it does not fit.
        """
        path = root / self.file
        text = path.read_text("utf-8")
        _write(path, self.applied(text))
        try:
            yield
        finally:
            _write(path, text)


def all_bugs(folder: Path = HERE / "bugs") -> tuple[Bug, ...]:
    """Return every bug in `folder`, by name.

    Raises: KeyError, tomllib.TOMLDecodeError when one of them is not written as a bug is.
    """
    return tuple(_read(path) for path in sorted(folder.glob("*.toml")))


def _read(path: Path) -> Bug:
    table = tomllib.loads(path.read_text("utf-8"))
    changes = tuple(Change(was=one["from"], becomes=one["to"]) for one in table["change"])
    return Bug(name=path.stem, says=table["says"], file=table["file"], changes=changes)


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    # Two versions of one size within a second look the same to whoever compares with the compiled file.
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
