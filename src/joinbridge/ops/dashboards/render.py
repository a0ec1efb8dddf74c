"""A dashboard as one HTML page, drawn from the same queries that Grafana asks, for whoever wants to look without Grafana."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from joinbridge.ops.dashboards import chart
from joinbridge.ops.dashboards.chart import Lines, shade, shown_as, verdict
from joinbridge.ops.dashboards.panels import COLUMNS, Axes, Dashboard, Kind, Panel, Unit
from joinbridge.ops.dashboards.prometheus import Prometheus, Series

WIDTH = 1400
GAP = 12
POINTS = 120
COUNTED = ("lost", "answers", "instances")
"""Columns of tables that are numbers of something, whatever the unit of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value as it is written, with its verdict, and its share of the largest or its shade, from 0 to 1."""

    name: str
    text: str
    verdict: str
    share: float = 0.0
    more: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A panel with what it shows; only one of the parts that are not empty."""

    panel: Panel
    values: tuple[Value, ...] = ()
    lines: Lines | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, tuple[Value | None, ...]], ...] = ()


def page(dashboard: Dashboard, source: Prometheus, *, range_s: float, now: float | None = None) -> str:
    """Return the page of the last `range_s` seconds before `now`, which is seconds since 1970. Raises: PrometheusError."""
    end = time.time() if now is None else now
    drawing = _Drawing(source, end=end, range_s=range_s)
    environment = Environment(
        loader=PackageLoader("joinbridge.ops"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    rows = [(row.title, [drawing.panel(panel) for panel in row.panels]) for row in dashboard.rows]
    start, until = (datetime.fromtimestamp(at, UTC) for at in (end - range_s, end))
    return environment.get_template("dashboard.html.j2").render(dashboard=dashboard, rows=rows, start=start, end=until, columns=COLUMNS)


class _Drawing:
    """Asks what panels ask, and puts the answers in their places."""

    def __init__(self, source: Prometheus, *, end: float, range_s: float) -> None:
        self._source = source
        self._start, self._end = end - range_s, end
        self._step_s = max(range_s / POINTS, 1.0)
        # Grafana's own rule, with a minute between scrapes at most.
        self._filling = {"$__range": f"{max(round(range_s), 1)}s", "$__rate_interval": f"{max(round(4 * self._step_s), 60)}s"}

    def panel(self, panel: Panel) -> Drawn:
        """Return one panel with its data."""
        match panel.kind:
            case Kind.LINES:
                return self._lines(panel)
            case Kind.HEAT:
                return self._heat(panel)
            case Kind.TABLE:
                return self._table(panel)
            case Kind.NUMBER | Kind.BARS:
                return self._values(panel)

    def _now(self, expr: str) -> Sequence[Series]:
        return self._source.now(self._filled(expr), self._end)

    def _filled(self, expr: str) -> str:
        for name, value in self._filling.items():
            expr = expr.replace(name, value)
        return expr

    def _lines(self, panel: Panel) -> Drawn:
        named = [
            (_named(query.name, one), one)
            for query in panel.queries
            for one in self._source.over(self._filled(query.expr), self._start, self._end, self._step_s)
        ]
        width = round(WIDTH * panel.width / COLUMNS) - 3 * GAP
        return Drawn(panel=panel, lines=chart.lines(panel, named, start=self._start, end=self._end, step_s=self._step_s, width=width))

    def _values(self, panel: Panel) -> Drawn:
        found = [(_named(q.name, one), one.newest) for q in panel.queries for one in self._now(q.expr)]
        numbers = sorted(((name, value) for name, value in found if value is not None), key=lambda each: -each[1])
        most = max((value for _, value in numbers), default=0.0) or 1.0
        values = tuple(_value(panel, name, value, share=max(value, 0.0) / most) for name, value in numbers)
        return Drawn(panel=panel, values=values)

    def _heat(self, panel: Panel) -> Drawn:
        axes = panel.axes or Axes(rows="", columns="")
        cells: dict[tuple[str, str], dict[str, float]] = {}
        values: dict[tuple[str, str], float] = {}
        for index, query in enumerate(panel.queries):
            for one in self._now(query.expr):
                if one.newest is None:
                    continue
                place = (one.labels.get(axes.rows, ""), one.labels.get(axes.columns, ""))
                if index == 0:
                    values[place] = one.newest
                cells.setdefault(place, {})[query.name] = one.newest
        columns = tuple(sorted({column for _, column in values}))
        worst = {row: max(value for (r, _), value in values.items() if r == row) for row, _ in values}
        rows = tuple(
            (
                row,
                tuple(
                    _value(panel, "", values[row, column], share=shade(panel, values[row, column]), more=_said(cells[row, column]))
                    if (row, column) in values
                    else None
                    for column in columns
                ),
            )
            for row in sorted(worst, key=lambda each: (-worst[each], each))
        )
        return Drawn(panel=panel, columns=columns, rows=rows)

    def _table(self, panel: Panel) -> Drawn:
        lines: dict[tuple[tuple[str, str], ...], dict[str, Value]] = {}
        order: dict[tuple[tuple[str, str], ...], float] = {}
        for index, query in enumerate(panel.queries):
            for one in self._now(query.expr):
                key = tuple(sorted((name, value) for name, value in one.labels.items() if name != "__name__"))
                if one.newest is None:
                    continue
                order.setdefault(key, one.newest if index == 0 else 0.0)
                judged = verdict(panel, one.newest) if index == 0 else ""
                text = _as_column(query.name, one.newest, panel)
                lines.setdefault(key, {})[query.name] = Value(name=query.name, text=text, verdict=judged)
        columns = tuple(query.name for query in panel.queries)
        rows = tuple(
            (" ".join(value for _, value in _spoken(key)), tuple(lines[key].get(column) for column in columns))
            for key in sorted(lines, key=lambda key: -order[key])
        )
        return Drawn(panel=panel, columns=columns, rows=rows)


def _said(cell: Mapping[str, float]) -> str:
    """Return counts and interval of a cell; nothing when it has none."""
    if "answers" not in cell:
        return ""
    least, most = (round(100 * cell.get(name, 0.0)) for name in ("at least", "at most"))
    # A kind that never lost an answer may have no series for losses.
    return f"{round(cell.get('lost', 0.0))} of {round(cell['answers'])}; {least} to {most} %"


def _spoken(key: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Put labels in the order in which one speaks of devices."""
    spoken = ("make", "model", "firmware", "region")
    return sorted(key, key=lambda each: spoken.index(each[0]) if each[0] in spoken else len(spoken))


def _as_column(name: str, value: float, panel: Panel) -> str:
    if name in COUNTED:
        return shown_as(round(value), Unit.COUNT)
    return shown_as(value, panel.unit)


def _value(panel: Panel, name: str, value: float, *, share: float, more: str = "") -> Value:
    # Prometheus extrapolates increases; a count of things has no fractions.
    rounded = round(value) if panel.unit in (Unit.COUNT, Unit.GBP) else value
    return Value(name=name, text=shown_as(rounded, panel.unit), verdict=verdict(panel, rounded), share=share, more=more)


def _named(legend: str, one: Series) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda label: one.labels.get(label[1], ""), legend)
