"""From a delivery to what it says: sightings, or the reason why it cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from joinbridge.core.facts import Fact, Sighting
from joinbridge.core.ids import MessageKey, message_key
from joinbridge.errors import DecodeError
from joinbridge.ports import DeadLetter, Delivery
from joinbridge.wire.facts import Reading, facts_of
from joinbridge.wire.message import decode_message


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A delivery and what it says; `letter` is set instead when it says nothing that can be understood.

    `key` is the name under which it counts as seen. A message that cannot be read has another one than it will have once it can be.
    """

    delivery: Delivery
    key: MessageKey
    sightings: tuple[Sighting, ...] = ()
    letter: DeadLetter | None = None

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What it says."""
        return tuple(s.fact for s in self.sightings)


def read(delivery: Delivery, reading: Reading) -> Read:
    """Return what `delivery` says. Total: what cannot be decoded becomes a dead letter with reason, offset and route."""
    key = message_key(delivery.body)
    try:
        told = facts_of(decode_message(delivery.body), reading)
    except DecodeError as error:
        letter = DeadLetter.of(delivery, error.reason, error.offset, first_seen=delivery.at, last_seen=delivery.at)
        # The store adds up; the broker's count would add those before it once more.
        return Read(delivery=delivery, key=MessageKey(f"{key}#dead"), letter=replace(letter, attempts=1))
    sightings = tuple(
        Sighting(
            fact=one.fact,
            key=key if number == 0 else MessageKey(f"{key}#{number}"),
            at=delivery.at,
            source=delivery.source,
            region=delivery.region,
            authenticity=one.authenticity,
        )
        for number, one in enumerate(told)
    )
    return Read(delivery=delivery, key=key, sightings=sightings)
