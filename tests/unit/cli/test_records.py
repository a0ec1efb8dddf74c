"""`joins`, `explain`, `dead-letters`, `audit` and `db`: what a database holds, for people and machines."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from joinbridge.cli.app import app
from joinbridge.core.ids import message_key
from joinbridge.store.audit import ChainCheck, from_line
from support.captures import START, line
from support.cli import Cli, write_capture
from support.home import CAD, ESME, GPF, PPMID, SUPPLIER, request_id
from support.messages import acknowledgement, command_failure, gpf_report, join_answer, join_request

DATABASE = ("--database", "sqlite:///case.db")
BROKEN, ALSO_BROKEN = b"<sr:Request", b"DD00"
BROKEN_KEY = message_key(BROKEN)
JOINED, LOST = f"{SUPPLIER}:{ESME}:1", f"{SUPPLIER}:{GPF}:2"

LISTINGS = (("joins",), ("joins", "--pairs"), ("dead-letters", "list"), ("audit", "verify"), ("explain", JOINED))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a database that holds a join that succeeded, one that was inferred, one that is open, and two dead letters."""
    folder = tmp_path_factory.mktemp("case")
    capture = write_capture(
        folder / "case.jsonl",
        [
            line(join_request(ESME, PPMID, 1), "sr.request", 0),
            line(join_answer(ESME, 1), "sr.response", 1),
            line(join_request(GPF, CAD, 2), "sr.request", 2),
            line(command_failure(request_id(2, target=GPF)), "sr.response", 3),
            line(gpf_report([CAD], START), "csp.alert", 4, region="north"),
            line(BROKEN, "sr.request", 5),
            line(ALSO_BROKEN, "csp.alert", 6, region="south"),
            line(join_request(GPF, PPMID, 3), "sr.request", 7),
            line(acknowledgement(request_id(3, target=GPF)), "sr.response", 8),
        ],
    )
    database = folder / "case.db"
    outcome = CliRunner().invoke(app, ["replay", str(capture), "--database", f"sqlite:///{database}"], catch_exceptions=False)
    assert outcome.exit_code == 0
    return database.read_bytes()


@pytest.fixture
def case(cli: Cli, recorded: bytes) -> Cli:
    """Put that database into the folder as `case.db`."""
    Path("case.db").write_bytes(recorded)
    return cli


class TestJoins:
    def test_attempts_newest_first(self, case: Cli) -> None:
        rows = case("joins", "--json", *DATABASE).json

        assert [row["request_id"] for row in rows] == [f"{SUPPLIER}:{GPF}:3", LOST, JOINED]
        assert [row["state"] for row in rows] == ["accepted", "inferred_success", "succeeded"]
        assert rows[1]["lost_because"] == "N13"
        assert rows[2]["requested_at"] == START.isoformat()

    @pytest.mark.parametrize(
        ("options", "counters"),
        [
            (("--state", "succeeded"), ["1"]),
            (("--state", "succeeded", "--state", "inferred_success"), ["2", "1"]),
            (("--target", GPF), ["3", "2"]),
            (("--target", GPF.lower()), ["3", "2"]),
            (("--limit", "1"), ["3"]),
            (("--state", "disproved"), []),
        ],
    )
    def test_only_those_that_are_asked_for(self, case: Cli, options: tuple[str, ...], counters: list[str]) -> None:
        rows = case("joins", "--json", *options, *DATABASE).json

        assert [row["request_id"].rpartition(":")[2] for row in rows] == counters

    def test_pairs(self, case: Cli) -> None:
        rows = case("joins", "--pairs", "--json", *DATABASE).json

        assert {(row["target"], row["other"]): row["state"] for row in rows} == {
            (ESME, PPMID): "joined",
            (GPF, CAD): "inferred_success",
            (GPF, PPMID): "pending",
        }
        inferred = next(row for row in rows if row["other"] == CAD)
        assert inferred["rules"] == [{"row": 9, "name": "gpf-log-lists"}]

    def test_pairs_in_one_state(self, case: Cli) -> None:
        rows = case("joins", "--pairs", "--pair-state", "pending", "--json", *DATABASE).json

        assert [row["other"] for row in rows] == [PPMID]

    def test_for_people_they_are_tables(self, case: Cli) -> None:
        attempts, pairs = case("joins", *DATABASE), case("joins", "--pairs", *DATABASE)

        assert attempts.code == pairs.code == 0
        assert JOINED in attempts.out
        assert "inferred_success" in attempts.out
        assert "9 gpf-log-lists" in pairs.out

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("--target", "meter"), "Invalid value for --target: not an EUI-64: 'meter'"),
            (("--state", "lost"), "Invalid value for '--state':"),
            (("--limit", "0"), "Invalid value for '--limit':"),
            (("--pair-state", "joined"), "Invalid value for --pair-state: goes with --pairs"),
            (("--pairs", "--state", "succeeded"), "Invalid value for --state: is about attempts; with --pairs there is --pair-state"),
        ],
    )
    def test_a_mistake_is_explained(self, case: Cli, options: tuple[str, ...], says: str) -> None:
        outcome = case("joins", *options, *DATABASE)

        assert outcome.code == 2
        assert says in outcome.complaint
        assert outcome.stdout == b""


