"""What the doctor finds at a broker, and the fix it names."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from joinbridge.bus.amqp.inspection import inspect_broker
from joinbridge.findings import Finding, Severity
from support.bus_amqp import opened, settings_for
from support.eventually import eventually
from support.services import RabbitMq, VirtualHost, free_port

INTAKE = "joinbridge.in"


async def inspected(virtual_host: VirtualHost, **amqp: object) -> list[Finding]:
    return await inspect_broker(settings_for(virtual_host, **{"management_url": virtual_host.rabbitmq.api, **amqp}))


def wrong(findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if one.severity is not Severity.OK]


async def test_a_broker_as_it_should_be_has_nothing_wrong(virtual_host: VirtualHost) -> None:
    async with opened(virtual_host):
        pass

    findings = await inspected(virtual_host)

    assert wrong(findings) == []
    looked_at = {one.what for one in findings}
    assert {"connection", "broker", "clock", "permissions", f"queue {INTAKE}", "exchange dsp.sr"} <= looked_at
    assert f"binding of {INTAKE} to csp.alerts by *.#" in looked_at
    assert any(one.what == "broker" and one.detail.startswith("RabbitMQ ") for one in findings)


async def test_no_password_is_shown(virtual_host: VirtualHost) -> None:
    shown = " ".join(f"{one.what} {one.detail} {one.fix}" for one in await inspected(virtual_host))

    assert "guest:guest" not in shown


async def test_what_is_missing_is_an_error_with_a_fix_and_stays_missing(virtual_host: VirtualHost) -> None:
    findings = await inspected(virtual_host)

    for what in ("exchange dsp.sr", "exchange joinbridge.events", f"queue {INTAKE}", "queue joinbridge.dead"):
        [finding] = [one for one in findings if one.what == what]
        assert finding.severity is Severity.ERROR
        assert finding.fix
    assert await asyncio.to_thread(virtual_host.call, "GET", "queues") == []


async def test_a_binding_that_is_gone_is_an_error(virtual_host: VirtualHost) -> None:
    async with opened(virtual_host):
        pass
    place = f"/e/csp.alerts/q/{INTAKE}"
    found = await asyncio.to_thread(virtual_host.call, "GET", "bindings", place)
    assert isinstance(found, list)
    await asyncio.to_thread(virtual_host.call, "DELETE", "bindings", f"{place}/{found[0]['properties_key']}")

    [finding] = wrong(await inspected(virtual_host))

    assert (finding.severity, finding.what) == (Severity.ERROR, f"binding of {INTAKE} to csp.alerts by *.#")


async def test_a_policy_that_undoes_a_limit_is_an_error(virtual_host: VirtualHost) -> None:
    async with opened(virtual_host) as bus:
        channel = await bus._publishing.channel(confirms=False)
        await channel.queue_delete(INTAKE)
        await channel.queue_declare(INTAKE, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.close()
    policy = {"pattern": "^joinbridge.in$", "definition": {"delivery-limit": 5, "dead-letter-exchange": "joinbridge.dead"}}
    await asyncio.to_thread(virtual_host.call, "PUT", "policies", "/limits", policy)
    await eventually(lambda: "delivery-limit" in str(virtual_host.call("GET", "queues", f"/{INTAKE}")), within=timedelta(seconds=60))

    findings = wrong(await inspected(virtual_host, topology="passive"))

    details = {one.detail.split(",")[0]: one.severity for one in findings if one.what == f"queue {INTAKE}"}
    assert details["x-delivery-limit is 5"] is Severity.WARNING
    assert details["x-dead-letter-strategy is None"] is Severity.ERROR
    assert not any(detail.startswith("x-dead-letter-exchange is") for detail in details)


async def test_a_user_without_rights_is_told_which(rabbitmq: RabbitMq, virtual_host: VirtualHost) -> None:
    async with opened(virtual_host):
        pass
    name = f"u{virtual_host.name}"
    await asyncio.to_thread(rabbitmq.call, "PUT", f"/api/users/{name}", {"password": "p", "tags": ""})
    try:
        rights = {"configure": "^$", "write": "^joinbridge", "read": "^$"}
        await asyncio.to_thread(rabbitmq.call, "PUT", f"/api/permissions/{virtual_host.name}/{name}", rights)
        url = virtual_host.url.replace("guest:guest", f"{name}:p")
        api = rabbitmq.api.replace("http://", "http://guest:guest@")

        findings = wrong(await inspected(virtual_host, url=url, management_url=api, topology="passive"))
    finally:
        await asyncio.to_thread(rabbitmq.call, "DELETE", f"/api/users/{name}")

    found = {one.what: one for one in findings}
    assert found[f"permission to read {INTAKE}"].severity is Severity.ERROR
    assert f"set_permissions -p {virtual_host.name} {name}" in found[f"permission to read {INTAKE}"].fix
    assert found[f"permission to bind {INTAKE} to dsp.sr"].severity is Severity.WARNING
    assert "permission to write joinbridge.commands" not in found


async def test_a_hold_longer_than_the_broker_allows_is_an_error(virtual_host: VirtualHost) -> None:
    async with opened(virtual_host):
        pass

    [finding] = wrong(await inspected(virtual_host, hold="PT30M"))

    assert finding.what == f"consumer timeout of {INTAKE}"


async def test_without_the_management_api_it_says_what_it_did_not_see(virtual_host: VirtualHost) -> None:
    async with opened(virtual_host):
        pass

    unset = await inspected(virtual_host, management_url=None)
    dead = await inspected(virtual_host, management_url=f"http://127.0.0.1:{free_port()}")

    assert wrong(unset) == []
    assert any(one.what == "management API" and "not looked at" in one.detail for one in unset)
    [finding] = wrong(dead)
    assert (finding.what, finding.severity) == ("management API", Severity.WARNING)


async def test_a_broker_that_is_not_there_is_the_only_finding(virtual_host: VirtualHost) -> None:
    [finding] = await inspected(virtual_host, url=f"amqp://guest:guest@127.0.0.1:{free_port()}/", connect_deadline=1)

    assert (finding.severity, finding.what) == (Severity.ERROR, "connection")


async def test_a_wrong_password_is_said_at_once(virtual_host: VirtualHost) -> None:
    [finding] = await inspected(virtual_host, url=virtual_host.url.replace("guest:guest", "guest:wrong"))

    assert "refuses the user" in finding.detail
