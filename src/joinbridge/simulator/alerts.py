"""The way of an alert: from its device through the CSP to the bus, unless it is lost or late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from joinbridge.core.ids import Eui64, WireKey
from joinbridge.core.vocabulary import AlertCode, Cra
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda
from joinbridge.simulator.devices import Device
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.homes import Home
from joinbridge.simulator.parties import ACB
from joinbridge.simulator.tap import Tap
from joinbridge.simulator.truth import Happening, Truth
from joinbridge.wire.payloads import Payload
from joinbridge.wire.payloads.alerts import AlertProfile

_WRAPPED = 0.5  # share of the alerts to a User that are seen as DUIS documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """When an alert reached the CSP, and when the bus delivered it intact; None: never."""

    arrived_at: datetime | None
    delivered_at: datetime | None


class AlertPath:
    """Carries alerts."""

    def __init__(self, agenda: Agenda, tap: Tap, faults: Faults, truth: Truth) -> None:
        self._agenda = agenda
        self._tap = tap
        self._faults = faults
        self._truth = truth

    def send(self, home: Home, device: Device, counter: int, code: int, payload: Payload, recipient: Eui64 = ACB) -> Sent:
        """Let `device` send an alert now."""
        path = home.dice.path
        lost, slow, how_slow, usual, wrapped = (path.random() for _ in range(5))
        if lost < self._faults.alert_lost:
            self._truth.count(Happening.ALERT_LOST)
            return Sent(arrived_at=None, delivered_at=None)
        arrived_at = self._agenda.now + timedelta(seconds=1 + 9 * usual)
        if slow < self._faults.transit_delayed:
            self._truth.count(Happening.ALERT_LATE)
            arrived_at += how_slow * self._faults.transit_delay_max
        gbcs = composer.alert(device, counter, recipient, composer.message_code_of_alert(code), payload, home.dice.octets)
        as_duis = recipient != ACB and wrapped < _WRAPPED
        document = composer.device_alert(code, gbcs, arrived_at) if as_duis else None
        return Sent(arrived_at=arrived_at, delivered_at=self._tap.alert(home, code, gbcs, arrived_at, document))

    def generic(self, home: Home, device: Device, code: int, profile: AlertProfile, recipient: Eui64) -> Sent:
        """Let `device` send an alert that is a code and a time."""
        counter = device.next_alert_counter()
        payload = composer.generic_alert(code, device.clock(self._agenda.now), profile, counter)
        return self.send(home, device, counter, code, payload, recipient)

    def discarded(self, home: Home, wire: WireKey, cra: Cra, code: int = AlertCode.MESSAGE_DISCARDED) -> Sent:
        """Let the hub say that it dropped, or could not deliver, the message with that key."""
        hub = home.hub
        counter = hub.next_alert_counter()
        payload = composer.discarded(code, hub.clock(self._agenda.now), wire, cra, counter)
        return self.send(home, hub, counter, code, payload)