class TestExplain:
    def test_a_join_with_the_evidence_that_decided(self, case: Cli) -> None:
        (told,) = case("explain", LOST, "--json", *DATABASE).json

        assert told["attempt"]["state"] == "inferred_success"
        assert told["pair"]["state"] == "inferred_success"
        assert [found["rule"] for found in told["decided_by"]] == ["gpf-log-lists"]
        assert "no-response" in [found["rule"] for found in told["evidence"]]

    def test_for_people(self, case: Cli) -> None:
        outcome = case("explain", LOST, *DATABASE)

        assert outcome.code == 0
        assert "gpf-log-lists" in outcome.out
        assert "inferred_success" in outcome.out

    def test_one_that_is_not_there(self, case: Cli) -> None:
        outcome = case("explain", f"{SUPPLIER}:{ESME}:999", *DATABASE)

        assert outcome.code == 1
        assert outcome.complaint == f"error: there is no join or unjoin {SUPPLIER}:{ESME}:999; `joinbridge joins` lists those there are"

    def test_what_is_no_request_id(self, case: Cli) -> None:
        outcome = case("explain", "999", *DATABASE)

        assert outcome.code == 2
        assert "not originator:target:counter: '999'" in outcome.complaint


class TestDeadLetters:
    def test_they_are_listed_with_all_that_is_known(self, case: Cli) -> None:
        rows = case("dead-letters", "list", "--json", *DATABASE).json

        assert [row["key"] for row in rows] == [BROKEN_KEY, message_key(ALSO_BROKEN)]
        assert rows[0] == {
            "key": BROKEN_KEY,
            "reason": rows[0]["reason"],
            "offset": rows[0]["offset"],
            "source": "sr.request",
            "route": "request.replayed",
            "region": None,
            "content_type": "application/xml",
            "size_bytes": len(BROKEN),
            "status": "open",
            "attempts": 1,
            "first_seen": rows[0]["last_seen"],
            "last_seen": "2026-03-02T09:05:00+00:00",
        }
        assert rows[1]["region"] == "south"

    def test_no_more_than_the_limit(self, case: Cli) -> None:
        assert len(case("dead-letters", "list", "--limit", "1", "--json", *DATABASE).json) == 1

    def test_for_people_they_are_a_table(self, case: Cli) -> None:
        outcome = case("dead-letters", "list", *DATABASE)

        assert outcome.code == 0
        assert BROKEN_KEY in outcome.out
        assert "2026-03-02 09:05:00Z" in outcome.out

    def test_one_is_shown(self, case: Cli) -> None:
        shown = case("dead-letters", "show", BROKEN_KEY, "--json", *DATABASE).json

        assert shown["route"] == "request.replayed"
        assert bytes.fromhex(shown["body"]) == BROKEN

        for_people = case("dead-letters", "show", BROKEN_KEY, *DATABASE)
        assert "request.replayed" in for_people.out
        assert "<sr:" not in for_people.out, "the body is shown on demand only"

    def test_its_body_and_nothing_else(self, case: Cli) -> None:
        outcome = case("dead-letters", "show", BROKEN_KEY, "--body", *DATABASE)

        assert (outcome.code, outcome.stdout, outcome.stderr) == (0, BROKEN, b"")

    def test_one_that_is_not_there(self, case: Cli) -> None:
        outcome = case("dead-letters", "show", "nothing", *DATABASE)

        assert outcome.code == 1
        assert outcome.complaint == "error: there is no dead letter nothing; `joinbridge dead-letters list` shows those there are"
        assert outcome.stdout == b""


