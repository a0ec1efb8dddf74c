"""Rows 5-10: what a Device Log says, read from the device or reported by the Gas Proxy Function."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from joinbridge.core.evidence import CommandOrder, Grade, Polarity
from joinbridge.core.facts import Authenticity, DeviceDescription, Fact, LogEntry
from joinbridge.core.ids import CommandKey, DeviceId
from joinbridge.core.policy import Policy
from joinbridge.core.rules import PairContext
from joinbridge.core.vocabulary import DeviceType
from support.evidence import NOT_TRUSTED, about, asked, findings, listed_as, said
from support.home import (
    ACB,
    CAD,
    ESME,
    GPF,
    OTHER_SUPPLIER,
    PPMID,
    START,
    SUPPLIER,
    after,
    gpf_log,
    join,
    log_read,
    milliseconds,
    pair,
    probed,
    request_id,
)

ROW_5 = (5, Polarity.JOINED, Grade.CONCLUSIVE)
ROW_6 = (6, Polarity.NOT_JOINED, Grade.CONCLUSIVE)
ROW_7 = (7, Polarity.NEITHER, Grade.AMBIGUOUS)
ROW_9 = (9, Polarity.JOINED, Grade.CONCLUSIVE)
ROW_10 = (10, Polarity.NOT_JOINED, Grade.CONCLUSIVE)
GPF_PPMID = pair(GPF, PPMID)


def test_a_log_that_lists_the_other_device_with_the_expected_type_proves_the_join() -> None:
    context = about(asked(join(1, other_type=DeviceType.TYPE2)))

    (found,) = findings(log_read(2, PPMID, CAD, fronted_as=700), context)

    assert said([found]) == [ROW_5]
    assert found.order == CommandOrder(CommandKey(ACB, ESME, 700), request_id(2))
    assert found.attempt is None
    assert not found.settles


@pytest.mark.parametrize("listed", [(), (PPMID,)])
def test_a_log_without_the_other_device_proves_that_it_is_not_joined(listed: tuple[DeviceId, ...]) -> None:
    context = about(asked(join(1)))

    (found,) = findings(log_read(2, *listed, fronted_as=700), context)

    assert said([found]) == [ROW_6]
    assert found.order == CommandOrder(CommandKey(ACB, ESME, 700), request_id(2))
    assert not found.settles


def test_a_log_with_another_type_than_the_join_gave_is_flagged_and_decides_nothing() -> None:
    context = about(asked(join(1, other=PPMID, other_type=DeviceType.PPMID)), of=pair(ESME, PPMID))

    (found,) = findings(listed_as(DeviceType.TYPE2, PPMID), context)

    assert said([found]) == [ROW_7]
    assert "TYPE2" in found.says


def test_a_log_with_another_type_than_the_inventory_gives_is_flagged_where_the_join_gave_none() -> None:
    context = about(asked(join(1)), types=(CAD,))

    found = findings(listed_as(DeviceType.PPMID, CAD), context)

    assert said(found) == [ROW_7]


def test_a_type_that_gbcs_does_not_know_is_another_type() -> None:
    context = about(asked(join(1, other_type=DeviceType.TYPE2)))

    (found,) = findings(listed_as(None, CAD), context)

    assert said([found]) == [ROW_7]
    assert "unknown" in found.says


def test_any_type_will_do_where_none_is_expected() -> None:
    context = about(asked(join(1)), types=())

    found = findings(listed_as(DeviceType.PPMID, CAD), context)

    assert said(found) == [ROW_5]


def test_the_type_of_the_newest_join_is_the_expected_one() -> None:
    older, newer = join(1, other_type=DeviceType.PPMID), join(2, other_type=DeviceType.TYPE2)
    context = about(asked(older), asked(newer, after(hours=1)))

    found = findings(log_read(3, CAD), context)

    assert said(found) == [ROW_5]


def test_a_read_that_failed_is_no_evidence() -> None:
    context = about(asked(join(1)))

    found = findings(log_read(2, failed=True), context)

    assert said(found) == [(8, Polarity.NEITHER, Grade.NONE)]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [((CAD,), (5, Polarity.JOINED, Grade.STRONG)), ((), (6, Polarity.NOT_JOINED, Grade.STRONG))],
)
def test_a_log_from_a_producer_that_is_not_trusted_is_only_strong(
    listed: tuple[DeviceId, ...], expected: tuple[int, Polarity, Grade]
) -> None:
    context = about(asked(join(1)))

    found = findings(log_read(2, *listed), context, source=NOT_TRUSTED)

    assert said(found) == [expected]


def test_a_log_that_a_user_hands_in_is_only_strong() -> None:
    context = about(asked(join(1)))

    found = findings(log_read(2, CAD), context, authenticity=Authenticity.USER_SUPPLIED)

    assert said(found) == [(5, Polarity.JOINED, Grade.STRONG)]


class TestWhenTheLogWasRead:
    """The payload has no time: the earliest moment of the reading follows from the command."""

    AT = after(days=5)

    @pytest.mark.parametrize("listed", [(CAD,), ()])
    def test_a_probe_was_carried_out_after_the_moment_in_its_counter(self, listed: tuple[DeviceId, ...]) -> None:
        context = about(asked(join(1)))

        (found,) = findings(probed(after(days=4), *listed), context, at=self.AT)

        assert (found.earliest, found.at) == (after(days=4) - timedelta(minutes=1), self.AT)

    @pytest.mark.parametrize("made_at", [after(days=2), after(days=6)])
    def test_a_probe_whose_counter_cannot_be_its_moment_may_have_been_under_way_for_days(self, made_at: datetime) -> None:
        context = about(asked(join(1)))

        (found,) = findings(probed(made_at, CAD), context, at=self.AT)

        assert found.earliest == after(days=3)

    def test_a_read_of_a_user_was_made_after_its_requests_with_lower_counters(self) -> None:
        context = about(asked(join(1), after(days=1)), asked(join(2), after(days=4)))

        (found,) = findings(log_read(3, CAD), context, at=self.AT)

        assert found.earliest == after(days=4) - timedelta(minutes=5)

    @pytest.mark.parametrize("counter", [3, 4])
    def test_a_request_whose_counter_is_not_lower_does_not_date_a_read(self, counter: int) -> None:
        context = about(asked(join(counter), after(days=4)))

        (found,) = findings(log_read(3, CAD), context, at=self.AT)

        assert found.earliest == after(days=3)

    def test_a_request_of_another_originator_does_not_date_a_read(self) -> None:
        context = about(asked(join(1, by=SUPPLIER), after(days=4)))

        (found,) = findings(log_read(3, CAD, by=OTHER_SUPPLIER), context, at=self.AT)

        assert found.earliest == after(days=3)

    def test_a_counter_that_looks_like_a_moment_is_none_where_another_than_joinbridge_made_the_read(self) -> None:
        context = about()

        (found,) = findings(log_read(milliseconds(after(days=4)), CAD), context, at=self.AT)

        assert found.earliest == after(days=3)


class TestReports:
    """Rows 9, 10 and 7: the Gas Proxy Function reports its log by itself (8071)."""

    def test_a_report_that_lists_the_other_device_proves_the_join_as_of_the_devices_own_time(self) -> None:
        told_at = after(minutes=20)

        (found,) = findings(gpf_log(told_at, CAD, PPMID), about(of=GPF_PPMID), at=after(hours=3))

        assert said([found]) == [ROW_9]
        assert (found.earliest, found.at, found.by_device_clock) == (told_at - timedelta(minutes=1), told_at, True)

    def test_a_report_without_the_other_device_proves_that_it_was_not_joined_at_that_time(self) -> None:
        told_at = after(minutes=20)

        (found,) = findings(gpf_log(told_at, CAD), about(of=GPF_PPMID), at=after(hours=3))

        assert said([found]) == [ROW_10]
        assert (found.earliest, found.at, found.by_device_clock) == (told_at - timedelta(minutes=1), told_at, True)

    def test_a_report_with_another_type_is_flagged_and_decides_nothing(self) -> None:
        report = replace(gpf_log(START), entries=(LogEntry(PPMID, DeviceType.TYPE2),))

        found = findings(report, about(of=GPF_PPMID))

        assert said(found) == [ROW_7]

    @pytest.mark.parametrize(
        "told_at",
        [
            pytest.param(None, id="no time"),
            pytest.param(datetime.fromisoformat("2015-01-01T00:00:00+00:00"), id="a clock that was never set"),
            pytest.param(after(days=3) - timedelta(seconds=1), id="longer ago than the network keeps an alert"),
            pytest.param(after(days=5, minutes=1, seconds=1), id="the future"),
        ],
    )
    @pytest.mark.parametrize(("listed", "row"), [((PPMID,), ROW_9), ((CAD,), ROW_10)])
    def test_a_report_by_a_clock_that_cannot_be_right_may_have_been_under_way_for_days(
        self, listed: tuple[DeviceId, ...], row: tuple[int, Polarity, Grade], told_at: datetime | None
    ) -> None:
        (found,) = findings(gpf_log(told_at, *listed), about(of=GPF_PPMID), at=after(days=5))

        assert said([found]) == [row]
        assert (found.earliest, found.at, found.by_device_clock) == (after(days=3), after(days=5), False)

    @pytest.mark.parametrize(("listed", "waits"), [((PPMID,), True), ((CAD,), False)])
    def test_an_entry_whose_type_an_inventory_has_yet_to_tell_waits_for_it_and_its_absence_does_not(
        self, listed: tuple[DeviceId, ...], waits: bool
    ) -> None:
        told = {CAD: DeviceDescription(CAD, DeviceType.TYPE2, manufacturer="M")}

        (found,) = findings(gpf_log(START, *listed), replace(about(of=GPF_PPMID), devices=told))

        assert found.unchecked is waits

    @pytest.mark.parametrize("told_at", [after(days=3), after(days=5, minutes=1)])
    def test_a_clock_counts_to_the_last_moment_at_which_it_can_be_right(self, told_at: datetime) -> None:
        policy = Policy(max_transit=timedelta(days=2), clock_skew=timedelta(minutes=1))

        (found,) = findings(gpf_log(told_at, PPMID), about(of=GPF_PPMID, policy=policy), at=after(days=5))

        assert found.by_device_clock

    @pytest.mark.parametrize(("listed", "row"), [((PPMID,), 9), ((CAD,), 10)])
    def test_a_report_from_a_producer_that_is_not_trusted_is_only_strong(self, listed: tuple[DeviceId, ...], row: int) -> None:
        (found,) = findings(gpf_log(START, *listed), about(of=GPF_PPMID), source=NOT_TRUSTED)

        assert (found.row, found.grade) == (row, Grade.STRONG)


@pytest.mark.parametrize(
    ("rule", "fact", "context", "words"),
    [
        ("device-log-lists", log_read(2, CAD), about(), "the target's Device Log lists the other device"),
        ("device-log-lacks", log_read(2), about(), "the target's Device Log does not list the other device"),
        (
            "device-log-differs",
            listed_as(DeviceType.PPMID, CAD),
            about(),
            "the Device Log lists the other device with type PPMID, not as it was asked to",
        ),
        (
            "device-log-differs",
            listed_as(None, CAD),
            about(),
            "the Device Log lists the other device with type unknown, not as it was asked to",
        ),
        ("device-log-unreadable", log_read(2, failed=True), about(), f"{ESME} could not read its Device Log"),
        (
            "gpf-log-lists",
            gpf_log(START, PPMID),
            about(of=GPF_PPMID),
            "the Gas Proxy Function reported the other device in its Device Log",
        ),
        (
            "gpf-log-lacks",
            gpf_log(START),
            about(of=GPF_PPMID),
            "the Gas Proxy Function reported its Device Log without the other device",
        ),
    ],
)
def test_what_a_log_says_is_told_in_words(rule: str, fact: Fact, context: PairContext, words: str) -> None:
    (found,) = findings(fact, context)

    assert (found.rule, found.says) == (rule, words)
