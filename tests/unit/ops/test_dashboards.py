"""The dashboards as Grafana gets them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from joinbridge.cli.dashboards import RUNBOOK
from joinbridge.ops.dashboards import DASHBOARDS
from joinbridge.ops.dashboards.grafana import as_json
from joinbridge.ops.dashboards.panels import COLUMNS, Dashboard, Kind

FOLDER = Path(__file__).parents[3] / "dashboards"

Json = Mapping[str, Any]  # Any: what JSON holds

each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)


def built(dashboard: Dashboard) -> Json:
    made: Json = json.loads(as_json(dashboard, runbook=RUNBOOK))
    return made


def panels(dashboard: Dashboard) -> Iterator[Json]:
    return (panel for panel in built(dashboard)["panels"] if panel["type"] != "row")


@each_dashboard
def test_what_is_committed_is_what_the_command_makes(dashboard: Dashboard) -> None:
    file = FOLDER / f"{dashboard.uid}.json"

    assert file.read_text("utf-8") == as_json(dashboard, runbook=RUNBOOK), "run: joinbridge dashboards build"


def test_nothing_else_is_committed_as_a_dashboard() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == {dashboard.uid for dashboard in DASHBOARDS}


def test_each_has_an_address_of_its_own_that_grafana_takes() -> None:
    uids = [dashboard.uid for dashboard in DASHBOARDS]

    assert len(set(uids)) == len(uids) == 5
    assert all(len(uid) <= 40 for uid in uids)


@each_dashboard
def test_panels_do_not_overlap_and_stay_within_the_grid(dashboard: Dashboard) -> None:
    positions = [panel["gridPos"] for panel in built(dashboard)["panels"]]

    assert all(one["x"] + one["w"] <= COLUMNS for one in positions)
    for one, other in combinations(positions, 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart or above, (one, other)


@each_dashboard
def test_every_panel_explains_itself_and_links_to_what_to_do(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        assert len(panel["description"]) > 15
        assert panel["description"].endswith(".")
        [link] = panel["links"]
        assert link["url"].startswith(f"{RUNBOOK}#")


@each_dashboard
def test_every_panel_asks_the_data_source_that_is_chosen(dashboard: Dashboard) -> None:
    [variable] = built(dashboard)["templating"]["list"]

    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    for panel in panels(dashboard):
        asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in asked} == {f"${{{variable['name']}}}"}


@each_dashboard
def test_ids_and_titles_of_panels_are_their_own(dashboard: Dashboard) -> None:
    made = built(dashboard)["panels"]

    assert max(Counter(panel["id"] for panel in made).values()) == 1
    assert max(Counter(panel.title for row in dashboard.rows for panel in row.panels if panel.kind is not Kind.NUMBER).values()) == 1


def test_panels_link_to_where_the_runbook_can_be_read() -> None:
    made: Json = json.loads(as_json(DASHBOARDS[0], runbook="https://wiki.example/joinbridge"))

    urls = [panel["links"][0]["url"] for panel in made["panels"] if panel["type"] != "row"]
    assert urls
    assert all(url.startswith("https://wiki.example/joinbridge#") for url in urls)
