"""Rows 22-26 and 36: what the network and the DSP say about the delivery of a command or of its answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.evidence import Grade, Polarity
from joinbridge.core.facts import CommandFailed, CommandNotExecuted, Fact, JoinRequested
from joinbridge.core.ids import CommandKey
from joinbridge.core.vocabulary import JOIN_MESSAGE_CODES, UNJOIN_MESSAGE_CODES, AlertCode, Cra, MessageCode
from support.evidence import NOT_TRUSTED, about, asked, findings, said
from support.home import ACB, CAD, ESME, OTHER_SUPPLIER, PPMID, acknowledged, after, discarded, join, request_id, unjoin

ROW_22 = (22, Polarity.ATTEMPT_FAILED, Grade.CONCLUSIVE)
ROW_23 = (23, Polarity.ANSWER_LOST, Grade.CONCLUSIVE)
ROW_24 = (24, Polarity.ATTEMPT_FAILED, Grade.CONCLUSIVE)
ROW_25 = (25, Polarity.ATTEMPT_FAILED, Grade.STRONG)
ROW_26 = (26, Polarity.ANSWER_LOST, Grade.AMBIGUOUS)
ROW_36 = (36, Polarity.NEITHER, Grade.AMBIGUOUS)


def not_executed(key: CommandKey, *, message_code: int | None = None) -> CommandNotExecuted:
    code = AlertCode.NOT_DELIVERED_TO_ESME if message_code is None else AlertCode.COMMAND_NOT_SUPPORTED
    return CommandNotExecuted(key=key, alert_code=code, message_code=message_code)


def failed(counter: int, *, no_response: bool | None) -> CommandFailed:
    return CommandFailed(request_id=request_id(counter), alert_code="N13" if no_response else "N12", no_response=no_response)


EACH_ROW = [
    pytest.param(discarded(1, Cra.COMMAND), ROW_22, id="command discarded"),
    pytest.param(discarded(1, Cra.RESPONSE), ROW_23, id="answer discarded"),
    pytest.param(not_executed(request_id(1)), ROW_24, id="8F84"),
    pytest.param(acknowledged(1, "E20"), ROW_25, id="E20"),
    pytest.param(failed(1, no_response=False), ROW_25, id="N12"),
    pytest.param(acknowledged(1, "E21"), ROW_26, id="E21"),
    pytest.param(failed(1, no_response=True), ROW_26, id="N13"),
]


@pytest.mark.parametrize("request_", [join(1), unjoin(1)], ids=["join", "unjoin"])
@pytest.mark.parametrize(("fact", "row"), EACH_ROW)
def test_a_word_about_the_delivery_speaks_of_the_attempt_that_it_quotes(
    fact: Fact, row: tuple[int, Polarity, Grade], request_: JoinRequested
) -> None:
    context = about(asked(join(7)), asked(request_))

    (found,) = findings(fact, context, at=after(hours=2))

    assert said([found]) == [row]
    assert found.attempt == request_id(1)
    assert found.at == after(hours=2)
    assert not found.settles


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(asked(join(1, other=PPMID)), id="another device"),
        pytest.param(asked(join(2)), id="another counter"),
        pytest.param(asked(join(1, by=OTHER_SUPPLIER)), id="another originator"),
        pytest.param(replace(asked(join(1)), rival=PPMID), id="two devices named"),
        pytest.param(replace(asked(join(1, other=PPMID)), rival=CAD), id="named second"),
    ],
)
@pytest.mark.parametrize(("fact", "row"), EACH_ROW)
def test_a_word_about_the_delivery_of_another_command_says_nothing(
    fact: Fact, row: tuple[int, Polarity, Grade], attempt: JoinAttempt
) -> None:
    context = about(attempt)

    found = findings(fact, context)

    assert row not in said(found)
    assert found == []


@pytest.mark.parametrize("key", [request_id(1), CommandKey(ACB, ESME, 700)], ids=["RequestID", "wire key"])
def test_an_alert_may_quote_either_key_of_a_command(key: CommandKey) -> None:
    context = about(asked(join(1, fronted_as=700)))

    found = [
        said(findings(fact, context))
        for fact in (replace(discarded(1, Cra.COMMAND), key=key), replace(discarded(1, Cra.RESPONSE), key=key), not_executed(key))
    ]

    assert found == [[ROW_22], [ROW_23], [ROW_24]]


@pytest.mark.parametrize("key", [CommandKey(ACB, ESME, 701), CommandKey(ACB, ESME, 1), request_id(700)])
def test_an_alert_with_neither_key_of_a_command_says_nothing_of_it(key: CommandKey) -> None:
    context = about(asked(join(1, fronted_as=700)))

    found = findings(replace(discarded(1, Cra.COMMAND), key=key), context)

    assert found == []


@pytest.mark.parametrize(("fact", "row"), [(discarded(1, Cra.COMMAND), 22), (not_executed(request_id(1)), 24)])
def test_the_loss_of_a_command_that_was_issued_again_decides_nothing(fact: Fact, row: int) -> None:
    context = about(replace(asked(join(1)), retries=1))

    found = findings(fact, context)

    assert said(found) == [(row, Polarity.ATTEMPT_FAILED, Grade.AMBIGUOUS)]


def test_the_loss_of_an_answer_stays_certain_when_the_command_was_issued_again() -> None:
    context = about(replace(asked(join(1)), retries=1))

    found = findings(discarded(1, Cra.RESPONSE), context)

    assert said(found) == [ROW_23]


def test_a_discarded_alert_says_nothing() -> None:
    context = about(asked(join(1)))

    found = findings(discarded(1, Cra.ALERT), context)

    assert found == []


@pytest.mark.parametrize("message_code", sorted({*JOIN_MESSAGE_CODES, *UNJOIN_MESSAGE_CODES}))
def test_a_command_of_a_join_or_unjoin_that_the_device_does_not_support_was_not_executed(message_code: MessageCode) -> None:
    asked_for = join(1) if message_code in JOIN_MESSAGE_CODES else unjoin(1)
    context = about(asked(asked_for))

    (found,) = findings(not_executed(request_id(1), message_code=message_code), context)

    assert said([found]) == [ROW_24]
    assert "8F85" in found.says


def test_another_command_that_the_device_does_not_support_says_nothing() -> None:
    context = about(asked(join(1)))

    found = findings(not_executed(request_id(1), message_code=MessageCode.CS07), context)

    assert found == []


@pytest.mark.parametrize("code", ["I99", "I0", "E4", "E19", "W1"])
def test_other_response_codes_of_the_dsp_say_nothing_of_the_device(code: str) -> None:
    context = about(asked(join(1)))

    found = findings(acknowledged(1, code), context)

    assert found == []


def test_a_command_failure_that_does_not_say_why_says_nothing() -> None:
    context = about(asked(join(1)))

    found = findings(failed(1, no_response=None), context)

    assert found == []


def test_a_refused_unjoin_says_what_the_inventory_holds_and_decides_nothing() -> None:
    context = about(asked(unjoin(1)))

    (found,) = findings(acknowledged(1, "E080801"), context)

    assert said([found]) == [ROW_36]
    assert found.attempt == request_id(1)


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(asked(join(1)), id="a Join"),
        pytest.param(asked(unjoin(2)), id="another request"),
        pytest.param(asked(unjoin(1, other=PPMID)), id="another device"),
    ],
)
def test_a_refused_unjoin_says_nothing_of_a_pair_that_it_was_not_about(attempt: JoinAttempt) -> None:
    context = about(attempt)

    found = findings(acknowledged(1, "E080801"), context)

    assert found == []


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (discarded(1, Cra.COMMAND), (22, Polarity.ATTEMPT_FAILED, Grade.STRONG)),
        (discarded(1, Cra.RESPONSE), (23, Polarity.ANSWER_LOST, Grade.STRONG)),
        (not_executed(request_id(1)), (24, Polarity.ATTEMPT_FAILED, Grade.STRONG)),
        (acknowledged(1, "E20"), (25, Polarity.ATTEMPT_FAILED, Grade.CORROBORATING)),
        (acknowledged(1, "E21"), (26, Polarity.ANSWER_LOST, Grade.NONE)),
    ],
)
def test_a_producer_that_is_not_trusted_loses_one_grade(fact: Fact, expected: tuple[int, Polarity, Grade]) -> None:
    context = about(asked(join(1)))

    found = findings(fact, context, source=NOT_TRUSTED)

    assert said(found) == [expected]


@pytest.mark.parametrize(
    ("rule", "fact", "words"),
    [
        ("command-discarded", discarded(1, Cra.COMMAND), "the hub discarded the command before the target had it"),
        ("answer-discarded", discarded(1, Cra.RESPONSE), "the hub discarded the target's answer: it did answer, what it said is lost"),
        ("command-not-executed", not_executed(request_id(1)), "alert 8F84: the target did not carry out the command"),
        ("could-not-communicate", acknowledged(1, "E20"), "E20: the command could probably not be delivered; an answer may still come"),
        (
            "could-not-communicate",
            failed(1, no_response=False),
            "N12: the command could probably not be delivered; an answer may still come",
        ),
        ("no-response", acknowledged(1, "E21"), "E21: the DSP had no answer from the target"),
        ("no-response", failed(1, no_response=True), "N13: the DSP had no answer from the target"),
        (
            "unjoin-refused-by-dsp",
            acknowledged(1, "E080801"),
            "the DSP refused the Unjoin because the inventory says not joined; whoever asked believes otherwise",
        ),
    ],
)
def test_each_finding_about_the_delivery_is_told_in_words(rule: str, fact: Fact, words: str) -> None:
    context = about(asked(unjoin(1)))

    (found,) = findings(fact, context)

    assert (found.rule, found.says) == (rule, words)
