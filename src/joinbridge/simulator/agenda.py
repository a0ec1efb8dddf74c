"""Virtual time: what happens next, and scripts that wait for it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush

from joinbridge.core.ids import RequestId

Action = Callable[[], None]


class Agenda:
    """Actions in order of time; those of one moment in the order in which they were entered. `now` never goes back."""

    __slots__ = ("_entries", "_sequence", "now")

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._entries: list[tuple[datetime, int, Action]] = []
        self._sequence = 0

    def at(self, when: datetime, action: Action) -> None:
        """Do `action` at `when`, at once if that has passed."""
        self._sequence += 1
        heappush(self._entries, (max(when, self.now), self._sequence, action))

    def after(self, wait_s: float, action: Action) -> None:
        """Do `action` in `wait_s` seconds."""
        self.at(self.now + timedelta(seconds=wait_s), action)

    def next_at(self) -> datetime | None:
        """Return when the next action is due, None when there is none."""
        return self._entries[0][0] if self._entries else None

    def run_until(self, to: datetime) -> None:
        """Do all that is due up to and at `to`, including what that leads to."""
        entries = self._entries
        while entries and entries[0][0] <= to:
            self.now, _, action = heappop(entries)
            action()
        self.now = max(self.now, to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Wait `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitReply:
    """Wait for the reply to a request, at most `seconds`."""

    request_id: RequestId
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a User was told about a request: `code` as in DUIS; `outcome` the octet of a join or unjoin answer, if it was one."""

    code: str
    outcome: int | None = None


Script = Generator[Pause | AwaitReply, Reply | None, None]
"""What someone does, step by step; it is handed the reply it waited for, or None when time ran out."""


class Scripts:
    """Runs scripts on the agenda and hands them their replies."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._waiting: dict[RequestId, Script] = {}

    def start(self, when: datetime, script: Script) -> None:
        """Begin `script` at `when`."""
        self._agenda.at(when, lambda: self._resume(script, None))

    def reply(self, request_id: RequestId, reply: Reply) -> None:
        """Hand `reply` to the script that waits for it; nobody may."""
        script = self._waiting.pop(request_id, None)
        if script is not None:
            self._resume(script, reply)

    def _resume(self, script: Script, reply: Reply | None) -> None:
        try:
            wish = script.send(reply)
        except StopIteration:
            return
        if isinstance(wish, Pause):
            self._agenda.after(wish.seconds, lambda: self._resume(script, None))
            return
        request_id = wish.request_id
        self._waiting[request_id] = script
        self._agenda.after(wish.seconds, lambda: self._give_up(request_id))

    def _give_up(self, request_id: RequestId) -> None:
        script = self._waiting.pop(request_id, None)
        if script is not None:
            self._resume(script, None)
