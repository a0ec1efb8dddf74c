"""The ledger: what was joined when, and which reports prove it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from joinbridge.core.ids import JoinPair, RequestId
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.simulator.parties import SUPPLIERS, device_id
from joinbridge.simulator.truth import AttemptTruth, Execution, LogReport, Timeline, Truth

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAIR = JoinPair(device_id(1, DeviceType.ESME, 0), device_id(1, DeviceType.TYPE2, 0))
END = START + timedelta(days=14)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def attempt(number: int, minutes: float, intent: Intent = Intent.JOIN) -> AttemptTruth:
    return AttemptTruth(
        request_id=RequestId(SUPPLIERS[0], PAIR.target, number),
        intent=intent,
        pair=PAIR,
        srv="8.7.2",
        target_type=DeviceType.ESME,
        other_type=DeviceType.TYPE2,
        asked_at=after(minutes),
        submitted_at=after(minutes),
        tapped_at=after(minutes),
        executions=[Execution(at=after(minutes + 1), code=0)],
    )


def report(minutes: float, *, kind: int = DeviceType.TYPE2, delivered: bool = True, dated: bool = True) -> LogReport:
    return LogReport(
        device=PAIR.target,
        kind="CS07",
        at=after(minutes),
        delivered_at=after(minutes + 1) if delivered else None,
        entries=frozenset({(PAIR.other, int(kind))}),
        dated=dated,
    )


def ledger(*attempts: AttemptTruth) -> Truth:
    truth = Truth()
    truth.types_told(START, (PAIR.target, PAIR.other))
    for each in attempts:
        truth.opened(each)
    return truth


def test_a_timeline_knows_what_held_at_each_moment() -> None:
    timeline = Timeline()

    changed = [timeline.record(after(each), each % 2 == 1) for each in (0, 1, 2, 3)]

    assert changed == [False, True, True, True]
    assert [timeline.value_at(after(each)) for each in (0.5, 1, 1.5, 2, 2.5, 3)] == [False, True, True, False, False, True]
    assert timeline.last
    assert list(timeline.changes()) == [(after(1), True), (after(2), False), (after(3), True)]


def test_a_report_made_after_the_join_proves_it() -> None:
    truth = ledger(join := attempt(1, 0))

    truth.reported(proof := report(5))

    assert truth.proofs(join, END) == [proof]
    assert truth.proofs(join, after(5.5)) == []


@pytest.mark.parametrize(
    "useless",
    [report(0.5), report(5, kind=DeviceType.PPMID), report(5, delivered=False), report(5, dated=False)],
    ids=["made before", "another type", "never delivered", "without a date"],
)
def test_a_report_does_not_prove_what_it_cannot(useless: LogReport) -> None:
    truth = ledger(join := attempt(1, 0))

    truth.reported(useless)

    assert truth.proofs(join, END) == []


def test_a_report_proves_nothing_before_the_right_type_is_told() -> None:
    truth = Truth()
    truth.opened(join := attempt(1, 0))
    truth.reported(proof := report(5))
    before = truth.proofs(join, END)

    truth.types_told(after(60), [PAIR.other])
    truth.types_told(after(90), [PAIR.other])

    assert before == []
    assert truth.proofs(join, after(59)) == []
    assert truth.proofs(join, after(60)) == [proof]


def test_an_unjoin_takes_the_force_from_a_report() -> None:
    truth = ledger(join := attempt(1, 0), attempt(2, 3, Intent.UNJOIN))

    truth.reported(report(5))

    assert truth.proofs(join, END) == []


@pytest.mark.parametrize(("seen", "proven"), [(4, True), (7, False), (None, False)])
def test_an_unjoin_that_was_seen_to_be_refused_does_not(seen: int | None, proven: bool) -> None:
    refused = attempt(2, 3, Intent.UNJOIN)
    refused.refused, refused.refusal_seen_at = "E080801", None if seen is None else after(seen)
    truth = ledger(join := attempt(1, 0), refused)

    truth.reported(report(5))

    assert bool(truth.proofs(join, END)) is proven


@pytest.mark.parametrize(
    ("answered", "read", "proven"),
    [(None, 5, False), (4, 5, True), (9, 5, False), (None, 2 * 24 * 60 + 1, True)],
    ids=["no answer", "an answer before", "an answer after", "no answer for two days"],
)
def test_an_unjoin_from_before_may_be_to_come_until_it_is_answered_or_forgotten(answered: int | None, read: int, proven: bool) -> None:
    before = attempt(1, 0, Intent.UNJOIN)
    before.answered_at = None if answered is None else after(answered)
    truth = ledger(before, join := attempt(2, 1))

    truth.reported(report(read))

    assert bool(truth.proofs(join, END)) is proven


def test_a_join_that_nobody_saw_asked_for_cannot_be_proven() -> None:
    join = attempt(1, 0)
    join.tapped_at = None
    truth = ledger(join)

    truth.reported(report(5))

    assert truth.proofs(join, END) == []


def test_the_inventory_without_joinbridge_is_kept_beside_the_real_one() -> None:
    truth = ledger()
    truth.set_joined(PAIR, after(1), joined=True)

    truth.set_smi(PAIR, after(2), joined=True, aided=True)

    assert truth.smi[PAIR].last
    assert PAIR not in truth.smi_unaided
    assert [(each.joined, each.right) for each in truth.corrections] == [(True, True)]


def test_striking_the_pair_of_a_device_that_left_is_right() -> None:
    truth = ledger()
    truth.set_joined(PAIR, after(1), joined=True)
    truth.set_smi(PAIR, after(2), joined=True, aided=False)
    truth.retired[PAIR.target] = after(3)

    truth.set_smi(PAIR, after(4), joined=False, aided=True)

    assert [each.right for each in truth.corrections] == [True]


def test_a_write_that_changes_nothing_is_no_correction() -> None:
    truth = ledger()
    truth.set_smi(PAIR, after(1), joined=True, aided=False)

    truth.set_smi(PAIR, after(2), joined=True, aided=True)

    assert truth.corrections == []
