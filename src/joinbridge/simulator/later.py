"""What happens in a home after its installation: repeats, log reads, devices and hubs exchanged, joins taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from joinbridge.core.ids import JoinPair
from joinbridge.core.vocabulary import DeviceType, Intent, MessageCode
from joinbridge.simulator.agenda import Pause
from joinbridge.simulator.devices import Device
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.field import SRV_READ_LOG
from joinbridge.simulator.homes import Home, fit_device, planned_pairs, retire
from joinbridge.simulator.hubs import Hubs
from joinbridge.simulator.install import Installer, Steps
from joinbridge.simulator.truth import Happening, Truth
from joinbridge.wire.duis.messages import DeviceLogRestored, PpmidRemoval, RestoredLog
from joinbridge.wire.duis.requests import ReadEventOrSecurityLog, RestoreGpfDeviceLog, RestoreHanDeviceLog
from joinbridge.wire.payloads.gpf import RestoreGpfLog
from joinbridge.wire.payloads.hub import HubEntry
from joinbridge.wire.payloads.hub_commands import RestoreHubLog

_RESTORED, _PPMID_REMOVED = "N35", "N51"  # guesses: which numbers go with these is not known (docs/domain.md, "DCC Alerts")


class Turn(StrEnum):
    """Something that may happen to a home after its installation."""

    REPEAT = "repeat"  # the Supplier joins again what is joined
    REJOIN = "rejoin"  # the Supplier tries again what is not
    READ_LOG = "read-log"  # the Supplier reads a Device Log
    READ_SECURITY = "read-security"
    UNJOIN = "unjoin"
    UNJOIN_AND_JOIN = "unjoin-and-join"
    EXCHANGE_DISPLAY = "exchange-display"
    EXCHANGE_TYPE2 = "exchange-type2"
    EXCHANGE_HUB = "exchange-hub"
    READ_INVENTORY = "read-inventory"
    FORGET = "forget"  # a device loses an entry of its log by itself, and the Supplier reads the log


CHANCES: dict[Turn, float] = {
    Turn.REPEAT: 0.05,
    Turn.REJOIN: 0.3,
    Turn.READ_LOG: 0.12,
    Turn.READ_SECURITY: 0.1,
    Turn.UNJOIN: 0.08,
    Turn.UNJOIN_AND_JOIN: 0.1,
    Turn.EXCHANGE_DISPLAY: 0.1,
    Turn.EXCHANGE_TYPE2: 0.1,
    Turn.EXCHANGE_HUB: 0.03,
    Turn.READ_INVENTORY: 0.1,
}
"""How likely each is for one home; invented, and higher than in the real estate, to have enough of each in a short run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The later life of homes, in which each turn is as likely as `chances` says."""

    installer: Installer
    hubs: Hubs
    faults: Faults
    truth: Truth
    chances: Mapping[Turn, float] = field(default_factory=lambda: CHANCES)

    def live(self, home: Home, until: datetime) -> Steps:
        """Let things happen at random times up to `until`."""
        plan = home.dice.plan
        now = self.installer.agenda.now
        span_s = max((until - now).total_seconds(), 0.0)
        happening = [(plan.uniform(0, span_s), turn) for turn, chance in self.chances.items() if plan.random() < chance]
        for offset_s, turn in sorted(happening):
            wait_s = offset_s - (self.installer.agenda.now - now).total_seconds()
            yield Pause(seconds=max(wait_s, 0.0))
            if self.installer.agenda.now >= until:
                return
            yield from self._take(home, turn)

    def _take(self, home: Home, turn: Turn) -> Steps:
        match turn:
            case Turn.EXCHANGE_DISPLAY:
                yield from self._exchange(home, DeviceType.PPMID)
            case Turn.EXCHANGE_TYPE2:
                yield from self._exchange(home, DeviceType.TYPE2)
            case Turn.EXCHANGE_HUB:
                yield from self._exchange_hub(home)
            case Turn.READ_INVENTORY:
                self.installer.desk.read(home)
            case Turn.READ_LOG:
                yield from self._read_log(home)
            case Turn.FORGET:
                yield from self._forget(home)
            case Turn.READ_SECURITY:
                yield from self._read_security(home)
            case Turn.REPEAT | Turn.REJOIN | Turn.UNJOIN | Turn.UNJOIN_AND_JOIN:
                yield from self._change(home, turn)

    def _change(self, home: Home, turn: Turn) -> Steps:
        pairs = [(home.fitted[target], home.fitted[other]) for target, other in planned_pairs(home)]
        joined = [pair for pair in pairs if (pair[1].device_id in pair[0].log) is (turn is not Turn.REJOIN)]
        if not joined:
            return
        target, other = home.dice.plan.choice(joined)
        if turn in (Turn.UNJOIN, Turn.UNJOIN_AND_JOIN):
            yield from self.installer.unjoin(home, target, other)
            yield Pause(seconds=home.dice.pace.uniform(60, 7200))
        if turn is not Turn.UNJOIN:
            yield from self.installer.join(home, target, other)

    def _forget(self, home: Home) -> Steps:
        """Let a device lose an entry of its log that nobody asked it to strike out, and have its Supplier find out."""
        pairs = [(home.fitted[target], home.fitted[other]) for target, other in planned_pairs(home)]
        joined = [(target, other) for target, other in pairs if other.device_id in target.log]
        if not joined:
            return
        target, other = home.dice.plan.choice(joined)
        del target.log[other.device_id]
        self.truth.forgot(JoinPair(target.device_id, other.device_id), self.installer.agenda.now)
        if target.device_type is DeviceType.GPF:
            self.hubs.tell_gpf_log(home, target)
        yield Pause(seconds=home.dice.pace.uniform(60, 7200))
        yield from self.installer.read_log(home, target)

    def _read_log(self, home: Home) -> Steps:
        pairs = planned_pairs(home)
        if not pairs:
            return
        yield from self.installer.read_log(home, home.fitted[home.dice.plan.choice(pairs)[0]])

    def _read_security(self, home: Home) -> Steps:
        now = self.installer.agenda.now
        electricity = DeviceType.GSME not in home.fitted or home.dice.plan.random() < 0.5
        device = home.fitted[DeviceType.ESME if electricity else DeviceType.GSME]
        code = MessageCode.ECS35B if electricity else MessageCode.CS10B
        body = ReadEventOrSecurityLog(log="Security" if electricity else "GSMESecurity", start=device.booted_at, end=now)
        yield from self.installer.users.ask(home, device, SRV_READ_LOG, code, body)

    def _exchange(self, home: Home, device_type: DeviceType) -> Steps:
        """Replace a display: unjoin the old one, strike it, admit and join the new one."""
        old = home.fitted.get(device_type)
        if old is None:
            return
        self.truth.count(Happening.DEVICE_EXCHANGED)
        concerned = [pair for pair in planned_pairs(home) if device_type in pair]
        for target, other in concerned:
            yield from self.installer.unjoin(home, home.fitted[target], home.fitted[other])
        yield from self.installer.strike(home, old)
        retire(old, self.truth, self.installer.agenda.now)
        if device_type is DeviceType.PPMID:
            self.installer.dsp.tell(home, _PPMID_REMOVED, PpmidRemoval(ppmid=old.device_id, chf=home.hub.device_id))
        new = fit_device(home, device_type, self.faults, self.truth, self.installer.agenda.now)
        yield from self.installer.admit(home, new)
        self.installer.desk.read(home)
        for target, other in concerned:
            yield Pause(seconds=home.dice.pace.uniform(3, 30))
            yield from self.installer.join(home, home.fitted[target], home.fitted[other])

    def _exchange_hub(self, home: Home) -> Steps:
        """Replace the hub, and restore both its logs from what the DSP last heard of them (SRV 8.12.1, 8.12.2)."""
        installer, now = self.installer, self.installer.agenda.now
        self.truth.count(Happening.HUB_EXCHANGED)
        old_chf, old_gpf = home.hub, home.fitted[DeviceType.GPF]
        for old in (old_chf, old_gpf):
            retire(old, self.truth, now)
        chf = fit_device(home, DeviceType.CHF, self.faults, self.truth, now)
        gpf = fit_device(home, DeviceType.GPF, self.faults, self.truth, now)
        installer.desk.read(home)
        whitelist = tuple(HubEntry(device=each, link_key_hash=key) for each, key in home.whitelist.items())
        restore_hub = RestoreHubLog(extended_pan_id=home.pan_id, entries=whitelist)
        body = RestoreHanDeviceLog(old_chf=old_chf.device_id)
        yield from installer.users.ask(home, chf, "8.12.1", MessageCode.CCS03, body, restore_hub)
        self._tell_restored(home, "CHFDeviceLog", old_chf, old_gpf)
        if DeviceType.GSME not in home.fitted:
            return
        backup = tuple(entry for entry in self.hubs.backups.get(old_gpf.device_id, ()))
        gpf_body = RestoreGpfDeviceLog(old_gpf=old_gpf.device_id)
        reply = yield from installer.users.ask(home, gpf, "8.12.2", MessageCode.GCS59, gpf_body, RestoreGpfLog(entries=backup))
        if reply is not None and reply.code == "I0":
            for entry in backup:
                installer.dsp.set_smi(JoinPair(gpf.device_id, entry.device), joined=True)
        self._tell_restored(home, "GPFDeviceLog", old_chf, old_gpf)
        yield Pause(seconds=home.dice.pace.uniform(30, 300))
        yield from installer.join(home, home.fitted[DeviceType.GSME], gpf)

    def _tell_restored(self, home: Home, log: RestoredLog, old_chf: Device, old_gpf: Device) -> None:
        restored = DeviceLogRestored(
            log=log,
            old_chf=old_chf.device_id,
            new_chf=home.hub.device_id,
            old_gpf=old_gpf.device_id,
            new_gpf=home.fitted[DeviceType.GPF].device_id,
            restored_date=self.installer.agenda.now.date(),
        )
        self.installer.dsp.tell(home, _RESTORED, restored)


def answer_notice(later: Later, home: Home, intent: Intent, pair: JoinPair, wait_s: float) -> Steps:
    """Do as joinbridge's notice suggests: send the request again, with a new counter."""
    yield Pause(seconds=wait_s)
    target, other = home.devices[pair.target], home.devices[pair.other]
    if not target.gone and not other.gone:
        yield from later.installer.users.change(home, intent, target, other)