class TestAudit:
    def test_a_whole_chain_verifies(self, case: Cli) -> None:
        as_json, for_people = case("audit", "verify", "--json", *DATABASE), case("audit", "verify", *DATABASE)

        assert (as_json.code, for_people.code) == (0, 0)
        told = as_json.json
        assert told["ok"] is True
        assert told["entries"] > 5
        assert f"the audit chain is whole: {told['entries']} entries, head {told['head']}" in for_people.out

    def test_an_export_can_be_verified_by_others(self, case: Cli) -> None:
        exported = case("audit", "export", *DATABASE)

        assert exported.code == 0
        assert exported.stderr == b""
        chain = ChainCheck()
        for number, text in enumerate(exported.out.splitlines(), start=1):
            chain.add(from_line(text, sequence=number))
        head = case("audit", "verify", "--json", *DATABASE).json
        assert (chain.head.sequence, chain.head.digest) == (head["entries"], head["head"])

    def test_an_export_may_go_to_a_file(self, case: Cli) -> None:
        to_file = case("audit", "export", "--to", "chain.jsonl", *DATABASE)

        assert to_file.code == 0
        assert Path("chain.jsonl").read_text() == case("audit", "export", *DATABASE).out
        assert "entries written to chain.jsonl" in to_file.out

    def test_a_file_that_cannot_be_written_is_a_mistake(self, case: Cli) -> None:
        outcome = case("audit", "export", "--to", "no/such/folder/chain.jsonl", *DATABASE)

        assert outcome.code == 2
        assert "Invalid value for --to: no/such/folder/chain.jsonl cannot be written: No such file or directory" in outcome.complaint

    def test_an_export_is_not_begun_before_the_database_is_open(self, case: Cli) -> None:
        Path("chain.jsonl").write_text("yesterday's")

        outcome = case("audit", "export", "--to", "chain.jsonl", "--database", "sqlite:///missing.db")

        assert outcome.code == 3
        assert Path("chain.jsonl").read_text() == "yesterday's"

    @pytest.mark.parametrize(
        ("tampering", "sequence"),
        [
            ("UPDATE audit SET body = '{}' WHERE sequence = 3", 3),
            ("UPDATE audit SET at = '2020-01-01T00:00:00.000000+00:00' WHERE sequence = 4", 4),
            ("DELETE FROM audit WHERE sequence = 2", 2),
            ("DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)", None),
        ],
        ids=["altered", "moved in time", "removed", "cut short"],
    )
    def test_a_chain_that_was_tampered_with_does_not(self, case: Cli, tampering: str, sequence: int | None) -> None:
        with sqlite3.connect("case.db") as connection:
            connection.execute(tampering)
        connection.close()

        as_json, for_people = case("audit", "verify", "--json", *DATABASE), case("audit", "verify", *DATABASE)

        assert (as_json.code, for_people.code) == (1, 1)
        told = as_json.json
        assert told["ok"] is False
        assert sequence in (None, told["sequence"])
        assert for_people.complaint == f"error: {told['error']}"
        assert for_people.stdout == b""


class TestDatabase:
    @pytest.mark.parametrize("command", LISTINGS, ids=" ".join)
    def test_one_that_is_not_there_cannot_be_reached_and_is_not_made(self, cli: Cli, command: tuple[str, ...]) -> None:
        outcome = cli(*command, "--database", "sqlite:///missing.db")

        assert outcome.code == 3
        assert outcome.complaint == "error: there is no database missing.db"
        assert outcome.stdout == b""
        assert not Path("missing.db").exists()

    @pytest.mark.parametrize("command", LISTINGS, ids=" ".join)
    def test_one_without_a_schema_says_how_to_get_one(self, cli: Cli, command: tuple[str, ...]) -> None:
        sqlite3.connect("empty.db").close()

        outcome = cli(*command, "--database", "sqlite:///empty.db")

        assert outcome.code == 1
        assert "the database has no schema yet" in outcome.complaint
        assert "run `joinbridge db upgrade`" in outcome.complaint

    @pytest.mark.parametrize("as_json", [(), ("--json",)])
    def test_that_is_what_helps(self, cli: Cli, as_json: tuple[str, ...]) -> None:
        first = cli("db", "upgrade", *as_json, "--database", "sqlite:///empty.db")
        again = cli("db", "upgrade", *as_json, "--database", "sqlite:///empty.db")

        assert (first.code, again.code) == (0, 0)
        if as_json:
            assert first.json["before"] is None
            assert again.json == {"before": first.json["after"], "after": first.json["after"]}
        else:
            assert first.out.startswith("the database had no schema and has schema ")
            assert again.out.startswith("the database has schema ")
        assert cli("joins", "--json", "--database", "sqlite:///empty.db").json == []

    def test_one_of_a_newer_version_says_so(self, case: Cli) -> None:
        with sqlite3.connect("case.db") as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()

        for command in (("joins",), ("db", "upgrade")):
            outcome = case(*command, *DATABASE)

            assert outcome.code == 1
            assert "9999, made by a newer version: install that version of joinbridge" in outcome.complaint

    def test_what_is_no_database_cannot_be_reached(self, cli: Cli) -> None:
        Path("notes.txt").write_text("not a database, whatever its length " * 50)

        outcome = cli("joins", "--json", "--database", "sqlite:///notes.txt")

        assert outcome.code == 3
        assert outcome.complaint == "error: the database says: file is not a database"

    def test_the_configured_one_is_used_when_none_is_given(self, case: Cli) -> None:
        Path("joinbridge.toml").write_text('[database]\nurl = "sqlite:///case.db"\n')

        assert len(case("joins", "--json", "--config", "joinbridge.toml").json) == 3

    def test_an_option_that_names_nothing_is_not_silently_the_default(self, cli: Cli) -> None:
        outcome = cli("joins", "--config", "missing.toml")

        assert outcome.code == 1
        assert outcome.complaint == "error: missing.toml: cannot be read: No such file or directory"


def test_json_is_one_value_on_one_line(case: Cli) -> None:
    for command in (("joins",), ("joins", "--pairs"), ("dead-letters", "list"), ("audit", "verify"), ("explain", LOST)):
        outcome = case(*command, "--json", *DATABASE)

        assert outcome.stdout.count(b"\n") == 1
        assert outcome.stderr == b""
        json.loads(outcome.stdout)
