"""Which MQTT topics are read, and what a message is by its topic. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from joinbridge.bus.topics import Origin

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPattern:
    """The topics that fit `topic`, where each `{name}` stands for one whole level, such as `csp/{region}/alerts/{code}`.

    Their messages are `source` to those who read them; `route` says how the routing key is made of the levels, as RabbitMQ would have it.
    """

    topic: str
    source: str
    route: str
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = _PLACEHOLDER.split(self.topic)
        # Every second part is the name of a placeholder.
        expression = "".join(f"(?P<{part}>[^/]*)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        object.__setattr__(self, "_regex", re.compile(expression))

    @property
    def filter(self) -> str:
        """What to subscribe to."""
        return _PLACEHOLDER.sub("+", self.topic)

    def topic_of(self, route: str) -> str:
        """Return the topic from which a message has this route: the other way round."""
        names = _PLACEHOLDER.findall(self.route)
        return self.topic.format_map(dict(zip(names, route.split(".", len(names) - 1), strict=True)))

    def read(self, topic: str) -> tuple[Origin, str] | None:
        """Return what a message of `topic` is, and its route; None when the topic does not fit."""
        found = self._regex.fullmatch(topic)
        if found is None:
            return None
        levels = found.groupdict()
        return Origin(self.source, levels.get("region")), self.route.format_map(levels)


def alert_topics(topic: str = "csp/{region}/alerts/{code}") -> TopicPattern:
    """Return the pattern of the CSPs' alerts, with the same routes as on the alert exchange: `north.8F12`."""
    return TopicPattern(topic=topic, source="csp.alert", route="{region}.{code}")


def read_topic(patterns: Iterable[TopicPattern], topic: str) -> tuple[Origin, str]:
    """Return what a message of `topic` is, and its route, by the first of `patterns` that it fits.

    A session keeps the subscriptions of an earlier configuration: what fits no pattern is of the source `mqtt`, which nobody trusts.
    """
    for pattern in patterns:
        if (found := pattern.read(topic)) is not None:
            return found
    return Origin("mqtt"), topic.replace("/", ".")
