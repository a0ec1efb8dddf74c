"""Where lines are, and how values are written."""

from __future__ import annotations

import pytest

from joinbridge.ops.dashboards.chart import HEIGHT, LEFT, MOST_LINES, lines, shade, shown_as, verdict
from joinbridge.ops.dashboards.panels import Panel, Query, Unit, number
from joinbridge.ops.dashboards.panels import lines as lines_panel
from joinbridge.ops.dashboards.prometheus import Series

PANEL = lines_panel("Title", "Says.", Query(expr="x", name="x"), runbook="x", warn=5)


def series(*values: float, start: float = 0.0) -> Series:
    return Series(labels={}, points=[(start + 10 * index, value) for index, value in enumerate(values)])


def test_a_line_goes_from_the_left_edge_to_the_right_and_the_largest_is_highest() -> None:
    drawn = lines(PANEL, [("a", series(0, 10))], start=0, end=10, step_s=10, width=500)

    [piece] = drawn.lines[0].pieces
    first, last = piece.split()
    assert first.startswith(f"{LEFT}.0,")
    assert float(first.split(",")[1]) > float(last.split(",")[1])
    assert float(last.split(",")[0]) < drawn.width
    assert drawn.height == HEIGHT


def test_a_gap_parts_a_line_and_one_point_alone_can_be_seen() -> None:
    one = Series(labels={}, points=[(0.0, 1.0), (10.0, 1.0), (50.0, 1.0)])

    [line] = lines(PANEL, [("a", one)], start=0, end=60, step_s=10, width=500).lines

    assert [len(piece.split()) for piece in line.pieces] == [2, 2]


def test_lines_that_are_always_nothing_are_left_out_and_counted() -> None:
    named = [(f"line {index}", series(index, index)) for index in range(20)]

    drawn = lines(PANEL, named, start=0, end=10, step_s=10, width=500)

    assert [line.name for line in drawn.lines] == [f"line {index}" for index in range(19, 19 - MOST_LINES, -1)]
    assert drawn.left_out == 20 - MOST_LINES


def test_without_any_data_there_are_axes() -> None:
    drawn = lines(PANEL, [], start=0, end=10, step_s=10, width=500)

    assert drawn.lines == ()
    assert [text for _, text in drawn.grid] == ["0", "0.5", "1"]


@pytest.mark.parametrize(("value", "limit"), [(0.0, None), (20.0, "drawn")])
def test_the_limit_is_drawn_where_it_is_within_the_chart(value: float, limit: str | None) -> None:
    drawn = lines(PANEL, [("a", series(value, value))], start=0, end=10, step_s=10, width=500)

    assert (drawn.warn_y is None) == (limit is None)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.312, Unit.RATIO, "31.2 %"),
        (6.4e-16, Unit.RATIO, "0 %"),
        (150_000, Unit.GBP, "£150,000"),
        (0.0023, Unit.SECONDS, "2.3 ms"),
        (90, Unit.SECONDS, "90 s"),
        (90_000, Unit.SECONDS, "25 h"),
        (604_800, Unit.SECONDS, "7 d"),
        (1258, Unit.COUNT, "1,258"),
        (0.5, Unit.COUNT, "0.5"),
    ],
)
def test_a_value_is_written_as_people_read_it(value: float, unit: Unit, text: str) -> None:
    assert shown_as(value, unit) == text


def test_a_verdict_is_that_of_the_limit_that_is_passed() -> None:
    high = number("Title", "Says.", "x", runbook="x", warn=1, bad=5)
    low = number("Title", "Says.", "x", runbook="x", warn=1, bad=0.5, low_is_bad=True)

    assert [verdict(high, value) for value in (0, 1, 5)] == ["good", "warn", "bad"]
    assert [verdict(low, value) for value in (0.4, 0.9, 1)] == ["bad", "warn", "good"]
    assert verdict(number("Title", "Says.", "x", runbook="x"), 100) == ""


def test_a_cell_is_darkest_from_twice_the_bad_on() -> None:
    panel: Panel = number("Title", "Says.", "x", runbook="x", bad=0.1)

    assert [shade(panel, value) for value in (0, 0.1, 0.2, 1)] == [0, 0.5, 1, 1]
