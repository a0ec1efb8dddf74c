"""Who and what the estate is made of: remote parties, regions, makes of devices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from joinbridge.core.ids import DeviceId, Eui64
from joinbridge.core.vocabulary import DeviceType

ACB = Eui64("90-B3-D5-1F-30-00-00-02")
"""The Access Control Broker's identity in the reference test data (docs/domain.md, "Actors")."""

SUPPLIERS = (
    Eui64("90-B3-D5-1F-30-10-00-00"),
    Eui64("90-B3-D5-1F-30-11-00-00"),
    Eui64("90-B3-D5-1F-30-12-00-00"),
)
OTHER_USER = Eui64("90-B3-D5-1F-30-20-00-00")
"""A User that no device holds credentials of, so the ACB fronts for it (docs/domain.md, "Two keys")."""


class Region(StrEnum):
    """The CSP regions, as the routing keys of their alerts begin."""

    NORTH = "north"
    CENTRAL = "central"
    SOUTH = "south"


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """What the inventory says of a device's maker. `firmware` alone decides which defects it has."""

    manufacturer: str
    model: str
    firmware: str


MAKES: dict[DeviceType, tuple[Make, ...]] = {
    DeviceType.ESME: (
        Make(manufacturer="10A1", model="0001E100", firmware="E1000401"),
        Make(manufacturer="10A1", model="0001E100", firmware="E1000402"),
        Make(manufacturer="10B2", model="0002E200", firmware="E2000103"),
        Make(manufacturer="10C3", model="0003E300", firmware="E3000900"),
    ),
    DeviceType.GSME: (
        Make(manufacturer="10A1", model="0001A100", firmware="G1000206"),
        Make(manufacturer="10A1", model="0001A100", firmware="G1000207"),
        Make(manufacturer="10D4", model="0004A400", firmware="G4000031"),
    ),
    DeviceType.CHF: (
        Make(manufacturer="10E5", model="0005C500", firmware="C5000777"),
        Make(manufacturer="10F6", model="0006C600", firmware="C6000123"),
    ),
    DeviceType.GPF: (
        Make(manufacturer="10E5", model="0005F500", firmware="C5000777"),
        Make(manufacturer="10F6", model="0006F600", firmware="C6000123"),
    ),
    DeviceType.HCALCS: (Make(manufacturer="10C3", model="0003D300", firmware="H3000005"),),
    DeviceType.PPMID: (
        Make(manufacturer="10D4", model="0004B400", firmware="P1000010"),
        Make(manufacturer="10D4", model="0004B400", firmware="P1000011"),
    ),
    DeviceType.TYPE2: (Make(manufacturer="1107", model="0007A700", firmware="T7000001"),),
}


def device_id(home: int, device_type: DeviceType, generation: int) -> DeviceId:
    """Return the EUI-64 of a home's device; `generation` counts its replacements from 0."""
    return DeviceId(Eui64(f"D0-5F-{home >> 16 & 0xFF:02X}-{home >> 8 & 0xFF:02X}-{home & 0xFF:02X}-00-{device_type:02X}-{generation:02X}"))
