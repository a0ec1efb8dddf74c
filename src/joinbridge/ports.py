"""The ports: what the service needs of the world, and what each implementation guarantees. Small on purpose."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, Self

from joinbridge.config import Retention
from joinbridge.core.attempt import AttemptKey, Deadline, JoinAttempt
from joinbridge.core.case import Case, Contradiction, DeadlinePassed, Explanation
from joinbridge.core.effects import Effect
from joinbridge.core.evidence import Evidence
from joinbridge.core.facts import DeviceDescription, Sighting
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey, message_key
from joinbridge.core.pair import PairRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as the bus handed it over; `tag` is the source's own handle on it.

    `source` is `sr.request`, `sr.response` or `csp.alert`; `at` is the bus time (the publisher's timestamp, or arrival). `key` is the
    publisher's own, empty when it gave none; `attempts` counts the times it was handed over, this one included, as far as the broker
    knows.
    """

    body: bytes
    source: str
    route: str
    at: datetime
    content_type: str = "application/octet-stream"
    region: str | None = None
    redelivered: bool = False
    tag: int = 0
    key: str = ""
    attempts: int = 1
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


class Source(Protocol):
    """Where deliveries come from. At-least-once: what is not settled when the consumer is lost comes again, `redelivered`.

    Order is kept per route as far as the broker keeps it; a requeued delivery may come later than its successors.
    """

    @property
    def is_live(self) -> bool:
        """Whether a consumer has been there for long enough to be handed what waits: else it says nothing that nothing came."""
        ...

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        """Return up to `limit` deliveries as soon as the source is idle or `limit` is reached, at the latest after `wait`.

        Empty when nothing came. Cancelling loses nothing: what was handed over and not settled is redelivered.
        """
        ...

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Settle deliveries whose effects are committed. Never raises for a lost consumer: they will be redelivered and deduplicated."""
        ...

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Hand deliveries back, to be delivered again."""
        ...

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        """Send one delivery to the dead letters with the reason; settled only once it is safely there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One message to publish: `key` is unique for each effect, so that a consumer can drop the second of two.

    `at` is the publisher's timestamp (the AMQP property); None lets the bus take the moment of arrival. `mandatory` is False where it
    is fine that nobody listens, as for events.
    """

    key: str
    exchange: str
    route: str
    body: bytes
    content_type: str
    at: datetime | None = None
    mandatory: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)


class Publisher(Protocol):
    """Where publications go to."""

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Return when the broker has confirmed every one.

        Raises: UnconfirmedError naming those that were not confirmed, after all have been tried; TransportError when nothing is known of
        any. What was not confirmed may have arrived: publish it again under the same key.
        """
        ...


class Clock(Protocol):
    """The time. Injected everywhere, so that days pass in milliseconds in tests and in the demo."""

    def now(self) -> datetime:
        """Return the present moment, aware UTC; never goes back."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return after `duration` on this clock."""
        ...


class Inventory(Protocol):
    """The Smart Metering Inventory's join relation."""

    async def joined(self, pairs: Sequence[JoinPair]) -> Mapping[JoinPair, bool]:
        """Return what the inventory holds for each of `pairs`; a pair it does not know is not joined."""
        ...

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        """Set the relation if it holds `expected` (None: whatever it holds); return whether anything changed. Idempotent.

        Raises: InventoryConflictError when it holds neither `expected` nor already `joined`; InventoryError when it is unreachable.
        """
        ...


class Devices(Protocol):
    """What the Smart Metering Inventory says of devices."""

    async def described(self, devices: Sequence[DeviceId]) -> Mapping[DeviceId, DeviceDescription]:
        """Return the descriptions of those of `devices` that it knows, read afresh.

        Raises: InventoryError when it is unreachable, or takes too long.
        """
        ...


