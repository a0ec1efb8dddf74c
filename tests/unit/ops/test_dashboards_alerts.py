"""The alerts, judged by promtool: each fires when it should, and each keeps silent just short of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from joinbridge.ops.dashboards import DASHBOARDS
from support.prometheus import promtool

pytestmark = pytest.mark.slow

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: run make install-dev")

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "dashboards" / "rules").glob("*.yml"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")

Rule = Mapping[str, Any]  # Any: what YAML holds
GROUPS: list[Rule] = [group for file in RULES for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
ALERTS: Mapping[str, Rule] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}

Series = Mapping[str, str]
"""Values by series, in promtool's notation: `0+2x30` begins at 0 and adds 2 thirty times."""

each_alert = pytest.mark.parametrize("name", ALERTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series with which the alert fires `at`, and series with which it does not; a value each `every`."""

    fires: Series
    quiet: Series
    at: str = "1h"
    every: str = "1m"


def grows(metric: str, *, fires: str, quiet: str = "0x200", at: str = "1h") -> Case:
    """Return the case of an alert on one counter."""
    return Case(fires={metric: fires}, quiet={metric: quiet}, at=at)


def stands(metric: str, *, fires: int, quiet: int, at: str = "1h") -> Case:
    """Return the case of an alert on one gauge."""
    return Case(fires={metric: f"{fires}x200"}, quiet={metric: f"{quiet}x200"}, at=at)


def answers(received: str, lost: str, region: str = "north") -> Series:
    return {
        f'joinbridge_responses_received_total{{region="{region}"}}': received,
        f'joinbridge_responses_lost_total{{region="{region}"}}': lost,
    }


def devices(received: str, lost: str, firmware: str = "G4", region: str = "north") -> Series:
    kind = f'make="M",model="G",firmware="{firmware}",region="{region}"'
    return {
        f'joinbridge_device_responses_total{{{kind},outcome="received"}}': received,
        f'joinbridge_device_responses_total{{{kind},outcome="lost"}}': lost,
    }


AGE = "joinbridge_batch_oldest_message_age_seconds"


def batches(within_a_minute: str, all_: str) -> Series:
    return {f'{AGE}_bucket{{le="60.0"}}': within_a_minute, f'{AGE}_bucket{{le="+Inf"}}': all_, f"{AGE}_count": all_}


def histogram(metric: str, limit: str, *, fires: bool) -> Series:
    """Return a histogram whose observations are all above `limit` seconds, or all below."""
    return {
        f'{metric}_bucket{{le="{limit}"}}': "0x200" if fires else "0+10x200",
        f'{metric}_bucket{{le="3600.0"}}': "0+10x200",
        f'{metric}_bucket{{le="+Inf"}}': "0+10x200",
    }


def slow(metric: str, limit: str) -> Case:
    """Return the case of an alert on the 99th percentile of one histogram."""
    return Case(fires=histogram(metric, limit, fires=True), quiet=histogram(metric, limit, fires=False))


_EVEN = devices("0+10x200", "0+1x200", region="south")
_WELL = {'joinbridge_rule_mode{rule="r",mode="live"}': "1x200", 'joinbridge_rule_mode{rule="r",mode="shadow"}': "0x200"}
_CONSUMERS = 'joinbridge_consumers_expected{broker="amqp",instance="a"}'
_UP = 'joinbridge_connection_up{connection="consuming",instance="a"}'
_QUEUE = 'rabbitmq_detailed_queue_messages_ready{queue="joinbridge.in.0"}'
_RECEIVED = "joinbridge_messages_received_total"
_CLOCK = 'joinbridge_clock_timestamp_seconds{instance="a"}'

CASES: Mapping[str, Case] = {
    # Two in a hundred for a day, then eight for six hours; eight all the time is usual.
    "JoinbridgeLostRatioRising": Case(
        fires=answers("0+49x48 2352+46x12", "0+1x48 48+4x12"), quiet=answers("0+46x60", "0+4x60"), at="30h", every="30m"
    ),
    "JoinbridgeAnswersLost": Case(fires=answers("0+8x200", "0+1x200"), quiet=answers("0+20x200", "0+1x200"), at="2h"),
    "JoinbridgeRegionLosesAnswers": Case(
        fires={**answers("0+8x200", "0+2x200"), **answers("0+49x200", "0+1x200", "south")},
        quiet={**answers("0+8x200", "0+2x200"), **answers("0+8x200", "0+2x200", "south")},
        at="2h",
    ),
    "JoinbridgeFirmwareLosesAnswers": Case(
        # The same share: of many answers, and of four.
        fires={**devices("0+1x200", "0+1x200"), **_EVEN},
        quiet={**devices("0 1 2x200", "0 1 2x200"), **_EVEN},
        at="2h",
    ),
    "JoinbridgeUnjoinUnexplained": Case(
        fires={"joinbridge_unjoin_refusals_total": "0x5 2x200", "joinbridge_unjoin_refusals_explained_total": "0x205"},
        quiet={"joinbridge_unjoin_refusals_total": "0x5 2x200", "joinbridge_unjoin_refusals_explained_total": "0x5 2x200"},
        at="40h",
        every="1h",
    ),
    "JoinbridgeUnresolved": grows('joinbridge_attempt_transitions_total{state="unresolved"}', fires="0x10 2x200"),
    "JoinbridgeContradiction": Case(
        fires={'joinbridge_contradictions_total{rule="r"}': "0x30 1x200", 'joinbridge_contradictions_explained_total{rule="r"}': "0x230"},
        quiet={
            'joinbridge_contradictions_total{rule="r"}': "0x30 1x200",
            'joinbridge_contradictions_explained_total{rule="r"}': "0x31 1x200",
        },
        at="1h",
    ),
    "JoinbridgeRuleReturnedToShadow": Case(
        fires={'joinbridge_rule_mode{rule="r",mode="live"}': "1x30 0x200", 'joinbridge_rule_mode{rule="r",mode="shadow"}': "0x30 1x200"},
        quiet=_WELL,
    ),
    "JoinbridgeDisputed": stands('joinbridge_pairs{state="disputed"}', fires=1, quiet=0),
    "JoinbridgeInventoryConflict": grows('joinbridge_inventory_updates_total{outcome="conflict"}', fires="0x30 1x200"),
    # A single failure is tried again and nobody need know.
    "JoinbridgeInventoryUnreachable": grows(
        'joinbridge_inventory_updates_total{outcome="failed"}', fires="0+1x200", quiet="0x30 1x200", at="41m"
    ),
    "JoinbridgeAuditShrank": Case(
        fires={"joinbridge_audit_height": "100x30 90x100"}, quiet={"joinbridge_audit_height": "100x30 110x100"}, at="50m"
    ),
    "JoinbridgeDown": Case(fires={"up": "0x200"}, quiet={'joinbridge_build_info{version="1",mode="live"}': "1x200"}),
    "JoinbridgeNotReady": stands('joinbridge_ready{instance="a",check="database"}', fires=0, quiet=1),
    "JoinbridgeConnectionDown": stands(_UP, fires=0, quiet=1),
    "JoinbridgeNoConsumers": Case(
        fires={'joinbridge_consumers{broker="amqp",instance="a"}': "3x200", _CONSUMERS: "4x200"},
        quiet={'joinbridge_consumers{broker="amqp",instance="a"}': "4x200", _CONSUMERS: "4x200"},
    ),
    # One that has never heard anything is new.
    "JoinbridgeSilence": Case(fires={_RECEIVED: "0+10x144 1440x20"}, quiet={_RECEIVED: "0x300"}, at="26h", every="10m"),
    "JoinbridgeConnectionUnsteady": grows(
        'joinbridge_connection_losses_total{broker="amqp"}', fires="0+1x200", quiet="0x30 1x200", at="45m"
    ),
    "JoinbridgeSessionLost": grows('joinbridge_sessions_lost_total{broker="mqtt"}', fires="0x30 1x200"),
    "JoinbridgeQueueGrowing": Case(fires={_QUEUE: "1000+10x200"}, quiet={_QUEUE: "5000-10x200"}),
    "JoinbridgeMessagesOld": slow(AGE, "900.0"),
    "JoinbridgeMessageHeld": stands('joinbridge_oldest_unsettled_seconds{broker="amqp",instance="a"}', fires=121, quiet=119),
    "JoinbridgeRedeliveries": Case(
        fires={"joinbridge_messages_redelivered_total": "0+2x200", _RECEIVED: "0+10x200"},
        # A fifth of a handful is nothing.
        quiet={"joinbridge_messages_redelivered_total": "0+1x200", _RECEIVED: "0+4x200"},
    ),
    "JoinbridgeHandedBack": grows("joinbridge_messages_handed_back_total", fires="0+5x200", quiet="0x30 5x200", at="41m"),
    "JoinbridgeDeadLettersNew": grows('joinbridge_messages_dead_lettered_total{source="csp.alert"}', fires="0x50 1x200"),
    "JoinbridgeDeadLettersOld": stands("joinbridge_dead_letters_oldest_seconds", fires=86_401, quiet=86_399),
    "JoinbridgeConfirmSlow": slow("joinbridge_publish_confirm_seconds", "1.0"),
    "JoinbridgePublicationStuck": stands('joinbridge_oldest_publish_seconds{broker="amqp",instance="a"}', fires=11, quiet=9),
    "JoinbridgeFreshnessBurnsFast": Case(fires=batches("0+9x200", "0+10x200"), quiet=batches("0+95x200", "0+100x200"), at="2h"),
    "JoinbridgeFreshnessBurnsSlowly": Case(
        fires=batches("0+95x100", "0+100x100"), quiet=batches("0+98x100", "0+100x100"), at="7h", every="5m"
    ),
    "JoinbridgeSweepLate": Case(
        fires={"joinbridge_deadlines_swept_timestamp_seconds": "0+60x30 1800x100"},
        # One instance of two is enough.
        quiet={
            'joinbridge_deadlines_swept_timestamp_seconds{instance="a"}': "0+60x200",
            'joinbridge_deadlines_swept_timestamp_seconds{instance="b"}': "0x200",
        },
    ),
    "JoinbridgeDeadlinesOverdue": stands("joinbridge_deadlines_overdue_seconds", fires=301, quiet=299),
    "JoinbridgeDeadlinesFireLate": slow("joinbridge_deadline_lateness_seconds", "60.0"),
    "JoinbridgeOutboxBacklog": stands("joinbridge_outbox_oldest_seconds", fires=901, quiet=899),
    "JoinbridgeStoreSlow": slow("joinbridge_commit_duration_seconds", "1.0"),
    "JoinbridgeStoreAway": Case(
        fires={"joinbridge_census_timestamp_seconds": "0+60x30 1800x100"}, quiet={"joinbridge_census_timestamp_seconds": "0+60x200"}
    ),
    "JoinbridgeClockSkew": Case(fires={_CLOCK: "6+60x200"}, quiet={_CLOCK: "4+60x200"}),
    "JoinbridgeLoopLag": slow("joinbridge_event_loop_lag_seconds", "0.5"),
    "JoinbridgeTurnsFail": grows('joinbridge_turn_failures_total{task="relay"}', fires="0+1x200", quiet="0x30 2x200", at="45m"),
    "JoinbridgeObserverErrors": grows("joinbridge_observer_errors_total", fires="0x30 1x200"),
}


def test_rules_are_well_formed() -> None:
    done = promtool("check", "rules", *map(str, RULES))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_and_every_test_has_an_alert() -> None:
    assert CASES.keys() == ALERTS.keys()
    assert len(ALERTS) >= 25


@each_alert
def test_fires_when_it_should_and_keeps_silent_just_short_of_it(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    firing = f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) > bool 0'
    any_ = f'ALERTS{{alertname="{name}", alertstate="firing"}}'

    judge(
        tmp_path,
        name,
        case.every,
        expecting(case.fires, case.every, {"expr": firing, "eval_time": case.at, "exp_samples": [{"labels": "{}", "value": 1}]}),
        expecting(case.quiet, case.every, {"expr": any_, "eval_time": case.at, "exp_samples": []}),
    )


def test_the_alert_on_a_firmware_names_it_and_its_region(tmp_path: Path) -> None:
    # Nothing moves in the last hour: groups of rules are evaluated in no order, so one may see the minute before.
    quiet = "0+99x60 5940x60", "0+1x60 60x60"
    series = {**devices("0+60x60 3600x60", "0+40x60 2400x60"), **devices(*quiet, "G5"), **devices(*quiet, region="south")}
    one = {"make": "M", "model": "G", "firmware": "G4", "region": "north"}
    annotations = {
        "summary": "M G with firmware G4 in CSP north loses at least 37.94% of its answers",
        "runbook_url": "docs/runbook.md#joinbridgefirmwarelosesanswers",
    }
    alert = {"exp_labels": {"severity": "warning", **one}, "exp_annotations": annotations}

    judge(
        tmp_path,
        "JoinbridgeFirmwareLosesAnswers",
        "1m",
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [{"eval_time": "2h", "alertname": "JoinbridgeFirmwareLosesAnswers", "exp_alerts": [alert]}],
        },
    )


def test_a_loss_of_one_in_a_hundred_everywhere_accuses_nobody(tmp_path: Path) -> None:
    # In every cell one of twenty answers is lost, as chance will have it.
    series: dict[str, str] = {}
    for firmware in ("G1", "G2", "G3"):
        for region in ("north", "central", "south"):
            series |= devices("0x5 0+1x19 19x200", "0x20 1x200", firmware, region)

    judge(
        tmp_path,
        "JoinbridgeFirmwareLosesAnswers",
        "1m",
        expecting(series, "1m", {"expr": 'ALERTS{alertname="JoinbridgeFirmwareLosesAnswers"}', "eval_time": "1h", "exp_samples": []}),
    )


@each_alert
def test_says_how_bad_it_is_after_how_long_and_in_a_sentence(name: str) -> None:
    rule = ALERTS[name]

    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert "for" in rule
    assert len(rule["annotations"]["summary"].split()) > 4
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


class TestRunbook:
    def test_has_a_section_for_each_alert_and_none_for_one_that_is_gone(self) -> None:
        assert set(re.findall(r"^### (Joinbridge\w+)$", RUNBOOK, re.MULTILINE)) == set(ALERTS)

    @each_alert
    def test_says_what_it_means_how_to_see_it_what_to_do_and_what_if_not(self, name: str) -> None:
        [section] = re.findall(rf"^### {name}\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)

        for part in ("**Means.**", "**See.**", "**Do.**", "**If nothing is done.**"):
            assert section.count(part) == 1

    @pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
    def test_has_every_section_that_panels_link_to(self, dashboard: Any) -> None:  # Any: a parameter
        anchors = {
            re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
        }

        assert {panel.runbook for panel in dashboard.panels()} <= anchors


def expecting(series: Series, every: str, expectation: Mapping[str, object]) -> Mapping[str, object]:
    """Return one test of promtool's."""
    given = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": every, "input_series": given, "promql_expr_test": [expectation]}


def judge(folder: Path, name: str, every: str, *tests: Mapping[str, object]) -> None:
    """Let promtool run `tests` on the alert `name` and what is recorded for it; rules are evaluated as often as there are values."""
    groups = [{"name": "alert", "rules": [ALERTS[name]]}]
    if "joinbridge:" in ALERTS[name]["expr"]:
        groups = [*({"name": group["name"], "rules": group["rules"]} for group in GROUPS if "record" in group["rules"][0]), *groups]
    # JSON is YAML.
    (folder / "rules.yml").write_text(json.dumps({"groups": groups}), "utf-8")
    judged = {
        "rule_files": [str(folder / "rules.yml")],
        "evaluation_interval": every,
        # Else in an order that differs from run to run, and the alert may see what was recorded an interval before.
        "group_eval_order": [group["name"] for group in groups],
        "tests": tests,
    }
    (folder / "tests.yml").write_text(json.dumps(judged), "utf-8")
    done = promtool("test", "rules", str(folder / "tests.yml"))

    assert done.returncode == 0, done.stdout + done.stderr
