"""Communications Hubs: the whitelist of the home's network, and the Gas Proxy Function's own log; both are told when they change."""

from __future__ import annotations

from joinbridge.core.ids import DeviceId
from joinbridge.core.vocabulary import AlertCode, DeviceType
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda
from joinbridge.simulator.alerts import AlertPath
from joinbridge.simulator.devices import Device
from joinbridge.simulator.homes import Home
from joinbridge.simulator.truth import LogReport, Truth
from joinbridge.wire.payloads.gpf import GpfLogChanged
from joinbridge.wire.payloads.hub import HubEntry, HubLogChanged
from joinbridge.wire.payloads.join import DeviceEntry


class Hubs:
    """The hubs of all homes. `backups` is the latest log of each GPF that the DSP received, to restore a new one from."""

    def __init__(self, agenda: Agenda, alerts: AlertPath, truth: Truth) -> None:
        self._agenda = agenda
        self._alerts = alerts
        self._truth = truth
        self.backups: dict[DeviceId, tuple[DeviceEntry, ...]] = {}

    def whitelist(self, home: Home, device: DeviceId) -> None:
        """Admit `device`; it has no link key yet, so its hash is empty in this 8F12."""
        home.whitelist[device] = b""
        self.tell_whitelist(home)
        self._agenda.after(home.dice.pace.uniform(15, 90), lambda: self._radio_join(home, device))

    def strike(self, home: Home, device: DeviceId) -> None:
        """Admit `device` no longer."""
        if home.whitelist.pop(device, None) is not None:
            self.tell_whitelist(home)

    def tell_whitelist(self, home: Home) -> None:
        """Send the whole whitelist: CS14, alert 8F12."""
        hub = home.hub
        counter = hub.next_alert_counter()
        now = hub.clock(self._agenda.now)
        payload = HubLogChanged(
            alert_code=AlertCode.CHF_DEVICE_LOG_CHANGED,
            at=now,
            backup_time=now,
            extended_pan_id=home.pan_id,
            entries=tuple(HubEntry(device=each, link_key_hash=key) for each, key in home.whitelist.items()),
            invoke_id=composer.invoke_id(counter),
        )
        self._alerts.send(home, hub, counter, AlertCode.CHF_DEVICE_LOG_CHANGED, payload)

    def tell_gpf_log(self, home: Home, gpf: Device) -> None:
        """Send the GPF's whole Device Log: GCS62, alert 8071."""
        now = self._agenda.now
        entries = gpf.log_entries()
        payload = GpfLogChanged(alert_code=int(AlertCode.GPF_DEVICE_LOG_CHANGED), at=gpf.clock(now).replace(microsecond=0), entries=entries)
        sent = self._alerts.send(home, gpf, gpf.next_alert_counter(), AlertCode.GPF_DEVICE_LOG_CHANGED, payload)
        self._truth.reported(
            LogReport(
                device=gpf.device_id,
                kind="8071",
                at=now,
                delivered_at=sent.delivered_at,
                entries=frozenset(gpf.log.items()),
                dated=not gpf.clock_unset,
            )
        )
        if sent.arrived_at is not None:
            self._agenda.at(sent.arrived_at, lambda: self.backups.__setitem__(gpf.device_id, entries))

    def _radio_join(self, home: Home, device_id: DeviceId) -> None:
        """The device has found the network and agreed on its link key."""
        device = home.devices[device_id]
        if device.gone or device_id not in home.whitelist:
            return
        home.whitelist[device_id] = home.dice.octets.randbytes(16)
        self.tell_whitelist(home)
        device.note(AlertCode.DEVICE_JOINED_SMHAN, self._agenda.now)
        if device.device_type in (DeviceType.ESME, DeviceType.GSME):
            profile = composer.profile_of(device.device_type)
            user = home.user_for(device.device_type)
            self._alerts.generic(home, device, AlertCode.DEVICE_JOINED_SMHAN, profile, user)
            self._alerts.generic(home, device, AlertCode.DEVICE_COMMISSIONED, profile, user)
