"""The watched devices: one set lookup tells whether a message can matter to anything that is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from joinbridge.core.attempt import AttemptKey, JoinAttempt
from joinbridge.core.facts import Fact
from joinbridge.core.ids import DeviceId
from joinbridge.core.relevance import DECISIVE, touched


class Watch:
    """Every device that is target or other of an attempt that is open or has a deadline.

    It follows this instance's own commits. What another instance opened is missing here, which is safe: decisive facts are never filtered,
    and the others decide nothing alone. What another instance closed, and what was open when this one started, is watched until it is heard
    that nothing is open there any more: meanwhile more is judged and recorded than would be passed by.
    """

    def __init__(self, loaded: AbstractSet[DeviceId] = frozenset()) -> None:
        self._loaded = loaded
        self._open: defaultdict[DeviceId, set[AttemptKey]] = defaultdict(set)
        self._opened: set[DeviceId] = set()  # since the store was last asked

    def __contains__(self, device: DeviceId) -> bool:
        return device in self._open or device in self._loaded

    def load(self, watched: AbstractSet[DeviceId]) -> None:
        """Watch what the store says is open, besides what this instance has followed."""
        self._loaded = watched

    def ask(self) -> None:
        """Take it that the store is being asked what is open: what is opened from now on is not forgotten when it answers."""
        self._opened.clear()

    def forget(self, watched: AbstractSet[DeviceId]) -> None:
        """Watch nothing any more that was not open when the store was asked, nor opened by this instance since."""
        self._loaded = watched & self._loaded  # looks up the few of the one in the many of the other
        for device in [one for one in self._open if one not in watched and one not in self._opened]:
            del self._open[device]

    def matters(self, fact: Fact) -> bool:
        """Whether `fact` must be judged."""
        return isinstance(fact, DECISIVE) or any(device in self for device in touched(fact))

    def follow(self, attempts: Iterable[JoinAttempt]) -> None:
        """Take in the attempts of a committed batch."""
        for attempt in attempts:
            devices = (attempt.target,) if attempt.other is None else (attempt.target, attempt.other)
            for device in devices:
                if attempt.is_open or attempt.deadlines:
                    self._open[device].add(attempt.key)
                    self._opened.add(device)
                elif device in self._open:
                    self._open[device].discard(attempt.key)
                    if not self._open[device]:
                        del self._open[device]
