"""What the rules of evidence find in one message about one pair."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from joinbridge.core import facts
from joinbridge.core.attempt import JoinAttempt, opened
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.facts import Authenticity, DeviceDescription, Fact, JoinRequested, Sighting
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.core.policy import Policy
from joinbridge.core.rules import BY_FACT, PairContext
from joinbridge.core.vocabulary import DeviceType
from support.home import ESME, START, TYPES, after, pair, request_id

TRUSTED = "csp.alert"
NOT_TRUSTED = "some.queue"

Said = list[tuple[int, Polarity, Grade]]
"""Row, polarity and grade of each finding."""


def asked(fact: JoinRequested, at: datetime = START) -> JoinAttempt:
    """Return the attempt that a request seen at `at` opens."""
    return opened(fact, at)


def about(
    *attempts: JoinAttempt, of: JoinPair | None = None, types: Iterable[DeviceId] = TYPES, policy: Policy | None = None
) -> PairContext:
    """Return the context of a pair: the attempts on its target, and the devices of which the inventory told the type."""
    return PairContext(
        pair=of or pair(),
        attempts=attempts,
        devices={device: DeviceDescription(device, TYPES[device]) for device in types},
        policy=policy or Policy(),
    )


def sighted(
    fact: Fact, *, at: datetime | None = None, source: str = TRUSTED, authenticity: Authenticity = Authenticity.CHANNEL
) -> Sighting:
    """Return the fact as the bus showed it, an hour after the start of the story unless told otherwise."""
    return Sighting(fact=fact, key=MessageKey("m"), at=at or after(hours=1), source=source, authenticity=authenticity)


def findings(
    fact: Fact,
    context: PairContext,
    *,
    at: datetime | None = None,
    source: str = TRUSTED,
    authenticity: Authenticity = Authenticity.CHANNEL,
) -> list[Evidence]:
    """Return what every rule that reads such facts finds."""
    sighting = sighted(fact, at=at, source=source, authenticity=authenticity)
    found = (rule.apply(sighting, context) for rule in BY_FACT.get(type(fact), ()))
    return [evidence for evidence in found if evidence is not None]


def said(found: Iterable[Evidence]) -> Said:
    """Return what the table of evidence has of each finding."""
    return [(e.row, e.polarity, e.grade) for e in found]


def event_log(*logged: tuple[datetime, int, int | None], target: DeviceId = ESME) -> facts.EventLogRead:
    """The device answers a read of its event log: moment, code, and the message code of the HAN command it speaks of."""
    key = request_id(9_999_999_999_999, target=target)
    entries = tuple(facts.LoggedEvent(at, code, command) for at, code, command in logged)
    return facts.EventLogRead(business_key=key, wire_key=key, kind=facts.LogKind.EVENT, entries=entries)


def alert(code: int, *, device: DeviceId = ESME, told_at: datetime | None = None) -> facts.DeviceAlerted:
    return facts.DeviceAlerted(device=device, code=code, device_time=told_at)


def listed_as(device_type: DeviceType | None, other: DeviceId, *, target: DeviceId = ESME) -> facts.DeviceLogRead:
    """The device answers a read of its Device Log, with the other device as a device of some type."""
    key = request_id(50, target=target)
    return facts.DeviceLogRead(business_key=key, wire_key=key, entries=(facts.LogEntry(other, device_type),))
