"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from joinbridge.ops.wording import code, counted, exactly, moment, span, stretch
from support.demo_reports import MONDAY, after


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(milliseconds=400), "under 1 s"),
        (timedelta(seconds=89), "89 s"),
        (timedelta(seconds=90), "2 min"),
        (timedelta(minutes=89), "89 min"),
        (timedelta(minutes=90), "1 h 30 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=48), "2 d"),
        (timedelta(days=5, hours=11), "5 d 11 h"),
    ],
)
def test_a_span_has_at_most_two_units(time: timedelta, said: str) -> None:
    assert span(time) == said


@pytest.mark.parametrize(("days", "said"), [(0.1, "one day"), (3, "three days"), (7, "one week"), (14, "two weeks"), (10, "10 days")])
def test_a_stretch_is_spelt_where_it_is_short(days: float, said: str) -> None:
    assert stretch(MONDAY, after(days=days)) == said


def test_moments_are_short_in_columns_and_whole_elsewhere() -> None:
    assert moment(after(hours=8, minutes=5)) == "2 Mar 08:05"
    assert exactly(after(hours=8, minutes=5, seconds=9)) == "2 Mar 2026 08:05:09"


def test_a_noun_agrees_with_its_number() -> None:
    assert [counted(n, "join") for n in (0, 1, 1258)] == ["0 joins", "1 join", "1,258 joins"]
    assert counted(2, "entry", "entries") == "2 entries"


def test_a_code_means_different_things_for_a_join_and_an_unjoin() -> None:
    assert code(4, unjoin=False) == "code 4, Device Log full"
    assert code(1, unjoin=True) == "code 1, not in the Device Log"
    assert code(99, unjoin=False) == "code 99"
