"""The inventory that the configuration describes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from joinbridge.config import InventorySettings
from joinbridge.errors import ConfigError
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
    return open_inventory(settings.url.get_secret_value(), table)
