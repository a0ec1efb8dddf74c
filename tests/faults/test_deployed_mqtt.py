"""A deployed sidecar that hears the CSPs' alerts over MQTT, and all else over AMQP: what one brings may overtake the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.deployment import Deployment, Process
from support.living import Sidecar, at_moments, live_through
from support.proxy import Proxy
from support.services import Mosquitto

pytestmark = pytest.mark.faults


@pytest.fixture
def to_mqtt(made: Deployment, mosquitto: Mosquitto) -> Iterator[Proxy]:
    """The sidecar's way to MQTT; the CSPs have one of their own."""
    name = made.host.name
    made.settings = {
        **made.settings,
        "JOINBRIDGE_MQTT__URL": mosquitto.url,
        "JOINBRIDGE_MQTT__CLIENT_ID": name,
        "JOINBRIDGE_MQTT__TOPIC": f"{name}/{{region}}/alerts/{{code}}",
    }
    with Proxy(mosquitto.url) as proxy:
        made.for_sidecars["JOINBRIDGE_MQTT__URL"] = proxy.url
        yield proxy


def test_alerts_come_over_mqtt_while_connections_are_reset_and_the_sidecar_is_killed(made: Deployment, to_mqtt: Proxy) -> None:
    def disturb(sidecar: Sidecar, estate: Process) -> None:
        at_moments(estate, 6, 12, seed=21, act=to_mqtt.reset)
        at_moments(estate, 4, 12, seed=22, act=sidecar.kill)

    live_through(made, disturb, "--alerts-over", "mqtt")

    alerts = made.host.call("GET", "exchanges", "/csp.alerts")
    assert isinstance(alerts, dict)
    assert "publish_in" not in alerts.get("message_stats", {}), "an alert came over AMQP"
    assert to_mqtt.resets >= 6
