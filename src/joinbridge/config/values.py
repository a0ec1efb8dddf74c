"""The values that settings have: durations, words, identifiers."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from joinbridge.core.ids import Eui64, parse_eui64
from joinbridge.core.rules import RULES
from joinbridge.errors import DecodeError

LONGEST = timedelta(days=3660)
"""Ten years: longer than anybody waits, and short enough to be added to any moment."""


def _eui64(text: str) -> Eui64:
    try:
        return parse_eui64(text)
    except DecodeError as error:
        raise ValueError(error.reason) from error


def _sensible(duration: timedelta) -> timedelta:
    if not timedelta(0) < duration <= LONGEST:
        raise ValueError(f"must be longer than nothing and at most {LONGEST.days} days")
    return duration


def _number_in_text(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _seconds(duration: timedelta) -> float:
    seconds = duration.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _words_in_text(value: object) -> object:
    return [word for word in map(str.strip, value.split(",")) if word] if isinstance(value, str) else value


def _rule(name: str) -> str:
    if name not in {rule.name for rule in RULES}:
        raise ValueError("there is no such rule; `joinbridge rules` lists those there are")
    return name


Duration = Annotated[
    timedelta,
    BeforeValidator(_number_in_text),
    AfterValidator(_sensible),
    PlainSerializer(_seconds, return_type=int | float, when_used="json"),
]
"""Seconds, or ISO 8601 such as `PT90M` or `P7D`."""

Words = Annotated[frozenset[str], BeforeValidator(_words_in_text)]

EuiText = Annotated[str, AfterValidator(_eui64)]

RuleName = Annotated[str, AfterValidator(_rule)]
