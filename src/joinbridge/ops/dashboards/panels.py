"""What a dashboard is made of, before anybody draws it: panels with their queries, in PromQL.

Counters are each instance's own, so queries `sum` them; what the store holds is the same for all instances, so queries take the `max`.
Queries may use `$__range` and `$__rate_interval`, which Grafana fills in, and so does whoever draws a panel without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

COLUMNS = 24
"""Of Grafana's grid."""


class Kind(StrEnum):
    """How a panel shows what its queries return."""

    NUMBER = "number"  # the newest value of each series, large
    LINES = "lines"  # over time
    BARS = "bars"  # the newest value of each series, side by side
    TABLE = "table"  # a row for each label set, a column for each query
    HEAT = "heat"  # rows and columns by label, shaded by the first query; the others say more about each cell


class Unit(StrEnum):
    """What a value is, by Grafana's names."""

    COUNT = "short"
    RATIO = "percentunit"
    SECONDS = "s"
    GBP = "currencyGBP"
    RATE = "ops"
    UP = "bool_yes_no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression; `name` is the legend, in which `{{label}}` stands for the value of a label."""

    expr: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Which labels are the rows and the columns of a heat map."""

    rows: str
    columns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture. `says` explains it to who has never seen it; `runbook` is the section that says what to do.

    From `warn` on a value is worth a look, from `bad` on somebody has to act; `low_is_bad` turns both round.
    """

    title: str
    says: str
    runbook: str
    kind: Kind
    queries: tuple[Query, ...]
    unit: Unit = Unit.COUNT
    width: int = 8
    height: int = 8
    warn: float | None = None
    bad: float | None = None
    low_is_bad: bool = False
    axes: Axes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A heading and the panels under it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One page. `uid` is its address in Grafana and never changes."""

    uid: str
    title: str
    says: str
    rows: tuple[Row, ...]

    def panels(self) -> Iterator[Panel]:
        """Return all panels in their order."""
        for row in self.rows:
            yield from row.panels


def number(
    title: str,
    says: str,
    expr: str,
    *,
    runbook: str,
    unit: Unit = Unit.COUNT,
    warn: float | None = None,
    bad: float | None = None,
    low_is_bad: bool = False,
    width: int = 4,
) -> Panel:
    """Return a panel of one large number."""
    return Panel(
        title=title,
        says=says,
        runbook=runbook,
        kind=Kind.NUMBER,
        queries=(Query(expr=expr, name=title),),
        unit=unit,
        width=width,
        height=4,
        warn=warn,
        bad=bad,
        low_is_bad=low_is_bad,
    )


def lines(
    title: str,
    says: str,
    *queries: Query,
    runbook: str,
    unit: Unit = Unit.COUNT,
    warn: float | None = None,
    bad: float | None = None,
    width: int = 8,
) -> Panel:
    """Return a panel of lines over time."""
    return Panel(title=title, says=says, runbook=runbook, kind=Kind.LINES, queries=queries, unit=unit, warn=warn, bad=bad, width=width)


def bars(title: str, says: str, query: Query, *, runbook: str, unit: Unit = Unit.COUNT, width: int = 8) -> Panel:
    """Return a panel of bars, one for each series."""
    return Panel(title=title, says=says, runbook=runbook, kind=Kind.BARS, queries=(query,), unit=unit, width=width)


def quantiles(metric: str, *, by: str = "", window: str = "$__rate_interval") -> tuple[Query, ...]:
    """Return queries for the median, the 95th and the 99th percentile of a histogram, by `le` and the label `by`."""
    labels = f"le, {by}" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    return tuple(
        Query(expr=f"histogram_quantile({q}, sum by ({labels}) (increase({metric}_bucket[{window}])))", name=f"{word}{legend}")
        for q, word in ((0.5, "median"), (0.95, "p95"), (0.99, "p99"))
    )


def increase(metric: str, *, by: str = "", where: str = "", window: str = "$__rate_interval", legend: str = "") -> Query:
    """Return a query for how much counters grew in `window`, added up over instances and by the labels `by`."""
    return Query(expr=f"sum by ({by}) (increase({metric}{where}[{window}]))", name=legend or f"{{{{{by}}}}}")


def held(metric: str, *, by: str = "", where: str = "", legend: str = "") -> Query:
    """Return a query for a gauge that all instances report alike."""
    return Query(expr=f"max by ({by}) ({metric}{where})", name=legend or f"{{{{{by}}}}}")
