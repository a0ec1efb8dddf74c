"""The way between DSP and device: commands out, answers back, and all the places where either gets lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from joinbridge.core.vocabulary import SRV_READ_DEVICE_LOG, AlertCode, Cra, DeviceType, JoinCode, JoinRole
from joinbridge.simulator.agenda import Agenda
from joinbridge.simulator.alerts import AlertPath
from joinbridge.simulator.devices import Command, Mishap
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.field import Field
from joinbridge.simulator.orders import Fate, Order
from joinbridge.simulator.truth import Happening, Leg, Truth
from joinbridge.wire.payloads import Payload
from joinbridge.wire.payloads.join import JoinCommand, JoinResponse

_LOST_AT = {
    Leg.RADIO: Happening.ANSWER_LOST_RADIO,
    Leg.WAN: Happening.ANSWER_LOST_WAN,
    Leg.DSP: Happening.ANSWER_LOST_DSP,
    Leg.USER: Happening.ANSWER_LOST_USER,
}
_FAILURES_ANY = (JoinCode.DEVICE_LOG_FULL, JoinCode.WRITE_FAILURE)
_FAILURES_OF_KEYS = (
    JoinCode.KEY_AGREEMENT_NO_RESOURCES,
    JoinCode.KEY_AGREEMENT_UNKNOWN_ISSUER,
    JoinCode.KEY_AGREEMENT_UNSUPPORTED_SUITE,
    JoinCode.KEY_AGREEMENT_BAD_MESSAGE,
    JoinCode.KEY_AGREEMENT_BAD_KEY_CONFIRM,
    JoinCode.NO_PARTNER_LINK_KEY,
    JoinCode.NO_CBKE_RESPONSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A device's answer on its way up: when it was given, and the leg that it will not survive, if any."""

    order: Order
    command: Command
    payload: Payload | bytes
    executed_at: datetime
    lost_on: Leg | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """The CSP's word that a command did not reach its device."""

    order: Order
    command: Command
    fate: Fate


