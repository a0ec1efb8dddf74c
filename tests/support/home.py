"""One invented home (docs/domain.md names the devices) and what its messages say, as facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from joinbridge.core import facts
from joinbridge.core.ids import CommandKey, DeviceId, Eui64, JoinPair, RequestId
from joinbridge.core.vocabulary import (
    SRV_JOIN_CRITICAL,
    SRV_JOIN_NON_CRITICAL,
    SRV_UNJOIN_CRITICAL,
    SRV_UNJOIN_NON_CRITICAL,
    Cra,
    DeviceType,
    Intent,
    JoinRole,
    MessageCode,
)

SUPPLIER = Eui64("00-11-22-33-44-55-66-77")
OTHER_SUPPLIER = Eui64("00-11-22-33-44-55-66-88")
ACB = Eui64("90-B3-D5-1F-30-00-00-02")
GSME = DeviceId(Eui64("00-11-22-33-44-55-77-00"))
ESME = DeviceId(Eui64("00-11-22-33-44-55-77-01"))
CHF = DeviceId(Eui64("00-11-22-33-44-55-77-02"))
GPF = DeviceId(Eui64("00-11-22-33-44-55-77-03"))
HCALCS = DeviceId(Eui64("00-11-22-33-44-55-77-04"))
PPMID = DeviceId(Eui64("00-11-22-33-44-55-77-05"))
CAD = DeviceId(Eui64("00-11-22-33-44-55-77-06"))
NEW_GPF = DeviceId(Eui64("00-11-22-33-44-55-78-03"))
NEW_CHF = DeviceId(Eui64("00-11-22-33-44-55-78-02"))

TYPES = {
    GSME: DeviceType.GSME,
    ESME: DeviceType.ESME,
    CHF: DeviceType.CHF,
    GPF: DeviceType.GPF,
    HCALCS: DeviceType.HCALCS,
    PPMID: DeviceType.PPMID,
    CAD: DeviceType.TYPE2,
    NEW_GPF: DeviceType.GPF,
    NEW_CHF: DeviceType.CHF,
}

START = datetime(2025, 6, 15, 15, 0, tzinfo=UTC)


def after(*, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
    """Return the moment that long after the start of the story."""
    return START + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def milliseconds(at: datetime) -> int:
    """Return a moment as the counter of a command made then."""
    return int(at.timestamp() * 1000)


def request_id(counter: int, *, target: DeviceId = ESME, by: Eui64 = SUPPLIER) -> RequestId:
    return RequestId(by, target, counter)


def pair(target: DeviceId = ESME, other: DeviceId = CAD) -> JoinPair:
    return JoinPair(target, other)


def join(
    counter: int,
    *,
    target: DeviceId = ESME,
    other: DeviceId | None = CAD,
    by: Eui64 = SUPPLIER,
    srv: str | None = SRV_JOIN_NON_CRITICAL,
    submitted: bool = True,
    local_only: bool = False,
    fronted_as: int | None = None,
    role: JoinRole | None = None,
    other_type: DeviceType | None = None,
) -> facts.JoinRequested:
    """A Join is asked for. `fronted_as` is the ACB's counter, when the command itself was seen."""
    return facts.JoinRequested(
        request_id=request_id(counter, target=target, by=by),
        intent=Intent.JOIN,
        srv=srv,
        other=other,
        submitted=submitted,
        local_only=local_only,
        wire_key=None if fronted_as is None else CommandKey(ACB, target, fronted_as),
        role=role,
        other_type=other_type,
    )


def unjoin(
    counter: int,
    *,
    target: DeviceId = ESME,
    other: DeviceId | None = CAD,
    by: Eui64 = SUPPLIER,
    srv: str | None = SRV_UNJOIN_NON_CRITICAL,
    submitted: bool = True,
    local_only: bool = False,
    fronted_as: int | None = None,
) -> facts.JoinRequested:
    """An Unjoin is asked for."""
    return facts.JoinRequested(
        request_id=request_id(counter, target=target, by=by),
        intent=Intent.UNJOIN,
        srv=srv,
        other=other,
        submitted=submitted,
        local_only=local_only,
        wire_key=None if fronted_as is None else CommandKey(ACB, target, fronted_as),
    )


def transform(counter: int, *, other: DeviceId = PPMID, intent: Intent = Intent.JOIN) -> facts.JoinRequested:
    """A critical request is sent for transformation (CV 4)."""
    if intent is Intent.JOIN:
        return join(counter, other=other, srv=SRV_JOIN_CRITICAL, submitted=False)
    return unjoin(counter, other=other, srv=SRV_UNJOIN_CRITICAL, submitted=False)


