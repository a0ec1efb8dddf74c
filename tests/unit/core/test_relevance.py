"""Which devices a fact concerns, and whose ledger keeps it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core import facts
from joinbridge.core.attempt import AttemptState, JoinAttempt, Purpose, armed, opened
from joinbridge.core.case import Case
from joinbridge.core.evidence import Grade
from joinbridge.core.facts import Fact
from joinbridge.core.ids import DeviceId
from joinbridge.core.relevance import DECISIVE, keepers, touched
from joinbridge.core.rules import RULES, Rule
from joinbridge.core.vocabulary import AlertCode, Cra
from support.home import (
    CAD,
    CHF,
    ESME,
    GPF,
    GSME,
    NEW_CHF,
    NEW_GPF,
    PPMID,
    START,
    acknowledged,
    after,
    answered,
    decided,
    described,
    discarded,
    gpf_log,
    join,
    log_read,
    pre_command,
    request_id,
    security_log,
)

EXCHANGED = facts.HubExchanged(old_chf=CHF, new_chf=NEW_CHF, old_gpf=GPF, new_gpf=NEW_GPF)
RETIRED = facts.DeviceRetired(device=PPMID, reason="PPMIDRemoval")
RESTORED = facts.GpfLogRestored(business_key=request_id(1, target=NEW_GPF), wire_key=request_id(1, target=NEW_GPF), results=())
PARTNER = facts.PartnerJoined(device=PPMID, partner=ESME)
NOT_EXECUTED = facts.CommandNotExecuted(key=request_id(1), alert_code=AlertCode.COMMAND_NOT_SUPPORTED)
FAILED = facts.CommandFailed(request_id=request_id(1), alert_code="N13", no_response=True)


def hub_log(*listed: DeviceId) -> facts.HubLogReported:
    return facts.HubLogReported(device=CHF, device_time=START, entries=tuple((device, True) for device in listed))


def hub_activity(*listed: DeviceId) -> facts.HubActivityRead:
    return facts.HubActivityRead(device=CHF, entries=tuple((device, START) for device in listed))


def alert(device: DeviceId, code: AlertCode) -> facts.DeviceAlerted:
    return facts.DeviceAlerted(device=device, code=code, device_time=START)


def a_join(target: DeviceId = ESME, other: DeviceId = CAD, state: AttemptState = AttemptState.REQUESTED) -> JoinAttempt:
    return replace(opened(join(1, target=target, other=other), START), state=state)


def case_of(*attempts: JoinAttempt) -> Case:
    return Case(attempts={attempt.key: attempt for attempt in attempts})


@pytest.mark.parametrize(
    ("fact", "devices"),
    [
        (join(1), (ESME, CAD)),
        (join(1, other=None), (ESME,)),
        (pre_command(1), (ESME, PPMID)),
        (decided(joined=True), (ESME, CAD)),
        (hub_log(ESME, CAD), (CHF, ESME, CAD)),
        (hub_log(), (CHF,)),
        (hub_activity(GSME), (CHF, GSME)),
        (EXCHANGED, (GPF, NEW_GPF)),
        (described(ESME, CAD), (ESME, CAD)),
        (described(), ()),
        (acknowledged(1), (ESME,)),
        (answered(1), (ESME,)),
        (log_read(1, CAD), (ESME,)),
        (gpf_log(START, CAD), (GPF,)),
        (RESTORED, (NEW_GPF,)),
        (security_log(), (ESME,)),
        (alert(CAD, AlertCode.DEVICE_JOINED_SMHAN), (CAD,)),
        (discarded(1, Cra.COMMAND), (ESME,)),
        (NOT_EXECUTED, (ESME,)),
        (FAILED, (ESME,)),
        (RETIRED, (PPMID,)),
        (PARTNER, (PPMID,)),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, tuple) else "",
)
def test_a_fact_touches_every_device_it_names_as_target_or_partner(fact: Fact, devices: tuple[DeviceId, ...]) -> None:
    assert touched(fact) == devices


@pytest.mark.parametrize(
    "fact",
    [
        acknowledged(1),
        answered(1),
        log_read(1, CAD),
        gpf_log(START, CAD),
        RESTORED,
        discarded(1, Cra.RESPONSE),
        NOT_EXECUTED,
        FAILED,
        decided(joined=False),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_decisive_fact_is_kept_by_its_device_before_anything_is_asked(fact: Fact) -> None:
    assert isinstance(fact, DECISIVE)
    assert keepers(fact, Case()) == {fact.device}


@pytest.mark.parametrize("fact", [join(1), pre_command(1), described(ESME), EXCHANGED, RETIRED], ids=lambda fact: type(fact).__name__)
def test_a_fact_that_goes_wholly_into_the_records_is_kept_by_nobody(fact: Fact) -> None:
    case = case_of(a_join(), a_join(GPF), a_join(PPMID))

    assert keepers(fact, case) == set()


@pytest.mark.parametrize(
    "fact",
    [security_log(), alert(ESME, AlertCode.JOIN_SUCCEEDED), hub_log(CAD), hub_activity(CAD), replace(PARTNER, device=ESME)],
    ids=lambda fact: type(fact).__name__,
)
@pytest.mark.parametrize(
    ("attempt", "kept"),
    [
        (a_join(), True),
        (a_join(state=AttemptState.PROBED), True),
        (a_join(state=AttemptState.SUCCEEDED), False),
        (armed(a_join(state=AttemptState.NOT_SENT), Purpose.PROBE, after(hours=2)), True),
    ],
    ids=["open", "looked for", "over", "over, but a case is open"],
)
def test_any_other_fact_is_kept_only_while_something_is_waited_for(fact: Fact, attempt: JoinAttempt, kept: bool) -> None:
    assert keepers(fact, case_of(attempt)) == ({ESME} if kept else set())
    assert keepers(fact, Case()) == set()


@pytest.mark.parametrize("fact", [hub_log(CAD, GSME), hub_activity(CAD, GSME)], ids=lambda fact: type(fact).__name__)
def test_a_list_of_the_hub_is_kept_by_each_target_whose_partner_it_names(fact: Fact) -> None:
    case = case_of(a_join(ESME, CAD), a_join(GPF, CAD), a_join(GSME, PPMID))

    kept = keepers(fact, case)

    assert kept == {ESME, GPF}


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        (AlertCode.DEVICE_JOINED_SMHAN, {ESME, CAD}),
        (AlertCode.DEVICE_COMMISSIONED, {ESME, CAD}),
        (AlertCode.JOIN_SUCCEEDED, {CAD}),
    ],
)
def test_only_the_news_that_a_device_is_there_concerns_those_that_are_to_authorise_it(code: AlertCode, kept: set[DeviceId]) -> None:
    case = case_of(a_join(ESME, CAD), a_join(CAD, PPMID), a_join(GSME, PPMID))

    assert keepers(alert(CAD, code), case) == kept


def test_an_alert_of_a_device_on_which_nothing_is_open_is_kept_by_nobody() -> None:
    assert keepers(alert(PPMID, AlertCode.DEVICE_JOINED_SMHAN), case_of(a_join(ESME, CAD))) == set()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.grade is Grade.CONCLUSIVE], ids=lambda rule: rule.name)
def test_what_decides_alone_is_never_passed_by(rule: Rule) -> None:
    """An instance does not watch what another one opened: what it misses there must not be able to decide anything by itself."""
    assert all(issubclass(fact, DECISIVE) for fact in rule.reads)
