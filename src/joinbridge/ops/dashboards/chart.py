"""Where lines, bars and cells of a picture are. Pure geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from joinbridge.ops.dashboards.panels import Panel, Unit
from joinbridge.ops.dashboards.prometheus import Series

HEIGHT = 190
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 8, 22
TONES = 8
"""How many colours the template knows; more lines share them."""
MOST_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: the pieces between gaps, as SVG writes points, and its colour."""

    name: str
    tone: int
    pieces: tuple[str, ...]
    newest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A chart of lines: what is written beside it, at which height, and at the two ends of time."""

    width: int
    height: int
    lines: tuple[Line, ...]
    left_out: int
    grid: tuple[tuple[float, str], ...]
    warn_y: float | None


def lines(panel: Panel, named: Sequence[tuple[str, Series]], *, start: float, end: float, step_s: float, width: int) -> Lines:
    """Return the chart of what is not always nothing, the largest first."""
    shown = sorted(named, key=lambda each: -max((value for _, value in each[1].points), default=0.0))
    moved = [each for each in shown if any(value for _, value in each[1].points)] or shown[:1]
    kept = moved[:MOST_LINES]
    top = _round_up(max((value for _, one in kept for _, value in one.points), default=0.0) or 1.0)
    inner_w, inner_h = width - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(moment: float, value: float) -> str:
        x = LEFT + inner_w * (moment - start) / max(end - start, 1.0)
        return f"{x:.1f},{TOP + inner_h * (1 - min(max(value, 0.0), top) / top):.1f}"

    return Lines(
        width=width,
        height=HEIGHT,
        lines=tuple(
            Line(
                name=name,
                tone=index % TONES,
                pieces=tuple(" ".join(at(*point) for point in piece) for piece in _pieces(one, step_s)),
                newest="" if one.newest is None else shown_as(one.newest, panel.unit),
            )
            for index, (name, one) in enumerate(kept)
        ),
        left_out=len(named) - len(kept),
        grid=tuple((TOP + inner_h * (1 - part), shown_as(top * part, panel.unit)) for part in (0.0, 0.5, 1.0)),
        warn_y=None if panel.warn is None or panel.warn > top else TOP + inner_h * (1 - panel.warn / top),
    )


def _pieces(one: Series, step_s: float) -> list[list[tuple[float, float]]]:
    """Part a line where it has gaps; a single point becomes a short line."""
    pieces: list[list[tuple[float, float]]] = []
    for point in one.points:
        if pieces and point[0] - pieces[-1][-1][0] <= 1.5 * step_s:
            pieces[-1].append(point)
        else:
            pieces.append([point])
    return [piece if len(piece) > 1 else [piece[0], (piece[0][0] + step_s / 2, piece[0][1])] for piece in pieces]


def _round_up(value: float) -> float:
    """Return the next number that reads well on an axis."""
    size = 10.0 ** math.floor(math.log10(value))
    return next(size * step for step in (1, 2, 2.5, 5, 10) if size * step >= value * 0.999)


def shade(panel: Panel, value: float) -> float:
    """Return how dark a cell is, from 0 to 1: 1 from twice the bad on, so that a little and a lot differ."""
    full = 2 * panel.bad if panel.bad else 1.0
    return round(min(max(value / full, 0.0), 1.0), 3)


def verdict(panel: Panel, value: float) -> str:
    """Return `good`, `warn` or `bad`; nothing when the panel does not judge."""
    if panel.warn is None and panel.bad is None:
        return ""
    for limit, word in ((panel.bad, "bad"), (panel.warn, "warn")):
        if limit is not None and (value < limit if panel.low_is_bad else value >= limit):
            return word
    return "good"


def shown_as(value: float, unit: Unit) -> str:
    """Return a value as people read it."""
    match unit:
        case Unit.RATIO:
            return f"{round(100 * value, 1):g} %"
        case Unit.GBP:
            return f"£{value:,.0f}"
        case Unit.SECONDS:
            return _duration(value)
        case _:
            return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    for limit, size, name in ((1e-3, 1e-6, "µs"), (1, 1e-3, "ms"), (120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.3g} {name}" if seconds else "0 s"
    return f"{seconds / 86_400:.3g} d"
