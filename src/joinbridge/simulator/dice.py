"""Chance that repeats itself: one stream of random numbers for each concern of each home."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


def stream(seed: int, *labels: object) -> Random:
    """Return the stream that belongs to `seed` and `labels`, always the same one.

    A stream of its own for each concern keeps what one concern draws from changing another. A text seeds it by its SHA-512, so neither
    the interpreter's hash seed nor the platform matters.
    """
    return Random("/".join(map(str, (seed, *labels))))


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeDice:
    """The streams of one home."""

    plan: Random  # what the home has, and what its Suppliers do
    pace: Random  # how long people and machines take
    path: Random  # what happens to a command and its answer on the way
    bus: Random  # what the message bus does to a publication
    octets: Random  # signatures, MACs, keys
    noise: Random  # traffic that concerns no join
    desk: Random  # how long an answer from the inventory takes


def dice_for_home(seed: int, index: int) -> HomeDice:
    """Return the streams of the home with that number."""
    return HomeDice(
        plan=stream(seed, "home", index, "plan"),
        pace=stream(seed, "home", index, "pace"),
        path=stream(seed, "home", index, "path"),
        bus=stream(seed, "home", index, "bus"),
        octets=stream(seed, "home", index, "octets"),
        noise=stream(seed, "home", index, "noise"),
        desk=stream(seed, "home", index, "desk"),
    )
