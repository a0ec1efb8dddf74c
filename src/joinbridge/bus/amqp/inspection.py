"""The doctor's look at the broker: what it is, what it lacks, and how to mend it. Changes nothing."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote, unquote, urlsplit

from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused

from joinbridge.bus.amqp.declaring import attempt, differences, in_words
from joinbridge.bus.amqp.link import Link, open_link
from joinbridge.bus.amqp.topology import Queue, Tie, Topology, topology
from joinbridge.config import Settings
from joinbridge.errors import ConfigError, TransportError
from joinbridge.findings import Finding, Severity

OLDEST = (3, 10)
ANSWER_TIMEOUT_S = 10.0
DEFAULT_CONSUMER_TIMEOUT = timedelta(minutes=30)


async def inspect_broker(settings: Settings) -> list[Finding]:
    """Return what an operator should know about the broker of `settings`, errors included; never raises for what it finds.

    Bindings, policies and the clock are seen only through the management API, if its URL is set.
    """
    wanted = topology(settings)
    async with AsyncExitStack() as stack:
        try:
            link = await stack.enter_async_context(open_link(settings.amqp, "doctor"))
        except (ConfigError, TransportError) as error:
            return [Finding(Severity.ERROR, "connection", str(error), "start the broker, or set [amqp] url and its files right")]
        findings = [Finding(Severity.OK, "connection", _where(settings)), *_version(link)]
        try:
            findings += await _topology(link, wanted)
            findings += await _permissions(link, wanted)
        except TransportError as error:
            findings.append(Finding(Severity.ERROR, "connection", str(error), "see the broker's log"))
    findings += await _managed(settings, wanted)
    return findings


def _where(settings: Settings) -> str:
    url = urlsplit(settings.amqp.url.get_secret_value())
    return f"{url.scheme}://{url.hostname}:{url.port or (5671 if url.scheme == 'amqps' else 5672)}{url.path}"


def _version(link: Link) -> Iterator[Finding]:
    product, version = str(link.server.get("product", "?")), str(link.server.get("version", "?"))
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if product != "RabbitMQ":
        yield Finding(Severity.WARNING, "broker", f"{product} {version}", "joinbridge is made for RabbitMQ")
    elif numbers < OLDEST:
        yield Finding(Severity.ERROR, "broker", f"RabbitMQ {version}", "at-least-once dead-lettering needs 3.10 or newer")
    else:
        yield Finding(Severity.OK, "broker", f"RabbitMQ {version}")
    capabilities = link.server.get("capabilities")
    for name in ("publisher_confirms", "basic.nack", "consumer_cancel_notify", "exchange_exchange_bindings"):
        if not isinstance(capabilities, Mapping) or not capabilities.get(name):
            yield Finding(Severity.ERROR, "broker", f"it does not offer {name}", "use RabbitMQ, and no proxy that speaks AMQP itself")


async def _topology(link: Link, wanted: Topology) -> Sequence[Finding]:
    found = await differences(link, wanted)
    touched = {finding.what for finding in found}
    whole = [f"exchange {one.name}" for one in wanted.exchanges] + [f"queue {one.name}" for one in wanted.queues]
    return [*found, *(Finding(Severity.OK, what, "is there, as it should be") for what in whole if what not in touched)]


async def _permissions(link: Link, wanted: Topology) -> Sequence[Finding]:
    """Try what a binding needs by undoing one that nobody made, which changes nothing."""
    findings: list[Finding] = []
    key = "joinbridge.doctor.no-such-binding"
    for tie in wanted.ties:
        what = f"permission to bind {tie.destination} to {tie.source}"

        async def unbind(channel: AbstractChannel, tie: Tie = tie) -> None:
            if tie.to_exchange:
                await channel.exchange_unbind(tie.destination, tie.source, key)
            else:
                await channel.queue_unbind(tie.destination, tie.source, key)

        refusal = await attempt(link, what, unbind)
        if isinstance(refusal, ChannelAccessRefused) and what not in {finding.what for finding in findings}:
            findings.append(Finding(Severity.WARNING, what, in_words(refusal), "fine where the bindings are made by hand; else grant it"))
    return findings


async def _managed(settings: Settings, wanted: Topology) -> Sequence[Finding]:
    """Return what only the management API knows."""
    if settings.amqp.management_url is None:
        detail = "bindings, permissions, policies and clock were not looked at"
        return [Finding(Severity.OK, "management API", detail, "set amqp.management_url to have them looked at")]
    try:
        api = Management(settings.amqp.management_url.get_secret_value(), settings.amqp.url.get_secret_value())
        return [
            *await _clock(api),
            *await _bindings(api, wanted),
            *[finding for queue in wanted.queues for finding in await _limits(api, queue)],
            *await _rights(api, settings, wanted),
            *await _timeout(api, settings),
        ]
    except (OSError, ValueError) as error:
        fix = "set amqp.management_url right; its user needs the tag monitoring"
        return [Finding(Severity.WARNING, "management API", f"it cannot be read: {error}", fix)]


async def _clock(api: Management) -> Sequence[Finding]:
    before = datetime.now(UTC)
    _, date = await api.get("/api/overview")
    if date is None:
        return []
    # The header has whole seconds, and the answer took its time.
    skew = max(before - date - timedelta(seconds=1), date - datetime.now(UTC), timedelta(0))
    if skew > timedelta(seconds=5):
        return [
            Finding(Severity.WARNING, "clock", f"{skew.total_seconds():.0f} s apart from the broker's", "let both follow a time server")
        ]
    return [Finding(Severity.OK, "clock", "the same as the broker's")]


async def _bindings(api: Management, wanted: Topology) -> Sequence[Finding]:
    findings = []
    listed, _ = await api.get(f"/api/bindings/{api.vhost}")
    there = {(one["source"], one["destination"], one["routing_key"]) for one in _rows(listed)}
    for tie in wanted.ties:
        what = f"binding of {tie.destination} to {tie.source} by {tie.key}"
        if (tie.source, tie.destination, tie.key) in there:
            findings.append(Finding(Severity.OK, what, "is there"))
        else:
            findings.append(Finding(Severity.ERROR, what, "is missing", "bind it, or let joinbridge do it with amqp.topology = assert"))
    return findings


async def _limits(api: Management, queue: Queue) -> Sequence[Finding]:
    """Compare what is in force for `queue`, by its declaration or by a policy, with what should be."""
    try:
        found, _ = await api.get(f"/api/queues/{api.vhost}/{quote(queue.name, safe='')}")
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return []  # that it is missing has been said
    answer = found if isinstance(found, dict) else {}
    declared, policy = answer.get("arguments") or {}, answer.get("effective_policy_definition") or {}
    findings = []
    for name, value in queue.limits.items():
        actual = declared.get(name, policy.get(name.removeprefix("x-")))
        if actual != value:
            severity = Severity.WARNING if name in {"x-max-length", "x-delivery-limit"} and actual is not None else Severity.ERROR
            fix = f"set {name.removeprefix('x-')} = {value} by a policy, or drain and delete the queue so that it is made anew"
            findings.append(Finding(severity, f"queue {queue.name}", f"{name} is {actual}, and should be {value}", fix))
    return findings


async def _rights(api: Management, settings: Settings, wanted: Topology) -> Sequence[Finding]:
    try:
        granted, _ = await api.get(f"/api/permissions/{api.vhost}/{quote(api.user, safe='')}")
    except urllib.error.HTTPError as error:
        return [Finding(Severity.OK, "permissions", f"not looked at: {error}", "the management user needs the tag administrator for that")]
    rights = granted if isinstance(granted, dict) else {}
    bus, findings = settings.bus, []
    needed = [("read", name) for name in wanted.intake]
    needed += [("write", name) for name in (bus.commands, bus.events, bus.dead)]
    for right, name in needed:
        if re.search(str(rights.get(right, "")), name) is None:
            fix = f"rabbitmqctl set_permissions -p {unquote(api.vhost)} {api.user} with a {right} pattern that fits it"
            findings.append(Finding(Severity.ERROR, f"permission to {right} {name}", "is missing", fix))
    return findings or [Finding(Severity.OK, "permissions", "to read the intake and to write what is published")]


async def _timeout(api: Management, settings: Settings) -> Sequence[Finding]:
    """Compare how long a delivery may be kept with how long we keep it, where a queue says so; brokers tell nobody their default."""
    findings = []
    for name in topology(settings).intake:
        try:
            found, _ = await api.get(f"/api/queues/{api.vhost}/{quote(name, safe='')}")
        except urllib.error.HTTPError:
            continue
        answer = found if isinstance(found, dict) else {}
        declared, policy = answer.get("arguments") or {}, answer.get("effective_policy_definition") or {}
        allowed_ms = declared.get("x-consumer-timeout", policy.get("consumer-timeout"))
        allowed = DEFAULT_CONSUMER_TIMEOUT if allowed_ms is None else timedelta(milliseconds=allowed_ms)
        if settings.amqp.hold >= allowed:
            detail = f"a delivery may be kept for {allowed}, and amqp.hold is {settings.amqp.hold}"
            findings.append(Finding(Severity.ERROR, f"consumer timeout of {name}", detail, "set amqp.hold to less"))
    return findings


class Management:
    """The management API, read in a thread. Its user is that of its URL, or else that of the AMQP URL."""

    def __init__(self, url: str, amqp_url: str) -> None:
        parts, amqp = urlsplit(url), urlsplit(amqp_url)
        if parts.scheme not in {"http", "https"}:
            raise ValueError(f"the URL wants http or https, not {parts.scheme!r}")
        host = parts.netloc.rpartition("@")[2]
        self._base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        credentials = parts if parts.username else amqp
        self._token = b64encode(f"{unquote(credentials.username or 'guest')}:{unquote(credentials.password or 'guest')}".encode()).decode()
        self.user = unquote(amqp.username or "guest")
        self.vhost = quote(unquote(amqp.path.removeprefix("/")) or "/", safe="")

    async def get(self, path: str) -> tuple[object, datetime | None]:
        """Return the answer to `path`, and the broker's time in it. Raises what urllib raises, all of it OSError or ValueError."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> tuple[object, datetime | None]:
        request = urllib.request.Request(self._base + path, headers={"Authorization": f"Basic {self._token}"})  # noqa: S310 - see __init__
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 - see __init__
            date = answer.headers.get("date")
            return json.loads(answer.read()), None if date is None else parsedate_to_datetime(date)


def _rows(listed: object) -> Iterator[Mapping[str, str]]:
    for row in listed if isinstance(listed, list) else ():
        if isinstance(row, dict):
            yield row
