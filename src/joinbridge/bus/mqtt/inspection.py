"""The doctor's look at the MQTT broker: whether it takes us, and what it grants. Leaves joinbridge's own session alone."""

from __future__ import annotations

from joinbridge.bus.mqtt.connection import broker, connect
from joinbridge.config import Mqtt
from joinbridge.errors import ConfigError, TransportError
from joinbridge.findings import Finding, Severity
from joinbridge.ports import Clock

_SHORTEST_S = 3600  # a restart, a machine that is replaced


async def inspect_mqtt(settings: Mqtt, clock: Clock) -> list[Finding]:
    """Return what an operator should know about the broker of `settings`, errors included; nothing when no MQTT is configured."""
    if settings.url is None:
        return []
    # Another identifier: the same one would take the running sidecar's session over.
    own = settings.model_copy(update={"client_id": f"{settings.client_id}-doctor", "session_expiry": settings.session_expiry / 10_000})
    try:
        where = broker(settings)
        async with connect(own, clock, window=1, limit=1, on_arrival=lambda: None):
            findings = [Finding(Severity.OK, "MQTT", f"{where.host}:{where.port} takes us, MQTT 5")]
    except (TransportError, ConfigError) as error:
        return [Finding(Severity.ERROR, "MQTT", str(error), "start the broker, or set [mqtt] url and its files right")]
    if not where.tls:
        findings.append(Finding(Severity.WARNING, "MQTT", "without TLS", "use mqtts:// where the network is not yours alone"))
    if settings.session_expiry.total_seconds() < _SHORTEST_S:
        detail = f"session_expiry is {settings.session_expiry}: what comes while joinbridge is away longer than that is lost"
        findings.append(Finding(Severity.WARNING, "MQTT session", detail, "set [mqtt] session_expiry to days"))
    return findings
