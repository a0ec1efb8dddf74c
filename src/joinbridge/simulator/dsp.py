"""The DSP: takes requests, sends commands, passes answers on, and keeps the inventory's join relation as it hears of it."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import timedelta

from joinbridge.core.ids import DeviceId, JoinPair, RequestId, WireKey
from joinbridge.core.vocabulary import SRV_READ_DEVICE_LOG, Cra, DeviceType, Intent, MessageCode
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda, Reply, Scripts
from joinbridge.simulator.csp import Answered, Csp, Undelivered
from joinbridge.simulator.devices import Command
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.homes import Home
from joinbridge.simulator.orders import Fate, Order, draw_fate
from joinbridge.simulator.parties import ACB
from joinbridge.simulator.tap import AT_ONCE, DCC_ALERT_ROUTE, Tap
from joinbridge.simulator.truth import Happening, Leg, LogReport, Truth
from joinbridge.wire.duis.messages import CommandFailure, DccAlertBody, DiscardedDuisMessage, GbcsPayload
from joinbridge.wire.payloads.gpf import RestoreGpfLog
from joinbridge.wire.payloads.join import JoinDetails, JoinResponse, ReadJoinDetails, UnjoinResponse

SMI_SAYS_NOT_JOINED = "E080801"
_TIME_OUT = timedelta(minutes=30)
_TIME_OUT_GSME = timedelta(hours=4)
_NOT_DELIVERED, _NO_RESPONSE, _DISCARDED = "N12", "N13", "N54"


class Dsp:
    """The Data Service Provider with its Access Control Broker. `smi` is the inventory's join relation, shared with joinbridge."""

    def __init__(
        self,
        agenda: Agenda,
        tap: Tap,
        csp: Csp,
        scripts: Scripts,
        faults: Faults,
        truth: Truth,
        smi: MutableMapping[JoinPair, bool],
    ) -> None:
        self._agenda = agenda
        self._tap = tap
        self._csp = csp
        self._scripts = scripts
        self._faults = faults
        self._truth = truth
        self._smi = smi
        self._acb_counters: dict[DeviceId, int] = {}
        self.orders: dict[RequestId, Order] = {}
        csp.on_answer = self._answered
        csp.on_undelivered = self._undelivered
        csp.on_discarded = self._discarded

    def submit(self, order: Order) -> None:
        """Send the command of an accepted request down."""
        self.orders[order.request_id] = order
        self._issue(order)

    def refuses(self, order: Order) -> bool:
        """Return whether the SMI forbids an Unjoin: it says that the devices are not joined."""
        attempt = order.attempt
        return attempt is not None and attempt.intent is Intent.UNJOIN and not self._smi.get(attempt.pair, False)

    def reissue(self, request_id: RequestId) -> str:
        """Issue the Join of `request_id` again on joinbridge's behalf; return the code of the acknowledgement.

        Only what the ACB fronts can be issued again: the counter of anything else is the User's own (docs/domain.md, "Counters and
        retries").
        """
        order = self.orders.get(request_id)
        if order is None:
            return "E19"
        if not order.fronted:
            return "E4"
        self._issue(order)
        return "I99"

    def probe(self, home: Home, request_id: RequestId) -> None:
        """Read the Device Log of the target on joinbridge's behalf."""
        self.submit(
            Order(
                request_id=request_id,
                home=home,
                device=home.devices[request_id.device],
                srv=SRV_READ_DEVICE_LOG,
                message_code=MessageCode.CS07,
                payload=ReadJoinDetails(),
                signed_answer=False,
                fronted=True,
            )
        )

    def tell(self, home: Home, code: str, alert: DccAlertBody) -> None:
        """Send a DCC Alert. What it tells of a device that left is not to be late."""
        now = self._agenda.now
        self._tap.service(home, DCC_ALERT_ROUTE, composer.dcc_alert(code, alert, now), now, sure=True, held_for=AT_ONCE)

    def set_smi(self, pair: JoinPair, *, joined: bool, aided: bool = False) -> None:
        """Write the SMI's join relation."""
        self._smi[pair] = joined
        self._truth.set_smi(pair, self._agenda.now, joined=joined, aided=aided)

    def _issue(self, order: Order) -> None:
        order.issued += 1
        order.answered = False
        fate = draw_fate(order.home.dice.path)
        self._csp.send(order, self._command(order), fate)
        if fate.time_out < self._faults.time_out_reported:
            wait = _TIME_OUT_GSME if order.device.device_type is DeviceType.GSME else _TIME_OUT
            self._agenda.after(wait.total_seconds(), lambda: self._timed_out(order, fate))

    def _command(self, order: Order) -> Command:
        """Return the command as it goes over the air: from the User itself, or from the ACB in its name."""
        request_id, device = order.request_id, order.device.device_id
        if isinstance(order.payload, RestoreGpfLog):
            wire, supplementary = WireKey(ACB, device, self._acb_counter(device)), None
        elif not order.fronted:
            wire, supplementary = request_id, None
        elif request_id.remote == ACB and request_id.counter > self._acb_counters.get(device, -1):
            # joinbridge speaks as the ACB: its counter is the ACB's.
            self._acb_counters[device] = request_id.counter
            wire, supplementary = request_id, None
        else:
            wire, supplementary = WireKey(ACB, device, self._acb_counter(device)), request_id
        return Command(
            wire=wire,
            supplementary=supplementary,
            message_code=order.message_code,
            payload=order.payload,
            issue=order.issued,
        )

    def _acb_counter(self, device: DeviceId) -> int:
        now_ms = int(self._agenda.now.timestamp() * 1000)
        counter = max(now_ms, self._acb_counters.get(device, -1) + 1)
        self._acb_counters[device] = counter
        return counter

    def _answered(self, answered: Answered) -> None:
        """An answer reached the edge of the DSP."""
        order, command, payload = answered.order, answered.command, answered.payload
        if answered.lost_on is Leg.DSP:
            return
        order.answered = True
        self._update_smi(order, payload, aided=command.issue > 1)
        if answered.lost_on is Leg.USER:
            return
        now = self._agenda.now
        gbcs = composer.answer(command, payload, order.home.dice.octets, signed=order.signed_answer)
        body = composer.response(order.request_id, order.srv, "I0", now, GbcsPayload(gbcs=gbcs), from_device=True)
        delivered_at = self._tap.service(order.home, f"response.{order.srv}", body, now)
        outcome = payload.code if isinstance(payload, JoinResponse | UnjoinResponse) else None
        if order.attempt is not None and outcome is not None:
            if delivered_at is None:
                self._truth.count(Happening.ANSWER_LOST_BUS)
                if command.issue == 1:
                    order.attempt.lost_on = Leg.BUS
            elif order.attempt.answered_at is None or outcome == 0:
                order.attempt.answered_at, order.attempt.answer_code = delivered_at, outcome
        if isinstance(payload, JoinDetails) and payload.entries is not None:
            entries = frozenset((entry.device, entry.device_type) for entry in payload.entries)
            self._truth.reported(
                LogReport(device=command.wire.device, kind="CS07", at=answered.executed_at, delivered_at=delivered_at, entries=entries)
            )
        self._scripts.reply(order.request_id, Reply(code="I0", outcome=outcome))

    def _update_smi(self, order: Order, payload: object, *, aided: bool) -> None:
        if order.attempt is None:
            return
        match payload:
            case JoinResponse(code=0):
                self.set_smi(order.attempt.pair, joined=True, aided=aided)
            case UnjoinResponse(code=0 | 1):
                self.set_smi(order.attempt.pair, joined=False, aided=aided)

    def _undelivered(self, undelivered: Undelivered) -> None:
        """The CSP says that it could not deliver a command: E20 to the User, or DCC Alert N12."""
        order, fate = undelivered.order, undelivered.fate
        if fate.time_out_kind < 0.5:
            self._truth.count(Happening.COMMAND_E20)
            self._fail(order, "E20", fate)
        else:
            self._truth.count(Happening.COMMAND_N12)
            self.tell(order.home, _NOT_DELIVERED, CommandFailure(request_id=order.request_id, device=order.device.device_id))
            self._scripts.reply(order.request_id, Reply(code=_NOT_DELIVERED))

    def _timed_out(self, order: Order, fate: Fate) -> None:
        """No answer came: E21, N13, or both (which it is in the real estate is open: docs/domain.md, "Open questions")."""
        if order.answered:
            return
        if fate.time_out_kind < 0.7:
            self._truth.count(Happening.TIME_OUT_E21)
            self._fail(order, "E21", fate)
        if fate.time_out_kind > 0.4:
            self._truth.count(Happening.TIME_OUT_N13)
            self.tell(order.home, _NO_RESPONSE, CommandFailure(request_id=order.request_id, device=order.device.device_id))
            self._scripts.reply(order.request_id, Reply(code=_NO_RESPONSE))

    def _fail(self, order: Order, code: str, fate: Fate) -> None:
        now = self._agenda.now
        # Whether such a response has a ResponseID is not known; most here have.
        body = composer.response(order.request_id, order.srv, code, now, None, from_device=fate.discard < 0.9)
        self._tap.service(order.home, f"response.{order.srv}", body, now)
        self._scripts.reply(order.request_id, Reply(code=code))

    def _discarded(self, order: Order, cra: Cra) -> None:
        self.tell(
            order.home,
            _DISCARDED,
            DiscardedDuisMessage(
                request_id=order.request_id,
                cra="Command" if cra is Cra.COMMAND else "Response",
                chf=order.home.hub.device_id,
                device_alert_code="8F2C",
                message_code=f"{order.message_code:04X}",
            ),
        )
