"""The timeline of the lost joins: where each symbol is drawn. Pure geometry; the template makes the SVG of it.

Time runs from the request to the right on a logarithmic scale: a device answers within seconds, a deadline passes after minutes, a repeat
comes after an hour. Symbols that would cover each other are set side by side, in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log1p

from joinbridge.ops.account import ANSWERED, JOINED, NOT_CARRIED_OUT, Doing, Story
from joinbridge.ops.story import outcome
from joinbridge.ops.wording import exactly, moment, span

CAP = 60
"""Most rows that are drawn: as many as fit one printed page."""

ROW = 20
TOP = 34
WIDTH = 920
TRACK = (246.0, 788.0)
_APART = 13.0
"""How far apart two symbols must be not to touch: their width and a hair."""

_TICKS = (
    ("1 s", timedelta(seconds=1)),
    ("10 s", timedelta(seconds=10)),
    ("1 min", timedelta(minutes=1)),
    ("10 min", timedelta(minutes=10)),
    ("1 h", timedelta(hours=1)),
    ("6 h", timedelta(hours=6)),
    ("1 day", timedelta(days=1)),
    ("1 week", timedelta(days=7)),
)

_LEGS = {"wan": "WAN", "dsp": "DSP", "user": "User"}
_MOVES = {Doing.MISSED: ("missed", "Loss noticed"), Doing.ASKED_AGAIN: ("again", "Asked again"), Doing.LOG_READ: ("probe", "Log read")}

LEGEND = (
    ("asked", "asked"),
    ("done", "carried out by the device (truth)"),
    ("refused", "refused by the device (truth)"),
    ("lost", "answer lost (truth)"),
    ("heard", "request itself delivered late"),
    ("missed", "loss noticed"),
    ("again", "DSP asked to issue it again"),
    ("probe", "Device Log asked for"),
    ("proof", "proof arrived"),
    ("answer", "answer arrived after all"),
    ("yes", "recorded as joined"),
    ("no", "recorded as not carried out"),
    ("person", "left to a person"),
    ("wrong", "recorded wrongly"),
    ("corrected", "inventory corrected"),
)
"""Every symbol with its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A symbol at `x`; `title` says what happened, when."""

    kind: str
    x: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One join. `dark` is the stretch during which nobody knew what had become of it, None if there was none; `unended`: to the end."""

    y: int
    when: str
    pair: str
    leg: str
    outcome: str
    failed: bool
    title: str
    until: float
    dark: tuple[float, float] | None
    unended: bool
    symbols: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The drawing: its rows, the ticks of its scale, and how many joins it leaves out."""

    height: int
    ticks: tuple[tuple[str, float], ...]
    rows: tuple[Row, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    kind: str
    says: str
    at: datetime


def timeline(stories: Sequence[Story], cap: int = CAP) -> Timeline:
    """Return the drawing of the joins whose answer was lost or that were judged wrongly: at most `cap`, failures before the earliest."""
    wanted = [each for each in stories if (each.answer_lost and not each.unjoin) or each.wrong or each.false]
    kept = sorted(wanted, key=lambda each: (not (each.missed or each.wrong or each.false), each.asked_at, each.request_id))[:cap]
    shown = sorted(kept, key=lambda each: (each.asked_at, each.request_id))
    events = [_events(each) for each in shown]
    longest = max((found[-1].at - story.asked_at for story, found in zip(shown, events, strict=True)), default=timedelta())
    scale = _Scale(max(longest, timedelta(hours=1)))
    rows = tuple(
        _row(story, found, scale, TOP + index * ROW + ROW // 2) for index, (story, found) in enumerate(zip(shown, events, strict=True))
    )
    return Timeline(
        height=TOP + len(rows) * ROW + 6,
        ticks=tuple((label, round(scale.x(at), 1)) for label, at in _TICKS if at <= scale.longest),
        rows=rows,
        left_out=len(wanted) - len(shown),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    longest: timedelta

    def x(self, since: timedelta) -> float:
        left, right = TRACK
        share = log1p(max(since.total_seconds(), 0)) / log1p(self.longest.total_seconds())
        return left + share * (right - left)


def _row(story: Story, events: Sequence[_Event], scale: _Scale, y: int) -> Row:
    places = _spread([scale.x(each.at - story.asked_at) for each in events])
    symbols = tuple(
        Symbol(kind=each.kind, x=round(x, 1), title=f"{each.says}: {exactly(each.at)}{_later(each.at, story)}")
        for each, x in zip(events, places, strict=True)
    )
    dark, unended = _dark(symbols)
    return Row(
        y=y,
        when=moment(story.asked_at),
        pair=f"{story.target_type} → {story.other_type}",
        leg=_LEGS.get(story.lost_on or "", story.lost_on or ""),
        outcome=outcome(story),
        failed=story.missed or story.false or story.wrong,
        title=story.request_id,
        until=TRACK[1] if unended else symbols[-1].x,
        dark=dark,
        unended=unended,
        symbols=symbols,
    )


def _later(at: datetime, story: Story) -> str:
    return f", {span(at - story.asked_at)} after the request" if at > story.asked_at else ""


def _dark(symbols: Sequence[Symbol]) -> tuple[tuple[float, float] | None, bool]:
    """Return from where to where nobody knew what had happened, and whether that never ended."""
    begin = next((each.x for each in symbols if each.kind == "lost"), None)
    if begin is None:
        return None, False
    end = next((each.x for each in symbols if each.kind in ("yes", "no", "wrong")), None)
    return (begin, TRACK[1] if end is None else end), end is None


def _spread(places: Sequence[float]) -> list[float]:
    """Move places apart until none touch: to the right, and back to the left where the track ends."""
    spread: list[float] = []
    for place in places:
        spread.append(place if not spread else max(place, spread[-1] + _APART))
    limit = TRACK[1]
    for index in range(len(spread) - 1, -1, -1):
        spread[index] = min(spread[index], limit)
        limit = spread[index] - _APART
    return spread


def _events(story: Story) -> list[_Event]:
    """Return what happened, in order; what happened at one moment in the order in which one follows from the other."""
    return sorted((each for each in _all_events(story)), key=lambda each: max(each.at, story.asked_at))


def _all_events(story: Story) -> Iterator[_Event]:
    yield _Event(kind="asked", says="Asked", at=story.asked_at)
    if story.executed_at is not None:
        done = story.code == 0
        yield _Event(kind="done" if done else "refused", says="Carried out" if done else "Refused", at=story.executed_at)
        if story.lost_on is not None:
            yield _Event(kind="lost", says="Answer lost", at=story.executed_at)
    if story.heard_at is not None and story.heard_late is not None:
        yield _Event(kind="heard", says="Request delivered late", at=story.heard_at)
    for move in story.moves:
        kind, says = _MOVES[move.doing]
        yield _Event(kind=kind, says=says, at=move.at)
    yield from _concluding(story)
    if story.corrected_at is not None and not story.wrong:
        yield _Event(kind="corrected", says="Inventory corrected", at=story.corrected_at)


def _concluding(story: Story) -> Iterator[_Event]:
    verdict, wrongly = story.verdict, story.wrongly
    if wrongly is not None:
        yield _Event(kind="wrong", says="Recorded wrongly", at=wrongly.at)
    if verdict is not None and verdict.state in ANSWERED:
        yield _Event(kind="answer", says="Answer arrived", at=min(story.answered_at or verdict.at, verdict.at))
    elif story.proof_at is not None:
        yield _Event(kind="proof", says="Proof arrived", at=story.proof_at)
    if verdict is None:
        last = story.marks[-1] if story.state == "unresolved" else None
        if last is not None:
            yield _Event(kind="person", says="Left to a person", at=last.at)
    elif verdict == wrongly:
        return
    elif verdict.state in JOINED:
        yield _Event(kind="yes", says="Recorded as joined", at=verdict.at)
    elif verdict.state in NOT_CARRIED_OUT:
        yield _Event(kind="no", says="Recorded as not carried out", at=verdict.at)
