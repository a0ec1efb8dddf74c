"""DCC Users: how a Supplier asks for something, what it waits for, and what it does when no answer comes."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta

from joinbridge.core.ids import DeviceId, Eui64, JoinPair, RequestId
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda, AwaitReply, Pause, Reply, Scripts
from joinbridge.simulator.devices import Device
from joinbridge.simulator.dsp import SMI_SAYS_NOT_JOINED, Dsp
from joinbridge.simulator.faults import Faults
from joinbridge.simulator.homes import Home
from joinbridge.simulator.orders import Order
from joinbridge.simulator.services import JoinPlan, plan_for
from joinbridge.simulator.tap import AT_ONCE, Tap
from joinbridge.simulator.truth import AttemptTruth, Happening, Truth
from joinbridge.wire.duis.messages import PreCommand
from joinbridge.wire.duis.requests import JoinService, RequestBody, SignedPreCommand, UnjoinService
from joinbridge.wire.payloads import Payload
from joinbridge.wire.payloads.join import JoinCommand, UnjoinCommand

Asking = Generator[Pause | AwaitReply, Reply | None, Reply | None]
"""A part of a script that asks for something and returns the reply, None when there was none in time."""

_REFUSALS = ("E1", "E4", "E5", "E19", "E65")
_PATIENCE_S = {DeviceType.GSME: 4200.0}  # two collections and some; the others are always on
_PATIENCE_OTHERS_S = 240.0
_TRANSFORM, _SIGNED, _COMMAND = 4, 5, 1  # command variants: docs/domain.md, "Command variants"


class Users:
    """All Users of the estate: their counters, their requests, and their patience."""

    def __init__(self, agenda: Agenda, tap: Tap, dsp: Dsp, scripts: Scripts, faults: Faults, truth: Truth) -> None:
        self._agenda = agenda
        self._tap = tap
        self._dsp = dsp
        self._scripts = scripts
        self._faults = faults
        self._truth = truth
        self._counters: dict[tuple[Eui64, DeviceId], int] = {}
        self.homes: dict[RequestId, Home] = {}

    def change(self, home: Home, intent: Intent, target: Device, other: Device) -> Asking:
        """Ask for a Join or Unjoin of target→other once, and wait for its outcome."""
        user = home.user_for(target.device_type, other.device_type)
        request_id = self.next_request_id(user, target.device_id)
        plan = plan_for(intent, target.device_type, other.device_type, other.device_id, home.dice.octets)
        attempt = AttemptTruth(
            request_id=request_id,
            intent=intent,
            pair=JoinPair(target.device_id, other.device_id),
            srv=plan.srv,
            target_type=target.device_type,
            other_type=other.device_type,
            asked_at=self._agenda.now,
        )
        self._truth.opened(attempt)
        order = self._order(home, target, request_id, plan.srv, plan.message_code, plan.payload, signed_answer=plan.signed_answer)
        order.attempt = attempt
        service = JoinService if intent is Intent.JOIN else UnjoinService
        body = service(other_device=other.device_id, critical=plan.critical)
        if plan.critical:
            code = yield from self._critical(order, body, plan)
        else:
            code = self._send(order, body, _COMMAND)
        return (yield from self._outcome(order, code))

    def ask(
        self,
        home: Home,
        target: Device,
        srv: str,
        message_code: int,
        body: RequestBody,
        payload: Payload | None = None,
        *,
        critical: bool = False,
        signed_answer: bool = False,
    ) -> Asking:
        """Ask for any other service of a device, and wait for the answer."""
        request_id = self.next_request_id(home.user_for(target.device_type), target.device_id)
        order = self._order(home, target, request_id, srv, message_code, payload, signed_answer=signed_answer)
        if critical:
            code = yield from self._critical(order, body, None)
        else:
            code = self._send(order, body, _COMMAND)
        return (yield from self._outcome(order, code))

    def next_request_id(self, user: Eui64, target: DeviceId) -> RequestId:
        """Return the RequestID of the User's next request to a device: its counter is the time in milliseconds, and always rises."""
        counter = max(int(self._agenda.now.timestamp() * 1000), self._counters.get((user, target), -1) + 1)
        self._counters[user, target] = counter
        return RequestId(user, target, counter)

    def last_request_id(self, user: Eui64, target: Device) -> RequestId:
        """Return the RequestID of the latest request of `user` to `target`."""
        return RequestId(user, target.device_id, self._counters[user, target.device_id])

    def publish_request(self, home: Home, request_id: RequestId, srv: str, variant: int, body: RequestBody) -> None:
        """Publish a request that no device is to answer."""
        now = self._agenda.now
        self._tap.service(home, f"request.{srv}", composer.request(request_id, srv, variant, body), now, sure=True)

    def _order(
        self,
        home: Home,
        target: Device,
        request_id: RequestId,
        srv: str,
        message_code: int,
        payload: Payload | None,
        *,
        signed_answer: bool,
    ) -> Order:
        self.homes[request_id] = home
        return Order(
            request_id=request_id,
            home=home,
            device=target,
            srv=srv,
            message_code=message_code,
            payload=payload,
            signed_answer=signed_answer,
            fronted=request_id.remote not in target.knows,
        )

    def _critical(self, order: Order, body: RequestBody, plan: JoinPlan | None) -> Generator[Pause | AwaitReply, Reply | None, str]:
        """Go through the critical flow: transform, sign, send. Source: docs/domain.md, "The messages around one join"."""
        home, request_id = order.home, order.request_id
        content: JoinCommand | UnjoinCommand | bytes = b"\xd9" + home.dice.octets.randbytes(24)
        if plan is not None:
            content = plan.payload
        self._publish(order, body, _TRANSFORM)
        refusal = self._refusal(order)
        if refusal is not None:
            self._acknowledge(order, refusal)
            return refusal
        transformed_at = self._agenda.now + timedelta(seconds=0.3)
        unsigned = composer.pre_command(request_id, order.message_code, content, None)
        payload = PreCommand(gbcs_version=composer.GBCS_VERSION, gbcs=unsigned)
        returned = composer.response(request_id, order.srv, "I0", transformed_at, payload, from_device=False)
        self._tap.service(home, f"response.{order.srv}", returned, transformed_at)
        yield Pause(seconds=home.dice.pace.uniform(0.6, 3))
        signed = composer.pre_command(request_id, order.message_code, content, home.dice.octets)
        return self._send(order, SignedPreCommand(gbcs=signed), _SIGNED)

    def _send(self, order: Order, body: RequestBody, variant: int) -> str:
        """Send a request that makes a command; return the code of the acknowledgement."""
        attempt = order.attempt
        delivered_at = self._publish(order, body, variant)
        code = self._refusal(order) or "I99"
        if attempt is not None and code == "I99":
            attempt.submitted_at, attempt.tapped_at = self._agenda.now, delivered_at
        self._acknowledge(order, code)
        if code == "I99":
            self._dsp.submit(order)
        return code

    def _publish(self, order: Order, body: RequestBody, variant: int) -> datetime | None:
        # A request that takes a pair away, or asks for a log, is what later evidence is ordered by.
        joins = order.attempt is not None and order.attempt.intent is Intent.JOIN
        held_for = None if joins else AT_ONCE
        octets = composer.request(order.request_id, order.srv, variant, body)
        return self._tap.service(order.home, f"request.{order.srv}", octets, self._agenda.now, sure=True, held_for=held_for)

    def _acknowledge(self, order: Order, code: str) -> None:
        at = self._agenda.now + timedelta(seconds=0.25)
        body = composer.acknowledgement(order.request_id, order.srv, code, at)
        seen_at = self._tap.service(order.home, f"response.{order.srv}", body, at)
        if order.attempt is not None and code != "I99":
            order.attempt.refused, order.attempt.refusal_seen_at = code, seen_at

    def _refusal(self, order: Order) -> str | None:
        """Return the code with which the DSP refuses a request, if it does."""
        if self._dsp.refuses(order):
            self._truth.count(Happening.UNJOIN_REFUSED)
            return SMI_SAYS_NOT_JOINED
        path = order.home.dice.path
        refused, choice = path.random(), path.choice(_REFUSALS)
        if refused < self._faults.refused:
            self._truth.count(Happening.REQUEST_REFUSED)
            return choice
        return None

    def _outcome(self, order: Order, code: str) -> Asking:
        if code != "I99":
            yield Pause(seconds=1)
            return Reply(code=code)
        patience_s = _PATIENCE_S.get(order.device.device_type, _PATIENCE_OTHERS_S)
        return (yield AwaitReply(request_id=order.request_id, seconds=patience_s))
