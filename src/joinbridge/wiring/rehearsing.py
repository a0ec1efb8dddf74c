"""A simulated estate on real brokers: the other side of a deployed sidecar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from joinbridge.bus.amqp.connecting import AmqpBus
from joinbridge.bus.amqp.link import open_link
from joinbridge.bus.amqp.topology import Exchange, Queue, Tie, Topology
from joinbridge.bus.topics import Binding
from joinbridge.config import Settings
from joinbridge.errors import ConfigError
from joinbridge.ports import Clock
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.ledger import Ledger
from joinbridge.simulator.link import EstateLink
from joinbridge.simulator.rehearsal import Rehearsal
from joinbridge.simulator.smi import smi_table

ESTATE_QUEUE = "simulated-estate"
"""The queue of all that joinbridge sends, for the simulated estate."""


@asynccontextmanager
async def rehearsing(
    settings: Settings, estate: Estate, *, clock: Clock, ledger: Ledger | None, rate: float | None
) -> AsyncIterator[Rehearsal]:
    """Connect `estate` to RabbitMQ and to its SMI, whose table is made anew.

    Raises: ConfigError when no inventory is configured; TransportError, InventoryError when a service could not be reached.
    """
    if settings.inventory.url is None:
        raise ConfigError("inventory.url is not set: it is where the simulated SMI is kept")
    async with (
        smi_table(settings.inventory.url.get_secret_value()) as smi,
        open_link(settings.amqp, "simulated estate, publishing") as publishing,
        open_link(settings.amqp, "simulated estate, listening") as listening,
    ):
        await smi.create()
        bus = AmqpBus(settings, publishing=publishing, consuming=listening, clock=clock, topology=_topology(settings))
        await bus.declare()
        async with bus.source(ESTATE_QUEUE) as commands:
            link = EstateLink(estate, bus.publisher, commands, ledger)
            yield Rehearsal(estate=estate, link=link, smi=smi, clock=clock, rate=rate)


def _topology(settings: Settings) -> Topology:
    """The estate's exchanges, and its queue on joinbridge's."""
    bus = settings.bus
    sent = (bus.commands, bus.events)
    return Topology(
        exchanges=[Exchange(name=name) for name in (bus.service_requests, bus.alerts, *sent, bus.dead)],
        queues=[Queue(name=ESTATE_QUEUE, essence={"x-queue-type": "quorum"}, limits={"x-delivery-limit": 1_000_000})],
        ties=[Tie(source=exchange, destination=ESTATE_QUEUE, key="#") for exchange in sent],
        intake=[ESTATE_QUEUE],
        bindings=[Binding(exchange=exchange, pattern="#") for exchange in sent],
    )
