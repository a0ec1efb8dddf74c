"""Dead letters on their way through a broker and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joinbridge.bus.letters import from_delivery, to_publication
from joinbridge.core.ids import message_key
from joinbridge.errors import DecodeError
from joinbridge.ports import DeadLetter, Delivery, Publication

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
HELD = Delivery(
    body=b"\x01\x02",
    source="csp.alert",
    route="north.8F12",
    at=MOMENT,
    region="north",
    attempts=3,
    key="k",
    headers={"traceparent": "00-1-2-01"},
)


def as_read(publication: Publication) -> Delivery:
    """What a consumer of the dead letters gets for `publication`."""
    return Delivery(
        body=publication.body,
        source="joinbridge.dead",
        route=publication.route,
        at=publication.at or MOMENT,
        content_type=publication.content_type,
        headers=publication.headers,
    )


@given(
    reason=st.text(),
    offset=st.none() | st.integers(0, 2**31),
    region=st.none() | st.sampled_from(["north", "south"]),
    attempts=st.integers(1, 99),
    waited=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)),
)
def test_a_dead_letter_comes_back_as_it_was_written(
    reason: str, offset: int | None, region: str | None, attempts: int, waited: timedelta
) -> None:
    held = replace(HELD, region=region, attempts=attempts)
    letter = DeadLetter.of(held, reason, offset, first_seen=MOMENT, last_seen=MOMENT + waited)

    read = from_delivery(as_read(to_publication(letter, held, "joinbridge.dead")))

    assert read == letter


def test_a_dead_letter_keeps_what_its_message_came_with() -> None:
    letter = DeadLetter.of(HELD, "poison", None, first_seen=MOMENT, last_seen=MOMENT)

    publication = to_publication(letter, HELD, "joinbridge.dead")

    assert (publication.key, publication.at, publication.route) == ("k", MOMENT, "north.8F12")
    assert publication.headers["traceparent"] == "00-1-2-01"


def test_a_dead_letter_without_a_key_is_known_by_its_body() -> None:
    held = replace(HELD, key="")
    letter = DeadLetter.of(held, "poison", None, first_seen=MOMENT, last_seen=MOMENT)

    assert to_publication(letter, held, "joinbridge.dead").key == message_key(held.body)


@pytest.mark.parametrize("broken", ["source", "reason", "attempts", "first-seen", "last-seen"])
def test_a_message_that_lacks_a_fact_is_no_dead_letter(broken: str) -> None:
    letter = DeadLetter.of(HELD, "poison", 7, first_seen=MOMENT, last_seen=MOMENT)
    headers = dict(to_publication(letter, HELD, "joinbridge.dead").headers)
    del headers[f"x-joinbridge-{broken}"]

    with pytest.raises(DecodeError, match="not a dead letter"):
        from_delivery(replace(HELD, headers=headers))


@pytest.mark.parametrize("broken", ["offset", "attempts", "first-seen", "last-seen"])
def test_a_message_with_a_malformed_fact_is_no_dead_letter(broken: str) -> None:
    letter = DeadLetter.of(HELD, "poison", 7, first_seen=MOMENT, last_seen=MOMENT)
    headers = {**to_publication(letter, HELD, "joinbridge.dead").headers, f"x-joinbridge-{broken}": "soon"}

    with pytest.raises(DecodeError, match="not a dead letter"):
        from_delivery(replace(HELD, headers=headers))


def test_a_message_with_a_time_of_no_zone_is_no_dead_letter() -> None:
    letter = DeadLetter.of(HELD, "poison", 7, first_seen=MOMENT, last_seen=MOMENT)
    headers = {**to_publication(letter, HELD, "joinbridge.dead").headers, "x-joinbridge-last-seen": "2026-03-01T12:00:00"}

    with pytest.raises(DecodeError, match="no time zone"):
        from_delivery(replace(HELD, headers=headers))


def test_the_same_body_has_the_same_key_and_another_body_another() -> None:
    assert message_key(b"a") == message_key(b"a")
    assert message_key(b"a") != message_key(b"b")
