"""Devices: each with its Device Log, its counters, its security log and its clock, doing what it is told in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from joinbridge.core.ids import DeviceId, Eui64, RequestId, WireKey
from joinbridge.core.vocabulary import AlertCode, DeviceType, JoinCode, JoinRole, MessageCode, UnjoinCode
from joinbridge.simulator.parties import Make
from joinbridge.wire.payloads import Payload
from joinbridge.wire.payloads.join import (
    DeviceEntry,
    JoinCommand,
    JoinDetails,
    JoinResponse,
    ReadJoinDetails,
    UnjoinCommand,
    UnjoinResponse,
)
from joinbridge.wire.payloads.logs import LoggedEntry

LOG_CAPACITY = 12
"""Entries in a Device Log; more than any home here needs, so that "log full" comes from `Mishap` alone."""

GSME_WAKES_EVERY = timedelta(minutes=30)
"""A gas meter collects its messages about that often (docs/domain.md, "Devices")."""

_UNSET_CLOCK = datetime(2015, 1, 1, tzinfo=UTC)
_SECURITY_LOG_SIZE = 100
_METHOD_BY_CODE = {
    MessageCode.CS03A1: JoinRole.METHOD_A_INITIATOR,
    MessageCode.CS03A2: JoinRole.METHOD_A_RESPONDER,
    MessageCode.CS03B: JoinRole.METHOD_B,
    MessageCode.CS03C: JoinRole.METHOD_C,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What reaches a device: the header's key, the party it is on behalf of (if the ACB fronts), and what it says.

    `issue` counts the commands made of one request, from 1.
    """

    wire: WireKey
    message_code: int
    payload: Payload | None
    supplementary: RequestId | None = None
    issue: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """What goes wrong inside the device while it carries out a command; None: nothing."""

    join_code: int | None = None
    unjoin_fails: bool = False
    read_fails: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Device:
    """One device. `knows` are the remote parties whose credentials it holds; the ACB is known to all.

    A counter is accepted only above the last one accepted of its originator (docs/domain.md, "Counters and retries"); which were is kept
    in `accepted_history`, for whoever checks.
    """

    device_id: DeviceId
    device_type: DeviceType
    make: Make
    knows: frozenset[Eui64]
    clock_offset: timedelta
    refuses_repeats: bool
    booted_at: datetime
    free_at: datetime
    clock_unset: bool = False
    wake_phase: timedelta = timedelta(0)
    gone: bool = False
    log: dict[DeviceId, int] = field(default_factory=dict)
    accepted: dict[Eui64, int] = field(default_factory=dict)
    accepted_history: list[tuple[Eui64, int]] = field(default_factory=list)
    alert_counter: int = 0
    security: list[LoggedEntry] = field(default_factory=list)

    def clock(self, at: datetime) -> datetime:
        """Return what the device believes the time to be."""
        if self.clock_unset:
            return _UNSET_CLOCK + (at - self.booted_at)
        return at + self.clock_offset

    def next_alert_counter(self) -> int:
        """Return the next number of the device's own counter for alerts."""
        self.alert_counter += 1
        return self.alert_counter

    def ready_at(self, arrival: datetime) -> datetime:
        """Return when a command that arrives at the hub at `arrival` is carried out: in order, and by a gas meter when it next wakes."""
        if self.device_type is not DeviceType.GSME or arrival <= self.free_at:
            return max(arrival, self.free_at)
        since = (arrival - self.booted_at - self.wake_phase) % GSME_WAKES_EVERY
        return arrival + (GSME_WAKES_EVERY - since)

    def accept(self, wire: WireKey) -> bool:
        """Take the counter of a command, or refuse it as a replay."""
        if wire.counter <= self.accepted.get(wire.remote, -1):
            return False
        self.accepted[wire.remote] = wire.counter
        self.accepted_history.append((wire.remote, wire.counter))
        return True

    def log_entries(self) -> tuple[DeviceEntry, ...]:
        """Return the Device Log as it is told to others."""
        return tuple(DeviceEntry(device=other, device_type=kind) for other, kind in self.log.items())

    def note(self, code: int, at: datetime) -> None:
        """Write an entry into the security log, which holds the latest hundred."""
        self.security.append(LoggedEntry(at=self.clock(at).replace(microsecond=0), code=code))
        del self.security[:-_SECURITY_LOG_SIZE]


def carry_out(device: Device, command: Command, partner: Device | None, mishap: Mishap, at: datetime) -> Payload | None:
    """Let `device` do what `command` says about its Device Log, and return its answer; None for any other command.

    `partner` is the other device of a Join, None when it is not on the HAN.
    """
    match command.payload:
        case JoinCommand() as join:
            code = _join(device, join, command.message_code, partner, mishap)
            device.note(AlertCode.JOIN_FAILED if code else AlertCode.JOIN_SUCCEEDED, at)
            return JoinResponse(code=int(code))
        case UnjoinCommand(other=other):
            code = _unjoin(device, other, mishap)
            device.note(AlertCode.UNJOIN_FAILED if code else AlertCode.UNJOIN_SUCCEEDED, at)
            return UnjoinResponse(code=int(code))
        case ReadJoinDetails():
            if mishap.read_fails:
                return JoinDetails(code=1, entries=None)
            return JoinDetails(code=0, entries=device.log_entries())
        case _:
            return None


def _join(device: Device, join: JoinCommand, message_code: int, partner: Device | None, mishap: Mishap) -> int:
    """Return the join code, in the order of the checks of docs/domain.md, "Join and Unjoin"."""
    if _METHOD_BY_CODE.get(MessageCode(message_code)) != join.role:
        return JoinCode.INVALID_MESSAGE_CODE
    if join.role == JoinRole.METHOD_C and not join.certificate:
        return JoinCode.INVALID_OR_MISSING_CERTIFICATE
    held = device.log.get(join.other)
    if held is not None and (held != join.other_type or device.refuses_repeats):
        return JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY
    if held is None and mishap.join_code is not None:
        return mishap.join_code
    if held is None and len(device.log) >= LOG_CAPACITY:
        return JoinCode.DEVICE_LOG_FULL
    if join.role == JoinRole.METHOD_A_INITIATOR:
        # Key agreement needs a partner that answers and accepts us; a failed one leaves the log as it was.
        if partner is None:
            return JoinCode.NO_PARTNER_LINK_KEY
        if partner.log.get(device.device_id) != device.device_type:
            return JoinCode.NO_CBKE_RESPONSE
    device.log[join.other] = join.other_type
    return JoinCode.SUCCESS


def _unjoin(device: Device, other: DeviceId, mishap: Mishap) -> int:
    if other not in device.log:
        return UnjoinCode.NOT_IN_DEVICE_LOG
    if mishap.unjoin_fails:
        return UnjoinCode.OTHER_FAILURE
    del device.log[other]
    return UnjoinCode.SUCCESS
