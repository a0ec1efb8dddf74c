"""Answers to Read Inventory (SRV 8.2): the devices of a home, and no word about joins."""

from __future__ import annotations

from datetime import timedelta

from joinbridge.core.vocabulary import DeviceType
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda
from joinbridge.simulator.devices import Device
from joinbridge.simulator.homes import Home
from joinbridge.simulator.parties import ACB
from joinbridge.simulator.tap import Tap
from joinbridge.simulator.users import Users
from joinbridge.wire.duis.messages import InventoryDevice, InventoryListing
from joinbridge.wire.duis.requests import ReadInventory

_READ_INVENTORY = "8.2"
_WITHOUT_DEVICE = 8  # command variant of a service that the DSP answers itself


class InventoryDesk:
    """The DSP's answers from the inventory."""

    def __init__(self, agenda: Agenda, tap: Tap, users: Users) -> None:
        self._agenda = agenda
        self._tap = tap
        self._users = users

    def read(self, home: Home) -> None:
        """Let the electricity Supplier ask what is in the home, and answer."""
        request_id = self._users.next_request_id(home.electricity, ACB)
        body = ReadInventory(device=home.hub.device_id)
        self._users.publish_request(home, request_id, _READ_INVENTORY, _WITHOUT_DEVICE, body)
        at = self._agenda.now + timedelta(seconds=0.5)
        listing = InventoryListing(devices=tuple(_described(home, device) for device in home.devices.values() if not device.gone))
        response = composer.response(request_id, _READ_INVENTORY, "I0", at, listing, from_device=False)
        # What type a device has can be learnt from nothing else on the bus, so this answer is never lost or late.
        self._tap.service(home, f"response.{_READ_INVENTORY}", response, at, prompt=True, sure=True)


def _described(home: Home, device: Device) -> InventoryDevice:
    hub = device.device_type in (DeviceType.CHF, DeviceType.GPF)
    return InventoryDevice(
        device=device.device_id,
        device_type="CAD" if device.device_type is DeviceType.TYPE2 else device.device_type.name,
        manufacturer=device.make.manufacturer,
        model=device.make.model,
        device_status=None if device.device_type is DeviceType.TYPE2 else "Commissioned",
        smets_chts_version="CHTS V1.4" if hub else None,
        firmware_version=device.make.firmware,
        csp_region=home.region.capitalize(),
        gbcs_version=composer.GBCS_VERSION,
        han_variant=("Dual Band" if home.dual_band else "Single Band") if device.device_type is DeviceType.CHF else None,
    )
