"""That the board of lost responses and its alert accuse the guilty cell, and none where all lose alike.

What is asked is what is committed: the panel's expression and its first threshold as Grafana gets them, and the rules as Prometheus does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from joinbridge.simulator.faults import Faults
from joinbridge.simulator.scenario import SCENARIOS
from support.watched import Watched, watched

BOARD = json.loads((Path(__file__).parents[2] / "dashboards" / "joinbridge-lost.json").read_text("utf-8"))
SURE, RAW = "Share lost for certain", "Share lost by device and region"

Cell = tuple[str, str]
"""A kind of device, as the board names it, and a region."""


def lit(seen: Watched, title: str) -> set[Cell]:
    """Return the cells of a heat map whose colour is not that of the cells in which all is well."""
    [panel] = [panel for panel in BOARD["panels"] if panel["title"] == title]
    [shown] = [target["expr"] for target in panel["targets"] if not target["hide"]]
    worth_a_look = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"]
    found = seen.prometheus.query(shown)
    assert len(found) > 10, "a map of nothing shows nothing"
    return {(labels["device"], labels["region"]) for labels, value in found if value >= worth_a_look}


def accusations(seen: Watched) -> list[Mapping[str, Any]]:  # Any: JSON
    """Return the alerts that blame a firmware or a region, or say that many answers are lost."""
    alerts: list[Mapping[str, Any]] = seen.prometheus.call("alerts")["alerts"]
    blaming = {"firmware", "region"}
    return [alert for alert in alerts if blaming & alert["labels"].keys() or alert["labels"]["alertname"] == "JoinbridgeAnswersLost"]


@pytest.fixture(scope="module")
def one_cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The gas meters of one firmware lose three answers in ten in CSP North; elsewhere they are as good as others."""
    with watched(tmp_path_factory.mktemp("one"), SCENARIOS["one-firmware-loses"], homes=150) as seen:
        yield seen


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One answer in a hundred is lost, everywhere, and nothing else goes wrong."""
    scenario = replace(SCENARIOS["clean"], faults=replace(Faults.none(), answer_lost_wan=0.01))
    with watched(tmp_path_factory.mktemp("even"), scenario, homes=100) as seen:
        yield seen


def test_the_firmware_that_loses_in_one_region_is_lit_there_and_no_other_cell_is(one_cell: Watched) -> None:
    assert lit(one_cell, SURE) == {("10D4 0004A400 G4000031", "north")}


def test_it_sets_off_the_alert_that_names_it_and_its_region_and_nobody_else_is_accused(one_cell: Watched) -> None:
    [alert] = accusations(one_cell)

    cell = {"make": "10D4", "model": "0004A400", "firmware": "G4000031", "region": "north"}
    assert alert["labels"] == {"alertname": "JoinbridgeFirmwareLosesAnswers", "severity": "warning", **cell}
    assert alert["state"] == "firing"
    assert "10D4 0004A400 with firmware G4000031 in CSP north loses at least" in alert["annotations"]["summary"]


def test_what_it_is_known_to_lose_is_within_the_interval_shown(one_cell: Watched) -> None:
    [(_, least)] = one_cell.prometheus.query('joinbridge:device_loss:lower1d{firmware="G4000031", region="north"}')
    [(_, most)] = one_cell.prometheus.query('joinbridge:device_loss:upper1d{firmware="G4000031", region="north"}')

    assert least < 0.3 < most


def test_a_loss_of_one_in_a_hundred_everywhere_lights_no_cell_although_chance_has_some_that_lost_more(even: Watched) -> None:
    assert even.total("responses_lost_total") > 3
    assert lit(even, RAW)

    assert lit(even, SURE) == set()


def test_a_loss_of_one_in_a_hundred_everywhere_accuses_nobody(even: Watched) -> None:
    assert accusations(even) == []
