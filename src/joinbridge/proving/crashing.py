"""Every crash point: a story is told again and again, and at operation 1, 2, 3 … something happens, until a telling passes untouched.

After each telling the invariants hold, and what it left behind is what it leaves behind undisturbed, or merely slow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from joinbridge.proving.faults import Fault, FaultKind
from joinbridge.proving.history import History
from joinbridge.proving.invariants import violations
from joinbridge.proving.plan import Plan
from joinbridge.proving.points import DIVISIBLE
from joinbridge.proving.scratch import Scratch
from joinbridge.proving.stories import Story, record, tell
from joinbridge.proving.tape import Tape


class Mode(StrEnum):
    """What happens at an operation.

    TORN: half of it is carried out and the process is gone, or, of what has no halves, its outcome is unknown and the process lives on.
    """

    BEFORE = "before"
    AFTER = "after"
    TORN = "torn"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashPoint:
    """The `nth` call of a name in a story, and what happens at it."""

    call: str
    nth: int
    mode: Mode

    @property
    def fault(self) -> Fault:
        """What happens there."""
        kinds = {Mode.BEFORE: FaultKind.CRASH_BEFORE, Mode.AFTER: FaultKind.CRASH_AFTER}
        torn = FaultKind.CRASH_HALFWAY if self.call in DIVISIBLE else FaultKind.FAIL_AFTER
        return Fault(kind=kinds.get(self.mode, torn), call=self.call, nth=self.nth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A crash point after which something was wrong."""

    story: str
    point: CrashPoint
    wrong: tuple[str, ...]


