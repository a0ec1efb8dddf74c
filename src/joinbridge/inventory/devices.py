"""What the inventory says of devices: type, make, model, firmware, region, from a table that the configuration maps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Column, MetaData, Row, String, Table, null, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncEngine

from joinbridge.core.facts import DeviceDescription
from joinbridge.core.ids import DeviceId
from joinbridge.core.vocabulary import DeviceType
from joinbridge.inventory.reaching import PATIENCE, open_engine, reaching

PAGE = 500
"""Devices asked for in one statement: one parameter each, below the limit of every database that SQLAlchemy speaks to."""

_TYPES = {**{kind.name: kind for kind in DeviceType}, "IHD": DeviceType.TYPE2, "CAD": DeviceType.TYPE2}
"""By name: DUIS tells two kinds apart for which GBCS has one number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTable:
    """Where devices are described. The type is GBCS's number or a name (`GSME`, `CAD`); a column that is None is not there."""

    name: str
    schema: str | None = None
    device_column: str = "device"
    type_column: str = "type"
    make_column: str | None = None
    model_column: str | None = None
    firmware_column: str | None = None
    region_column: str | None = None


@asynccontextmanager
async def open_devices(url: str, mapping: DeviceTable, *, patience: timedelta = PATIENCE) -> AsyncIterator[SqlDevices]:
    """Open the table of devices in the database at `url`. A question takes no longer than `patience`.

    Raises: ConfigError when the URL names no database that can be used.
    """
    async with open_engine(url) as engine:
        yield SqlDevices(engine, mapping, patience=patience)


class SqlDevices:
    """Reads descriptions from a table that others write; it is read afresh each time."""

    def __init__(self, engine: AsyncEngine, mapping: DeviceTable, *, patience: timedelta = PATIENCE) -> None:
        self._engine = engine
        self._patience = patience
        names = (mapping.make_column, mapping.model_column, mapping.firmware_column, mapping.region_column)
        read = [mapping.device_column, mapping.type_column, *(name for name in names if name is not None)]
        table = Table(mapping.name, MetaData(), *(Column(name) for name in dict.fromkeys(read)), schema=mapping.schema)
        # As text to compare with, and as whatever the table has to read.
        self._device = type_coerce(table.c[mapping.device_column], String)
        optional = (null() if name is None else table.c[name] for name in names)
        self._all = select(self._device, table.c[mapping.type_column], *optional)

    async def described(self, devices: Sequence[DeviceId]) -> Mapping[DeviceId, DeviceDescription]:
        """Return what the inventory says of those of `devices` that it knows. A type that is no device's of GBCS is left open.

        Raises: InventoryError when the database cannot be reached, or takes too long.
        """
        found: dict[DeviceId, DeviceDescription] = {}
        async with reaching(self._patience), self._engine.connect() as connection:
            for start in range(0, len(devices), PAGE):
                wanted = self._all.where(self._device.in_(devices[start : start + PAGE]))
                for row in await connection.execute(wanted):
                    description = _description(row)
                    found[description.device] = description
        return found


def _description(row: Row[*tuple[object, ...]]) -> DeviceDescription:
    device, kind, make, model, firmware, region = row
    return DeviceDescription(
        device=DeviceId(str(device)),
        device_type=_type(kind),
        manufacturer=_text(make),
        model=_text(model),
        firmware=_text(firmware),
        region=_text(region),
    )


def _type(value: object) -> DeviceType | None:
    text = str(value).strip().upper()
    if text.isdecimal():
        return DeviceType(int(text)) if int(text) in set(DeviceType) else None
    return _TYPES.get(text)


def _text(value: object) -> str | None:
    return None if value is None else str(value).strip() or None
