"""The watched devices follow the attempts that are open or wait for a deadline."""

from __future__ import annotations

from dataclasses import replace

from joinbridge.core.attempt import AttemptState
from joinbridge.core.facts import DeviceAlerted, DeviceLogRead, HubLogReported, JoinAnswered
from joinbridge.core.vocabulary import Intent
from joinbridge.service.watch import Watch
from support.home import CAD, CHF, ESME, PPMID, START, request_id
from support.records import attempt, deadline

ASKED = attempt(ESME, PPMID)


def alerted(device: str) -> DeviceAlerted:
    return DeviceAlerted(device=device, code=0x8F49, device_time=START)  # type: ignore[arg-type]  # any device of the test's


def test_nothing_is_watched_at_first() -> None:
    assert ESME not in Watch()


def test_both_devices_of_an_open_attempt_are_watched() -> None:
    watch = Watch()

    watch.follow([ASKED])

    assert ESME in watch
    assert PPMID in watch
    assert CAD not in watch


def test_an_attempt_whose_other_device_is_not_known_has_its_target_watched() -> None:
    watch = Watch()

    watch.follow([replace(ASKED, other=None)])

    assert ESME in watch


def test_when_the_attempt_is_over_they_are_not() -> None:
    watch = Watch()
    watch.follow([ASKED])

    watch.follow([replace(ASKED, state=AttemptState.SUCCEEDED)])

    assert ESME not in watch
    assert PPMID not in watch


def test_an_attempt_that_is_over_and_waits_for_a_deadline_is_watched() -> None:
    refused = replace(ASKED, intent=Intent.UNJOIN, state=AttemptState.NOT_SENT, deadlines=(deadline(),))
    watch = Watch()

    watch.follow([refused])

    assert ESME in watch


def test_a_device_is_watched_until_its_last_attempt_is_over() -> None:
    other = attempt(ESME, CAD, counter=2)
    watch = Watch()
    watch.follow([ASKED, other])

    watch.follow([replace(ASKED, state=AttemptState.SUCCEEDED)])

    assert ESME in watch
    assert PPMID not in watch
    assert CAD in watch


def test_an_attempt_that_was_over_when_first_seen_changes_nothing() -> None:
    watch = Watch()

    watch.follow([replace(ASKED, state=AttemptState.REJECTED)])

    assert ESME not in watch


def test_what_was_loaded_stays_watched() -> None:
    watch = Watch({ESME})

    watch.follow([replace(ASKED, state=AttemptState.SUCCEEDED)])

    assert ESME in watch


def test_what_another_instance_has_closed_is_watched_until_the_store_says_so() -> None:
    watch = Watch({CAD, CHF})
    watch.follow([ASKED])

    watch.ask()
    meanwhile = {each for each in (ESME, PPMID, CAD, CHF) if each in watch}
    watch.forget({PPMID, CHF})

    assert meanwhile == {ESME, PPMID, CAD, CHF}
    assert [each in watch for each in (ESME, PPMID, CAD, CHF)] == [False, True, False, True]


def test_what_is_opened_while_the_store_is_asked_is_watched() -> None:
    watch = Watch()
    watch.ask()

    watch.follow([ASKED])
    watch.forget(frozenset())

    assert ESME in watch


def test_what_is_followed_is_over_when_it_is_over_also_after_the_store_was_asked() -> None:
    watch = Watch()
    watch.follow([ASKED])
    watch.ask()
    watch.forget({ESME, PPMID})

    watch.follow([replace(ASKED, state=AttemptState.SUCCEEDED)])

    assert ESME not in watch
    assert PPMID not in watch


def test_what_was_open_at_the_start_stays_watched_when_another_attempt_on_it_is_over() -> None:
    watch = Watch({ESME})
    watch.follow([ASKED])
    watch.ask()
    watch.forget({ESME, PPMID})

    watch.follow([replace(ASKED, state=AttemptState.SUCCEEDED)])

    assert ESME in watch


def test_as_long_as_the_store_has_not_answered_nothing_is_forgotten() -> None:
    watch = Watch({CAD})
    watch.follow([ASKED])

    watch.ask()
    watch.ask()

    assert all(each in watch for each in (ESME, PPMID, CAD))


def test_a_fact_matters_when_it_touches_a_watched_device() -> None:
    watch = Watch({PPMID})

    assert watch.matters(alerted(PPMID))
    assert watch.matters(HubLogReported(device=CHF, device_time=START, entries=((CAD, True), (PPMID, False))))
    assert not watch.matters(alerted(ESME))
    assert not watch.matters(HubLogReported(device=CHF, device_time=START, entries=((CAD, True),)))


def test_a_decisive_fact_always_matters() -> None:
    key = request_id(1)

    assert Watch().matters(DeviceLogRead(business_key=key, wire_key=key, entries=()))
    assert Watch().matters(JoinAnswered(business_key=key, wire_key=key, intent=Intent.JOIN, code=0, message_code=0x000E))
