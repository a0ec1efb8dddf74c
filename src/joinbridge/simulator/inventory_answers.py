"""Answers to Read Inventory (SRV 8.2): the devices of a home, and no word about joins."""

from __future__ import annotations

from datetime import timedelta

from joinbridge.core.vocabulary import DeviceType
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda
from joinbridge.simulator.devices import Device
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.homes import Home
from joinbridge.simulator.parties import ACB
from joinbridge.simulator.tap import AT_ONCE, Tap
from joinbridge.simulator.truth import Happening, Truth
from joinbridge.simulator.users import Users
from joinbridge.wire.duis.messages import InventoryDevice, InventoryListing
from joinbridge.wire.duis.requests import ReadInventory

_READ_INVENTORY = "8.2"
_WITHOUT_DEVICE = 8  # command variant of a service that the DSP answers itself


class InventoryDesk:
    """The DSP's answers from the inventory."""

    def __init__(self, agenda: Agenda, faults: Faults, truth: Truth, tap: Tap, users: Users) -> None:
        self._agenda = agenda
        self._faults = faults
        self._truth = truth
        self._tap = tap
        self._users = users

    def read(self, home: Home) -> None:
        """Let the electricity Supplier ask what is in the home, and answer."""
        request_id = self._users.next_request_id(home.electricity, ACB)
        body = ReadInventory(device=home.hub.device_id)
        self._users.publish_request(home, request_id, _READ_INVENTORY, _WITHOUT_DEVICE, body)
        at = self._agenda.now + timedelta(seconds=0.5)
        devices = [device for device in home.devices.values() if not device.gone]
        listing = InventoryListing(devices=tuple(_described(home, device) for device in devices))
        response = composer.response(request_id, _READ_INVENTORY, "I0", at, listing, from_device=False)
        # What type a device has can be learnt from nothing else on the bus, so this answer is never lost.
        route, held_for = f"response.{_READ_INVENTORY}", self._held_for(home)
        if (told_at := self._tap.service(home, route, response, at, sure=True, held_for=held_for)) is not None:
            self._truth.types_told(told_at, (device.device_id for device in devices))

    def _held_for(self, home: Home) -> timedelta:
        """Draw how long the bus keeps an answer to itself."""
        late, how_late = home.dice.desk.random(), home.dice.desk.random()
        if late >= self._faults.types_late:
            return AT_ONCE
        self._truth.count(Happening.TYPES_LATE)
        return how_late * self._faults.types_late_max


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