class Csp:
    """Carries commands to devices and answers to the DSP, which hears by `on_answer` and `on_undelivered`."""

    def __init__(self, agenda: Agenda, alerts: AlertPath, field: Field, faults: Faults, truth: Truth) -> None:
        self._agenda = agenda
        self._alerts = alerts
        self._field = field
        self._faults = faults
        self._truth = truth
        self.on_answer: Callable[[Answered], None] = _nobody
        self.on_undelivered: Callable[[Undelivered], None] = _nobody
        self.on_discarded: Callable[[Order, Cra], None] = _nobody

    def send(self, order: Order, command: Command, fate: Fate) -> None:
        """Send `command` down now."""
        if fate.loss < self._faults.command_lost or order.device.gone:
            self._lose_command(order, command, fate)
            return
        device = order.device
        executed_at = device.ready_at(self._agenda.now + timedelta(seconds=1 + 3 * fate.down))
        device.free_at = executed_at + timedelta(seconds=0.5)
        self._agenda.at(executed_at, lambda: self._execute(order, command, fate))

    def _execute(self, order: Order, command: Command, fate: Fate) -> None:
        answer = self._field.execute(order, command, _mishap(command, fate, self._faults))
        if answer is None:
            return
        lost_on = self._leg(order, answer, fate)
        if lost_on is not None and order.attempt is not None:
            self._truth.count(_LOST_AT[lost_on])
            if command.issue == 1:
                order.attempt.lost_on = lost_on
        answered = Answered(order=order, command=command, payload=answer, executed_at=self._agenda.now, lost_on=lost_on)
        if lost_on is Leg.RADIO:
            self._discard(order, command, Cra.RESPONSE, fate)
            return
        if lost_on is Leg.WAN:
            return
        up = timedelta(seconds=1 + 4 * fate.up)
        if fate.slow < self._faults.transit_delayed:
            self._truth.count(Happening.ANSWER_LATE)
            up += fate.how_slow * self._faults.transit_delay_max
        self._agenda.after(up.total_seconds(), lambda: self.on_answer(answered))

    def _leg(self, order: Order, answer: Payload | bytes, fate: Fate) -> Leg | None:
        """Return where the answer gets lost, None when it arrives."""
        faults = self._faults
        if order.attempt is None:
            if order.srv == SRV_READ_DEVICE_LOG and fate.leg < faults.probe_answer_lost:
                self._truth.count(Happening.READ_ANSWER_LOST)
                return (Leg.RADIO, Leg.WAN, Leg.DSP, Leg.USER)[int(fate.leg_choice * 4)]
            return None
        rates = {
            Leg.RADIO: faults.answer_lost_radio + faults.lossy_cells.get((order.home.region, order.device.make.firmware), 0.0),
            Leg.WAN: faults.answer_lost_wan,
            Leg.DSP: faults.answer_lost_dsp,
            Leg.USER: faults.answer_lost_user,
        }
        failed = isinstance(answer, JoinResponse) and answer.code != 0
        if failed and fate.fail < faults.join_fails_and_lost:
            self._truth.count(Happening.JOIN_FAILED_AND_LOST)
            return _pick(rates, fate.leg_choice * sum(rates.values())) or Leg.WAN
        return _pick(rates, fate.leg)

    def _lose_command(self, order: Order, command: Command, fate: Fate) -> None:
        self._truth.count(Happening.COMMAND_LOST)
        if order.attempt is not None and command.issue == 1:
            order.attempt.command_lost = True
        if fate.report >= self._faults.command_loss_reported:
            return
        if order.home.dual_band and fate.report_kind < 0.5:
            self._discard(order, command, Cra.COMMAND, fate)
        elif order.device.device_type is DeviceType.ESME and fate.report_kind < 0.7:
            self._truth.count(Happening.COMMAND_NOT_DELIVERED_REPORTED)
            self._alerts.discarded(order.home, command.wire, Cra.COMMAND, AlertCode.NOT_DELIVERED_TO_ESME)
        else:
            wait_s = 30 + 90 * fate.up
            self._agenda.after(wait_s, lambda: self.on_undelivered(Undelivered(order=order, command=command, fate=fate)))
            if fate.late < self._faults.command_late_after_all and not order.device.gone:
                self._truth.count(Happening.COMMAND_LATE_AFTER_ALL)
                # The hub kept it after all. It does not wait for its turn any more: what was sent since was carried out before it.
                late_s = wait_s + fate.how_slow * self._faults.transit_delay_max.total_seconds()
                self._agenda.after(late_s, lambda: self._execute(order, command, fate))

    def _discard(self, order: Order, command: Command, cra: Cra, fate: Fate) -> None:
        """The radio dropped a message; a dual-band hub may say so."""
        response = cra is Cra.RESPONSE
        if response and not (order.home.dual_band and fate.discard < self._faults.discard_reported):
            return
        self._truth.count(Happening.ANSWER_DISCARD_REPORTED if response else Happening.COMMAND_DISCARD_REPORTED)
        self._alerts.discarded(order.home, command.wire, cra)
        if fate.discard_told < self._faults.discard_told_by_dsp:
            self._agenda.after(5 + 10 * fate.up, lambda: self.on_discarded(order, cra))


def _mishap(command: Command, fate: Fate, faults: Faults) -> Mishap:
    join_code = None
    if isinstance(command.payload, JoinCommand) and fate.fail < faults.join_fails_and_lost + faults.join_fails:
        keys = command.payload.role == JoinRole.METHOD_A_INITIATOR
        codes = (*_FAILURES_ANY, *_FAILURES_OF_KEYS) if keys else _FAILURES_ANY
        join_code = codes[int(fate.fail_code * len(codes))]
    return Mishap(join_code=join_code, unjoin_fails=fate.fail < faults.unjoin_fails, read_fails=fate.fail < faults.read_fails)


def _pick(rates: dict[Leg, float], number: float) -> Leg | None:
    """Return the leg into whose share of the interval from 0 on `number` falls."""
    for leg, rate in rates.items():
        if number < rate:
            return leg
        number -= rate
    return None


def _nobody(*_told: object) -> None:
    """Stand in until the DSP is there."""