class DeadLetterStatus(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REQUEUEING = "requeueing"  # it is to be sent again, and nobody knows yet whether it was
    REQUEUED = "requeued"  # it was sent again
    DISMISSED = "dismissed"  # a person decided that nothing is to be done about it


UNSETTLED = (DeadLetterStatus.OPEN, DeadLetterStatus.REQUEUEING)
"""What somebody still has to see to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that could not be processed, with all that is needed to understand it and to send it again.

    `requeue_at` is when somebody last wanted it sent again.
    """

    key: MessageKey
    body: bytes
    content_type: str
    source: str
    route: str
    region: str | None
    reason: str
    offset: int | None
    attempts: int
    first_seen: datetime
    last_seen: datetime
    status: DeadLetterStatus = DeadLetterStatus.OPEN
    requeue_at: datetime | None = None
    settled_at: datetime | None = None

    @classmethod
    def of(cls, delivery: Delivery, reason: str, offset: int | None, *, first_seen: datetime, last_seen: datetime) -> Self:
        """Return `delivery` as a dead letter that died of `reason`, at byte `offset` of its body when there is one place to blame."""
        return cls(
            key=message_key(delivery.body),
            body=delivery.body,
            content_type=delivery.content_type,
            source=delivery.source,
            route=delivery.route,
            region=delivery.region,
            reason=reason,
            offset=offset,
            attempts=delivery.attempts,
            first_seen=first_seen,
            last_seen=last_seen,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One thing that was decided or done: `kind` (e.g. `pair.changed`), `subject` (a RequestID or pair), and the facts as plain JSON."""

    at: datetime
    kind: str
    subject: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All that one batch writes. Attempts and pairs carry the version they were loaded with; 0 for one that is new."""

    attempts: Sequence[JoinAttempt] = ()
    pairs: Sequence[PairRecord] = ()
    kept: Sequence[tuple[DeviceId, Sighting]] = ()
    evidence: Sequence[Evidence] = ()
    devices: Sequence[DeviceDescription] = ()
    effects: Sequence[Effect] = ()
    withheld: bool = False  # shadow mode: effects are recorded as withheld, never carried out
    contradictions: Sequence[Contradiction] = ()
    explanations: Sequence[Explanation] = ()
    dead_letters: Sequence[DeadLetter] = ()
    audit: Sequence[AuditRecord] = ()


class Unit(Protocol):
    """One transaction of the store. Everything in it is committed together when its context ends, or nothing is.

    The number of statements is constant for each method, whatever the number of messages, devices or changes.
    """

    async def fresh(self, keys: Mapping[MessageKey, datetime]) -> set[MessageKey]:
        """Record the messages (with their bus times) in the inbox; return those that were never recorded before."""
        ...

    async def load(self, devices: Collection[DeviceId]) -> Case:
        """Return all that is recorded about `devices` and their pairs' partners: whole for each target in it.

        With a partner (a device that is target or other of a pair or attempt of `devices`) its own attempts, pairs and ledger come too.
        """
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[DeadlinePassed]:
        """Return the deadlines due at `now`, oldest first, at most `limit`. They stay until the attempt that holds them is saved."""
        ...

    async def save(self, changes: Changes) -> None:
        """Write all of `changes`; the audit chain is extended in the order given.

        Raises: StaleVersionError when an attempt or pair, or anything else about a device that these change, was changed by someone else
        since it was loaded; then nothing is written.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedEffect:
    """An effect of the outbox, decided at `since` and leased to one relay; `tries` counts how often it was leased before."""

    effect: Effect
    since: datetime
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTry:
    """The effect `key` could not be carried out, because of `error`; it is to be tried again at `until`."""

    key: str
    until: datetime
    error: str


class Store(Protocol):
    """Where attempts, pairs, evidence, deadlines, the outbox, the inbox and the audit chain live.

    Raises: StoreError from every method when the database cannot be reached.
    """

    def transaction(self) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction; leaving it by an exception rolls everything back."""
        ...

    async def watched(self) -> AbstractSet[DeviceId]:
        """Return every device that is target or other of an attempt that is open or has a deadline."""
        ...

    async def next_deadline(self) -> datetime | None:
        """Return when the earliest deadline is due."""
        ...

    async def contradictions(self, since: datetime) -> Mapping[str, int]:
        """Return how often each rule was contradicted since `since`, less what was explained since."""
        ...


class Outbox(Protocol):
    """The effects that are owed, oldest first; effects on one pair keep their order."""

    async def lease(self, now: datetime, limit: int, lease: timedelta) -> Sequence[OwedEffect]:
        """Return up to `limit` effects that are owed now, and keep them from other relays for `lease`.

        An update of the inventory that a newer word on its pair has overtaken is owed no more, and is not returned.
        """
        ...

    async def settle(self, keys: Sequence[str], now: datetime, leased_until: datetime) -> None:
        """Record that the effects were carried out; those that another relay has leased since are passed by."""
        ...

    async def next_due(self) -> datetime | None:
        """Return when the next effect can be leased; None when none is owed."""
        ...

    async def postpone(self, failures: Sequence[FailedTry], leased_until: datetime) -> None:
        """Record failed tries; each effect, and later ones on the same pair, wait until then. Others' leases are left as they are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows a portion of housekeeping deleted; `done` when there is nothing left to look at before things get older."""

    inbox: int = 0
    ledger: int = 0
    evidence: int = 0
    outbox: int = 0
    dead_letters: int = 0
    done: bool = True


class Housekeeping(Protocol):
    """Deletes what nobody needs any more. The audit chain is never touched."""

    async def prune(self, now: datetime, retention: Retention) -> Pruned:
        """Delete a portion of what is older than `retention` says, in short transactions; call it again until it is `done`.

        What an open attempt, a pair that is not at rest or an effect that is owed may need stays, whatever its age.

        Raises: StoreError when the database cannot be reached; what was deleted until then stays deleted.
        """
        ...


class Interventions(Protocol):
    """What a person may change by hand. Each change is an entry of the audit chain: who, why, from what to what.

    Raises: StoreError from every method when the database cannot be reached.
    """

    async def move_deadline(self, key: AttemptKey, deadline: Deadline, due_at: datetime, *, by: str, reason: str) -> JoinAttempt:
        """Let `deadline` be due at another moment; return the attempt as it is then.

        Raises: StaleVersionError when the attempt does not hold that very deadline any more.
        """
        ...

    async def cancel_deadline(self, key: AttemptKey, deadline: Deadline, *, by: str, reason: str) -> JoinAttempt:
        """Let `deadline` never be due; return the attempt as it is then.

        Raises: StaleVersionError when the attempt does not hold that very deadline any more; StoreRefusedError when it is the last one of
        an open attempt, which then would stay open for ever.
        """
        ...

    async def begin_requeue(self, key: MessageKey, *, by: str, reason: str) -> DeadLetter | None:
        """Record that a dead letter is to be sent again, and let its message count as never seen; return the letter to be sent.

        One that is `requeueing` already is returned as it is: whoever began did not finish. None when there is no such letter.

        Raises: StaleVersionError when it is settled.
        """
        ...

    async def finish_requeue(self, letter: DeadLetter) -> bool:
        """Record that `letter`, which `begin_requeue` returned, was sent again; call it once the bus has confirmed that.

        Return False, and change nothing, when the letter is not the same any more: its message has come back by then, or somebody else
        has finished.
        """
        ...

    async def dismiss(self, key: MessageKey, *, by: str, reason: str) -> bool:
        """Settle a dead letter without sending it again; return whether there was an open one."""
        ...
