"""`joinbridge replay`: recorded traffic again, with a verdict on each join in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from joinbridge.core.ids import CommandKey, DeviceId
from joinbridge.store.outbox import EffectStatus
from joinbridge.wire.capture import CaptureLine, write_line
from joinbridge.wiring.databases import open_records
from support.captures import line as captured
from support.cli import Cli, write_capture
from support.home import CAD, ESME, GPF, PPMID, SUPPLIER, request_id
from support.messages import acknowledgement, command_failure, device_log, generic_alert, gpf_report, join_answer, join_request
from support.records import device

START = datetime.fromisoformat("2026-03-02T09:00:00+00:00")  # of support.captures


def asked(minutes: float = 0, *, target: DeviceId = ESME, other: DeviceId = PPMID, counter: int = 1) -> CaptureLine:
    return captured(join_request(target, other, counter), "sr.request", minutes)


def answered(minutes: float, *, target: DeviceId = ESME, counter: int = 1, code: int = 0) -> CaptureLine:
    return captured(join_answer(target, counter, code), "sr.response", minutes)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def capture(name: str, *lines: CaptureLine) -> str:
    write_capture(Path(name), lines)
    return name


class TestOutcome:
    def test_it_has_exactly_the_fields_that_scripts_rely_on(self, cli: Cli) -> None:
        file = capture("c.jsonl", asked(), answered(1))

        outcome = cli("replay", "--json", file)

        assert outcome.code == 0
        assert outcome.stderr == b""
        told = outcome.json
        assert (told["messages"], told["dead_letters"]) == (2, 0)
        (attempt,) = told["attempts"]
        relied_on = ("request_id", "target", "other", "service_reference_variant", "state", "join_response_code")
        assert {name: attempt[name] for name in relied_on} == {
            "request_id": f"{SUPPLIER}:{ESME}:1",
            "target": ESME,
            "other": PPMID,
            "service_reference_variant": "8.7.2",
            "state": "succeeded",
            "join_response_code": 0,
        }
        (pair,) = told["pairs"]
        assert {name: pair[name] for name in ("target", "other", "state", "rules")} == {
            "target": ESME,
            "other": PPMID,
            "state": "joined",
            "rules": [{"row": 1, "name": "join-answered-success"}],
        }

    @pytest.mark.parametrize(
        ("lines", "attempt", "pair"),
        [
            ([asked()], "requested", "pending"),
            ([asked(), answered(1, code=2)], "rejected", "not_joined"),
            ([asked(), captured(acknowledgement(request_id(1), "E5"), "sr.response", 1)], "not_sent", "unknown"),
            ([asked(), captured(command_failure(request_id(1)), "sr.response", 1)], "probed", "pending"),
            (
                [
                    asked(),
                    captured(command_failure(request_id(1)), "sr.response", 1),
                    captured(device_log(CommandKey(SUPPLIER, ESME, 2), [PPMID]), "sr.response", 2),
                ],
                "inferred_success",
                "inferred_success",
            ),
            (
                [
                    asked(),
                    captured(command_failure(request_id(1)), "sr.response", 1),
                    captured(device_log(CommandKey(SUPPLIER, ESME, 2), [CAD]), "sr.response", 2),
                ],
                "disproved",
                "not_joined",
            ),
        ],
        ids=["asked", "refused", "not sent", "lost", "proven", "disproved"],
    )
    def test_each_join_gets_its_verdict(self, cli: Cli, lines: Iterable[CaptureLine], attempt: str, pair: str) -> None:
        told = cli("replay", "--json", capture("c.jsonl", *lines)).json

        assert [one["state"] for one in told["attempts"]] == [attempt]
        assert [one["state"] for one in told["pairs"]] == [pair]

    def test_for_people_it_is_two_tables(self, cli: Cli) -> None:
        outcome = cli("replay", capture("c.jsonl", asked(), answered(1)))

        assert outcome.code == 0
        for words in ("2 messages, 0 dead letters", "Attempts", "succeeded", "Pairs", "joined", "1 join-answered-success"):
            assert words in outcome.out
        assert "Dead letters" not in outcome.out

    def test_an_empty_capture_is_an_empty_history(self, cli: Cli) -> None:
        told = cli("replay", "--json", capture("c.jsonl")).json

        assert told == {"messages": 0, "dead_letters": 0, "attempts": [], "pairs": [], "dead_letter_reasons": []}

    def test_several_hundred_messages_at_once(self, cli: Cli) -> None:
        lines = [asked(0, target=device(number)) for number in range(450)]

        told = cli("replay", "--json", capture("c.jsonl", *lines)).json

        assert (told["messages"], len(told["attempts"])) == (450, 450)

    def test_the_same_capture_gives_the_same_outcome(self, cli: Cli) -> None:
        file = capture("c.jsonl", asked(), answered(1), asked(2, target=GPF, other=CAD, counter=2))

        first, second = (cli("replay", "--json", file, "--until", "2026-03-20T00:00:00Z").out for _ in range(2))

        assert first == second


class TestTime:
    def test_without_a_moment_to_run_on_to_the_clock_stops_with_the_last_message(self, cli: Cli) -> None:
        told = cli("replay", "--json", capture("c.jsonl", asked())).json

        assert [one["state"] for one in told["attempts"]] == ["requested"]

    @pytest.mark.parametrize(
        ("until", "state"),
        [("2026-03-02T10:29:59Z", "requested"), ("2026-03-02T11:30:00+01:00", "probed"), ("2026-03-20T00:00:00Z", "unresolved")],
    )
    def test_deadlines_pass_until_then(self, cli: Cli, until: str, state: str) -> None:
        told = cli("replay", "--json", capture("c.jsonl", asked()), "--until", until).json

        assert [one["state"] for one in told["attempts"]] == [state]

    def test_they_pass_between_messages_too(self, cli: Cli) -> None:
        told = cli("replay", "--json", capture("c.jsonl", asked(), answered(120))).json

        assert [one["state"] for one in told["attempts"]] == ["confirmed_late"]

    @pytest.mark.parametrize("until", ["soon", "2026-03-02T10:00:00", "2026-13-02T10:00:00Z", "9999-12-31T23:59:59-12:00", ""])
    def test_what_is_no_moment_is_refused(self, cli: Cli, until: str) -> None:
        outcome = cli("replay", "--json", capture("c.jsonl"), "--until", until)

        assert outcome.code == 2
        assert outcome.stdout == b""
        assert f"--until: {until!r} is not an RFC 3339 moment with a time zone, such as 2026-11-22T10:00:00Z" in outcome.complaint

    def test_lines_out_of_order_are_messages_that_came_late(self, cli: Cli) -> None:
        told = cli("replay", "--json", capture("c.jsonl", answered(1), asked(0))).json

        assert [one["state"] for one in told["attempts"]] == ["succeeded"]


class TestSeveralCaptures:
    def test_they_are_one_history_in_the_order_of_time(self, cli: Cli) -> None:
        requests = capture("requests.jsonl", asked(), asked(300, counter=2))
        answers = capture("answers.jsonl", answered(1), answered(301, counter=2))

        told = cli("replay", "--json", requests, answers).json
        turned = cli("replay", "--json", answers, requests).json

        assert [one["state"] for one in told["attempts"]] == ["succeeded", "succeeded"]
        assert turned == told

    def test_evidence_from_another_capture_counts(self, cli: Cli) -> None:
        requests = capture("requests.jsonl", asked(target=GPF, other=CAD))
        alerts = capture("alerts.jsonl", captured(gpf_report([CAD], at(2)), "csp.alert", 2, region="north"))

        told = cli("replay", "--json", requests, alerts).json

        assert [one["state"] for one in told["pairs"]] == ["inferred_success"]

    def test_a_dash_is_standard_input(self, cli: Cli) -> None:
        file = capture("requests.jsonl", asked())

        told = cli("replay", "--json", file, "-", stdin=write_line(answered(1))).json

        assert [one["state"] for one in told["attempts"]] == ["succeeded"]

    def test_one_that_is_not_there_is_a_mistake(self, cli: Cli) -> None:
        outcome = cli("replay", "--json", capture("c.jsonl"), "missing.jsonl")

        assert outcome.code == 2
        assert outcome.stdout == b""
        assert "missing.jsonl: cannot be read: No such file or directory" in outcome.complaint


class TestUnreadable:
    def test_lines_that_are_none_are_counted_and_named(self, cli: Cli) -> None:
        good = write_line(asked())
        Path("c.jsonl").write_bytes(b"{}\n" + good + b"\n  \nnot JSON\n" + good.replace(b"sr.request", b"sr.requests"))

        outcome = cli("replay", "--json", "c.jsonl")

        assert outcome.code == 0
        told = outcome.json
        assert (told["messages"], told["dead_letters"], len(told["attempts"])) == (4, 3, 1)
        wheres = [one["where"] for one in told["dead_letter_reasons"]]
        assert wheres == ["c.jsonl:1", "c.jsonl:5", "c.jsonl:6"]
        assert [one["reason"].partition(":")[0] for one in told["dead_letter_reasons"]] == ["at", "line", "source"]

    def test_messages_that_cannot_be_decoded_too(self, cli: Cli) -> None:
        broken = captured(b"<sr:Request", "sr.request", 1)
        other = captured(b"DD00", "csp.alert", 2, region="north")

        told = cli("replay", "--json", capture("c.jsonl", asked(), broken, other, broken)).json

        assert (told["messages"], told["dead_letters"], len(told["attempts"])) == (4, 2, 1)
        reasons = {one["where"]: one["reason"] for one in told["dead_letter_reasons"]}
        assert reasons.keys() == {"c.jsonl:2", "c.jsonl:3"}
        assert reasons["c.jsonl:2"].startswith("not well-formed")

    def test_a_binary_body_that_is_not_base64_too(self, cli: Cli) -> None:
        line = CaptureLine(at=START, source="csp.alert", content_type="application/octet-stream", body="!")

        told = cli("replay", "--json", capture("c.jsonl", line)).json

        assert (told["messages"], told["dead_letters"]) == (1, 1)
        assert told["dead_letter_reasons"][0]["where"] == "c.jsonl:1"
        assert told["dead_letter_reasons"][0]["reason"].startswith("body is not base64")

    def test_people_see_where_they_are(self, cli: Cli) -> None:
        Path("c.jsonl").write_bytes(b"{}\n")

        outcome = cli("replay", "c.jsonl")

        assert "1 messages, 1 dead letters" in outcome.out
        assert "c.jsonl:1" in outcome.out
        assert "at: Field required" in outcome.out

    def test_a_line_with_a_region_of_any_text_arrives(self, cli: Cli) -> None:
        lines = [captured(gpf_report([CAD], at(n)), "csp.alert", n, region=r) for n, r in enumerate(("north", "a.b", "#", "", None))]

        told = cli("replay", "--json", capture("c.jsonl", asked(target=GPF, other=CAD), *lines)).json

        assert (told["messages"], told["dead_letters"]) == (6, 0)
        assert [one["state"] for one in told["pairs"]] == ["inferred_success"]


class TestRecords:
    URL = "sqlite:///case.db"

    def test_they_are_kept_where_the_option_says(self, cli: Cli) -> None:
        told = cli("replay", "--json", capture("c.jsonl", asked(), answered(1)), "--database", self.URL).json

        assert cli("joins", "--json", "--database", self.URL).json == told["attempts"]
        assert cli("audit", "verify", "--database", self.URL).code == 0

    def test_another_capture_goes_on_from_there_and_the_same_changes_nothing(self, cli: Cli) -> None:
        first, second = capture("1.jsonl", asked()), capture("2.jsonl", asked(), answered(1))
        cli("replay", "--json", first, "--database", self.URL)

        told = cli("replay", "--json", second, "--database", self.URL).json

        assert [one["state"] for one in told["attempts"]] == ["succeeded"]

    def test_nothing_stays_owed_to_anybody(self, cli: Cli) -> None:
        lost = captured(command_failure(request_id(1)), "sr.response", 1)

        cli("replay", "--json", capture("c.jsonl", asked(), lost), "--database", self.URL)

        assert asyncio.run(effect_statuses(self.URL)) == {EffectStatus.DONE}

    @pytest.mark.parametrize(
        ("url", "code", "says"),
        [
            ("sqlite:////no/such/folder/case.db", 3, "unable to open database file"),
            ("sqlite:///c.jsonl", 3, "file is not a database"),
            ("mysql://x", 1, "the database URL"),
            ("case.db", 1, "the database URL cannot be used"),
        ],
    )
    def test_a_database_that_cannot_be_used_is_an_error(self, cli: Cli, url: str, code: int, says: str) -> None:
        outcome = cli("replay", "--json", capture("c.jsonl", asked()), "--database", url)

        assert outcome.code == code
        assert outcome.stdout == b""
        assert outcome.complaint.startswith("error: ")
        assert says in outcome.complaint


async def effect_statuses(url: str) -> set[EffectStatus]:
    async with open_records(url) as records:
        return {effect.status for effect in await records.effects()}


def test_traffic_that_concerns_nothing_is_passed_by(cli: Cli) -> None:
    noise = [captured(generic_alert(CAD, 0x8F49, at(n), counter=n), "csp.alert", n, region="south") for n in range(20)]

    told = cli("replay", "--json", capture("c.jsonl", *noise)).json

    assert (told["messages"], told["dead_letters"], told["attempts"]) == (20, 0, [])


def test_without_a_capture_the_usage_is_shown(cli: Cli) -> None:
    outcome = cli("replay")

    assert outcome.code == 2
    assert "Missing argument" in outcome.complaint
