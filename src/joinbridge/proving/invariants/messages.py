"""Invariants 1, 3 and 10: what became of the messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from joinbridge.core.facts import Sighting
from joinbridge.core.ids import MessageKey, message_key
from joinbridge.core.relevance import DECISIVE
from joinbridge.ports import Delivery
from joinbridge.proving.history import History
from joinbridge.proving.ledger import Acknowledged
from joinbridge.service.reading import read
from joinbridge.wire.facts import Reading

_READING = Reading()


def every_message_is_applied_or_dead(history: History) -> Iterator[str]:
    """1: what the bus confirmed to the estate was settled; what decides is in the inbox, what cannot be read in the dead letters.

    What decides nothing alone is in the inbox if it is about something that was open all the time, where there is one sidecar to know
    that; and nothing is judged twice.
    """
    if not history.rested:
        yield "it never came to rest: something waits on the bus, or is owed, or has a deadline"
    settled = {one.delivery.key: one for one in history.ledger.settled}
    for publication in history.ledger.sent:
        one = settled.get(publication.key)
        if one is None:
            yield f"{publication.key} was confirmed and never settled"
        elif not one.rejected and message_key(publication.body) not in history.stored.inbox:
            wrong = _not_recorded(one, history)
            if wrong is not None:
                yield f"{publication.key} {wrong}"
        elif one.rejected and not any(letter.body == publication.body for letter in history.dead_on_bus):
            yield f"{publication.key} was rejected and is not among the dead letters"
    # What the inventory said when it was asked has no message.
    sighted = (decided.event.key for decided in history.decided if isinstance(decided.event, Sighting))
    judged = Counter(key for key in sighted if not key.startswith("inventory:"))
    yield from (f"{key} was judged {times} times" for key, times in judged.items() if times > 1)


def no_acknowledgement_precedes_its_commit(history: History) -> Iterator[str]:
    """3: by the time a message was acknowledged, a transaction that took it for seen was committed."""
    first: dict[MessageKey, int] = {}
    for number, commit in enumerate(history.ledger.commits, start=1):
        for key in commit.fresh:
            first.setdefault(key, number)
    for one in history.ledger.settled:
        key = message_key(one.delivery.body)
        committed = min((first[each] for each in (key, MessageKey(f"{key}#dead")) if each in first), default=None)
        early = committed is not None and not one.rejected and one.commits < committed
        if early and _must_be_recorded(one.delivery):  # a copy of what concerned nothing may concern something later
            yield f"{one.delivery.key} was acknowledged after {one.commits} commits, and committed as number {committed}"


def a_dead_letter_says_what_happened(history: History) -> Iterator[str]:
    """10: reason, attempts, first and last seen, route; in the store and on the bus."""
    for key, (reason, attempts, first_seen, last_seen, route) in history.stored.dead.items():
        if not reason or attempts < 1 or not route or first_seen > last_seen:
            yield f"dead letter {key}: {reason!r}, {attempts} attempts, {first_seen} to {last_seen}, route {route!r}"
    for letter in history.dead_on_bus:
        if not letter.reason or letter.attempts < 1 or not letter.route or letter.first_seen > letter.last_seen:
            yield f"dead letter on the bus: {letter.reason!r}, {letter.attempts} attempts, route {letter.route!r}"
        if letter.reason.startswith("internal error"):
            yield f"a message was too much for us: {letter.reason}"


def _must_be_recorded(delivery: Delivery) -> bool:
    told = read(delivery, _READING)
    return told.letter is not None or any(isinstance(fact, DECISIVE) for fact in told.facts)


def _not_recorded(one: Acknowledged, history: History) -> str | None:
    """Return what is wrong with an acknowledged message that is not in the inbox under its own name; None if it may be so."""
    told = read(one.delivery, _READING)
    if told.letter is not None:
        return None if told.letter.key in history.stored.dead else "cannot be read and is not among the dead letters"
    if any(isinstance(fact, DECISIVE) for fact in told.facts):
        return f"says {[type(fact).__name__ for fact in told.facts]} and was never recorded"
    if history.sidecars > 1:
        return None  # what another one has opened is not watched by whoever was handed this
    concerned = [fact.device for fact in told.facts if fact.device is not None and history.was_open(fact.device, one.since, one.commits)]
    if concerned:
        return f"is about {concerned[0]}, on which an attempt was open all the time, and was never recorded"
    return None  # nothing that was open was concerned
