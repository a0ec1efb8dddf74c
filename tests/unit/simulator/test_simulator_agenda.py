"""Virtual time and the scripts that wait on it."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

from joinbridge.core.ids import parse_request_id
from joinbridge.simulator.agenda import Agenda, AwaitReply, Pause, Reply, Scripts

START = datetime(2026, 3, 2, tzinfo=UTC)
REQUEST = parse_request_id("90-B3-D5-1F-30-10-00-00:D0-5F-00-00-01-00-01-00:1")


def waiting(heard: list[Reply | None]) -> Generator[Pause | AwaitReply, Reply | None, None]:
    yield Pause(seconds=10)
    heard.append((yield AwaitReply(request_id=REQUEST, seconds=60)))


def test_things_happen_in_order_of_time_and_then_of_entry() -> None:
    agenda, done = Agenda(START), list[str]()
    agenda.after(5, lambda: done.append("later"))
    agenda.after(1, lambda: done.append("first"))
    agenda.after(1, lambda: done.append("second"))

    agenda.run_until(START + timedelta(seconds=5))

    assert done == ["first", "second", "later"]
    assert agenda.next_at() is None


def test_what_is_due_later_waits() -> None:
    agenda, done = Agenda(START), list[str]()
    agenda.after(5, lambda: done.append("later"))

    agenda.run_until(START + timedelta(seconds=4))

    assert done == []
    assert agenda.next_at() == START + timedelta(seconds=5)
    assert agenda.now == START + timedelta(seconds=4)


def test_what_was_due_before_now_happens_now() -> None:
    agenda, done = Agenda(START), list[datetime]()

    agenda.at(START - timedelta(days=1), lambda: done.append(agenda.now))
    agenda.run_until(START)

    assert done == [START]


def test_a_script_is_handed_the_reply_it_waits_for() -> None:
    agenda, heard = Agenda(START), list[Reply | None]()
    scripts = Scripts(agenda)
    scripts.start(START, waiting(heard))
    agenda.at(START + timedelta(seconds=30), lambda: scripts.reply(REQUEST, Reply(code="I0", outcome=0)))

    agenda.run_until(START + timedelta(hours=1))

    assert heard == [Reply(code="I0", outcome=0)]


def test_a_script_whose_time_runs_out_is_handed_nothing_and_a_late_reply_reaches_nobody() -> None:
    agenda, heard = Agenda(START), list[Reply | None]()
    scripts = Scripts(agenda)
    scripts.start(START, waiting(heard))
    agenda.at(START + timedelta(seconds=300), lambda: scripts.reply(REQUEST, Reply(code="I0", outcome=0)))

    agenda.run_until(START + timedelta(hours=1))

    assert heard == [None]
