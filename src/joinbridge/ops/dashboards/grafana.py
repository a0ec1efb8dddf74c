"""Grafana's JSON of the dashboards, made with Grafana's own types. Needs grafana-foundation-sdk, which only building needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from string import ascii_uppercase

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as grafana
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from joinbridge.ops.dashboards.panels import COLUMNS, Dashboard, Kind, Panel, Query

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_GOOD, _WARN, _BAD = "green", "orange", "red"
_SHADED = models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background", "mode": "gradient"})

_Builder = bargauge.Panel | stat.Panel | table.Panel | timeseries.Panel


def as_json(dashboard: Dashboard, *, runbook: str) -> str:
    """Return what Grafana takes in. `runbook` is where docs/runbook.md can be read; panels link to its sections.

    The same dashboard always gives the same text.
    """
    built = (
        grafana.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.says)
        .tags(["joinbridge"])
        .readonly()
        .timezone("browser")
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(grafana.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(
            grafana.DashboardLink("joinbridge")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["joinbridge"])
            .as_dropdown(True)
            .keep_time(True)
        )
    )
    ids = count(1)
    y = 0
    for row in dashboard.rows:
        built = built.with_row(grafana.Row(row.title).id(next(ids)).grid_pos(models.GridPos(h=1, w=COLUMNS, x=0, y=y)))
        y += 1
        for panel, position in _placed(row.panels, y):
            built = built.with_panel(_panel(panel, position, next(ids), runbook))
            y = max(y, position.y + position.h)
    return json.dumps(built.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _placed(panels: tuple[Panel, ...], top: int) -> Iterator[tuple[Panel, models.GridPos]]:
    """Put panels side by side until a line is full."""
    x, y, tallest = 0, top, 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        yield panel, models.GridPos(h=panel.height, w=panel.width, x=x, y=y)
        x += panel.width
        tallest = max(tallest, panel.height)


def _panel(panel: Panel, position: models.GridPos, id_: int, runbook: str) -> _Builder:
    built = _of_kind(panel).id(id_).title(panel.title).description(panel.says).datasource(SOURCE).grid_pos(position).unit(panel.unit)
    built = built.thresholds(grafana.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(_steps(panel)))
    built = built.links([grafana.DashboardLink("What to do").type(models.DashboardLinkType.LINK).url(f"{runbook}#{panel.runbook}")])
    for letter, query in zip(ascii_uppercase, panel.queries, strict=False):
        built = built.with_target(_target(panel, letter, query))
    for transformation in _transformations(panel):
        built = built.with_transformation(transformation)
    return built


def _of_kind(panel: Panel) -> _Builder:
    match panel.kind:
        case Kind.NUMBER:
            return stat.Panel().graph_mode(common_models.BigValueGraphMode.AREA).reduce_options(_newest())
        case Kind.BARS:
            return bargauge.Panel().orientation(common_models.VizOrientation.HORIZONTAL).reduce_options(_newest()).min(0)
        case Kind.LINES:
            legend = common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.LIST)
            legend = legend.placement(common_models.LegendPlacement.BOTTOM).show_legend(True)
            drawn = timeseries.Panel().legend(legend).tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
            return drawn.fill_opacity(8).axis_soft_min(0)
        case Kind.HEAT:
            # Every column is a value of a label: all of them are shaded.
            return table.Panel().show_header(True).override_by_field_type("number", [_SHADED])
        case Kind.TABLE:
            counts = ("lost", "answers", "instances")
            built = table.Panel().show_header(True)
            for name in counts:
                built = built.override_by_name(name, [models.DynamicConfigValue(id_val="unit", value="short")])
            return built.override_by_name("at least", [_SHADED])


def _newest() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _target(panel: Panel, letter: str, query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(letter).legend_format(query.name).datasource(SOURCE)
    if panel.kind in (Kind.TABLE, Kind.HEAT):
        # What else there is to say of a cell has no place in Grafana's; the pictures and the table beside it show it.
        return target.instant().format(prometheus_models.PromQueryFormat.TABLE).hide(panel.kind is Kind.HEAT and letter != "A")
    return target.instant() if panel.kind is Kind.BARS else target.range()


def _transformations(panel: Panel) -> Iterator[models.DataTransformerConfig]:
    if panel.kind is Kind.HEAT and panel.axes is not None:
        options = {"rowField": panel.axes.rows, "columnField": panel.axes.columns, "valueField": "Value", "emptyValue": "null"}
        yield models.DataTransformerConfig(id_val="groupingToMatrix", options=options)
    if panel.kind is Kind.TABLE:
        yield models.DataTransformerConfig(id_val="merge", options={})
        # One query gives a column `Value`, several `Value #A`, `Value #B`, and so on.
        values = [f"Value #{letter}" for letter in ascii_uppercase] if len(panel.queries) > 1 else ["Value"]
        renamed = {value: query.name for value, query in zip(values, panel.queries, strict=False)}
        hidden = {"Time": True, "__name__": True}
        yield models.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden, "renameByName": renamed})
        yield models.DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": panel.queries[0].name, "desc": True}]})


def _steps(panel: Panel) -> list[models.Threshold]:
    limits = sorted((value, colour) for value, colour in ((panel.warn, _WARN), (panel.bad, _BAD)) if value is not None)
    if not panel.low_is_bad:
        return [models.Threshold(value=None, color=_GOOD), *(models.Threshold(value=value, color=colour) for value, colour in limits)]
    # Below the lowest it is bad; from the highest on it is good.
    colours = [*(colour for _, colour in limits), _GOOD]
    return [models.Threshold(value=value, color=colour) for value, colour in zip((None, *(v for v, _ in limits)), colours, strict=True)]
