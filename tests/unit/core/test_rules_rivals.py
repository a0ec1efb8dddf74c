"""A request that names two other devices, or an alert that names another kind of command, is no evidence about either."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from joinbridge.core.evidence import Evidence
from joinbridge.core.facts import CommandNotExecuted
from joinbridge.core.vocabulary import AlertCode, JoinCode, MessageCode
from support.evidence import about, asked, findings
from support.home import CAD, PPMID, after, answered, join, request_id, unjoin

ROW_13 = 13


def rows(found: Iterable[Evidence]) -> list[int]:
    return [e.row for e in found]


def test_an_earlier_request_that_may_have_been_for_another_device_is_no_twin_of_a_refused_repeat() -> None:
    doubtful = replace(asked(join(1, other=PPMID)), rival=CAD)
    repeat = asked(join(2, other=CAD), after(hours=1))

    found = findings(answered(2, JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY), about(doubtful, repeat), at=after(hours=2))

    assert rows(found) == [ROW_13]


def test_an_alert_about_an_unjoin_command_says_nothing_of_the_join_with_its_number() -> None:
    alert = CommandNotExecuted(key=request_id(1), alert_code=AlertCode.COMMAND_NOT_SUPPORTED, message_code=MessageCode.CS04B)

    found = findings(alert, about(asked(join(1))))

    assert rows(found) == []


def test_an_alert_about_an_unjoin_command_speaks_of_the_unjoin() -> None:
    alert = CommandNotExecuted(key=request_id(1), alert_code=AlertCode.COMMAND_NOT_SUPPORTED, message_code=MessageCode.CS04B)

    found = findings(alert, about(asked(unjoin(1))))

    assert rows(found) == [24]
