"""Which facts concern whom: what to load for a fact, and whose ledger keeps it.

A nation's traffic is mostly about no open join. A fact that is not `DECISIVE` and touches no watched device is dropped after one set
lookup, with no write.
"""

from __future__ import annotations

from collections.abc import Iterable

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.case import Case
from joinbridge.core.facts import (
    CommandFailed,
    CommandNotExecuted,
    DeviceAlerted,
    DeviceLogRead,
    DeviceRetired,
    Fact,
    GpfLogReported,
    GpfLogRestored,
    HubActivityRead,
    HubExchanged,
    HubLogReported,
    InventoryRead,
    JoinAnswered,
    JoinRequested,
    MessageDiscarded,
    PersonDecided,
    PreCommandReturned,
    RequestAcknowledged,
)
from joinbridge.core.ids import DeviceId
from joinbridge.core.vocabulary import AlertCode

DECISIVE: tuple[type[Fact], ...] = (
    JoinRequested,
    RequestAcknowledged,
    PreCommandReturned,
    JoinAnswered,
    DeviceLogRead,
    GpfLogReported,
    GpfLogRestored,
    MessageDiscarded,
    CommandNotExecuted,
    CommandFailed,
    HubExchanged,
    DeviceRetired,
    PersonDecided,
    InventoryRead,
)
"""Facts that count even when they come before their request: they are kept whether or not anything is open."""

_UNKEPT = (JoinRequested, PreCommandReturned, InventoryRead, HubExchanged, DeviceRetired)
"""Facts whose whole content goes into attempts, pairs or devices."""


def touched(fact: Fact) -> tuple[DeviceId, ...]:
    """Return the devices whose records the engine needs to judge `fact`."""
    match fact:
        case JoinRequested(request_id=key, other=other):
            return (key.device,) if other is None else (key.device, other)
        case PreCommandReturned(request_id=key, other=other):
            return (key.device, other)
        case PersonDecided(device=device, other=other):
            return (device, other)
        case HubLogReported(device=hub, entries=entries):
            return (hub, *(device for device, _ in entries))
        case HubActivityRead(device=hub, entries=active):
            return (hub, *(device for device, _ in active))
        case HubExchanged(old_gpf=old, new_gpf=new):
            return (old, new)
        case InventoryRead(descriptions=descriptions):
            return tuple(d.device for d in descriptions)
        case _:
            return (fact.device,)


def keepers(fact: Fact, case: Case) -> set[DeviceId]:
    """Return the targets whose ledger keeps `fact`.

    Decisive facts are kept by the device they are about, before any request too. Others only where an attempt is open.
    """
    device = fact.device
    if device is None or isinstance(fact, _UNKEPT):
        return set()
    if isinstance(fact, DECISIVE):
        return {device}
    waiting = list(_waiting(case))
    if isinstance(fact, HubLogReported | HubActivityRead):
        listed = {entry[0] for entry in fact.entries}
        return {a.target for a in waiting if a.other in listed}
    owners = {device} & {a.target for a in waiting}
    if isinstance(fact, DeviceAlerted) and fact.code in (AlertCode.DEVICE_JOINED_SMHAN, AlertCode.DEVICE_COMMISSIONED):
        owners |= {a.target for a in waiting if a.other == device}
    return owners


def _waiting(case: Case) -> Iterable[JoinAttempt]:
    return (a for a in case.attempts.values() if a.is_open or a.deadlines)
