"""The ledger: what the simulated estate published, what it heard, and what is true, one JSON object a line, only ever appended to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from joinbridge.core.ids import message_key
from joinbridge.ports import Delivery, Publication


class Ledger:
    """Writes the ledger. A line is on its way to the disk when the call returns: it outlives this process, not the machine."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def published(self, publications: Sequence[Publication]) -> None:
        """Write down what the broker has confirmed; `message` is the content's own key, the same for every copy."""
        for each in publications:
            at = None if each.at is None else each.at.isoformat()
            self._write({"published": each.key, "message": message_key(each.body), "to": each.exchange, "route": each.route, "at": at})
        self._file.flush()

    def heard(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Write down what joinbridge sent, each copy of it."""
        for each in deliveries:
            self._write({"heard": each.key, "route": each.route, "at": now.isoformat()})
        self._file.flush()

    def true(self, change: Mapping[str, object]) -> None:
        """Write down a change of what is true."""
        self._write({"true": change})

    def lived(self, now: datetime) -> None:
        """Write down that the estate has lived its days: nothing more is published."""
        self._write({"lived": now.isoformat()})
        self._file.flush()

    def ended(self, score: Mapping[str, object], now: datetime) -> None:
        """Write down the end, and how joinbridge did."""
        self._write({"ended": now.isoformat(), "score": score})
        self._file.flush()

    def _write(self, line: Mapping[str, object]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")


@contextmanager
def open_ledger(path: Path) -> Iterator[Ledger]:
    """Open the ledger at `path`, at its end.

    Raises: OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        yield Ledger(file)


def read_ledger(path: Path) -> Iterator[Mapping[str, object]]:
    """Return the lines of the ledger at `path`; a last line that was cut off is left out.

    Raises: OSError; ValueError when a line in the middle is no JSON.
    """
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)
