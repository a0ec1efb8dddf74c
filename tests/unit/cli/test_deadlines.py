"""`joinbridge deadlines`: what is waited for, and a person's word on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.captures import line
from support.cli import Cli, write_capture
from support.home import ESME, PPMID, SUPPLIER, request_id
from support.messages import acknowledgement, join_request

DATABASE = ("--database", "sqlite:///case.db")
OPEN = f"{SUPPLIER}:{ESME}:1"


@pytest.fixture
def case(cli: Cli) -> Cli:
    """Record one join whose answer is lost, and looked for."""
    lines = [line(join_request(ESME, PPMID, 1), "sr.request", 0), line(acknowledgement(request_id(1)), "sr.response", 1)]
    assert cli("replay", "--until", "2026-03-02T10:45:00Z", write_capture(Path("c.jsonl"), lines), *DATABASE).code == 0
    return cli


def listed(case: Cli) -> dict[str, str]:
    """Return when each purpose is due."""
    return {row["purpose"]: row["due_at"] for row in case("deadlines", "list", "--json", *DATABASE).json}


def test_what_is_waited_for_is_listed_soonest_first(case: Cli) -> None:
    rows = case("deadlines", "list", "--json", *DATABASE).json

    assert [row["purpose"] for row in rows] == ["probe", "final"]
    assert [row["due_at"] for row in rows] == sorted(row["due_at"] for row in rows)
    assert {row["request_id"] for row in rows} == {OPEN}
    assert OPEN in case("deadlines", "list", *DATABASE).out.replace("\n", "")


def test_a_deadline_is_moved_and_the_audit_chain_says_by_whom_and_why(case: Cli) -> None:
    said = case(
        "deadlines",
        "move",
        OPEN,
        "--purpose",
        "probe",
        "--to",
        "2026-03-05T10:00:00Z",
        "--reason",
        "meter in repair",
        "--by",
        "ops",
        *DATABASE,
    )

    assert said.code == 0
    assert "due 2026-03-05 10:00:00Z instead of" in said.out
    assert listed(case)["probe"] == "2026-03-05T10:00:00+00:00"
    (entry,) = [one for one in case("audit", "export", *DATABASE).lines if one["kind"] == "deadline.moved"]
    assert (entry["body"]["by"], entry["body"]["reason"]) == ("ops", "meter in repair")


def test_a_deadline_is_cancelled(case: Cli) -> None:
    assert case("deadlines", "cancel", OPEN, "--purpose", "probe", "--reason", "we know", *DATABASE).code == 0

    assert set(listed(case)) == {"final"}


def test_the_last_one_can_only_be_moved(case: Cli) -> None:
    case("deadlines", "cancel", OPEN, "--purpose", "probe", "--reason", "we know", *DATABASE)

    said = case("deadlines", "cancel", OPEN, "--purpose", "final", "--reason", "and that", *DATABASE)

    assert said.code != 0
    assert "move it instead" in said.complaint
    assert set(listed(case)) == {"final"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("999", "--purpose", "probe"), "REQUEST_ID"),
        ((f"{SUPPLIER}:{ESME}:7", "--purpose", "probe"), "there is no join with the RequestID"),
        ((OPEN, "--purpose", "retry"), "has no deadline of the purpose retry; it has probe, final"),
    ],
)
def test_a_mistake_is_explained(case: Cli, arguments: tuple[str, ...], says: str) -> None:
    said = case("deadlines", "cancel", *arguments, "--reason", "r", *DATABASE)

    assert said.code != 0
    assert says in said.complaint


def test_a_moment_must_be_one(case: Cli) -> None:
    said = case("deadlines", "move", OPEN, "--purpose", "probe", "--to", "tomorrow", "--reason", "r", *DATABASE)

    assert (said.code, "not a moment in RFC 3339" in said.complaint) == (2, True)
