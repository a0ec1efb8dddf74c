"""Traffic that concerns no join: readings, alerts, answers of the older SMETS1 estate. It is most of what a real bus carries."""

from __future__ import annotations

from datetime import datetime, timedelta

from joinbridge.core.vocabulary import AlertCode, DeviceType
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda
from joinbridge.simulator.alerts import AlertPath
from joinbridge.simulator.devices import Command
from joinbridge.simulator.homes import Home
from joinbridge.simulator.tap import Tap
from joinbridge.simulator.users import Users
from joinbridge.wire.duis.messages import DuisResponse, GbcsPayload, Smets1Response
from joinbridge.wire.duis.requests import OtherService
from joinbridge.wire.duis.write import write_duis

_READ_IMPORT = "4.1.1"
_ECS17B = 0x0027  # GBCS message code of a reading
_POWER_BACK = 0x81A0
_CH_CONNECTED = 0x81A2
_ALERTS = (_POWER_BACK, _CH_CONNECTED, AlertCode.ACCESS_DENIED, AlertCode.CREDIT_ADDED_LOCALLY, AlertCode.AUTHORITY_FAILURE)


class Noise:
    """Makes traffic for homes, each message at a moment of its own."""

    def __init__(self, agenda: Agenda, tap: Tap, alerts: AlertPath, users: Users) -> None:
        self._agenda = agenda
        self._tap = tap
        self._alerts = alerts
        self._users = users

    def spread(self, home: Home, number: int, begin: datetime, end: datetime) -> None:
        """Plan `number` occasions for a home between `begin` and `end`."""
        span_s = (end - begin).total_seconds()
        for _ in range(number):
            at = begin + timedelta(seconds=home.dice.noise.uniform(0, span_s))
            self._agenda.at(at, lambda: self._make(home))

    def _make(self, home: Home) -> None:
        kind = home.dice.noise.random()
        if kind < 0.45:
            self._reading(home)
        elif kind < 0.95:
            self._alert(home)
        else:
            self._smets1(home)

    def _reading(self, home: Home) -> None:
        """Publish a reading with all that belongs to it: request, acknowledgement, answer."""
        meter, user, octets = home.fitted[DeviceType.ESME], home.electricity, home.dice.octets
        request_id = self._users.next_request_id(user, meter.device_id)
        body = OtherService(element="ReadInstantaneousImportRegisters")
        self._users.publish_request(home, request_id, _READ_IMPORT, 1, body)
        meter.accept(request_id)
        command = Command(wire=request_id, message_code=_ECS17B, payload=None)
        content = b"\xda" + composer.invoke_id(request_id.counter).to_bytes(4, "big") + octets.randbytes(60)
        now = self._agenda.now
        route = f"response.{_READ_IMPORT}"
        accepted_at, answered_at = now + timedelta(seconds=0.3), now + timedelta(seconds=home.dice.noise.uniform(3, 12))
        self._tap.service(home, route, composer.acknowledgement(request_id, _READ_IMPORT, "I99", accepted_at), accepted_at)
        payload = GbcsPayload(gbcs=composer.answer(command, content, octets, signed=False))
        answer = composer.response(request_id, _READ_IMPORT, "I0", answered_at, payload, from_device=True)
        self._tap.service(home, route, answer, answered_at)

    def _alert(self, home: Home) -> None:
        noise = home.dice.noise
        gas, code = noise.random() < 0.3, noise.choice(_ALERTS)
        meter = home.fitted.get(DeviceType.GSME) if gas else None
        meter = meter or home.fitted[DeviceType.ESME]
        self._alerts.generic(home, meter, code, composer.profile_of(meter.device_type), home.user_for(meter.device_type))

    def _smets1(self, home: Home) -> None:
        now = self._agenda.now
        body = write_duis(DuisResponse(response_code="I0", response_date_time=now, body=Smets1Response()))
        self._tap.service(home, f"response.{_READ_IMPORT}", body, now)
