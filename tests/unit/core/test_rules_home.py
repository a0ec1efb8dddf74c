"""Rows 27-31, 34 and 38, and a person's decision: what the home's network shows never decides."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.evidence import Grade, Polarity
from joinbridge.core.facts import Fact, HubActivityRead, HubLogReported
from joinbridge.core.ids import DeviceId
from joinbridge.core.rules import RULES, home
from joinbridge.core.vocabulary import AlertCode, JoinRole
from support.evidence import NOT_TRUSTED, about, alert, asked, findings, said
from support.home import CAD, CHF, ESME, PPMID, START, after, decided, join, pair, unjoin

ROW_27 = (27, Polarity.JOINED, Grade.CORROBORATING)
ROW_28 = (28, Polarity.NOT_JOINED, Grade.CORROBORATING)
METHOD_A = [JoinRole.METHOD_A_INITIATOR, JoinRole.METHOD_A_RESPONDER]


def hub_log(*listed: tuple[DeviceId, bool]) -> HubLogReported:
    return HubLogReported(device=CHF, device_time=START, entries=listed)


def hub_activity(*heard: tuple[DeviceId, datetime | None]) -> HubActivityRead:
    return HubActivityRead(device=CHF, entries=heard)


@pytest.mark.parametrize("role", [*METHOD_A, JoinRole.METHOD_B, JoinRole.METHOD_C, None])
def test_a_device_that_the_hub_lists_with_a_link_key_corroborates_every_kind_of_join(role: JoinRole | None) -> None:
    context = about(asked(join(1, role=role)))

    found = findings(hub_log((PPMID, False), (CAD, True)), context)

    assert said(found) == [ROW_27]


@pytest.mark.parametrize("role", METHOD_A)
def test_a_device_that_the_hub_lists_without_a_link_key_speaks_against_a_method_a_join(role: JoinRole) -> None:
    context = about(asked(join(1, role=role)))

    found = findings(hub_log((PPMID, True), (CAD, False)), context)

    assert said(found) == [ROW_28]


@pytest.mark.parametrize(
    "attempts",
    [
        pytest.param((), id="no join"),
        pytest.param((asked(join(1)),), id="unknown method"),
        pytest.param((asked(join(1, role=JoinRole.METHOD_B)),), id="method B"),
        pytest.param((asked(join(1, role=JoinRole.METHOD_C)),), id="method C"),
        pytest.param((asked(unjoin(1)),), id="an Unjoin"),
        pytest.param((asked(join(1, other=PPMID, role=JoinRole.METHOD_A_INITIATOR)),), id="method A with another device"),
    ],
)
def test_a_missing_link_key_says_nothing_where_no_join_needs_one(attempts: tuple[JoinAttempt, ...]) -> None:
    context = about(*attempts)

    found = findings(hub_log((CAD, False)), context)

    assert found == []


def test_a_hub_that_does_not_list_the_device_says_nothing_of_the_pair() -> None:
    context = about(asked(join(1, role=JoinRole.METHOD_A_INITIATOR)))

    found = findings(hub_log((PPMID, True), (ESME, False)), context)

    assert found == []


def test_a_device_that_the_hub_has_heard_corroborates_and_the_report_says_when() -> None:
    context = about(asked(join(1)))

    (found,) = findings(hub_activity((PPMID, None), (CAD, after(minutes=3))), context)

    assert said([found]) == [(30, Polarity.JOINED, Grade.CORROBORATING)]
    assert "2025-06-15 15:03:00" in found.says


@pytest.mark.parametrize("heard", [(), ((CAD, None),), ((PPMID, START),)])
def test_a_device_that_the_hub_has_not_heard_says_nothing(heard: tuple[tuple[DeviceId, datetime | None], ...]) -> None:
    context = about(asked(join(1)))

    found = findings(hub_activity(*heard), context)

    assert found == []


@pytest.mark.parametrize("code", [AlertCode.DEVICE_JOINED_SMHAN, AlertCode.DEVICE_COMMISSIONED])
@pytest.mark.parametrize("sender", [ESME, CAD])
def test_an_alert_of_either_device_shows_that_it_is_on_the_home_network(sender: DeviceId, code: AlertCode) -> None:
    context = about(asked(join(1)))

    (found,) = findings(alert(code, device=sender), context)

    assert said([found]) == [(31, Polarity.NEITHER, Grade.CORROBORATING)]
    assert sender in found.says


@pytest.mark.parametrize("code", [AlertCode.DEVICE_JOINED_SMHAN, AlertCode.DEVICE_COMMISSIONED])
def test_an_alert_of_a_third_device_says_nothing_of_the_pair(code: AlertCode) -> None:
    context = about(asked(join(1)))

    found = findings(alert(code, device=PPMID), context)

    assert found == []


@pytest.mark.parametrize("code", [AlertCode.CREDIT_ADDED_LOCALLY, AlertCode.HAN_MESSAGE_ACKNOWLEDGED])
def test_local_use_of_the_target_corroborates(code: AlertCode) -> None:
    context = about(asked(join(1)))

    found = findings(alert(code), context)

    assert said(found) == [(34, Polarity.JOINED, Grade.CORROBORATING)]


@pytest.mark.parametrize("code", [AlertCode.CREDIT_ADDED_LOCALLY, AlertCode.HAN_MESSAGE_ACKNOWLEDGED])
def test_local_use_of_another_device_says_nothing(code: AlertCode) -> None:
    context = about(asked(join(1)))

    found = findings(alert(code, device=CAD), context)

    assert found == []


REJECTIONS = [
    AlertCode.AUTHORITY_FAILURE,
    AlertCode.TRUST_FAILURE,
    AlertCode.AUTHENTICATION_FAILURE,
    AlertCode.INTEGRITY_FAILURE,
    AlertCode.MALFORMED_MESSAGE,
]
REPEATED = (asked(join(1)), asked(join(2), after(minutes=30)))


@pytest.mark.parametrize("code", REJECTIONS)
@pytest.mark.parametrize("at", [after(minutes=30), after(minutes=35)])
def test_a_rejection_soon_after_a_repeat_is_noted_and_decides_nothing(at: datetime, code: AlertCode) -> None:
    context = about(*REPEATED)

    found = findings(alert(code), context, at=at)

    assert said(found) == [(38, Polarity.NEITHER, Grade.AMBIGUOUS)]


@pytest.mark.parametrize("at", [after(minutes=30) - timedelta(seconds=1), after(minutes=35, seconds=1)])
def test_a_rejection_before_or_long_after_the_repeat_says_nothing(at: datetime) -> None:
    context = about(*REPEATED)

    found = findings(alert(AlertCode.TRUST_FAILURE), context, at=at)

    assert found == []


@pytest.mark.parametrize(
    ("attempts", "fact"),
    [
        pytest.param((), alert(AlertCode.TRUST_FAILURE), id="nothing was asked"),
        pytest.param((asked(join(2), after(minutes=30)),), alert(AlertCode.TRUST_FAILURE), id="a first join"),
        pytest.param((asked(join(1)), asked(join(2, submitted=False), after(minutes=30))), alert(AlertCode.TRUST_FAILURE), id="not sent"),
        pytest.param((asked(join(1)), asked(join(2, other=PPMID), after(minutes=30))), alert(AlertCode.TRUST_FAILURE), id="another pair"),
        pytest.param((asked(join(1)), asked(unjoin(2), after(minutes=30))), alert(AlertCode.TRUST_FAILURE), id="an Unjoin"),
        pytest.param(REPEATED, alert(AlertCode.TRUST_FAILURE, device=CAD), id="another device's alert"),
        pytest.param(REPEATED, alert(AlertCode.ACCESS_DENIED), id="another code"),
    ],
)
def test_a_rejection_says_nothing_unless_the_target_sent_it_after_a_repeat(attempts: tuple[JoinAttempt, ...], fact: Fact) -> None:
    context = about(*attempts)

    found = findings(fact, context, at=after(minutes=31))

    assert found == []


@pytest.mark.parametrize(("joined", "polarity"), [(True, Polarity.JOINED), (False, Polarity.NOT_JOINED)])
def test_a_person_decides_with_name_and_reason(joined: bool, polarity: Polarity) -> None:
    context = about(asked(join(1)))

    (found,) = findings(decided(joined), context, source="sr.request")

    assert said([found]) == [(0, polarity, Grade.CONCLUSIVE)]
    assert found.says == "Ada decided: looked at the meter"
    assert (found.settles, found.by_person, found.reached_inventory) == (True, True, False)


def test_a_decision_about_another_pair_says_nothing() -> None:
    context = about(asked(join(1)), of=pair(ESME, PPMID))

    found = findings(decided(joined=True, other=CAD), context)

    assert found == []


def test_no_rule_about_the_home_network_can_decide() -> None:
    grades = {rule.name: rule.grade for rule in RULES if rule in home.RULES and rule.row != 0}

    assert max(grades.values()) is Grade.CORROBORATING


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (hub_log((CAD, True)), (27, Polarity.JOINED, Grade.AMBIGUOUS)),
        (hub_activity((CAD, START)), (30, Polarity.JOINED, Grade.AMBIGUOUS)),
        (alert(AlertCode.DEVICE_COMMISSIONED), (31, Polarity.NEITHER, Grade.AMBIGUOUS)),
        (alert(AlertCode.CREDIT_ADDED_LOCALLY), (34, Polarity.JOINED, Grade.AMBIGUOUS)),
    ],
)
def test_a_producer_that_is_not_trusted_loses_one_grade(fact: Fact, expected: tuple[int, Polarity, Grade]) -> None:
    context = about(asked(join(1)))

    found = findings(fact, context, source=NOT_TRUSTED)

    assert said(found) == [expected]


@pytest.mark.parametrize(
    ("rule", "fact", "words"),
    [
        ("hub-lists-with-key", hub_log((CAD, True)), "the hub lists the other device with a link key: it can be reached, nothing more"),
        ("hub-lists-without-key", hub_log((CAD, False)), "the hub lists the other device without a link key, and method A needs one"),
        ("hub-heard-device", hub_activity((CAD, START)), "the hub last heard the other device at 2025-06-15 15:00:00"),
        ("device-on-home-network", alert(AlertCode.DEVICE_COMMISSIONED), f"alert 8F69: {ESME} is on the home network"),
        (
            "used-locally",
            alert(AlertCode.CREDIT_ADDED_LOCALLY),
            "alert 810E: someone used the target from within the home, on some display or its keypad",
        ),
        (
            "something-rejected",
            alert(AlertCode.TRUST_FAILURE),
            "alert 8F3D: the target rejected something shortly after the repeat; it does not say what",
        ),
        ("person-decided", decided(joined=True), "Ada decided: looked at the meter"),
    ],
)
def test_what_the_home_network_shows_is_told_in_words(rule: str, fact: Fact, words: str) -> None:
    context = about(asked(join(1, role=JoinRole.METHOD_A_INITIATOR)), asked(join(2), after(minutes=30)))

    (found,) = findings(fact, context, at=after(minutes=31))

    assert (found.rule, found.says) == (rule, words)
