"""Which message moves which attempt, and where to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core import facts
from joinbridge.core.attempt import AttemptState, JoinAttempt, LossTrigger, opened
from joinbridge.core.correlation import NEVER_SENT, moved
from joinbridge.core.facts import Authenticity, Fact, Sighting
from joinbridge.core.ids import CommandKey, MessageKey
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import (
    SRV_JOIN_NON_CRITICAL,
    SRV_READ_DEVICE_LOG,
    SRV_UNJOIN_NON_CRITICAL,
    AlertCode,
    Cra,
    MessageCode,
)
from support.home import (
    ACB,
    ESME,
    PPMID,
    START,
    acknowledged,
    after,
    answered,
    decided,
    discarded,
    join,
    request_id,
    unjoin,
    unjoin_answered,
)

S = AttemptState
POLICY = Policy()
SEEN_AT = after(minutes=5)
ON_THE_WIRE = CommandKey(ACB, ESME, 90)


def seen(
    attempt: JoinAttempt, fact: Fact, *, source: str = "sr.response", authenticity: Authenticity = Authenticity.CHANNEL
) -> JoinAttempt:
    sighting = Sighting(fact=fact, key=MessageKey("m"), at=SEEN_AT, source=source, authenticity=authenticity)
    return moved(attempt, sighting, POLICY)


def a_join(*, fronted_as: int | None = None, state: AttemptState = S.REQUESTED) -> JoinAttempt:
    return replace(opened(join(1, fronted_as=fronted_as), START), state=state)


def an_unjoin() -> JoinAttempt:
    return opened(unjoin(1), START)


def not_executed(
    key: CommandKey, message_code: int | None = None, alert: AlertCode = AlertCode.COMMAND_NOT_SUPPORTED
) -> facts.CommandNotExecuted:
    return facts.CommandNotExecuted(key=key, alert_code=alert, message_code=message_code)


def failed(no_response: bool | None) -> facts.CommandFailed:
    return facts.CommandFailed(request_id=request_id(1), alert_code="N", no_response=no_response)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("code", ["I0", "I99", "W1"])
def test_a_word_of_information_or_warning_accepts_the_request(code: str, asynchronous: bool) -> None:
    assert seen(a_join(), acknowledged(1, code, asynchronous=asynchronous)).state is S.ACCEPTED


def test_an_acceptance_shows_when_a_request_was_submitted_whose_submission_was_not_seen() -> None:
    attempt = opened(join(1, submitted=False), START)

    assert seen(attempt, acknowledged(1)).submitted_at == SEEN_AT


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("code", sorted(NEVER_SENT))
def test_a_code_that_means_never_sent_means_it_whenever_it_comes(code: str, asynchronous: bool) -> None:
    attempt = seen(a_join(), acknowledged(1, code, asynchronous=asynchronous))

    assert (attempt.state, attempt.refusal) == (S.NOT_SENT, code)


def test_any_other_error_refuses_the_request_when_it_comes_at_once() -> None:
    attempt = seen(a_join(), acknowledged(1, "E999", asynchronous=False))

    assert (attempt.state, attempt.refusal) == (S.NOT_SENT, "E999")


def test_any_other_error_leaves_the_outcome_open_when_it_comes_later() -> None:
    attempt = a_join()

    assert seen(attempt, acknowledged(1, "E999", asynchronous=True)) == attempt


def test_a_refusal_says_nothing_of_a_request_that_was_accepted() -> None:
    attempt = a_join(state=S.ACCEPTED)

    assert seen(attempt, acknowledged(1, "E4", asynchronous=True)) == attempt


@pytest.mark.parametrize("asynchronous", [False, True])
def test_e20_leaves_the_outcome_open(asynchronous: bool) -> None:
    attempt = a_join(state=S.ACCEPTED)

    assert seen(attempt, acknowledged(1, "E20", asynchronous=asynchronous)) == attempt


@pytest.mark.parametrize("asynchronous", [False, True])
def test_e21_loses_the_answer(asynchronous: bool) -> None:
    attempt = seen(a_join(state=S.ACCEPTED), acknowledged(1, "E21", asynchronous=asynchronous))

    assert (attempt.state, attempt.lost_because, attempt.lost_at) == (S.RESPONSE_LOST, LossTrigger.E21, SEEN_AT)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_e080801_says_that_the_unjoin_was_never_sent(asynchronous: bool) -> None:
    attempt = seen(an_unjoin(), acknowledged(1, "E080801", asynchronous=asynchronous))

    assert (attempt.state, attempt.refusal) == (S.NOT_SENT, "E080801")


@pytest.mark.parametrize(
    ("srv", "state"),
    [
        (None, S.ACCEPTED),
        (SRV_JOIN_NON_CRITICAL, S.ACCEPTED),
        (SRV_READ_DEVICE_LOG, S.ACCEPTED),
        (SRV_UNJOIN_NON_CRITICAL, S.REQUESTED),
    ],
)
def test_an_acknowledgement_moves_only_what_its_service_may_have_asked_for(srv: str | None, state: AttemptState) -> None:
    assert seen(a_join(), acknowledged(1, srv=srv)).state is state


def test_an_answer_moves_the_attempt_it_quotes_and_tells_its_wire_key() -> None:
    attempt = seen(a_join(), answered(1, fronted_as=90))

    assert (attempt.state, attempt.answered_at, attempt.wire_key) == (S.SUCCEEDED, SEEN_AT, ON_THE_WIRE)


def test_an_answer_is_known_by_its_wire_key_too_and_does_not_change_it() -> None:
    fact = replace(answered(2, 5), wire_key=ON_THE_WIRE)

    attempt = seen(a_join(fronted_as=90), fact)

    assert (attempt.state, attempt.response_code, attempt.wire_key) == (S.REJECTED, 5, ON_THE_WIRE)


@pytest.mark.parametrize(
    "fact",
    [answered(2), answered(2, fronted_as=91), unjoin_answered(1)],
    ids=["another request", "another wire key", "another intent"],
)
def test_an_answer_to_something_else_moves_nothing(fact: Fact) -> None:
    attempt = a_join(fronted_as=90)

    assert seen(attempt, fact) == attempt


@pytest.mark.parametrize(("no_response", "state"), [(True, S.RESPONSE_LOST), (False, S.ACCEPTED), (None, S.ACCEPTED)])
def test_n13_loses_the_answer_and_n12_does_not(no_response: bool | None, state: AttemptState) -> None:
    attempt = seen(a_join(state=S.ACCEPTED), failed(no_response))

    assert attempt.state is state
    assert (attempt.lost_because, attempt.lost_at) == ((LossTrigger.N13, SEEN_AT) if no_response else (None, None))


def test_an_answer_that_the_hub_discarded_is_lost() -> None:
    attempt = seen(a_join(state=S.ACCEPTED), discarded(1, Cra.RESPONSE))

    assert (attempt.state, attempt.lost_because, attempt.lost_at) == (S.RESPONSE_LOST, LossTrigger.DISCARDED, SEEN_AT)


def test_a_device_that_answered_did_have_the_command_although_it_seemed_to_be_discarded() -> None:
    attempt = seen(a_join(state=S.ACCEPTED), discarded(1, Cra.COMMAND))

    answer_lost = seen(attempt, discarded(1, Cra.RESPONSE))

    assert attempt.state is S.DISPROVED
    assert answer_lost.state is S.RESPONSE_LOST


def test_a_device_whose_answer_was_dropped_had_the_command_whatever_the_hub_says_afterwards() -> None:
    answer_lost = seen(a_join(state=S.ACCEPTED), discarded(1, Cra.RESPONSE))

    contradicted = seen(answer_lost, discarded(1, Cra.COMMAND))

    assert contradicted == answer_lost


@pytest.mark.parametrize("key", [request_id(1), ON_THE_WIRE], ids=["request id", "wire key"])
def test_a_command_that_the_hub_discarded_was_not_carried_out(key: CommandKey) -> None:
    attempt = seen(a_join(fronted_as=90), facts.MessageDiscarded(key=key, cra=Cra.COMMAND))

    assert attempt.state is S.DISPROVED


def test_an_alert_that_the_hub_discarded_moves_nothing() -> None:
    attempt = a_join()

    assert seen(attempt, discarded(1, Cra.ALERT)) == attempt


@pytest.mark.parametrize("alert", [AlertCode.NOT_DELIVERED_TO_ESME, AlertCode.COMMAND_NOT_SUPPORTED])
@pytest.mark.parametrize(
    ("message_code", "of_join", "of_unjoin"),
    [
        (None, S.DISPROVED, S.DISPROVED),
        (MessageCode.CS03A1, S.DISPROVED, S.REQUESTED),
        (MessageCode.CS03A2, S.DISPROVED, S.REQUESTED),
        (MessageCode.CS03B, S.DISPROVED, S.REQUESTED),
        (MessageCode.CS03C, S.DISPROVED, S.REQUESTED),
        (MessageCode.CS04AC, S.REQUESTED, S.DISPROVED),
        (MessageCode.CS04B, S.REQUESTED, S.DISPROVED),
        (MessageCode.CS07, S.REQUESTED, S.REQUESTED),
    ],
)
def test_a_command_that_was_not_executed_is_the_one_of_its_message_code(
    message_code: int | None, of_join: AttemptState, of_unjoin: AttemptState, alert: AlertCode
) -> None:
    fact = not_executed(request_id(1), message_code, alert)

    assert seen(a_join(), fact).state is of_join
    assert seen(an_unjoin(), fact).state is of_unjoin


@pytest.mark.parametrize("fact", [discarded(1, Cra.COMMAND), not_executed(request_id(1))], ids=["discarded", "not executed"])
def test_an_alert_about_one_of_two_commands_disproves_neither(fact: Fact) -> None:
    issued_twice, for_two_devices = replace(a_join(), retries=1), replace(a_join(), rival=PPMID)

    assert seen(issued_twice, fact) == issued_twice
    assert seen(for_two_devices, fact) == for_two_devices


@pytest.mark.parametrize(
    "fact",
    [
        acknowledged(2),
        replace(failed(no_response=True), request_id=request_id(2)),
        discarded(2, Cra.COMMAND),
        discarded(2, Cra.RESPONSE),
        not_executed(request_id(2)),
        not_executed(CommandKey(ACB, ESME, 91)),
        decided(joined=True),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_what_speaks_of_something_else_moves_nothing(fact: Fact) -> None:
    attempt = a_join(fronted_as=90)

    assert seen(attempt, fact) == attempt


@pytest.mark.parametrize(
    ("source", "authenticity", "state"),
    [
        ("somewhere", Authenticity.CHANNEL, S.REQUESTED),
        ("sr.response", Authenticity.USER_SUPPLIED, S.REQUESTED),
        ("somewhere", Authenticity.VERIFIED, S.SUCCEEDED),
    ],
)
def test_only_what_can_be_trusted_moves_an_attempt(source: str, authenticity: Authenticity, state: AttemptState) -> None:
    assert seen(a_join(), answered(1), source=source, authenticity=authenticity).state is state
