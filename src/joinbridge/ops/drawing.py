"""The funnel as a drawing: where its bars, their parts and the slopes between them are. Pure geometry, as `timeline` is."""

from __future__ import annotations

from dataclasses import dataclass

from joinbridge.ops.funnel import Funnel, Part, Stage

WIDTH = 920
STAGE = 84
BAR = 30
BAR_LEFT = 296
BAR_WIDTH = 340
_TOP = 8
_SLIVER = 3.0
"""The least width of a part that there is: one of two thousand must still be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One part of a bar."""

    x: float
    width: float
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stage: its bar at `y`, the outline of the stage before it, and the slope that leads down to the next."""

    y: int
    stage: Stage
    segments: tuple[Segment, ...]
    width: float
    before: float
    slope: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """The bars from top to bottom."""

    height: int
    bars: tuple[Bar, ...]


def draw(funnel: Funnel) -> Drawing:
    """Return the drawing of a funnel in which something was lost."""
    most = max(funnel.lost.count, 1)
    widths = [BAR_WIDTH * stage.count / most for stage in funnel.stages]
    bars = tuple(
        Bar(
            y=_TOP + index * STAGE,
            stage=stage,
            segments=_segments(stage, most),
            width=round(widths[index], 1),
            before=round(widths[max(index - 1, 0)], 1),
            slope=_slope(_TOP + index * STAGE + BAR, widths[index], widths[index + 1]) if index + 1 < len(widths) else None,
        )
        for index, stage in enumerate(funnel.stages)
    )
    return Drawing(height=_TOP + len(bars) * STAGE - 14, bars=bars)


def _segments(stage: Stage, most: int) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    x = float(BAR_LEFT)
    for part in stage.parts:
        width = BAR_WIDTH * part.count / most
        segments.append(Segment(x=round(x, 1), width=round(max(width, _SLIVER), 1), part=part))
        x += width
    return tuple(segments)


def _slope(y: int, upper: float, lower: float) -> str:
    """Return the corners of the shade between two bars, as SVG writes them."""
    left, below = BAR_LEFT, y + STAGE - BAR
    return f"{left},{y} {left + upper:.1f},{y} {left + lower:.1f},{below} {left},{below}"
