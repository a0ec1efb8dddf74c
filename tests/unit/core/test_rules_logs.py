"""Rows 18-21, 32 and 33: logs and alerts whose entries name no other device."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from joinbridge.core.attempt import JoinAttempt, LossTrigger, accepted, lost, refused
from joinbridge.core.attempt import answered as with_answer
from joinbridge.core.evidence import Grade, Polarity
from joinbridge.core.facts import DeviceAlerted, Fact, JoinRequested, LogKind
from joinbridge.core.ids import DeviceId, parse_eui64
from joinbridge.core.vocabulary import AlertCode, DeviceType, MessageCode
from support.evidence import NOT_TRUSTED, about, alert, asked, event_log, findings, said
from support.home import CAD, ESME, GSME, HCALCS, PPMID, START, after, join, pair, request_id, security_log, unjoin

DONE, FAILED, OTHER_ENTRY = AlertCode.JOIN_SUCCEEDED, AlertCode.JOIN_FAILED, AlertCode.UNJOIN_SUCCEEDED
ROW_18 = (18, Polarity.JOINED, Grade.STRONG)
ROW_19 = (19, Polarity.ATTEMPT_FAILED, Grade.STRONG)
ROW_20 = (20, Polarity.ATTEMPT_FAILED, Grade.STRONG)

# The window of a join of an ESME: the ten minutes that its answer may take, and a minute of clock skew on either side.
OPENS, CLOSES = after(minutes=-1), after(minutes=11)
BEFORE, WITHIN, BEYOND = after(minutes=-2), after(minutes=1), after(minutes=12)
SECOND = timedelta(seconds=1)
DAY_BEFORE = after(days=-1)

OUTSTANDING = [
    pytest.param(asked(join(9, other=PPMID), after(minutes=5)), id="asked for in the window"),
    pytest.param(asked(join(9, other=PPMID), after(minutes=12)), id="asked for within the skew of the window's end"),
    pytest.param(asked(join(9, other=PPMID), DAY_BEFORE), id="asked for the day before and never answered"),
    pytest.param(with_answer(asked(join(9, other=PPMID), DAY_BEFORE), 0, WITHIN), id="answered in the window"),
    pytest.param(with_answer(asked(join(9, other=PPMID), DAY_BEFORE), 0, after(minutes=-2)), id="answered within the skew of its start"),
    pytest.param(lost(asked(join(9, other=PPMID), DAY_BEFORE), LossTrigger.DISCARDED, WITHIN), id="its answer discarded in the window"),
    pytest.param(replace(with_answer(asked(join(9, other=PPMID), after(days=-9)), 0, after(days=-9)), retries=1), id="issued twice"),
    pytest.param(asked(join(9, other=PPMID, local_only=True), after(days=-9)), id="handed to an installer"),
    pytest.param(asked(join(9), after(minutes=5)), id="of the same pair"),
    pytest.param(asked(join(9, other=None), after(minutes=5)), id="of which nobody knows the other device"),
]
NOT_OUTSTANDING = [
    pytest.param(asked(join(9, other=PPMID), after(minutes=12, seconds=1)), id="asked for after the window"),
    pytest.param(asked(join(9, other=PPMID), after(days=-3)), id="longer ago than the network keeps a command"),
    pytest.param(with_answer(asked(join(9, other=PPMID), DAY_BEFORE), 0, after(minutes=-3)), id="answered before the window"),
    pytest.param(asked(join(9, other=PPMID, submitted=False), after(minutes=5)), id="never submitted"),
    pytest.param(refused(asked(join(9, other=PPMID), after(minutes=5)), "E4"), id="refused by the DSP"),
    pytest.param(asked(unjoin(9, other=PPMID), after(minutes=5)), id="an Unjoin"),
]


class TestSecurityLog:
    """Rows 18-20."""

    def test_a_success_in_the_window_of_the_only_join_speaks_strongly_for_it(self) -> None:
        context = about(asked(join(1)))

        (found,) = findings(security_log((after(minutes=2), DONE), (WITHIN, DONE)), context, at=after(days=3))

        assert said([found]) == [ROW_18]
        assert (found.at, found.earliest, found.by_device_clock) == (WITHIN, START, True)
        assert found.attempt == request_id(1)

    def test_a_failure_in_the_window_of_the_only_join_speaks_strongly_against_the_attempt(self) -> None:
        context = about(asked(join(1)))

        (found,) = findings(security_log((WITHIN, FAILED)), context)

        assert said([found]) == [ROW_19]
        assert found.attempt == request_id(1)

    def test_a_log_that_reaches_back_and_has_no_word_of_the_join_speaks_strongly_against_the_attempt(self) -> None:
        context = about(asked(join(1)))

        (found,) = findings(security_log((BEFORE, OTHER_ENTRY)), context)

        assert said([found]) == [ROW_20]
        assert found.attempt == request_id(1)

    @pytest.mark.parametrize(("code", "row"), [(DONE, ROW_18), (FAILED, ROW_19)])
    def test_a_log_with_a_word_of_the_join_is_not_silent_however_far_it_reaches_back(
        self, code: AlertCode, row: tuple[int, Polarity, Grade]
    ) -> None:
        context = about(asked(join(1)))

        found = findings(security_log((BEFORE, OTHER_ENTRY), (WITHIN, code)), context)

        assert said(found) == [row]

    def test_a_failure_in_the_window_leaves_a_success_in_it_without_force(self) -> None:
        context = about(asked(join(1)))

        found = findings(security_log((BEFORE, OTHER_ENTRY), (WITHIN, FAILED), (after(minutes=2), DONE)), context)

        assert said(found) == [ROW_19]

    @pytest.mark.parametrize(("code", "row"), [(DONE, ROW_18), (FAILED, ROW_19)])
    @pytest.mark.parametrize("at", [OPENS, CLOSES])
    def test_the_window_includes_its_ends(self, at: datetime, code: AlertCode, row: tuple[int, Polarity, Grade]) -> None:
        context = about(asked(join(1)))

        found = findings(security_log((at, code)), context)

        assert said(found) == [row]

    @pytest.mark.parametrize("code", [DONE, FAILED])
    @pytest.mark.parametrize(("at", "expected"), [(OPENS - SECOND, [ROW_20]), (CLOSES + SECOND, [])])
    def test_an_entry_outside_the_window_is_not_of_this_join(
        self, at: datetime, expected: list[tuple[int, Polarity, Grade]], code: AlertCode
    ) -> None:
        context = about(asked(join(1)))

        found = findings(security_log((at, code)), context)

        assert said(found) == expected

    @pytest.mark.parametrize("code", [DONE, FAILED, OTHER_ENTRY])
    @pytest.mark.parametrize("other", OUTSTANDING)
    def test_a_log_says_nothing_while_another_join_may_be_outstanding(self, other: JoinAttempt, code: AlertCode) -> None:
        context = about(other, asked(join(1)))

        found = findings(security_log((after(days=-20), OTHER_ENTRY), (WITHIN, code)), context, at=after(minutes=15))

        assert [e for e in found if e.attempt == request_id(1)] == []

    @pytest.mark.parametrize(("code", "row"), [(DONE, ROW_18), (FAILED, ROW_19)])
    @pytest.mark.parametrize("other", NOT_OUTSTANDING)
    def test_a_request_that_was_not_outstanding_takes_nothing_away(
        self, other: JoinAttempt, code: AlertCode, row: tuple[int, Polarity, Grade]
    ) -> None:
        context = about(other, asked(join(1)))

        found = findings(security_log((WITHIN, code)), context)

        assert said(found) == [row]

    @pytest.mark.parametrize("code", [DONE, FAILED, OTHER_ENTRY])
    @pytest.mark.parametrize(
        "attempt",
        [
            pytest.param(asked(join(1, other=PPMID)), id="of another device"),
            pytest.param(asked(unjoin(1)), id="an Unjoin"),
            pytest.param(asked(join(1, submitted=False)), id="never submitted"),
            pytest.param(refused(asked(join(1)), "E4"), id="refused by the DSP"),
            pytest.param(replace(asked(join(1)), rival=PPMID), id="named two devices"),
        ],
    )
    def test_a_log_says_nothing_of_a_pair_without_a_join_that_was_certainly_sent(self, attempt: JoinAttempt, code: AlertCode) -> None:
        context = about(attempt)

        found = findings(security_log((BEFORE, OTHER_ENTRY), (WITHIN, code)), context)

        assert found == []

    def test_a_join_that_the_device_refused_is_not_the_one_that_succeeded(self) -> None:
        context = about(with_answer(asked(join(1)), 5, after(minutes=1)))

        found = findings(security_log((WITHIN, DONE)), context)

        assert found == []

    def test_a_log_speaks_of_the_newest_join_of_which_it_has_a_word(self) -> None:
        older = with_answer(asked(join(1)), 5, after(minutes=1))
        newer = asked(join(2), after(days=1))
        context = about(older, newer)

        success = findings(security_log((after(days=1, minutes=1), DONE)), context, at=after(days=2))
        failure = findings(security_log((WITHIN, FAILED)), context, at=after(days=1, minutes=1))

        assert [(e.row, e.attempt) for e in success] == [(18, request_id(2))]
        assert [(e.row, e.attempt) for e in failure] == [(19, request_id(1))]

    @pytest.mark.parametrize("logged", [(), ((WITHIN, OTHER_ENTRY),), ((OPENS, OTHER_ENTRY),), ((BEYOND, OTHER_ENTRY),)])
    def test_silence_proves_nothing_where_the_log_may_have_wrapped(self, logged: tuple[tuple[datetime, int], ...]) -> None:
        context = about(asked(join(1)))

        found = findings(security_log(*logged), context)

        assert found == []

    @pytest.mark.parametrize(("read_at", "expected"), [(CLOSES, []), (CLOSES + SECOND, [ROW_20])])
    def test_silence_proves_nothing_before_the_time_of_the_join_is_over(
        self, read_at: datetime, expected: list[tuple[int, Polarity, Grade]]
    ) -> None:
        context = about(asked(join(1)))

        found = findings(security_log((BEFORE, OTHER_ENTRY)), context, at=read_at)

        assert said(found) == expected

    def test_a_log_with_entries_from_the_future_was_written_by_a_clock_that_cannot_be_right(self) -> None:
        context = about(asked(join(1)))
        entries = ((BEFORE, OTHER_ENTRY), (WITHIN, DONE))

        just_right = findings(security_log(*entries, (after(hours=1, minutes=1), OTHER_ENTRY)), context, at=after(hours=1))
        wrong = findings(security_log(*entries, (after(hours=1, minutes=1, seconds=1), OTHER_ENTRY)), context, at=after(hours=1))

        assert said(just_right) == [ROW_18]
        assert wrong == []

    @pytest.mark.parametrize("code", [DONE, FAILED, OTHER_ENTRY])
    def test_an_event_log_is_no_security_log(self, code: AlertCode) -> None:
        context = about(asked(join(1)))

        found = findings(security_log((BEFORE, OTHER_ENTRY), (WITHIN, code), kind=LogKind.EVENT), context)

        assert found == []

    @pytest.mark.parametrize(("types", "expected"), [((ESME,), []), ((), [ROW_18]), ((GSME,), [ROW_18])])
    def test_the_window_is_as_long_as_that_type_of_device_may_take(
        self, types: tuple[DeviceId, ...], expected: list[tuple[int, Polarity, Grade]]
    ) -> None:
        context = about(asked(join(1)), types=types)

        found = findings(security_log((after(minutes=60), DONE)), context, at=after(hours=2))

        assert said(found) == expected

    def test_the_window_opens_with_the_submission_not_with_the_request_to_transform(self) -> None:
        context = about(accepted(asked(join(1, submitted=False)), after(minutes=30)))

        early = findings(security_log((after(minutes=28), DONE)), context, at=after(minutes=35))
        in_time = findings(security_log((after(minutes=29), DONE)), context, at=after(minutes=35))

        assert early == []
        assert said(in_time) == [ROW_18]

    def test_a_log_from_a_producer_that_is_not_trusted_is_only_corroborating(self) -> None:
        context = about(asked(join(1)))

        found = findings(security_log((WITHIN, DONE)), context, source=NOT_TRUSTED)

        assert said(found) == [(18, Polarity.JOINED, Grade.CORROBORATING)]


class TestOutcomeAlerts:
    """Row 21: the same codes as alerts."""

    def test_a_success_is_as_in_the_log_and_is_the_same_witness(self) -> None:
        context = about(asked(join(1)))

        (alerted,) = findings(alert(DONE, told_at=WITHIN), context)
        (logged,) = findings(security_log((WITHIN, DONE)), context)

        assert said([alerted]) == [(21, Polarity.JOINED, Grade.STRONG)]
        assert (alerted.at, alerted.earliest, alerted.by_device_clock) == (WITHIN, START, True)
        assert (alerted.attempt, alerted.family) == (request_id(1), logged.family)

    def test_a_failure_is_as_in_the_log_and_is_the_same_witness(self) -> None:
        context = about(asked(join(1)))

        (alerted,) = findings(alert(FAILED, told_at=WITHIN), context)
        (logged,) = findings(security_log((WITHIN, FAILED)), context)

        assert said([alerted]) == [(21, Polarity.ATTEMPT_FAILED, Grade.STRONG)]
        assert (alerted.attempt, alerted.family) == (request_id(1), logged.family)

    @pytest.mark.parametrize("code", [DONE, FAILED])
    @pytest.mark.parametrize(
        ("told_at", "found_at"),
        [
            pytest.param(None, WITHIN, id="no time of its own"),
            pytest.param(after(minutes=4, seconds=1), after(minutes=3), id="from the future"),
            pytest.param(OPENS - SECOND, WITHIN, id="before the window"),
            pytest.param(CLOSES + SECOND, after(hours=1), id="after the window"),
        ],
    )
    def test_an_alert_whose_own_time_is_not_certainly_that_of_the_join_says_nothing(
        self, told_at: datetime | None, found_at: datetime, code: AlertCode
    ) -> None:
        context = about(asked(join(1)))

        found = findings(alert(code, told_at=told_at), context, at=found_at)

        assert found == []

    @pytest.mark.parametrize(("code", "polarity"), [(DONE, Polarity.JOINED), (FAILED, Polarity.ATTEMPT_FAILED)])
    @pytest.mark.parametrize(
        ("told_at", "found_at"),
        [
            pytest.param(OPENS, WITHIN, id="the window opens"),
            pytest.param(CLOSES, after(hours=1), id="the window closes"),
            pytest.param(after(minutes=4), after(minutes=3), id="ahead by the clock skew"),
        ],
    )
    def test_an_alert_counts_to_the_last_moment_at_which_it_can_be_of_the_join(
        self, told_at: datetime, found_at: datetime, code: AlertCode, polarity: Polarity
    ) -> None:
        context = about(asked(join(1)))

        found = findings(alert(code, told_at=told_at), context, at=found_at)

        assert said(found) == [(21, polarity, Grade.STRONG)]

    @pytest.mark.parametrize("code", [DONE, FAILED])
    @pytest.mark.parametrize("other", OUTSTANDING)
    def test_an_alert_says_nothing_while_another_join_may_be_outstanding(self, other: JoinAttempt, code: AlertCode) -> None:
        context = about(other, asked(join(1)))

        found = findings(alert(code, told_at=WITHIN), context)

        assert [e for e in found if e.attempt == request_id(1)] == []

    @pytest.mark.parametrize(
        "fact",
        [
            pytest.param(alert(DONE, device=CAD, told_at=WITHIN), id="from the other device"),
            pytest.param(alert(AlertCode.UNJOIN_SUCCEEDED, told_at=WITHIN), id="with another code"),
        ],
    )
    def test_another_alert_says_nothing(self, fact: DeviceAlerted) -> None:
        context = about(asked(join(1)))

        found = findings(fact, context)

        assert found == []

    def test_a_join_that_the_device_refused_is_not_the_one_that_succeeded(self) -> None:
        context = about(with_answer(asked(join(1)), 5, after(minutes=1)))

        found = findings(alert(DONE, told_at=WITHIN), context)

        assert found == []


PPMID_COMMANDS = (MessageCode.PECS01, MessageCode.PECS02, MessageCode.PECS03, MessageCode.PCS01, MessageCode.PCS02)
ACTIONED, NOT_ACTIONED = AlertCode.HAN_COMMAND_ACTIONED, AlertCode.HAN_COMMAND_NOT_ACTIONED
A_TOP_UP = event_log((WITHIN, ACTIONED, MessageCode.PCS02))
A_LOAD_SWITCH = event_log((WITHIN, ACTIONED, MessageCode.HECS01))
ANOTHER_PPMID = parse_eui64("00-11-22-33-44-55-77-15")


class TestHanCommands:
    """Rows 32 and 33: the event log has a command from some PPMID or HCALCS."""

    @pytest.mark.parametrize("result", [ACTIONED, NOT_ACTIONED])
    @pytest.mark.parametrize("command", PPMID_COMMANDS)
    @pytest.mark.parametrize("target", [ESME, GSME])
    def test_a_command_of_a_ppmid_speaks_strongly_for_the_only_candidate(
        self, target: DeviceId, command: MessageCode, result: AlertCode
    ) -> None:
        context = about(asked(join(1, target=target, other=PPMID)), of=pair(target, PPMID))
        read = event_log((WITHIN, result, command), (after(minutes=3), result, command), target=target)

        (found,) = findings(read, context)

        assert said([found]) == [(32, Polarity.JOINED, Grade.STRONG)]
        assert (found.at, found.earliest, found.by_device_clock) == (after(minutes=3), after(minutes=2), True)
        assert found.attempt is None

    def test_a_command_of_an_hcalcs_speaks_strongly_for_the_only_candidate(self) -> None:
        context = about(asked(join(1, other=HCALCS)), of=pair(ESME, HCALCS))

        (found,) = findings(A_LOAD_SWITCH, context)

        assert said([found]) == [(33, Polarity.JOINED, Grade.STRONG)]

    def test_a_device_of_unknown_type_is_one_witness_whichever_commands_the_log_has(self) -> None:
        context = about(asked(join(1)), types=())

        found = [*findings(A_TOP_UP, context), *findings(A_LOAD_SWITCH, context)]

        assert [e.row for e in found] == [32, 33]
        assert len({e.family for e in found}) == 1

    def test_a_log_of_commands_is_in_shadow_by_default(self) -> None:
        ppmid = findings(A_TOP_UP, about(asked(join(1, other=PPMID)), of=pair(ESME, PPMID)))
        hcalcs = findings(A_LOAD_SWITCH, about(asked(join(1, other=HCALCS)), of=pair(ESME, HCALCS)))

        assert [e.shadow for e in (*ppmid, *hcalcs)] == [True, True]

    @pytest.mark.parametrize(
        "second",
        [
            pytest.param(join(2, other=ANOTHER_PPMID, other_type=DeviceType.PPMID), id="commanded as a PPMID"),
            pytest.param(join(2, other=ANOTHER_PPMID), id="of unknown type"),
            pytest.param(unjoin(2, other=ANOTHER_PPMID), id="to be unjoined"),
        ],
    )
    def test_a_command_only_corroborates_where_two_devices_may_have_sent_it(self, second: JoinRequested) -> None:
        context = about(asked(join(1, other=PPMID)), asked(second), of=pair(ESME, PPMID))

        found = findings(A_TOP_UP, context)

        assert said(found) == [(32, Polarity.JOINED, Grade.CORROBORATING)]

    @pytest.mark.parametrize(
        "second", [join(2, other=HCALCS), join(2, other=ANOTHER_PPMID, other_type=DeviceType.TYPE2), join(2, other=None)]
    )
    def test_devices_of_other_types_are_no_candidates(self, second: JoinRequested) -> None:
        context = about(asked(join(1, other=PPMID)), asked(second), of=pair(ESME, PPMID))

        found = findings(A_TOP_UP, context)

        assert said(found) == [(32, Polarity.JOINED, Grade.STRONG)]

    @pytest.mark.parametrize(
        ("at", "expected"),
        [(OPENS - SECOND, []), (OPENS, [32]), (after(hours=1, minutes=1), [32]), (after(hours=1, minutes=1, seconds=1), [])],
    )
    def test_a_command_counts_from_the_first_request_to_the_reading(self, at: datetime, expected: list[int]) -> None:
        context = about(asked(join(1, other=PPMID)), asked(join(2, other=PPMID), after(minutes=30)), of=pair(ESME, PPMID))

        found = findings(event_log((at, ACTIONED, MessageCode.PCS01)), context, at=after(hours=1))

        assert [e.row for e in found] == expected

    @pytest.mark.parametrize(
        ("result", "command"),
        [(ACTIONED, None), (ACTIONED, MessageCode.ECS100), (AlertCode.DEVICE_COMMISSIONED, MessageCode.PCS01)],
    )
    def test_another_event_says_nothing(self, result: AlertCode, command: int | None) -> None:
        context = about(asked(join(1, other=PPMID)), of=pair(ESME, PPMID))

        found = findings(event_log((WITHIN, result, command)), context)

        assert found == []

    def test_a_security_log_has_no_commands(self) -> None:
        context = about(asked(join(1, other=PPMID)), of=pair(ESME, PPMID))

        found = findings(replace(A_TOP_UP, kind=LogKind.SECURITY), context)

        assert found == []

    @pytest.mark.parametrize("other", [HCALCS, CAD])
    def test_a_command_of_a_ppmid_says_nothing_of_another_type_of_device(self, other: DeviceId) -> None:
        context = about(asked(join(1, other=other)), asked(join(2, other=PPMID)), of=pair(ESME, other))

        found = findings(A_TOP_UP, context)

        assert found == []

    def test_a_command_says_nothing_of_a_pair_that_nobody_asked_to_join(self) -> None:
        context = about(asked(unjoin(1, other=PPMID)), of=pair(ESME, PPMID))

        found = findings(A_TOP_UP, context)

        assert found == []

    @pytest.mark.parametrize(("types", "expected"), [((GSME, HCALCS), []), ((HCALCS,), [33])])
    def test_only_an_esme_takes_commands_of_an_hcalcs(self, types: tuple[DeviceId, ...], expected: list[int]) -> None:
        context = about(asked(join(1, target=GSME, other=HCALCS)), of=pair(GSME, HCALCS), types=types)

        found = findings(A_LOAD_SWITCH, context)

        assert [e.row for e in found] == expected


@pytest.mark.parametrize(
    ("rule", "family", "fact", "other", "words"),
    [
        (
            "join-success-logged",
            "join-logged",
            security_log((WITHIN, DONE)),
            CAD,
            "the target's security log has a join success, and only one join was outstanding",
        ),
        (
            "join-failure-logged",
            "failure-logged",
            security_log((WITHIN, FAILED)),
            CAD,
            "the target's security log has a join failure, and only one join was outstanding",
        ),
        (
            "nothing-logged",
            "failure-logged",
            security_log((BEFORE, OTHER_ENTRY)),
            CAD,
            "the target's security log covers the time of the join and has no word of it",
        ),
        (
            "join-outcome-alerted",
            "join-logged",
            alert(DONE, told_at=WITHIN),
            CAD,
            "the target alerted a join success, and only one join was outstanding",
        ),
        (
            "join-outcome-alerted",
            "failure-logged",
            alert(FAILED, told_at=WITHIN),
            CAD,
            "the target alerted a join failure, and only one join was outstanding",
        ),
        ("ppmid-command-logged", "han-command", A_TOP_UP, PPMID, "the target's event log has a command from an authorised PPMID"),
        ("hcalcs-command-logged", "han-command", A_LOAD_SWITCH, HCALCS, "the target's event log has a command from an authorised HCALCS"),
    ],
)
def test_what_a_log_or_an_alert_says_is_told_in_words_and_names_its_witness(
    rule: str, family: str, fact: Fact, other: DeviceId, words: str
) -> None:
    context = about(asked(join(1, other=other)), of=pair(ESME, other))

    (found,) = findings(fact, context)

    assert (found.rule, found.family, found.says) == (rule, family, words)
