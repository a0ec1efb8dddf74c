"""Mutations of a corpus without any help from coverage: what every machine can run, and what the quick test does."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from types import FrameType

from fuzz.limits import LIMIT_S, MAX_BYTES
from fuzz.targets import Target

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
_WORDS = (
    b"<",
    b">",
    b"</",
    b"&#0;",
    b"&",
    b'"',
    b"\0",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x84\xff\xff\xff\xff",
    b"-1",
    b"Z",
    b"9" * 30,
    b"[" * 700,
)


class HungError(Exception):
    """A target took longer than `LIMIT_S` for one input."""


class Mutator:
    """Makes new inputs of known ones, the same for the same `seed`."""

    def __init__(self, corpus: Mapping[str, bytes], seed: int) -> None:
        self._known = list(corpus.values()) or [b""]
        self._random = Random(seed)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._known
        while True:
            octets = bytearray(self._random.choice(self._known))
            for _ in range(self._random.choice((1, 1, 2, 3, 5, 8))):
                self._mutate(octets)
            yield bytes(octets[:MAX_BYTES])

    def _mutate(self, octets: bytearray) -> None:
        random = self._random
        at, size = random.randint(0, len(octets)), random.choice((1, 1, 2, 4, 8, 32, 200))
        match random.randrange(9):
            case 0:
                del octets[at:]
            case 1:
                del octets[at : at + size]
            case 2:
                octets[at:at] = random.randbytes(size)
            case 3:
                octets[at:at] = octets[max(0, at - size) : at]
            case 4:
                octets[at:at] = random.choice(_WORDS)
            case 5:
                other = random.choice(self._known)
                start = random.randint(0, len(other))
                octets[at : at + size] = other[start : start + size]
            case 6:
                octets[at : at + 1] = bytes((random.choice(_NUMBERS),))
            case _ if at < len(octets):
                octets[at] ^= 1 << random.randrange(8)


def tried(target: Target, octets: bytes) -> Exception | None:
    """Return what `target` raises for `octets`; None when all is well. Only for the main thread of a process."""
    try:
        with _limited():
            target(octets)
    except Exception as error:  # noqa: BLE001  # whatever comes is the finding
        return error
    return None


@contextmanager
def _limited() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _hung(_: int, __: FrameType | None) -> None:
    raise HungError(f"longer than {LIMIT_S:.0f} s")


@contextmanager
def watched() -> Iterator[None]:
    """Have the inputs that are tried in this context end at `LIMIT_S`."""
    before = signal.signal(signal.SIGALRM, _hung)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
