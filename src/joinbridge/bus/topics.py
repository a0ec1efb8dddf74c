"""Which queue gets which message, and what a message is by where it came from: AMQP topic patterns, the same for every broker."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Origin:
    """What a message is by where it came from: the `source` of its Delivery, and the CSP region when the route names one."""

    source: str
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Messages of `exchange` whose routing key fits `pattern`: `*` is one word, `#` any number of them.

    They are `source` to those who read them (the exchange's own name when None); the word of the routing key at
    `region_word`, counted from 0, names the region.
    """

    exchange: str
    pattern: str
    source: str | None = None
    region_word: int | None = None
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_regex", _compile(self.pattern))

    def fits(self, exchange: str, route: str) -> bool:
        """Return whether a message published to `exchange` with the routing key `route` comes through here."""
        return exchange == self.exchange and self._regex.fullmatch(_terminated(route)) is not None

    def origin(self, route: str) -> Origin:
        """Return what a message with the routing key `route` is, given that it fits."""
        words = route.split(".")
        named = self.region_word is not None and self.region_word < len(words)
        return Origin(self.source or self.exchange, words[self.region_word or 0] if named else None)


def find_origin(bindings: Iterable[Binding], exchange: str, route: str) -> Origin | None:
    """Return what the message is by the first of `bindings` that it fits; None when it fits none of them."""
    for binding in bindings:
        if binding.fits(exchange, route):
            return binding.origin(route)
    return None


def estate_bindings(requests: str = "dsp.sr", alerts: str = "csp.alerts") -> tuple[Binding, ...]:
    """Return what joinbridge listens to: all Service Requests and answers of the DSP, and all alerts of every CSP region."""
    return (
        Binding(exchange=requests, pattern="request.#", source="sr.request"),
        Binding(exchange=requests, pattern="response.#", source="sr.response"),
        Binding(exchange=alerts, pattern="*.#", source="csp.alert", region_word=0),
    )


def _compile(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for `pattern`, over words that each end in a full stop."""
    expressions = {"*": r"[^.]*\.", "#": r"(?:[^.]*\.)*"}
    words = pattern.split(".") if pattern else []
    # "#.#" is "#"; as two loops it would only cost time.
    single = [word for at, word in enumerate(words) if word != "#" or words[at - 1 : at] != ["#"]]
    return re.compile("".join(expressions.get(word) or re.escape(word) + r"\." for word in single))


def _terminated(route: str) -> str:
    # An empty routing key has no word, not one empty word.
    return f"{route}." if route else ""
