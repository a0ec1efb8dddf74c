"""The trace: everything that happens in a simulation, in order, as a digest that two runs can be compared by, and for people on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Protocol


class Teller(Protocol):
    """What lines are told to."""

    def add(self, who: str, what: str, about: Iterable[str] = ()) -> None:
        """Add a line: at this moment `who` did `what`, which concerned `about`."""
        ...


class Trace:
    """Takes lines in; `digest` names all of them together. `lines` keeps them only with `keep`."""

    def __init__(self, now: Callable[[], datetime], *, keep: bool = False) -> None:
        self._now = now
        self._hash = blake2b(digest_size=16)
        self._keep = keep
        self.lines: list[str] = []

    def add(self, who: str, what: str, about: Iterable[str] = ()) -> None:
        """Add a line: at this moment `who` did `what`, which concerned `about`."""
        line = f"{self._now().isoformat()} {who:>9} {what} {' '.join(about)}".rstrip()
        self._hash.update(f"{line}\n".encode())
        if self._keep:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """The name of all lines so far."""
        return self._hash.hexdigest()


class Numbered:
    """The trace as one of several tells what it does: everyone it names has its `number`."""

    def __init__(self, trace: Teller, number: int) -> None:
        self._trace = trace
        self._number = number

    def add(self, who: str, what: str, about: Iterable[str] = ()) -> None:
        """Add a line, as `Teller` does."""
        self._trace.add(f"{who} {self._number}", what, about)
