"""What joinbridge needs on the broker: its own queues and exchanges, and how they hang on the estate's.

joinbridge is a tap: its queues get a copy of what passes through the estate's exchanges, and nothing is taken from anyone. Everything of
its own is durable; queues are quorum queues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from joinbridge.bus.topics import Binding, estate_bindings
from joinbridge.config import Settings

HASH_EXCHANGE = "x-consistent-hash"
HASH_PLUGIN = "rabbitmq_consistent_hash_exchange"

_UNLIMITED = 1_000_000_000
"""For the dead letters: RabbitMQ 4 drops what was handed over twenty times where nothing else is said, and 3.10 knows no word for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A durable exchange; `own` is False for those of the estate."""

    name: str
    kind: str = "topic"
    own: bool = True
    arguments: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A durable quorum queue. `essence` are the arguments that only a declaration can give; `limits` can come from a policy as well."""

    name: str
    essence: Mapping[str, str | int]
    limits: Mapping[str, str | int]

    @property
    def arguments(self) -> dict[str, str | int]:
        """All arguments of the declaration."""
        return {**self.essence, **self.limits}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """A binding of `destination`, a queue or (with `to_exchange`) an exchange, to the exchange `source`."""

    source: str
    destination: str
    key: str
    to_exchange: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """All of it, in the order in which it can be declared: exchanges, queues, ties."""

    exchanges: Sequence[Exchange]
    queues: Sequence[Queue]
    ties: Sequence[Tie]
    intake: Sequence[str]
    bindings: Sequence[Binding]


def topology(settings: Settings) -> Topology:
    """Return what `settings` ask for."""
    bus, amqp = settings.bus, settings.amqp
    bindings = estate_bindings(bus.service_requests, bus.alerts)
    divided = amqp.partitions > 1
    intake = [f"{amqp.queue}.{number}" for number in range(amqp.partitions)] if divided else [amqp.queue]
    exchanges = [
        *(Exchange(name=name, own=False) for name in dict.fromkeys(binding.exchange for binding in bindings)),
        *(Exchange(name=name) for name in (bus.commands, bus.events, bus.dead)),
    ]
    if divided:
        exchanges.append(Exchange(name=amqp.queue, kind=HASH_EXCHANGE, arguments={"hash-header": amqp.partition_header}))
    return Topology(
        exchanges=exchanges,
        queues=[_dead_letters(settings), *(_intake(settings, name) for name in intake)],
        ties=[
            Tie(source=bus.dead, destination=bus.dead, key="#"),
            # The partitions come first: an exchange that leads nowhere yet would lose what it is given.
            *(Tie(source=amqp.queue, destination=name, key="1") for name in intake if divided),
            *(Tie(source=one.exchange, destination=amqp.queue, key=one.pattern, to_exchange=divided) for one in bindings),
        ],
        intake=intake,
        bindings=bindings,
    )


def _intake(settings: Settings, name: str) -> Queue:
    return Queue(
        name=name,
        essence=dict(_essence(alone=settings.amqp.partitions > 1)),
        limits={
            "x-delivery-limit": settings.amqp.delivery_limit,
            "x-dead-letter-exchange": settings.bus.dead,
            # At least once needs reject-publish: the queue keeps a dead letter until the other one has it, and must not drop it meanwhile.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": settings.amqp.max_length,
        },
    )


def _dead_letters(settings: Settings) -> Queue:
    return Queue(
        name=settings.bus.dead,
        essence=dict(_essence()),
        limits={"x-delivery-limit": _UNLIMITED, "x-overflow": "reject-publish", "x-max-length": settings.amqp.max_length},
    )


def _essence(*, alone: bool = False) -> Iterator[tuple[str, str | int]]:
    yield "x-queue-type", "quorum"
    if alone:
        yield "x-single-active-consumer", True
