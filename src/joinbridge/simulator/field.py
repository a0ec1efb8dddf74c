"""Where commands are carried out: the devices of a home do what they are told, and the ledger is kept."""

from __future__ import annotations

from dataclasses import replace

from joinbridge.core.facts import LogKind
from joinbridge.core.ids import JoinPair
from joinbridge.core.vocabulary import DeviceType, Intent, JoinCode
from joinbridge.simulator import composer
from joinbridge.simulator.agenda import Agenda
from joinbridge.simulator.devices import Command, Device, Mishap, carry_out
from joinbridge.simulator.hubs import Hubs
from joinbridge.simulator.orders import Order
from joinbridge.simulator.truth import AttemptTruth, Execution, Happening, Truth
from joinbridge.wire.payloads import Payload
from joinbridge.wire.payloads.gpf import GpfLogRestored, RestoreGpfLog
from joinbridge.wire.payloads.hub_commands import AddToHub, HubLogUpdated, RemoveFromHub, RestoreHubLog
from joinbridge.wire.payloads.join import JoinCommand, JoinDetails, JoinResponse, UnjoinCommand, UnjoinResponse
from joinbridge.wire.payloads.logs import EventLog, LogLayout

SRV_READ_LOG = "6.13"
_SECURITY_LOG_ID = 4  # docs/domain.md, "Security and event logs"


class Field:
    """The devices at work."""

    def __init__(self, agenda: Agenda, hubs: Hubs, truth: Truth) -> None:
        self._agenda = agenda
        self._hubs = hubs
        self._truth = truth

    def execute(self, order: Order, command: Command, mishap: Mishap) -> Payload | bytes | None:
        """Let the order's device carry out `command` now; return its answer, None when it gives none.

        A device that is gone is silent, and so is one that has accepted a higher counter of that originator.
        """
        device = order.device
        if device.gone:
            return None
        if not device.accept(command.wire):
            self._truth.count(Happening.COMMAND_REPLAYED)
            return None
        match command.payload:
            case AddToHub(device=added):
                self._hubs.whitelist(order.home, added)
                return HubLogUpdated(results=(0, 0, 0), invoke_id=composer.invoke_id(command.wire.counter))
            case RemoveFromHub(device=removed):
                self._hubs.strike(order.home, removed)
                return HubLogUpdated(results=(0,), invoke_id=composer.invoke_id(command.wire.counter))
            case RestoreHubLog(entries=entries):
                order.home.whitelist = {entry.device: entry.link_key_hash for entry in entries}
                self._hubs.tell_whitelist(order.home)
                return HubLogUpdated(results=(0,), invoke_id=composer.invoke_id(command.wire.counter))
            case RestoreGpfLog() as restore:
                return self._restore(order, restore)
            case None:
                return self._other(order, command)
            case _:
                return self._about_log(order, command, mishap)

    def _about_log(self, order: Order, command: Command, mishap: Mishap) -> Payload | None:
        """Carry out a Join, an Unjoin or a log read, and write down what came of it."""
        device, payload = order.device, command.payload
        before = None
        partner = None
        if isinstance(payload, JoinCommand | UnjoinCommand):
            before = device.log.get(payload.other)
            partner = order.home.on_han(payload.other)
        answer = carry_out(device, command, partner, mishap, self._agenda.now)
        if isinstance(answer, JoinResponse | UnjoinResponse) and order.attempt is not None:
            self._record(order, order.attempt, answer.code, before, mishap)
        elif isinstance(answer, JoinDetails) and answer.code:
            self._truth.count(Happening.READ_FAILED)
        return answer

    def _record(self, order: Order, attempt: AttemptTruth, code: int, before: int | None, mishap: Mishap) -> None:
        now, pair, device = self._agenda.now, attempt.pair, order.device
        attempt.executions.append(Execution(at=now, code=code))
        held = device.log.get(pair.other)
        self._truth.set_joined(pair, now, joined=held == attempt.other_type)
        happening = _happening(attempt, code, before, mishap)
        if happening is not None:
            self._truth.count(happening)
        if device.device_type is DeviceType.GPF and held != before:
            self._hubs.tell_gpf_log(order.home, device)

    def _restore(self, order: Order, restore: RestoreGpfLog) -> GpfLogRestored:
        """Enter the log of the hub that was replaced into the new Gas Proxy Function."""
        home, gpf, now = order.home, order.device, self._agenda.now
        for entry in restore.entries:
            gpf.log[entry.device] = entry.device_type
            known = home.devices.get(entry.device)
            right = known is not None and known.device_type == entry.device_type
            self._truth.set_joined(JoinPair(gpf.device_id, entry.device), now, joined=right)
        self._hubs.tell_gpf_log(home, gpf)
        return GpfLogRestored(results=tuple((entry, int(JoinCode.SUCCESS)) for entry in restore.entries))

    def _other(self, order: Order, command: Command) -> Payload | bytes:
        if order.srv == SRV_READ_LOG:
            return _security_log(order.device, command)
        # A DLMS access response in outline; nobody reads further than its message code.
        return b"\xda" + composer.invoke_id(command.wire.counter).to_bytes(4, "big") + order.home.dice.octets.randbytes(24)


def _happening(attempt: AttemptTruth, code: int, before: int | None, mishap: Mishap) -> Happening | None:
    if attempt.intent is Intent.UNJOIN:
        return Happening.UNJOIN_FAILED if code and mishap.unjoin_fails and before is not None else None
    if code == 0:
        return Happening.JOIN_REPEATED if before is not None else None
    if code == JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY:
        return Happening.REPEAT_REFUSED if before == attempt.other_type else Happening.STALE_ENTRY_HIT
    if code == mishap.join_code:
        return Happening.JOIN_FAILED
    return Happening.NO_PARTNER


def _security_log(device: Device, command: Command) -> EventLog:
    zigbee = composer.profile_of(device.device_type) == "zigbee"
    entries = tuple(device.security)
    if zigbee:
        entries = tuple(replace(entry, log_id=_SECURITY_LOG_ID) for entry in entries)
    return EventLog(
        kind=LogKind.SECURITY,
        layout=LogLayout.ZIGBEE if zigbee else LogLayout.DLMS_SHORT,
        entries=entries,
        invoke_id=composer.invoke_id(command.wire.counter),
    )