@dataclass(slots=True)
class Crashes:
    """How many crash points were enumerated, how many came about, and after how many everything was well."""

    enumerated: int = 0
    reached: int = 0
    recovered: int = 0
    tellings: int = 0
    by_mode: Counter[str] = field(default_factory=Counter)
    by_call: Counter[str] = field(default_factory=Counter)
    stories: Counter[str] = field(default_factory=Counter)
    open_ended: list[str] = field(default_factory=list)  # calls of which there are more than were counted
    broken: list[Broken] = field(default_factory=list)

    def add(self, other: Crashes) -> None:
        """Add those of other stories."""
        for name in ("enumerated", "reached", "recovered", "tellings"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for counter in ("by_mode", "by_call", "stories"):
            getattr(self, counter).update(getattr(other, counter))
        self.open_ended += other.open_ended
        self.broken += other.broken

    @property
    def complete(self) -> bool:
        """Whether every point that was enumerated came about and was recovered from, and no call was left out."""
        return self.enumerated == self.reached == self.recovered and not self.open_ended

    def to_json(self) -> dict[str, object]:
        """Return them as plain JSON."""
        return {
            "enumerated": self.enumerated,
            "reached": self.reached,
            "recovered": self.recovered,
            "complete": self.complete,
            "by_mode": dict(sorted(self.by_mode.items())),
            "by_call": dict(sorted(self.by_call.items())),
            "by_story": dict(self.stories),
            "open_ended": self.open_ended,
            "broken": [
                {"story": each.story, "call": each.point.call, "nth": each.point.nth, "mode": each.point.mode, "wrong": list(each.wrong)}
                for each in self.broken
            ],
        }


def crash_everywhere(story: Story, scratch: Scratch, *, every: int = 1, first: int = 0) -> Crashes:
    """Crash at every point of `story`, or at each `every`-th from `first` on."""
    plan, tape = record(story.seed, scratch, batch_limit=story.batch_limit)
    plan = replace(plan, schedule=tuple(story.meanwhile))
    undisturbed = tell(plan, tape, scratch)
    found = Crashes()
    if wrong := violations(undisturbed.history):
        found.broken.append(Broken(story=story.name, point=CrashPoint(call="none", nth=0, mode=Mode.BEFORE), wrong=tuple(wrong)))
    if not story.shows(undisturbed.history):
        found.open_ended.append(f"{story.name} does not show what it is told for")
    expected = [end_state(undisturbed.history)]
    for late in slower(undisturbed.history, tape):
        found.tellings += 1
        told = tell(plan, tape, scratch, late=late).history
        expected.append(end_state(told))
        if wrong := violations(told):
            found.broken.append(Broken(story=story.name, point=CrashPoint(call="none", nth=0, mode=Mode.AFTER), wrong=tuple(wrong)))
    for point in points(undisturbed.weather.calls)[first::every]:
        _crash_at(point, story, plan, tape, expected, scratch, found)
    if every == 1:
        found.open_ended += _beyond(undisturbed.weather.calls, story, plan, tape, scratch)
    return found


def slower(history: History, tape: Tape) -> Iterator[Mapping[datetime, timedelta]]:
    """Return how late a sidecar may see to a deadline so that something else on the tape comes before it, one deadline at a time.

    One that is started again meets what was due meanwhile some seconds late. What came in just those seconds it knows by then, and decides
    otherwise, as one would that was merely slow: so what it leaves behind must be what that one leaves behind.
    """
    met = {commit.at: min(passed.deadline.due_at for passed in commit.due) for commit in history.ledger.commits if commit.due}
    for at, due_at in met.items():
        for moment in tape.moments:
            if at <= moment < at + _STARTING:
                yield {due_at: moment - due_at + _JUST_AFTER}


_STARTING = timedelta(seconds=10)  # longer than a sidecar that is gone takes until it is there again, and current
_JUST_AFTER = timedelta(seconds=0.5)


def end_state(history: History) -> Mapping[str, object]:
    """Return what a history leaves behind, without what a crash may change: when something was done, and how often it was tried.

    A probe bears the moment at which it was decided in its key; what became of the others is the same to the letter.
    """
    return {
        "attempts": {
            str(key): (a.state, a.other, a.response_code, a.refusal, a.lost_because, a.retries, a.probes)
            for key, a in history.attempts.items()
        },
        "pairs": {
            str(pair): (record.state, record.held, sorted((e.rule, e.message) for e in record.basis))
            for pair, record in history.pairs.items()
        },
        "inventory": {str(pair): joined for pair, joined in history.inventory.items() if joined},
        "inbox": history.stored.inbox,
        "dead letters": {key: (reason, route) for key, (reason, _, _, _, route) in history.stored.dead.items()},
        "effects": Counter(_timeless(effect.key) for effect in history.effects),
        "published": {_timeless(one.key) for one in history.ledger.published},
        "audit": Counter((r.kind, _timeless(r.subject), str(r.body.get("from")), str(r.body.get("to"))) for r in history.audit),
    }


def _timeless(key: str) -> str:
    return re.sub(r"^(probe:.*:)\d+$", r"\1", key)


def points(calls: Mapping[str, int]) -> Sequence[CrashPoint]:
    """Return every point of so many calls of each name. One mode comes after the other, so that each `every`-th has some of all."""
    return [CrashPoint(call=name, nth=nth, mode=mode) for mode in Mode for name in sorted(calls) for nth in range(1, calls[name] + 1)]


def _crash_at(
    point: CrashPoint, story: Story, plan: Plan, tape: Tape, expected: Sequence[Mapping[str, object]], scratch: Scratch, found: Crashes
) -> None:
    lived = tell(replace(plan, schedule=(*story.meanwhile, point.fault)), tape, scratch)
    found.enumerated += 1
    found.tellings += 1
    found.by_mode[point.mode] += 1
    found.by_call[point.call] += 1
    found.stories[story.name] += 1
    happened = lived.weather.happened[point.fault.label] > 0
    found.reached += happened
    left = end_state(lived.history)
    different = [differences(each, left) for each in expected]
    wrong = [*violations(lived.history), *(different[0] if all(different) else ())]
    if not happened:
        wrong.append("it never came about")
    if wrong:
        found.broken.append(Broken(story=story.name, point=point, wrong=tuple(wrong)))
    else:
        found.recovered += 1


def _beyond(calls: Mapping[str, int], story: Story, plan: Plan, tape: Tape, scratch: Scratch) -> list[str]:
    """Tell the story with something at the call after the last of each name: nothing may come of it."""
    beyond = [CrashPoint(call=name, nth=times + 1, mode=Mode.BEFORE).fault for name, times in calls.items()]
    lived = tell(replace(plan, schedule=(*story.meanwhile, *beyond)), tape, scratch)
    return [f"{story.name}: {fault.call}" for fault in beyond if lived.weather.happened[fault.label]]


def differences(expected: Mapping[str, object], found: Mapping[str, object]) -> Sequence[str]:
    """Return in which respects what a history left behind is not as `expected`."""
    return [f"{what} differ: {_first(expected[what], found[what])}" for what in expected if not _same(expected[what], found[what])]


def _same(expected: object, found: object) -> bool:
    """Whether nothing is missing. A sidecar that was started anew watches a few devices longer, and records more than it had to."""
    if isinstance(expected, frozenset) and isinstance(found, frozenset):
        return expected <= found
    return expected == found


def _first(expected: object, found: object) -> str:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in sorted({*expected, *found}, key=str):
            if expected.get(key) != found.get(key):
                return f"{key}: {expected.get(key)} became {found.get(key)}"
    if isinstance(expected, set | frozenset) and isinstance(found, set | frozenset):
        return f"{sorted(expected - found)[:2]} are missing, {sorted(found - expected)[:2]} are new"
    return f"{expected} became {found}"
