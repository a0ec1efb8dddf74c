"""Column types: what goes in comes out, alike on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Dialect, make_url

from joinbridge.store.columns import PlainText, UtcTime, plain

SQLITE = make_url("sqlite://").get_dialect()()
DIALECTS: list[Dialect] = [SQLITE, make_url("postgresql://").get_dialect()()]
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_moment_comes_back_in_utc(dialect: Dialect) -> None:
    column = UtcTime()
    paris = timezone(timedelta(hours=1))

    stored = column.process_bind_param(NOON.astimezone(paris) + timedelta(microseconds=7), dialect)
    back = column.process_result_value(stored, dialect)

    assert back == NOON + timedelta(microseconds=7)
    assert back is not None
    assert back.utcoffset() == timedelta(0)
    assert column.process_bind_param(None, dialect) is None
    assert column.process_result_value(None, dialect) is None


def test_text_of_moments_sorts_as_the_moments_do() -> None:
    moments = [NOON - timedelta(days=400), NOON, NOON + timedelta(microseconds=1), NOON + timedelta(seconds=1)]

    stored = [UtcTime().process_bind_param(moment, SQLITE) for moment in moments]

    assert stored == sorted(str(text) for text in stored)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcTime().process_bind_param(NOON.replace(tzinfo=None), SQLITE)


def test_text_from_outside_is_made_fit_for_every_database() -> None:
    assert plain("naïve → fine") == "naïve → fine"
    assert plain("a\0b") == "a\N{REPLACEMENT CHARACTER}b"
    assert plain("a\ud800b") == "a?b"
    assert PlainText().process_bind_param("a\0b", SQLITE) == "a\N{REPLACEMENT CHARACTER}b"
    assert PlainText().process_bind_param(None, SQLITE) is None
