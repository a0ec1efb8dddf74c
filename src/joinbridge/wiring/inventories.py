"""The inventory that the configuration describes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from joinbridge.config import InventorySettings
from joinbridge.errors import ConfigError
from joinbridge.inventory.devices import DeviceTable, SqlDevices, open_devices
from joinbridge.inventory.sql import InventoryTable, SqlInventory, open_inventory


def open_configured_inventory(settings: InventorySettings) -> AbstractAsyncContextManager[SqlInventory]:
    """Return the inventory at `settings.url`, to be opened.

    Raises: ConfigError when there is no URL, and on entering when it names no database that can be used.
    """
    if settings.url is None:
        raise ConfigError("inventory.url is not set")
    table = InventoryTable(
        name=settings.table,
        schema=settings.table_schema,
        target_column=settings.target_column,
        other_column=settings.other_column,
        joined_column=settings.joined_column,
        joined_value=settings.joined_value,
        not_joined_value=settings.not_joined_value,
        may_insert=settings.may_insert,
    )
    return open_inventory(settings.url.get_secret_value(), table, patience=settings.patience)


def open_configured_devices(settings: InventorySettings) -> AbstractAsyncContextManager[SqlDevices] | None:
    """Return the table that describes devices, to be opened; None where the configuration names none.

    Raises: ConfigError when there is no URL, and on entering when it names no database that can be used.
    """
    if settings.devices_table is None:
        return None
    if settings.url is None:
        raise ConfigError("inventory.devices_table is set and inventory.url is not: it says where the table is")
    table = DeviceTable(
        name=settings.devices_table,
        schema=settings.devices_schema,
        device_column=settings.device_column,
        type_column=settings.type_column,
        make_column=settings.make_column,
        model_column=settings.model_column,
        firmware_column=settings.firmware_column,
        region_column=settings.region_column,
    )
    return open_devices(settings.url.get_secret_value(), table, patience=settings.patience)
