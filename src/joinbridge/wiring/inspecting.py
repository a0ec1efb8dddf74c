"""The doctor: everything that a sidecar with these settings would lean on."""

from __future__ import annotations

from datetime import timedelta

from joinbridge.bus.amqp.inspection import inspect_broker
from joinbridge.bus.mqtt.inspection import inspect_mqtt
from joinbridge.config import Settings
from joinbridge.core.ids import DeviceId, JoinPair
from joinbridge.errors import ConfigError, InventoryError, StoreError
from joinbridge.findings import Finding, Severity
from joinbridge.service.clock import SystemClock
from joinbridge.store.inspection import inspect_database
from joinbridge.store.opening import open_database
from joinbridge.wiring.inventories import open_configured_devices, open_configured_inventory

_PATIENCE = timedelta(seconds=5)
_NOBODY = DeviceId("00-00-00-00-00-00-00-00")


async def inspect(settings: Settings) -> list[Finding]:
    """Return what an operator should know about broker, database, inventory and MQTT, errors included. Changes nothing."""
    clock = SystemClock()
    # A start waits for a broker that is not there yet; whoever asks the doctor does not.
    hurried = settings.amqp.model_copy(update={"connect_deadline": min(settings.amqp.connect_deadline, _PATIENCE)})
    return [
        *await inspect_broker(settings.model_copy(update={"amqp": hurried})),
        *await inspect_mqtt(settings.mqtt, clock),
        *await _database(settings, clock),
        *await _inventory(settings),
        *await _devices(settings),
    ]


async def _database(settings: Settings, clock: SystemClock) -> list[Finding]:
    try:
        async with open_database(settings.database.url.get_secret_value(), create=False) as database:
            return await inspect_database(database, now=clock.now())
    except StoreError as error:
        return [Finding(Severity.ERROR, "database", str(error), "joinbridge db upgrade makes it; or set [database] url right")]


async def _inventory(settings: Settings) -> list[Finding]:
    if settings.inventory.url is None:
        if settings.mode == "live":
            return [Finding(Severity.ERROR, "inventory", "mode is live, and there is none to correct", "set [inventory] url")]
        return [Finding(Severity.OK, "inventory", "none configured; shadow mode needs none")]
    try:
        async with open_configured_inventory(settings.inventory) as inventory:
            await inventory.joined([JoinPair(_NOBODY, _NOBODY)])  # any pair: table and columns are what matters
    except InventoryError as error:
        return [Finding(Severity.ERROR, "inventory", str(error), "start it, or set [inventory] url, table and columns right")]
    return [Finding(Severity.OK, "inventory", f"table {settings.inventory.table} can be read")]


async def _devices(settings: Settings) -> list[Finding]:
    if settings.inventory.devices_table is None:
        if not settings.policy().needs_type:
            return []
        says = "no table tells types of devices: an entry of a Device Log proves nothing before a command or SRV 8.2 has told its type"
        return [Finding(Severity.WARNING, "devices", says, "set [inventory] devices_table and its columns")]
    try:
        configured = open_configured_devices(settings.inventory)
        if configured is not None:
            async with configured as devices:
                await devices.described([_NOBODY])
    except (ConfigError, InventoryError) as error:
        fix = "set [inventory] devices_table and its columns right; until then lost answers are counted under unknown devices"
        return [Finding(Severity.WARNING, "devices", str(error), fix)]
    return [Finding(Severity.OK, "devices", f"table {settings.inventory.devices_table} can be read")]
