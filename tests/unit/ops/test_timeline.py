"""Where the symbols of the timeline stand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from joinbridge.ops.account import Doing, Mark, Move
from joinbridge.ops.timeline import CAP, TRACK, Row, timeline
from support.demo_reports import LOG_LISTS, after, falsely_inferred, missed, proven, story, unresolved


def kinds(row: Row) -> list[str]:
    return [symbol.kind for symbol in row.symbols]


def test_symbols_stand_in_the_order_of_what_happened() -> None:
    [row] = timeline([proven()]).rows

    assert kinds(row) == ["asked", "done", "lost", "missed", "probe", "proof", "yes", "corrected"]
    assert (row.when, row.pair, row.leg, row.outcome, row.failed) == ("2 Mar 00:00", "ESME → PPMID", "WAN", "joined", False)


@pytest.mark.parametrize("after_s", [0, 1, 600, 1_200_000])
def test_no_two_symbols_touch_and_none_leaves_the_track(after_s: float) -> None:
    at = after(seconds=after_s)
    crowded = proven(
        executed_at=at,
        heard_at=after(at, seconds=61),
        moves=tuple(Move(doing=doing, at=at) for doing in Doing for _ in range(3)),
        proof_at=at,
        marks=(Mark(state="inferred_success", at=at, rules=(LOG_LISTS,)),),
        corrected_at=at,
    )

    rows = timeline([crowded, proven(1)]).rows

    for row in rows:
        places = [symbol.x for symbol in row.symbols]
        assert all(later - earlier >= 12.9 for earlier, later in pairwise(places))
        assert TRACK[0] <= places[0]
        assert places[-1] <= TRACK[1]


def test_nobody_knows_from_the_loss_to_the_verdict() -> None:
    [row] = timeline([proven()]).rows

    by_kind = {symbol.kind: symbol.x for symbol in row.symbols}
    assert row.dark == (by_kind["lost"], by_kind["yes"])
    assert not row.unended


def test_what_was_never_found_stays_dark_to_the_end() -> None:
    [row] = timeline([unresolved()]).rows

    assert row.dark is not None
    assert row.dark[1] == row.until == TRACK[1]
    assert row.unended
    assert kinds(row)[-1] == "person"


def test_a_title_says_when_and_how_long_after_the_request() -> None:
    [row] = timeline([proven()]).rows

    assert row.symbols[0].title == "Asked: 2 Mar 2026 00:00:00"
    assert row.symbols[3].title == "Loss noticed: 2 Mar 2026 00:10:00, 10 min after the request"


def test_only_lost_joins_and_failures_are_drawn() -> None:
    drawn = timeline([proven(), story(1, refused="E19"), proven(2, unjoin=True), proven(3, lost_on=None, false=True, wrong=True)])

    assert [row.when for row in drawn.rows] == ["2 Mar 00:00", "2 Mar 00:03"]


def test_where_there_are_too_many_the_failures_stay_and_the_earliest_of_the_others() -> None:
    stories = [*(proven(n) for n in range(CAP + 5)), falsely_inferred(CAP + 5), missed(CAP + 6)]

    drawn = timeline(stories)

    assert len(drawn.rows) == CAP
    assert drawn.left_out == 7
    assert [row.failed for row in drawn.rows] == [False] * (CAP - 2) + [True, True]
    assert [row.outcome for row in drawn.rows[-2:]] == ["false inference", "missed"]


def test_a_false_inference_is_no_correction() -> None:
    [row] = timeline([falsely_inferred()]).rows

    assert kinds(row) == ["asked", "refused", "lost", "missed", "probe", "proof", "wrong"]


def test_the_scale_has_no_tick_beyond_its_end() -> None:
    drawn = timeline([proven()])

    assert [label for label, _ in drawn.ticks] == ["1 s", "10 s", "1 min", "10 min", "1 h"]
    assert [x for _, x in drawn.ticks] == sorted(x for _, x in drawn.ticks)
    assert drawn.ticks[-1][1] == TRACK[1]


def test_of_nothing_there_is_nothing_to_draw() -> None:
    assert timeline([]).rows == ()
