"""A simulated estate on real brokers: the other side of a deployed sidecar."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from joinbridge.bus.amqp.connecting import AmqpBus
from joinbridge.bus.amqp.link import open_link
from joinbridge.bus.amqp.topology import Exchange, Queue, Tie, Topology
from joinbridge.bus.mqtt.publisher import open_publisher
from joinbridge.bus.mqtt.topics import alert_topics
from joinbridge.bus.topics import Binding
from joinbridge.config import Settings
from joinbridge.errors import ConfigError
from joinbridge.ports import Clock, Publication, Publisher
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.ledger import Ledger
from joinbridge.simulator.link import EstateLink
from joinbridge.simulator.rehearsal import Rehearsal
from joinbridge.simulator.smi import smi_table

AlertsOver = Literal["amqp", "mqtt"]
"""By which protocol the simulated CSPs publish their alerts."""

ESTATE_QUEUE = "simulated-estate"
"""The queue of all that joinbridge sends, for the simulated estate."""


@asynccontextmanager
async def rehearsing(
    settings: Settings, estate: Estate, *, clock: Clock, ledger: Ledger | None, rate: float | None, alerts_over: AlertsOver = "amqp"
) -> AsyncIterator[Rehearsal]:
    """Connect `estate` to RabbitMQ and to its SMI, whose table is made anew; its CSPs' alerts come to MQTT if that is said.

    Raises: ConfigError when no inventory is configured, or no MQTT broker where one is needed; TransportError, InventoryError when a
    service could not be reached.
    """
    if settings.inventory.url is None:
        raise ConfigError("inventory.url is not set: it is where the simulated SMI is kept")
    if alerts_over == "mqtt" and settings.mqtt.url is None:
        raise ConfigError("mqtt.url is not set: it is where the alerts are to be published")
    async with (
        smi_table(settings.inventory.url.get_secret_value()) as smi,
        open_link(settings.amqp, "simulated estate, publishing") as publishing,
        open_link(settings.amqp, "simulated estate, listening") as listening,
    ):
        await smi.create()
        bus = AmqpBus(settings, publishing=publishing, consuming=listening, clock=clock, topology=_topology(settings))
        await bus.declare()
        async with bus.source(ESTATE_QUEUE) as commands, _publisher(settings, bus, alerts_over=alerts_over) as publisher:
            link = EstateLink(estate, publisher, commands, ledger)
            yield Rehearsal(estate=estate, link=link, smi=smi, clock=clock, rate=rate)


@asynccontextmanager
async def _publisher(settings: Settings, bus: AmqpBus, *, alerts_over: AlertsOver) -> AsyncIterator[Publisher]:
    if alerts_over == "amqp":
        yield bus.publisher
        return
    pattern = alert_topics(settings.mqtt.topic)
    async with open_publisher(
        settings.mqtt, client_id=f"{settings.mqtt.client_id}-simulated-estate", topic_of=lambda one: pattern.topic_of(one.route)
    ) as mqtt:
        yield _Parted(bus.publisher, {settings.bus.alerts: mqtt})


class _Parted:
    """A publisher that leaves some exchanges to others."""

    def __init__(self, usual: Publisher, others: Mapping[str, Publisher]) -> None:
        self._usual = usual
        self._others = others

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Publish to all sides at once.

        Raises: TransportError when one of them has not confirmed all; any may have arrived.
        """
        parts: defaultdict[Publisher, list[Publication]] = defaultdict(list)
        for one in publications:
            parts[self._others.get(one.exchange, self._usual)].append(one)
        outcomes = await asyncio.gather(*(side.publish(part) for side, part in parts.items()), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome


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
