"""Rows 1-4, 11-17 and 35: what a device's own answers prove about a pair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core.attempt import JoinAttempt, LossTrigger, disproved, lost, refused
from joinbridge.core.attempt import answered as with_answer
from joinbridge.core.evidence import CommandOrder, Grade, Polarity
from joinbridge.core.facts import (
    Authenticity,
    DeviceDescription,
    Fact,
    GpfLogRestored,
    JoinAnswered,
    JoinRequested,
    LogEntry,
    PartnerJoined,
)
from joinbridge.core.ids import CommandKey
from joinbridge.core.rules import PairContext
from joinbridge.core.vocabulary import DeviceType, Intent, JoinCode, JoinRole, MessageCode, UnjoinCode
from support.evidence import about, asked, findings, said
from support.home import (
    ACB,
    CAD,
    ESME,
    GPF,
    NEW_GPF,
    OTHER_SUPPLIER,
    PPMID,
    START,
    SUPPLIER,
    after,
    answered,
    join,
    pair,
    request_id,
    unjoin,
    unjoin_answered,
)

ROW_1 = (1, Polarity.JOINED, Grade.CONCLUSIVE)
ROW_12 = (12, Polarity.JOINED, Grade.STRONG)
ROW_13 = (13, Polarity.NEITHER, Grade.AMBIGUOUS)
FAILURES = [code for code in range(1, 14) if code not in (3, 4)]


def test_a_success_answer_proves_the_join_from_its_submission_on() -> None:
    context = about(asked(join(1), after(minutes=5)))

    (found,) = findings(answered(1, fronted_as=700), context, at=after(minutes=6))

    assert said([found]) == [ROW_1]
    assert (found.earliest, found.at) == (after(minutes=5), after(minutes=6))
    assert found.attempt == request_id(1)
    assert found.order == CommandOrder(CommandKey(ACB, ESME, 700), request_id(1))
    assert found.settles


def test_a_success_answer_proves_the_join_however_late_it_comes() -> None:
    context = about(lost(asked(join(1)), LossTrigger.DEADLINE, after(hours=2)))

    found = findings(answered(1), context, at=after(days=9))

    assert said(found) == [ROW_1]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (JoinCode.SUCCESS, ROW_1),
        (JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY, ROW_13),
        (JoinCode.DEVICE_LOG_FULL, (14, Polarity.NOT_JOINED, Grade.STRONG)),
        *((code, (15, Polarity.ATTEMPT_FAILED, Grade.CONCLUSIVE)) for code in (*FAILURES, 14, 255)),
    ],
)
def test_each_code_of_a_join_answer_is_one_row_of_the_table(code: int, expected: tuple[int, Polarity, Grade]) -> None:
    context = about(asked(join(1)))

    found = findings(answered(1, code), context)

    assert said(found) == [expected]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (UnjoinCode.SUCCESS, (2, Polarity.NOT_JOINED, Grade.CONCLUSIVE)),
        (UnjoinCode.NOT_IN_DEVICE_LOG, (3, Polarity.NOT_JOINED, Grade.CONCLUSIVE)),
        (UnjoinCode.OTHER_FAILURE, (4, Polarity.NEITHER, Grade.AMBIGUOUS)),
        (200, (4, Polarity.NEITHER, Grade.AMBIGUOUS)),
    ],
)
def test_each_code_of_an_unjoin_answer_is_one_row_of_the_table(code: int, expected: tuple[int, Polarity, Grade]) -> None:
    context = about(asked(unjoin(1)))

    found = findings(unjoin_answered(1, code), context)

    assert said(found) == [expected]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(asked(join(1, other=PPMID)), id="a join of another device"),
        pytest.param(asked(join(2)), id="another request"),
        pytest.param(asked(join(1, by=OTHER_SUPPLIER)), id="the same counter of another originator"),
        pytest.param(asked(unjoin(1)), id="an Unjoin with the same RequestID"),
        pytest.param(asked(join(1, other=None)), id="a join of which nobody knows the other device"),
        pytest.param(replace(asked(join(1)), rival=PPMID), id="a join that named two devices"),
        pytest.param(replace(asked(join(1, other=PPMID)), rival=CAD), id="a join that named this device second"),
    ],
)
def test_a_join_answer_says_nothing_of_a_pair_whose_join_it_does_not_certainly_answer(attempt: JoinAttempt, code: int) -> None:
    context = about(attempt)

    found = findings(answered(1, code), context)

    assert found == []


@pytest.mark.parametrize("code", [0, 1, 2])
@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(asked(unjoin(1, other=PPMID)), id="an Unjoin of another device"),
        pytest.param(asked(unjoin(2)), id="another request"),
        pytest.param(asked(join(1)), id="a Join with the same RequestID"),
        pytest.param(replace(asked(unjoin(1)), rival=PPMID), id="an Unjoin that named two devices"),
    ],
)
def test_an_unjoin_answer_says_nothing_of_a_pair_whose_unjoin_it_does_not_certainly_answer(attempt: JoinAttempt, code: int) -> None:
    context = about(attempt)

    found = findings(unjoin_answered(1, code), context)

    assert found == []


def test_an_answer_that_bears_only_the_wire_key_is_that_of_the_request_behind_it() -> None:
    context = about(asked(join(1, fronted_as=700)))

    (found,) = findings(answered(700, by=ACB), context)

    assert said([found]) == [ROW_1]
    assert found.attempt == request_id(1)


@pytest.mark.parametrize("authenticity", [Authenticity.CHANNEL, Authenticity.USER_SUPPLIED])
@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(join(1), answered(1, fronted_as=700), id="the RequestID, where the wire key is not known"),
        pytest.param(join(1, fronted_as=700), answered(2, fronted_as=700), id="the wire key, with another RequestID"),
    ],
)
def test_either_key_of_an_answer_names_the_request(request_: JoinRequested, answer: JoinAnswered, authenticity: Authenticity) -> None:
    context = about(asked(request_))

    (found,) = findings(answer, context, authenticity=authenticity)

    assert found.attempt == request_id(1)


@pytest.mark.parametrize("wire_counter", [1, 699])
def test_an_answer_with_another_key_on_the_wire_is_not_that_of_the_request(wire_counter: int) -> None:
    context = about(asked(join(1, fronted_as=700)))

    found = findings(answered(wire_counter, by=ACB), context)

    assert found == []


class TestRepeatRefused:
    """Rows 12 and 13: code 3."""

    REFUSED = answered(2, JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY)
    ROLE = JoinRole.METHOD_B

    def test_code_3_to_an_identical_repeat_of_an_unanswered_join_speaks_strongly_for_it(self) -> None:
        first = lost(asked(join(1, role=self.ROLE, other_type=DeviceType.TYPE2)), LossTrigger.DEADLINE, after(hours=2))
        repeat = asked(join(2, role=self.ROLE, other_type=DeviceType.TYPE2), after(hours=3))

        (found,) = findings(self.REFUSED, about(first, repeat), at=after(hours=4))

        assert said([found]) == [ROW_12]
        assert found.attempt == request_id(2)
        assert not found.settles

    def test_code_3_to_a_request_that_was_issued_twice_speaks_strongly_for_its_first_issue(self) -> None:
        reissued = replace(asked(join(2)), retries=1)

        found = findings(self.REFUSED, about(reissued))

        assert said(found) == [ROW_12]

    @pytest.mark.parametrize(
        ("first", "repeat"),
        [
            pytest.param(asked(join(1, role=ROLE)), asked(join(2), after(hours=1)), id="role of the repeat"),
            pytest.param(asked(join(1)), asked(join(2, role=ROLE), after(hours=1)), id="role of the first"),
            pytest.param(asked(join(1, other_type=DeviceType.TYPE2)), asked(join(2), after(hours=1)), id="type in the repeat"),
            pytest.param(asked(join(1)), asked(join(2, other_type=DeviceType.TYPE2), after(hours=1)), id="type in the first"),
        ],
    )
    def test_what_is_not_known_of_one_of_two_joins_does_not_make_them_differ(self, first: JoinAttempt, repeat: JoinAttempt) -> None:
        context = about(first, repeat)

        found = findings(self.REFUSED, context)

        assert said(found) == [ROW_12]

    @pytest.mark.parametrize(
        "earlier",
        [
            pytest.param((), id="there is none"),
            pytest.param((asked(join(1, role=JoinRole.METHOD_C, other_type=DeviceType.TYPE2)),), id="it had another role"),
            pytest.param((asked(join(1, role=ROLE, other_type=DeviceType.PPMID)),), id="it had another type"),
            pytest.param((asked(join(1, other=PPMID)),), id="it was of another device"),
            pytest.param((asked(unjoin(1)),), id="it was an Unjoin"),
            pytest.param((asked(join(1, submitted=False)),), id="it was never submitted"),
            pytest.param((with_answer(asked(join(1)), 5, after(minutes=1)),), id="it was refused"),
            pytest.param((with_answer(asked(join(1)), 0, after(minutes=1)),), id="it succeeded"),
            pytest.param((refused(asked(join(1)), "E4"),), id="it was not sent"),
            pytest.param((disproved(asked(join(1))),), id="it was disproved"),
            pytest.param((asked(join(1), after(hours=2)),), id="it came later"),
            pytest.param((asked(join(1), after(hours=1)),), id="it came at the same moment"),
        ],
    )
    def test_code_3_decides_nothing_without_an_earlier_identical_join_that_is_unanswered(self, earlier: tuple[JoinAttempt, ...]) -> None:
        repeat = asked(join(2, role=self.ROLE, other_type=DeviceType.TYPE2), after(hours=1))

        found = findings(self.REFUSED, about(*earlier, repeat), at=after(hours=4))

        assert said(found) == [ROW_13]


class TestPartnerJoined:
    """Rows 16 and 17: the two halves of method A."""

    DONE = PartnerJoined(device=PPMID, partner=ESME)
    RESPONDER = join(1, target=PPMID, other=ESME, role=JoinRole.METHOD_A_RESPONDER)

    @pytest.mark.parametrize("role", [JoinRole.METHOD_A_RESPONDER, None])
    def test_an_initiator_that_finished_speaks_strongly_for_the_half_of_the_responder(self, role: JoinRole | None) -> None:
        context = about(asked(replace(self.RESPONDER, role=role)), of=pair(PPMID, ESME))

        (found,) = findings(self.DONE, context, at=after(days=3))

        assert said([found]) == [(16, Polarity.JOINED, Grade.STRONG)]
        assert found.earliest == after(days=1)
        assert not found.settles

    @pytest.mark.parametrize("role", [JoinRole.METHOD_A_INITIATOR, JoinRole.METHOD_B, JoinRole.METHOD_C])
    def test_the_partner_says_nothing_of_a_join_in_another_role_than_responder(self, role: JoinRole) -> None:
        context = about(asked(replace(self.RESPONDER, role=role)), of=pair(PPMID, ESME))

        found = findings(self.DONE, context)

        assert found == []

    def test_another_partner_says_nothing_of_the_pair(self) -> None:
        context = about(asked(self.RESPONDER), of=pair(PPMID, ESME))

        found = findings(replace(self.DONE, partner=CAD), context)

        assert found == []

    @pytest.mark.parametrize("request_", [join(1, target=PPMID, other=GPF), unjoin(1, target=PPMID, other=ESME)], ids=["another", "Unjoin"])
    def test_the_partner_says_nothing_of_a_pair_that_nobody_asked_to_join(self, request_: JoinRequested) -> None:
        context = about(asked(request_), of=pair(PPMID, ESME))

        found = findings(self.DONE, context)

        assert found == []

    def test_a_responder_that_succeeded_says_nothing_of_the_other_direction(self) -> None:
        initiator = asked(join(1, other=PPMID, role=JoinRole.METHOD_A_INITIATOR))
        context = about(initiator, of=pair(ESME, PPMID))

        found = findings(answered(1, target=PPMID), context)

        assert found == []


def restored(code: int) -> GpfLogRestored:
    key, wire = request_id(1, target=NEW_GPF), CommandKey(ACB, NEW_GPF, 700)
    return GpfLogRestored(business_key=key, wire_key=wire, results=((LogEntry(PPMID, DeviceType.PPMID), code),))


class TestRestored:
    """Row 11: a new GPF answers a restore."""

    OF_ANOTHER_TYPE = replace(about(of=pair(NEW_GPF, PPMID)), devices={PPMID: DeviceDescription(PPMID, DeviceType.TYPE2)})

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (0, (11, Polarity.JOINED, Grade.CONCLUSIVE)),
            (3, (11, Polarity.NOT_JOINED, Grade.STRONG)),
            (5, (11, Polarity.NOT_JOINED, Grade.STRONG)),
        ],
    )
    def test_the_code_of_an_entry_says_whether_it_was_restored(self, code: int, expected: tuple[int, Polarity, Grade]) -> None:
        context = about(of=pair(NEW_GPF, PPMID))

        (found,) = findings(restored(code), context, at=after(days=3))

        assert said([found]) == [expected]
        assert found.order == CommandOrder(CommandKey(ACB, NEW_GPF, 700), request_id(1, target=NEW_GPF))
        assert found.earliest == after(days=1)
        assert not found.settles

    def test_an_entry_of_another_type_is_not_the_one_that_was_asked_for(self) -> None:
        found = findings(restored(0), self.OF_ANOTHER_TYPE)

        assert said(found) == [(11, Polarity.NEITHER, Grade.AMBIGUOUS)]

    def test_an_entry_whose_type_an_inventory_has_yet_to_tell_waits_for_it(self) -> None:
        told = {CAD: DeviceDescription(CAD, DeviceType.TYPE2, manufacturer="M")}

        (found,) = findings(restored(0), replace(about(of=pair(NEW_GPF, PPMID)), devices=told))

        assert found.unchecked

    @pytest.mark.parametrize("code", [0, 5])
    def test_a_restore_says_nothing_of_a_device_without_an_entry_in_it(self, code: int) -> None:
        context = about(of=pair(NEW_GPF, CAD))

        found = findings(restored(code), context)

        assert found == []


class TestHandedIn:
    """Row 35: a User hands in the answer (SRV 8.13)."""

    @pytest.mark.parametrize(
        ("answer", "polarity"),
        [(answered(1), Polarity.JOINED), (unjoin_answered(1), Polarity.NOT_JOINED)],
    )
    def test_a_success_that_a_user_hands_in_unverified_is_strong_and_no_answer(self, answer: JoinAnswered, polarity: Polarity) -> None:
        asked_for = join(1) if answer.intent is Intent.JOIN else unjoin(1)
        context = about(asked(asked_for))

        (found,) = findings(answer, context, source="sr.request", authenticity=Authenticity.USER_SUPPLIED)

        assert said([found]) == [(35, polarity, Grade.STRONG)]
        assert found.attempt == request_id(1)
        assert found.order == CommandOrder(request_id(1), request_id(1))
        assert (found.earliest, found.at) == (START, after(hours=1))
        assert found.says == "a User handed in the target's success, unverified"
        assert not found.settles

    def test_an_answer_that_a_user_hands_in_with_a_verified_signature_counts_as_the_answer_itself(self) -> None:
        context = about(asked(join(1)))

        (found,) = findings(answered(1), context, source="sr.request", authenticity=Authenticity.VERIFIED)

        assert said([found]) == [ROW_1]
        assert found.settles

    @pytest.mark.parametrize("code", [1, 3, 4, 5])
    def test_a_failure_that_a_user_hands_in_unverified_says_nothing(self, code: int) -> None:
        context = about(asked(join(1)))

        found = findings(answered(1, code), context, authenticity=Authenticity.USER_SUPPLIED)

        assert found == []

    @pytest.mark.parametrize("request_", [join(1, other=PPMID), unjoin(1)], ids=["of another device", "an Unjoin with the same RequestID"])
    def test_an_answer_to_another_request_that_a_user_hands_in_says_nothing(self, request_: JoinRequested) -> None:
        context = about(asked(request_))

        found = findings(answered(1), context, authenticity=Authenticity.USER_SUPPLIED)

        assert found == []


def test_all_join_messages_are_answered_alike() -> None:
    context = about(asked(join(1)))

    found = [findings(answered(1, message_code=code), context) for code in (MessageCode.CS03A1, MessageCode.CS03A2, MessageCode.CS03C)]

    assert [said(each) for each in found] == [[ROW_1]] * 3
    assert {e.attempt for each in found for e in each} == {request_id(1, by=SUPPLIER)}


A_JOIN, AN_UNJOIN = about(asked(join(1))), about(asked(unjoin(1)))
A_REPEAT = about(asked(join(1)), asked(join(2), after(hours=1)))
A_RESTORE = about(of=pair(NEW_GPF, PPMID))


@pytest.mark.parametrize(
    ("rule", "fact", "context", "words"),
    [
        ("join-answered-success", answered(1), A_JOIN, f"the target answered {request_id(1)} with success"),
        (
            "unjoin-answered-success",
            unjoin_answered(1, UnjoinCode.SUCCESS),
            AN_UNJOIN,
            f"the target removed the entry on {request_id(1)}; it was there until then",
        ),
        (
            "unjoin-found-nothing",
            unjoin_answered(1, UnjoinCode.NOT_IN_DEVICE_LOG),
            AN_UNJOIN,
            f"the target looked for the entry on {request_id(1)} and has none",
        ),
        ("unjoin-failed", unjoin_answered(1, 2), AN_UNJOIN, f"the target could not remove the entry on {request_id(1)} (code 2)"),
        ("gpf-log-restored", restored(0), A_RESTORE, "the new Gas Proxy Function restored the entry"),
        ("gpf-log-restored", restored(5), A_RESTORE, "the new Gas Proxy Function could not restore the entry (code 5)"),
        (
            "gpf-log-restored",
            restored(0),
            TestRestored.OF_ANOTHER_TYPE,
            "the new Gas Proxy Function restored an entry with another type than the device is of",
        ),
        (
            "repeat-refused",
            TestRepeatRefused.REFUSED,
            A_REPEAT,
            "the target refused an identical repeat because an entry exists, and the earlier join was never answered",
        ),
        ("entry-differs", answered(1, 3), A_JOIN, "the target has an entry for the other device, but not the one that was asked for"),
        ("device-log-full", answered(1, 4), A_JOIN, "the target had no free slot; an existing entry would not have needed one"),
        (
            "join-refused",
            answered(1, 5),
            A_JOIN,
            f"the target refused {request_id(1)} with code 5; that says nothing of an older attempt",
        ),
        (
            "partner-joined",
            TestPartnerJoined.DONE,
            about(asked(TestPartnerJoined.RESPONDER), of=pair(PPMID, ESME)),
            "the partner finished key agreement as initiator, which needs this target's entry as responder",
        ),
    ],
)
def test_each_answer_is_told_in_words_and_each_rule_is_a_witness_of_its_own(
    rule: str, fact: Fact, context: PairContext, words: str
) -> None:
    (found,) = findings(fact, context)

    assert (found.rule, found.family, found.says) == (rule, rule, words)
