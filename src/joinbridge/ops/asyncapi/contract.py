"""The contract: servers, channels, operations, and the topology that joinbridge makes on RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterable

import joinbridge
from joinbridge.bus.amqp.topology import Exchange, topology
from joinbridge.bus.topics import estate_bindings
from joinbridge.config import Settings
from joinbridge.ops.asyncapi.messages import Object, messages, schemas, told_states

_AMQP_BINDING = "0.3.0"
_MQTT_BINDING = "0.2.0"
_SRV: Object = {"description": "Service Reference Variant, such as 8.7.2; joinbridge reads those of Joins, Unjoins and reads of logs"}
_REGION: Object = {"description": "CSP region", "examples": ["north", "central", "south"]}
_CODE: Object = {"description": "GBCS alert code in hex digits", "examples": ["8F12", "8071", "8F2C"]}
_ALERTS = ("deviceAlertBinary", "deviceAlertHex", "deviceAlertBase64", "deviceAlertDuis")


def document(settings: Settings) -> Object:
    """Return the AsyncAPI document of what a sidecar with `settings` reads and sends."""
    bus, made = settings.bus, topology(settings)
    kinds = {exchange.name: exchange for exchange in made.exchanges}
    states: Object = {"description": "what the join, the unjoin or the pair came to", "enum": told_states()}
    requests, responses, _ = (binding.pattern for binding in estate_bindings())
    channels: Object = {
        "serviceRequests": _routed(kinds[bus.service_requests], requests.replace("#", "{srv}"), ["serviceRequest"], srv=_SRV),
        "serviceResponses": _routed(kinds[bus.service_requests], responses.replace("#", "{srv}"), ["serviceResponse"], srv=_SRV),
        "deviceAlerts": _routed(kinds[bus.alerts], "{region}.{code}", _ALERTS, region=_REGION, code=_CODE),
        "deviceAlertsByMqtt": {
            "address": settings.mqtt.topic,
            "servers": [{"$ref": "#/servers/mqtt"}],
            "parameters": {"region": _REGION, "code": _CODE},
            "messages": _messages(["mqttAlert"]),
        },
        "retryJoin": _routed(kinds[bus.commands], "retry.join", ["retryJoin"]),
        "probeDeviceLog": _routed(kinds[bus.commands], "probe.device-log", ["probeDeviceLog"]),
        "noticeSupplier": _routed(kinds[bus.commands], "notice.supplier", ["noticeSupplier"]),
        "joinEvents": _routed(kinds[bus.events], "join.{state}", ["joinEvent"], state=states),
        "deadLetters": {
            **_routed(kinds[bus.dead], "{key}", ["deadLetter"], key={"description": "the routing key that the message came with"}),
            "description": f"The queue {bus.dead} takes them all; `joinbridge dead-letters requeue` sends one again.",
        },
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "joinbridge",
            "version": joinbridge.__version__,
            "description": "What joinbridge reads from the buses of the estate, and what it sends. It is a tap: its queues get copies, and "
            "no message is taken from anyone. All names are settings (docs/settings.md); these are the defaults.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": {
            "amqp": _server("amqp", "0-9-1", "RabbitMQ; setting amqp.url"),
            "mqtt": {
                **_server("mqtt", "5", "the broker of device alerts, where there is one; setting mqtt.url"),
                "bindings": {"mqtt": {"clientId": settings.mqtt.client_id, "cleanSession": False, "bindingVersion": _MQTT_BINDING}},
            },
        },
        "channels": channels,
        "operations": {
            **{f"read{_title(name)}": _reads(name) for name in ("serviceRequests", "serviceResponses", "deviceAlerts")},
            "readDeviceAlertsByMqtt": {
                **_operation("receive", "deviceAlertsByMqtt"),
                "bindings": {"mqtt": {"qos": 1, "bindingVersion": _MQTT_BINDING}},
            },
            **{f"send{_title(name)}": _sends(name, mandatory=True) for name in ("retryJoin", "probeDeviceLog", "noticeSupplier")},
            "sendJoinEvents": _sends("joinEvents", mandatory=False),
            "sendDeadLetters": _sends("deadLetters", mandatory=True),
        },
        "components": {"messages": messages(settings.amqp.partition_header), "schemas": schemas()},
        "x-topology": {
            "exchanges": [
                {"name": one.name, "type": one.kind, "made-by": "joinbridge" if one.own else "the estate"} for one in made.exchanges
            ],
            "queues": [{"name": queue.name, "durable": True, "arguments": queue.arguments} for queue in made.queues],
            "bindings": [{"from": tie.source, "to": tie.destination, "routing-key": tie.key} for tie in made.ties],
        },
    }


def _server(protocol: str, version: str, says: str) -> Object:
    host: Object = {"default": "localhost", "description": "host, and port where it is not the usual one"}
    return {"host": "{host}", "protocol": protocol, "protocolVersion": version, "description": says, "variables": {"host": host}}


def _routed(exchange: Exchange, route: str, names: Iterable[str], **parameters: Object) -> Object:
    """Return a channel whose address is the routing key."""
    kept: Object = {"name": exchange.name, "type": exchange.kind, "durable": True, "autoDelete": False}
    made: Object = {
        "address": route,
        "servers": [{"$ref": "#/servers/amqp"}],
        "messages": _messages(names),
        "bindings": {"amqp": {"is": "routingKey", "exchange": kept, "bindingVersion": _AMQP_BINDING}},
    }
    return {**made, "parameters": parameters} if parameters else made


def _messages(names: Iterable[str]) -> Object:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _operation(action: str, channel: str) -> Object:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _reads(channel: str) -> Object:
    # Acknowledged once what follows from it is committed.
    return {**_operation("receive", channel), "bindings": {"amqp": {"ack": True, "bindingVersion": _AMQP_BINDING}}}


def _sends(channel: str, *, mandatory: bool) -> Object:
    persistent: Object = {"deliveryMode": 2, "mandatory": mandatory, "timestamp": True, "bindingVersion": _AMQP_BINDING}
    return {**_operation("send", channel), "bindings": {"amqp": persistent}}


def _title(name: str) -> str:
    return name[0].upper() + name[1:]
