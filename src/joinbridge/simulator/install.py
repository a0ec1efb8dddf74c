"""An installation, step by step (docs/domain.md, "Install and commission flow")."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta

from joinbridge.core.vocabulary import SRV_READ_DEVICE_LOG, DeviceType, Intent, MessageCode
from joinbridge.simulator.agenda import Agenda, AwaitReply, Pause, Reply
from joinbridge.simulator.devices import Device
from joinbridge.simulator.dsp import SMI_SAYS_NOT_JOINED, Dsp
from joinbridge.simulator.homes import Home, planned_pairs
from joinbridge.simulator.inventory_answers import InventoryDesk
from joinbridge.simulator.users import Asking, Users
from joinbridge.wire.duis.messages import DeviceStatusChange, UpdateHanDeviceLogResult
from joinbridge.wire.duis.requests import CommissionDevice, ReadDeviceLog, UpdateHanDeviceLog, WhitelistDetails
from joinbridge.wire.payloads.hub_commands import AddToHub, RemoveFromHub
from joinbridge.wire.payloads.join import ReadJoinDetails

Steps = Generator[Pause | AwaitReply, Reply | None, None]
"""A part of a script that returns nothing."""

_ECS70, _GCS28 = 0x0062, 0x007F  # GBCS message codes of SRV 8.1.1 on an ESME and a GSME
_METER_IDENTITY, _HUB_LOG_UPDATED = "N16", "N24"  # docs/domain.md, "DCC Alerts"; the first number is a guess
_NOT_DELIVERED = frozenset({"E20", "N12"})
_JOIN_TIME_S = 600
_ASKED_AGAIN = 0.5  # chance that a Supplier sends an unanswered or failed request again, with a new counter
_TRIES_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Whoever stands in a home and works through the list, with the Suppliers' systems behind them."""

    agenda: Agenda
    users: Users
    dsp: Dsp
    desk: InventoryDesk
    checks: float = 0.0  # chance that a Supplier who is told that a command did not arrive reads the Device Log

    def install(self, home: Home) -> Steps:
        """Admit the devices to the network, commission the meters, and join everything that belongs together."""
        pace = home.dice.pace
        for device_type in (DeviceType.ESME, DeviceType.GSME, DeviceType.PPMID, DeviceType.TYPE2, DeviceType.HCALCS):
            device = home.fitted.get(device_type)
            if device is not None:
                yield from self.admit(home, device)
        yield Pause(seconds=pace.uniform(60, 180))
        for device_type, code in ((DeviceType.ESME, _ECS70), (DeviceType.GSME, _GCS28)):
            if device_type in home.fitted:
                yield from self._commission(home, home.fitted[device_type], code)
        self.desk.read(home)
        for target, other in planned_pairs(home):
            yield Pause(seconds=pace.uniform(3, 30))
            yield from self.join(home, home.fitted[target], home.fitted[other])

    def admit(self, home: Home, device: Device) -> Steps:
        """Add `device` to the hub's whitelist (SRV 8.11); it then joins the network by radio."""
        octets = home.dice.octets
        body = UpdateHanDeviceLog(
            device=device.device_id,
            add=True,
            whitelist=WhitelistDetails(join_time_period_s=_JOIN_TIME_S, install_code=octets.randbytes(16)),
        )
        payload = AddToHub(device=device.device_id, key=octets.randbytes(16), join_time_s=_JOIN_TIME_S)
        yield from self._update_hub(home, body, payload)

    def strike(self, home: Home, device: Device) -> Steps:
        """Remove `device` from the hub's whitelist (SRV 8.11)."""
        body = UpdateHanDeviceLog(device=device.device_id, add=False)
        yield from self._update_hub(home, body, RemoveFromHub(device=device.device_id))

    def join(self, home: Home, target: Device, other: Device) -> Steps:
        """Join target→other, and try again as Suppliers do when there is no answer, or a bad one."""
        yield from self._change(home, Intent.JOIN, target, other)

    def unjoin(self, home: Home, target: Device, other: Device) -> Steps:
        """Unjoin target→other. A refusal for what the SMI says ends it: nothing that a Supplier can send changes the SMI."""
        yield from self._change(home, Intent.UNJOIN, target, other)

    def read_log(self, home: Home, target: Device) -> Asking:
        """Have the Device Log of `target` read by its Supplier."""
        return self.users.ask(home, target, SRV_READ_DEVICE_LOG, MessageCode.CS07, ReadDeviceLog(), ReadJoinDetails())

    def _change(self, home: Home, intent: Intent, target: Device, other: Device) -> Steps:
        plan = home.dice.plan
        for _ in range(_TRIES_MAX):
            reply = yield from self.users.change(home, intent, target, other)
            if reply is not None and (reply.outcome == 0 or reply.code == SMI_SAYS_NOT_JOINED):
                return
            if self.checks and reply is not None and reply.code in _NOT_DELIVERED and plan.random() < self.checks:
                yield Pause(seconds=plan.uniform(30, 600))
                yield from self.read_log(home, target)
            again, wait_s = plan.random() < _ASKED_AGAIN, plan.uniform(30, 1800)
            if not again:
                return
            yield Pause(seconds=wait_s)

    def _update_hub(self, home: Home, body: UpdateHanDeviceLog, payload: AddToHub | RemoveFromHub) -> Steps:
        code = MessageCode.CCS01 if body.add else MessageCode.CCS02
        hub = home.hub
        reply = yield from self.users.ask(home, hub, "8.11", code, body, payload)
        if reply is not None and reply.code == "I0" and body.add:
            result = UpdateHanDeviceLogResult(request_id=self.users.last_request_id(home.user_for(hub.device_type), hub))
            self.dsp.tell(home, _HUB_LOG_UPDATED, result)
        yield Pause(seconds=home.dice.pace.uniform(20, 120))

    def _commission(self, home: Home, meter: Device, code: int) -> Asking:
        body = CommissionDevice(current_date_time=self.agenda.now + timedelta(seconds=2), tolerance_period_s=10)
        reply = yield from self.users.ask(home, meter, "8.1.1", code, body, critical=True, signed_answer=True)
        if reply is not None and reply.code == "I0":
            self.dsp.tell(
                home, _METER_IDENTITY, DeviceStatusChange(device=meter.device_id, change="MeterIdentity", import_mpxn=_mpxn(home))
            )
        yield Pause(seconds=home.dice.pace.uniform(10, 60))
        return reply


def _mpxn(home: Home) -> str:
    return f"{1_200_000_000_000 + home.index}"
