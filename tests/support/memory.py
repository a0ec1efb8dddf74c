"""How much memory a deployed sidecar holds, by how many messages it was given: what grows with them is a leak."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression

import httpx

from support.deployment import Process
from support.desk import Desk, address_of

_PAGE = os.sysconf("SC_PAGE_SIZE")
WARM = 0.25  # of the messages: caches fill, and pools open their connections


@dataclass
class Memory:
    """Samples of one process: messages it was given so far, and octets that are resident."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)

    def slope_mb(self) -> float | None:
        """Return by how many megabytes it grows with each 100,000 messages, once it is warm; None when too little was seen."""
        warm = [(given, resident) for given, resident in self.samples if given >= WARM * self.samples[-1][0]]
        if len({given for given, _ in warm}) < 3:
            return None
        return linear_regression(*zip(*warm, strict=True)).slope * 100_000 / 1e6


class MemoryWatch:
    """Samples a sidecar, whichever process it is by now; a new one begins anew."""

    def __init__(self) -> None:
        self.lives: list[Memory] = []

    def look(self, process: Process) -> None:
        """Take a sample; one that cannot be had just now is left out."""
        with suppress(httpx.HTTPError, OSError, IndexError), Desk(address_of(process)) as desk:
            given = _received(desk.get("/metrics").text)
            resident = int(Path(f"/proc/{process.popen.pid}/statm").read_text().split()[1]) * _PAGE
            if not self.lives or self.lives[-1].pid != process.popen.pid:
                self.lives.append(Memory(process.popen.pid))
            self.lives[-1].samples.append((given, resident))

    def to_json(self) -> dict[str, object]:
        """Return what the longest life shows."""
        if not self.lives:
            return {"lives": 0, "samples": 0}
        longest = max(self.lives, key=lambda life: len(life.samples))
        slope = longest.slope_mb()
        return {
            "lives": len(self.lives),
            "samples": len(longest.samples),
            "messages": int(longest.samples[-1][0]),
            "resident_mb": {int(given): round(resident / 1e6, 1) for given, resident in thinned(longest.samples)},
            "slope_mb_per_100_000_messages": None if slope is None else round(slope, 3),
        }


def thinned(samples: Sequence[tuple[float, float]], most: int = 20) -> Sequence[tuple[float, float]]:
    """Return about so many of them, evenly."""
    return samples[:: max(1, len(samples) // most)]


def _received(metrics: str) -> float:
    lines = (line for line in metrics.splitlines() if line.startswith("joinbridge_messages_received_total{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
