"""What a dead letter looks like on a broker: the body as it came, and beside it in headers why it is dead and what it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from joinbridge.core.ids import message_key
from joinbridge.errors import DecodeError
from joinbridge.ports import DeadLetter, Delivery, Publication

_PREFIX = "x-joinbridge-"


def to_publication(letter: DeadLetter, delivery: Delivery, exchange: str) -> Publication:
    """Return `letter` to be published on `exchange`, under the route, the time and the headers that `delivery` came with."""
    facts = {
        "source": letter.source,
        "region": letter.region,
        "reason": letter.reason,
        "offset": letter.offset,
        "attempts": letter.attempts,
        "first-seen": letter.first_seen.isoformat(),
        "last-seen": letter.last_seen.isoformat(),
    }
    ours = {f"{_PREFIX}{name}": str(fact) for name, fact in facts.items() if fact is not None}
    return Publication(
        key=delivery.key or letter.key,
        exchange=exchange,
        route=letter.route,
        body=letter.body,
        content_type=letter.content_type,
        at=delivery.at,
        headers={**delivery.headers, **ours},
    )


def to_requeue(letter: DeadLetter, queue: str) -> Publication:
    """Return `letter` to be published straight to joinbridge's own `queue`, past the estate's exchanges: nobody else asked for it again.

    The headers say what it was, for `as_it_was`. Its time is when it was first seen, since its own is not kept.
    """
    facts = {"source": letter.source, "region": letter.region, "route": letter.route}
    tried_at = "" if letter.requeue_at is None else letter.requeue_at.isoformat()
    return Publication(
        key=f"requeue:{letter.key}:{tried_at}",
        exchange="",
        route=queue,
        body=letter.body,
        content_type=letter.content_type,
        at=letter.first_seen,
        headers={f"{_PREFIX}{name}": fact for name, fact in facts.items() if fact is not None},
    )


def as_it_was(delivery: Delivery) -> Delivery:
    """Return a delivery that came straight to joinbridge's queue as it came the first time, if it is a dead letter that was sent again."""
    facts = {name.removeprefix(_PREFIX): value for name, value in delivery.headers.items() if name.startswith(_PREFIX)}
    if "source" not in facts or "route" not in facts:
        return delivery
    kept = {name: value for name, value in delivery.headers.items() if not name.startswith(_PREFIX)}
    return replace(delivery, source=facts["source"], route=facts["route"], region=facts.get("region"), headers=kept)


def from_delivery(delivery: Delivery) -> DeadLetter:
    """Return the dead letter that was read from the dead letters as `delivery`.

    Raises: DecodeError when it is not one of ours: a header is missing or malformed.
    """
    facts = {name.removeprefix(_PREFIX): value for name, value in delivery.headers.items() if name.startswith(_PREFIX)}
    try:
        return DeadLetter(
            key=message_key(delivery.body),
            body=delivery.body,
            content_type=delivery.content_type,
            source=facts["source"],
            route=delivery.route,
            region=facts.get("region"),
            reason=facts["reason"],
            offset=int(facts["offset"]) if "offset" in facts else None,
            attempts=int(facts["attempts"]),
            first_seen=_moment(facts["first-seen"]),
            last_seen=_moment(facts["last-seen"]),
        )
    except (KeyError, ValueError) as exc:
        raise DecodeError(f"not a dead letter of joinbridge: {exc}") from exc


def _moment(text: str) -> datetime:
    """Return the moment. Raises: ValueError when it is none, or does not say in which zone it is."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone: {text!r}")
    return moment
