"""Numbers, times and the words of the field as the report writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

LEGS: Mapping[str, str] = {
    "radio": "on the radio of the home",
    "wan": "on the wide-area network",
    "dsp": "inside the DSP",
    "user": "between DSP and User",
    "bus": "on the bus, corrupted",
}
"""Where an answer got lost, as the end of a sentence, in the order of its way."""

_SPELT = ("no", "one", "two", "three", "four", "five", "six")
_CODES: Mapping[int, str] = {
    1: "invalid message code",
    2: "invalid method or role",
    3: "incompatible with an existing entry",
    4: "Device Log full",
    5: "write failure",
    12: "no link key with the partner",
    13: "no answer from the partner",
}


def number(value: int) -> str:
    """Return a number with its thousands apart."""
    return f"{value:,}"


def counted(value: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number(value)} {singular if value == 1 else plural or singular + 's'}"


def moment(at: datetime) -> str:
    """Return a moment as it stands in a column."""
    return f"{at.day} {at:%b %H:%M}"


def exactly(at: datetime) -> str:
    """Return a moment with its year and seconds."""
    return f"{at.day} {at:%b %Y %H:%M:%S}"


def span(time: timedelta) -> str:
    """Return a span of time in at most two units."""
    seconds = round(time.total_seconds())
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def stretch(began: datetime, ended: datetime) -> str:
    """Return how long a run was, in words: two weeks, three days."""
    days = max(round((ended - began) / timedelta(days=1)), 1)
    value, unit = (days // 7, "week") if days % 7 == 0 else (days, "day")
    spelt = _SPELT[value] if value < len(_SPELT) else str(value)
    return f"{spelt} {unit}{'' if value == 1 else 's'}"


def code(value: int | None, *, unjoin: bool) -> str:
    """Return a response code of a Join or Unjoin with its meaning, where it has a short one."""
    meaning = ("not in the Device Log" if value == 1 else None) if unjoin else _CODES.get(value or 0)
    return f"code {value}" if meaning is None else f"code {value}, {meaning}"
