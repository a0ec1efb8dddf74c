"""Make the topology hold on a broker, or say what keeps it from holding and what to do about it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiormq.abc import AbstractChannel
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ConnectionClosed,
)

from joinbridge.bus.amqp.link import Link
from joinbridge.bus.amqp.outcome import close_quietly, transport_errors
from joinbridge.bus.amqp.topology import HASH_EXCHANGE, HASH_PLUGIN, Exchange, Queue, Tie, Topology
from joinbridge.errors import ConfigError, TransportError
from joinbridge.findings import Finding, Severity

ANSWER_TIMEOUT_S = 10.0

Operation = Callable[[AbstractChannel], Awaitable[object]]

_REASON = re.compile(r"(?P<quote>['\"]?)[A-Z_]{4,} - (?P<words>.*)(?P=quote)$", re.DOTALL)


async def declare(link: Link, wanted: Topology, *, estate: bool) -> None:
    """Create what is missing of `wanted`; the estate's exchanges only if `estate`. Idempotent.

    Raises: ConfigError that names each thing the broker has otherwise or refuses, with the fix; TransportError when it cannot be reached.
    """
    findings: list[Finding] = []
    for exchange in wanted.exchanges:
        if exchange.own or estate:
            findings += await _exchange_declared(link, exchange)
        else:
            findings += await _exchange_there(link, exchange)
    for queue in wanted.queues:
        findings += await _queue_declared(link, queue)
    if not findings:  # what is not there cannot be bound
        for tie in wanted.ties:
            findings += await _bound(link, tie)
    _refuse(findings)


async def check(link: Link, wanted: Topology) -> None:
    """Check that `wanted` is there, and create nothing; bindings cannot be seen over AMQP.

    Raises: ConfigError and TransportError as `declare` does.
    """
    _refuse(await differences(link, wanted))


async def differences(link: Link, wanted: Topology) -> list[Finding]:
    """Return what is missing of `wanted`, and what differs from it. Creates nothing.

    Raises: TransportError when the broker cannot be reached.
    """
    findings: list[Finding] = []
    for exchange in wanted.exchanges:
        findings += await _exchange_there(link, exchange)
    for queue in wanted.queues:
        findings += await _queue_there(link, queue)
    return findings


def _refuse(findings: Sequence[Finding]) -> None:
    errors = [one for one in findings if one.severity is Severity.ERROR]
    if errors:
        raise ConfigError("\n".join(f"{one.what}: {one.detail}; {one.fix}" for one in errors))


async def attempt(link: Link, what: str, operation: Operation) -> Exception | None:
    """Do `operation` on a channel of its own, which a refusal closes; return what the broker refused it with, or None.

    Raises: TransportError when the broker cannot be reached or does not answer.
    """
    try:
        with transport_errors(what):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                channel = await link.channel(confirms=False)
                try:
                    await operation(channel)
                finally:
                    await close_quietly(channel)
    except TransportError as error:
        match error.__cause__:
            case ChannelNotFoundEntity() | ChannelPreconditionFailed() | ChannelAccessRefused() | ChannelLockedResource() as refusal:
                return refusal
            case ConnectionClosed() as refusal if "unknown exchange type" in str(refusal) or "COMMAND_INVALID" in str(refusal):
                return refusal
        raise
    return None


def in_words(refusal: Exception) -> str:
    """Return what the broker said, without its codes."""
    found = _REASON.search(str(refusal))
    return found["words"] if found else str(refusal)


async def _exchange_declared(link: Link, exchange: Exchange) -> list[Finding]:
    what = f"exchange {exchange.name}"
    refusal = await attempt(link, what, _declaration(exchange))
    if refusal is None:
        return []
    if exchange.kind == HASH_EXCHANGE and not isinstance(refusal, ChannelPreconditionFailed | ChannelAccessRefused):
        fix = f"enable the plugin {HASH_PLUGIN} on every node of the broker, or set amqp.partitions to 1"
        return [Finding(Severity.ERROR, what, in_words(refusal), fix)]
    return [
        _refused(what, refusal, f"delete it so that it is made anew as a durable exchange of type {exchange.kind}, or rename it in [bus]")
    ]


async def _exchange_there(link: Link, exchange: Exchange) -> list[Finding]:
    what = f"exchange {exchange.name}"
    refusal = await attempt(link, what, lambda channel: channel.exchange_declare(exchange.name, passive=True))
    if refusal is None:
        # It is there, so declaring it only compares; without the right to configure it cannot be compared.
        refusal = await attempt(link, what, _declaration(exchange))
        if isinstance(refusal, ChannelAccessRefused):
            return []
        if not exchange.own and refusal is not None and "'type'" not in str(refusal):
            return []  # how else the estate made its exchange is its own affair
    if refusal is None:
        return []
    if exchange.own:
        fix = f"declare it as a durable exchange of type {exchange.kind}, or let joinbridge do it with amqp.topology = assert"
    else:
        fix = "it is the estate's: name the right one in [bus], or let joinbridge create it with amqp.declare_estate = true"
    return [_refused(what, refusal, fix)]


async def _queue_declared(link: Link, queue: Queue) -> list[Finding]:
    what = f"queue {queue.name}"
    refusal = await attempt(link, what, _queue(queue.name, queue.arguments))
    if refusal is None:
        return []
    fix = "drain and delete it so that it is made anew, or set what it has; with amqp.topology = passive its limits may come from a policy"
    return [_refused(what, refusal, fix)]


async def _queue_there(link: Link, queue: Queue) -> list[Finding]:
    what = f"queue {queue.name}"
    declared = f"declare it durable with {_listed(queue.arguments)}"
    refusal = await attempt(link, what, lambda channel: channel.queue_declare(queue.name, passive=True))
    if refusal is not None:
        return [_refused(what, refusal, f"{declared}, or let joinbridge do it with amqp.topology = assert")]
    whole = await attempt(link, what, _queue(queue.name, queue.arguments))
    if whole is None or isinstance(whole, ChannelAccessRefused):
        return []
    # Limits may come from a policy instead; what is left cannot.
    bare = await attempt(link, what, _queue(queue.name, queue.essence))
    if bare is None:
        detail = f"it was declared without its limits; a policy has to set {_listed(queue.limits)}"
        return [Finding(Severity.WARNING, what, detail, f"rabbitmqctl list_queues name effective_policy_definition, or {declared}")]
    # Either differs in the first thing that the broker looked at; what no policy can mend matters more.
    telling = bare if any(f"'{name}'" in str(bare) for name in queue.essence) else whole
    return [_refused(what, telling, f"drain and delete it, then {declared}")]


async def _bound(link: Link, tie: Tie) -> list[Finding]:
    what = f"binding {tie.source} -> {tie.destination} by {tie.key}"

    async def bind(channel: AbstractChannel) -> None:
        if tie.to_exchange:
            await channel.exchange_bind(tie.destination, tie.source, tie.key)
        else:
            await channel.queue_bind(tie.destination, tie.source, tie.key)

    refusal = await attempt(link, what, bind)
    return [] if refusal is None else [_refused(what, refusal, "let the user read the exchange and write the queue, or bind it by hand")]


def _refused(what: str, refusal: Exception, fix: str) -> Finding:
    if isinstance(refusal, ChannelAccessRefused):
        fix = "grant the user the permission, or declare it with another and set amqp.topology = passive"
    return Finding(Severity.ERROR, what, in_words(refusal), fix)


def _declaration(exchange: Exchange) -> Operation:
    return lambda channel: channel.exchange_declare(
        exchange.name, exchange_type=exchange.kind, durable=True, arguments=dict(exchange.arguments)
    )


def _queue(name: str, arguments: Mapping[str, str | int]) -> Operation:
    return lambda channel: channel.queue_declare(name, durable=True, arguments=dict(arguments))


def _listed(arguments: Mapping[str, str | int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in arguments.items())
