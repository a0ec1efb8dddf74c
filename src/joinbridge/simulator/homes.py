"""Homes: which devices they have, who supplies them, and how they are built."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from joinbridge.core.ids import DeviceId, Eui64
from joinbridge.core.vocabulary import DeviceType
from joinbridge.simulator.devices import Device
from joinbridge.simulator.dice import HomeDice, dice_for_home
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.parties import MAKES, OTHER_USER, SUPPLIERS, Region, device_id
from joinbridge.simulator.truth import Happening, Truth

_GAS = 0.8  # share of homes with each kind of device
_PPMID = 0.85
_TYPE2 = 0.4
_HCALCS = 0.1
_DUAL_BAND = 0.3
_SAME_SUPPLIER = 0.8
_OTHER_USER_CAD = 0.3  # of the homes with a Type 2 device: not the Supplier but an Other User joins it


@dataclass(slots=True, kw_only=True, eq=False)
class Home:
    """One home: the devices in it now by type, and all it ever had by id. `whitelist` is the hub's: each device and its key's hash."""

    index: int
    region: Region
    electricity: Eui64
    gas: Eui64
    type2_user: Eui64
    dual_band: bool
    dice: HomeDice
    pan_id: bytes
    fitted: dict[DeviceType, Device] = field(default_factory=dict)
    devices: dict[DeviceId, Device] = field(default_factory=dict)
    whitelist: dict[DeviceId, bytes] = field(default_factory=dict)
    generations: dict[DeviceType, int] = field(default_factory=dict)

    @property
    def hub(self) -> Device:
        """The Communications Hub Function."""
        return self.fitted[DeviceType.CHF]

    def on_han(self, device: DeviceId) -> Device | None:
        """Return the device if it can be reached on the home's network."""
        found = self.devices.get(device)
        if found is None or found.gone:
            return None
        # The Gas Proxy Function is inside the hub and needs no radio.
        return found if found.device_type is DeviceType.GPF or self.whitelist.get(device) else None

    def user_for(self, target: DeviceType, other: DeviceType | None = None) -> Eui64:
        """Return the User who sends requests to a device of type `target` (about `other`)."""
        if other is DeviceType.TYPE2:
            return self.type2_user
        return self.gas if target in (DeviceType.GSME, DeviceType.GPF) or other is DeviceType.GSME else self.electricity


def build_home(seed: int, index: int, faults: Faults, truth: Truth, start: datetime) -> Home:
    """Return the home with that number, its devices fitted but not yet known to the hub."""
    dice = dice_for_home(seed, index)
    plan = dice.plan
    has_gas, has_ppmid, has_type2, has_hcalcs, dual_band, same_supplier, other_user = (
        plan.random() < share for share in (_GAS, _PPMID, _TYPE2, _HCALCS, _DUAL_BAND, _SAME_SUPPLIER, _OTHER_USER_CAD)
    )
    electricity = plan.choice(SUPPLIERS)
    gas = electricity if same_supplier else plan.choice(SUPPLIERS)
    home = Home(
        index=index,
        region=plan.choice(tuple(Region)),
        electricity=electricity,
        gas=gas,
        type2_user=OTHER_USER if other_user else electricity,
        dual_band=dual_band,
        dice=dice,
        pan_id=dice.octets.randbytes(8),
    )
    present = {DeviceType.GSME: has_gas, DeviceType.PPMID: has_ppmid, DeviceType.TYPE2: has_type2, DeviceType.HCALCS: has_hcalcs}
    for device_type in (DeviceType.CHF, DeviceType.GPF, DeviceType.ESME, *present):
        if present.get(device_type, True):
            fit_device(home, device_type, faults, truth, start)
    _age(home, faults)
    return home


def fit_device(home: Home, device_type: DeviceType, faults: Faults, truth: Truth, at: datetime) -> Device:
    """Put a new device of that type into the home, in place of the one it has, and return it."""
    generation = home.generations.get(device_type, -1) + 1
    home.generations[device_type] = generation
    plan = home.dice.plan
    make = plan.choice(MAKES[device_type])
    clock_unset = plan.random() < faults.clock_unset
    if clock_unset:
        truth.count(Happening.CLOCK_UNSET)
    device = Device(
        device_id=device_id(home.index, device_type, generation),
        device_type=device_type,
        make=make,
        knows=_credentials(home, device_type),
        clock_offset=timedelta(milliseconds=round(_spread(plan) * faults.clock_offset_max / timedelta(milliseconds=1))),
        clock_unset=clock_unset,
        refuses_repeats=make.firmware in faults.repeat_refusing_firmware,
        booted_at=at,
        free_at=at,
        wake_phase=timedelta(seconds=plan.randrange(1800)),
        alert_counter=plan.randrange(1, 5000),
    )
    home.devices[device.device_id] = device
    home.fitted[device_type] = device
    return device


def retire(device: Device, truth: Truth, at: datetime) -> None:
    """Take `device` out of its home."""
    device.gone = True
    truth.retired[device.device_id] = at


def planned_pairs(home: Home) -> list[tuple[DeviceType, DeviceType]]:
    """Return the directional pairs (target, other) to join, responder before initiator.

    Source: docs/domain.md, "Install and commission flow".
    """
    gsme, gpf, ppmid, esme = DeviceType.GSME, DeviceType.GPF, DeviceType.PPMID, DeviceType.ESME
    type2, hcalcs = DeviceType.TYPE2, DeviceType.HCALCS
    order = [(gsme, gpf), (gpf, ppmid), (ppmid, esme), (esme, ppmid), (ppmid, gsme), (gsme, ppmid)]
    order += [(hcalcs, esme), (esme, hcalcs), (esme, type2), (gpf, type2)]
    # Without gas nothing goes through the Gas Proxy Function.
    return [pair for pair in order if {*pair} <= home.fitted.keys() and not (gpf in pair and gsme not in home.fitted)]


def _credentials(home: Home, device_type: DeviceType) -> frozenset[Eui64]:
    if device_type in (DeviceType.ESME, DeviceType.HCALCS):
        return frozenset({home.electricity})
    if device_type in (DeviceType.GSME, DeviceType.GPF):
        return frozenset({home.gas})
    return frozenset()


def _age(home: Home, faults: Faults) -> None:
    """Leave entries of another type in some logs, as a device has that was used or set up wrongly before."""
    for target, other in planned_pairs(home):
        if home.dice.plan.random() < faults.stale_entry:
            wrong = DeviceType.TYPE2 if other is not DeviceType.TYPE2 else DeviceType.PPMID
            home.fitted[target].log[home.fitted[other].device_id] = int(wrong)


def _spread(random: Random) -> float:
    return random.uniform(-1.0, 1.0)