def pre_command(counter: int, *, other: DeviceId = PPMID, intent: Intent = Intent.JOIN) -> facts.PreCommandReturned:
    """The DSP returns the Pre-Command of a critical request."""
    role, other_type = (JoinRole.METHOD_A_INITIATOR, TYPES[other]) if intent is Intent.JOIN else (None, None)
    return facts.PreCommandReturned(request_id=request_id(counter), intent=intent, other=other, role=role, other_type=other_type)


def signed(counter: int, *, other: DeviceId = PPMID, intent: Intent = Intent.JOIN) -> facts.JoinRequested:
    """The signed Pre-Command is submitted (CV 5)."""
    srv = SRV_JOIN_CRITICAL if intent is Intent.JOIN else SRV_UNJOIN_CRITICAL
    return facts.JoinRequested(
        request_id=request_id(counter),
        intent=intent,
        srv=srv,
        other=other,
        wire_key=request_id(counter),
        role=JoinRole.METHOD_A_INITIATOR if intent is Intent.JOIN else None,
        other_type=TYPES[other] if intent is Intent.JOIN else None,
    )


def acknowledged(
    counter: int,
    code: str = "I99",
    *,
    target: DeviceId = ESME,
    by: Eui64 = SUPPLIER,
    srv: str | None = None,
    asynchronous: bool = False,
) -> facts.RequestAcknowledged:
    return facts.RequestAcknowledged(request_id=request_id(counter, target=target, by=by), srv=srv, code=code, asynchronous=asynchronous)


def answered(
    counter: int,
    code: int = 0,
    *,
    target: DeviceId = ESME,
    by: Eui64 = SUPPLIER,
    fronted_as: int | None = None,
    message_code: MessageCode = MessageCode.CS03B,
) -> facts.JoinAnswered:
    """The device answers a Join."""
    key = request_id(counter, target=target, by=by)
    wire = key if fronted_as is None else CommandKey(ACB, target, fronted_as)
    return facts.JoinAnswered(business_key=key, wire_key=wire, intent=Intent.JOIN, code=code, message_code=message_code)


def unjoin_answered(
    counter: int, code: int = 0, *, target: DeviceId = ESME, by: Eui64 = SUPPLIER, fronted_as: int | None = None
) -> facts.JoinAnswered:
    """The device answers an Unjoin."""
    key = request_id(counter, target=target, by=by)
    wire = key if fronted_as is None else CommandKey(ACB, target, fronted_as)
    return facts.JoinAnswered(business_key=key, wire_key=wire, intent=Intent.UNJOIN, code=code, message_code=MessageCode.CS04B)


def entries(*others: DeviceId) -> tuple[facts.LogEntry, ...]:
    return tuple(facts.LogEntry(other, TYPES[other]) for other in others)


def log_read(
    counter: int, *listed: DeviceId, target: DeviceId = ESME, by: Eui64 = SUPPLIER, fronted_as: int | None = None, failed: bool = False
) -> facts.DeviceLogRead:
    """The device answers a read of its Device Log (CS07)."""
    key = request_id(counter, target=target, by=by)
    wire = key if fronted_as is None else CommandKey(ACB, target, fronted_as)
    return facts.DeviceLogRead(business_key=key, wire_key=wire, entries=None if failed else entries(*listed))


def probed(made_at: datetime, *listed: DeviceId, target: DeviceId = ESME) -> facts.DeviceLogRead:
    """The device answers a probe of joinbridge that was made at `made_at`."""
    return log_read(milliseconds(made_at), *listed, target=target, by=ACB)


def gpf_log(told_at: datetime | None, *listed: DeviceId, target: DeviceId = GPF) -> facts.GpfLogReported:
    """The Gas Proxy Function reports its log (8071)."""
    return facts.GpfLogReported(device=target, device_time=told_at, entries=entries(*listed))


def security_log(
    *logged: tuple[datetime, int], target: DeviceId = ESME, kind: facts.LogKind = facts.LogKind.SECURITY
) -> facts.EventLogRead:
    """The device answers a read of its security log."""
    key = request_id(9_999_999_999_999, target=target)
    return facts.EventLogRead(business_key=key, wire_key=key, kind=kind, entries=tuple(facts.LoggedEvent(at, code) for at, code in logged))


def discarded(counter: int, cra: Cra, *, target: DeviceId = ESME, by: Eui64 = SUPPLIER) -> facts.MessageDiscarded:
    return facts.MessageDiscarded(key=request_id(counter, target=target, by=by), cra=cra)


def described(*devices: DeviceId) -> facts.InventoryRead:
    """The inventory tells the types of some devices."""
    return facts.InventoryRead(descriptions=tuple(facts.DeviceDescription(d, TYPES[d]) for d in devices))


def decided(joined: bool, *, target: DeviceId = ESME, other: DeviceId = CAD) -> facts.PersonDecided:
    return facts.PersonDecided(device=target, other=other, joined=joined, person="Ada", reason="looked at the meter")
