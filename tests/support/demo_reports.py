"""Accounts of demos for tests of the report: small ones by hand, and one in which everything goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack

from joinbridge.ops.account import DemoReport, Doing, Inventory, Ledger, Mark, Move, RuleText, Run, Story, Totals, VerdictRow

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LOG_LISTS = RuleText(row=5, name="device-log-lists", grade="conclusive", summary="A log read lists the other device.")
LOG_LACKS = RuleText(row=6, name="device-log-lacks", grade="conclusive", summary="A log read does not list the other device.")
ANSWERED = RuleText(row=1, name="join-answered-success", grade="conclusive", summary="The target answered the Join with code 0.")


class Fields(TypedDict, total=False):
    """What a test may say of a story."""

    request_id: str
    unjoin: bool
    target_type: str
    other_type: str
    asked_at: datetime
    heard_at: datetime | None
    refused: str | None
    executed_at: datetime | None
    code: int | None
    command_lost: bool
    lost_on: str | None
    answered_at: datetime | None
    proof_at: datetime | None
    moves: tuple[Move, ...]
    marks: tuple[Mark, ...]
    corrected_at: datetime | None
    inventory: Inventory | None
    missed: bool
    false: bool
    wrong: bool


def after(at: datetime = MONDAY, **span: float) -> datetime:
    """Return a moment after another, the start unless told otherwise."""
    return at + timedelta(**span)


def story(number: int = 0, **fields: Unpack[Fields]) -> Story:
    """Return a Join of which nothing is known but that it was asked for, in the minute `number`, and what `fields` say."""
    defaults: Fields = {
        "request_id": f"90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A1:{number + 1}",
        "target_type": "ESME",
        "other_type": "PPMID",
        "asked_at": after(minutes=number),
    }
    defaults.update(fields)
    return Story(target="00-DB-12-34-56-78-90-A1", other="00-DB-12-34-56-78-90-A4", srv="8.7.1", **defaults)


def proven(number: int = 0, **fields: Unpack[Fields]) -> Story:
    """Return a Join whose answer was lost on the wide-area network, and which a log read proved; the inventory was put right."""
    asked = after(minutes=number)
    defaults: Fields = {
        "heard_at": after(asked, seconds=1),
        "executed_at": after(asked, seconds=2),
        "code": 0,
        "lost_on": "wan",
        "moves": (
            Move(doing=Doing.MISSED, at=after(asked, minutes=10), reason="deadline"),
            Move(doing=Doing.LOG_READ, at=after(asked, minutes=10)),
        ),
        "proof_at": after(asked, minutes=10, seconds=4),
        "marks": (
            Mark(state="response_lost", at=after(asked, minutes=10)),
            Mark(state="inferred_success", at=after(asked, minutes=10, seconds=5), rules=(LOG_LISTS,)),
        ),
        "corrected_at": after(asked, minutes=10, seconds=5),
        "inventory": Inventory.CORRECTED,
    }
    defaults.update(fields)
    return story(number, **defaults)


def falsely_inferred(number: int = 0) -> Story:
    """Return a Join that the device refused, and that was inferred to have worked."""
    return proven(number, code=4, false=True, wrong=True, inventory=Inventory.WRONG)


def unresolved(number: int = 0) -> Story:
    """Return a Join of which nothing could be proven."""
    gave_up = Mark(state="unresolved", at=after(minutes=number, hours=80))
    return proven(number, marks=(gave_up,), proof_at=None, corrected_at=None, inventory=None)


def missed(number: int = 0) -> Story:
    """Return a Join for which proof was delivered, and which joinbridge did not find."""
    return proven(number, marks=(), corrected_at=None, inventory=None, missed=True)


def report(stories: Iterable[Story] = (), *, joins: int = 1258, scenario_says: str = "somewhat worse", seed: int = 1) -> DemoReport:
    """Return the account of a demo in which just these things happened, and besides only joins that worked."""
    told = tuple(stories)
    lost = [each for each in told if each.answer_lost and not each.unjoin]
    false = sum(each.false for each in told)
    avoided = sum(each.inventory is Inventory.CORRECTED for each in lost)
    by_leg: Mapping[str, int] = {leg: sum(each.lost_on == leg for each in lost) for leg in ("radio", "wan", "dsp", "user", "bus")}
    return DemoReport(
        run=Run(
            homes=200,
            seed=seed,
            scenario="everyday",
            scenario_says=scenario_says,
            began=MONDAY,
            ended=after(days=14),
            messages=23_456,
            passed_by=15_000,
            dead_letters=25,
            database="sqlite:///out/demo.db",
        ),
        totals=Totals(
            joins=joins,
            unjoins=100,
            answers_lost=len(lost),
            lost_by_leg=by_leg,
            false_inferences=false,
            missed_inferences=sum(each.missed for each in told),
            wrongly_disproved=sum(each.wrong and not each.false for each in told),
            retries=3,
            probes=4,
            notices=5,
        ),
        ledger=Ledger(
            corrections=avoided + 2,
            wrong_corrections=false,
            avoided=avoided,
            price_gbp=2000,
            wrong_at_end=false,
            wrong_unaided=avoided + 1,
        ),
        verdicts=(
            VerdictRow(said="inferred: joined", worked=len(lost), not_worked=false, right=True, wrong=False),
            VerdictRow(said="disproved", worked=0, not_worked=3, right=False, wrong=True),
            VerdictRow(said="a person decides", worked=1, not_worked=2),
        ),
        stories=told,
    )
