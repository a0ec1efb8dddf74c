"""Hypothesis strategies of GBCS values: envelopes in every shape, and payloads of every kind with a header that fits them."""

from __future__ import annotations

from datetime import UTC
from typing import TypeVar

from hypothesis import strategies as st

from joinbridge.core.facts import LogKind
from joinbridge.core.ids import Eui64, eui64_from_bytes
from joinbridge.core.vocabulary import JOIN_MESSAGE_CODES, UNJOIN_MESSAGE_CODES, Cra, MessageCode
from joinbridge.wire.dlms import INVOKE_ID
from joinbridge.wire.gbcs import GbcsMessage
from joinbridge.wire.payloads import (
    ActiveDevice,
    ActiveDevices,
    AddToHub,
    DeviceEntry,
    DiscardedMessage,
    EventLog,
    GenericAlert,
    GpfLogChanged,
    GpfLogRestored,
    HubEntry,
    HubLog,
    HubLogChanged,
    HubLogs,
    HubLogUpdated,
    JoinCommand,
    JoinDetails,
    JoinResponse,
    LoggedEntry,
    LogLayout,
    Payload,
    ReadActiveDevices,
    ReadHubLog,
    ReadJoinDetails,
    RemoveFromHub,
    RestoreGpfLog,
    RestoreHubLog,
    UnjoinCommand,
    UnjoinResponse,
    UnsupportedCommand,
)
from joinbridge.wire.payloads.gbz import time_since_2000
from joinbridge.wire.reader import write_length

_T = TypeVar("_T")


def octets(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def maybe(strategy: st.SearchStrategy[_T]) -> st.SearchStrategy[_T | None]:
    return st.none() | strategy


def _tuples(strategy: st.SearchStrategy[_T]) -> st.SearchStrategy[tuple[_T, ...]]:
    return st.lists(strategy, max_size=5).map(tuple)


eui64s: st.SearchStrategy[Eui64] = octets(8).map(eui64_from_bytes)
counters = unsigned(64)
invoke_ids = unsigned(32)
codes = unsigned(32)

dlms_times = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=at.microsecond // 10_000 * 10_000))
gbz_times = st.integers(0, 2**32 - 2).map(time_since_2000)
gpf_times = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))

certificates = st.binary(min_size=0, max_size=600).map(lambda body: b"\x30" + write_length(len(body)) + body)
"""Not certificates, but like them to who does not look inside: a DER SEQUENCE of any octets."""


@st.composite
def messages(draw: st.DrawFn) -> GbcsMessage:
    """Every message that the envelope can carry."""
    cra = draw(st.sampled_from(Cra))
    mac = draw(maybe(octets(12)))
    signature: bytes | None = draw(st.just(b"") | octets(64))
    if mac is None and cra is Cra.COMMAND and draw(st.booleans()):
        signature = None
    fields = draw(st.sampled_from(("none", "party", "counter", "counters", "certificate")))
    return GbcsMessage(
        cra=cra,
        counter=draw(counters),
        originator=draw(eui64s),
        recipient=draw(eui64s),
        message_code=draw(unsigned(16)),
        content=draw(st.binary(max_size=300)),
        date_time=draw(st.just(b"") | octets(12)),
        supplementary_party=None if fields == "none" else draw(eui64s),
        supplementary_counter=None if fields in ("none", "party") else draw(counters),
        supplementary_originator_counter=draw(counters) if fields == "counters" else None,
        certificate=draw(st.binary(min_size=9, max_size=500)) if fields == "certificate" else b"",
        signature=signature,
        mac=mac,
    )


device_entries = st.builds(DeviceEntry, device=eui64s, device_type=codes)
hub_entries = st.builds(HubEntry, device=eui64s, link_key_hash=st.just(b"") | octets(16))
hub_logs = st.builds(HubLog, backup_time=maybe(dlms_times), extended_pan_id=octets(8), entries=_tuples(hub_entries))
active_devices = st.builds(
    ActiveDevice,
    device=eui64s,
    status=unsigned(8),
    rssi_max=st.integers(-128, 127),
    rssi_average=st.integers(-128, 127),
    rssi_min=st.integers(-128, 127),
    lqi_max=unsigned(8),
    lqi_average=unsigned(8),
    lqi_min=unsigned(8),
    last_communication=maybe(dlms_times),
    hops=unsigned(8),
    transmission_failures=unsigned(8),
    transmission_successes=unsigned(8),
    application_version=unsigned(8),
    stack_version=unsigned(8),
)


@st.composite
def generic_alerts(draw: st.DrawFn) -> GenericAlert:
    """Generic alerts of both profiles, with and without data of their use case."""
    alert_code = draw(st.integers(0x8000, 0x8FFF))
    extra = draw(st.binary(max_size=40))
    if draw(st.booleans()):
        return GenericAlert(
            alert_code=alert_code,
            at=draw(maybe(gbz_times)),
            profile="zigbee",
            extra=extra,
            extra_count=draw(unsigned(8)),
        )
    extra_count = draw(st.integers(1, len(extra))) if extra else 0
    at, invoke_id = draw(maybe(dlms_times)), draw(invoke_ids)
    return GenericAlert(alert_code=alert_code, at=at, extra=extra, extra_count=extra_count, invoke_id=invoke_id)


@st.composite
def event_logs(draw: st.DrawFn, kind: LogKind) -> EventLog:
    """Logs of a kind in every layout, and refusals."""
    layout = draw(st.sampled_from(LogLayout))
    result = draw(unsigned(8))
    if draw(st.booleans()):
        # A refusal does not tell its layout, beyond DLMS or ZigBee.
        layout = LogLayout.DLMS_SHORT if layout is LogLayout.DLMS_LONG else layout
        return EventLog(kind=kind, layout=layout, entries=None, result=result, invoke_id=draw(_invoke_ids_of(layout)))
    entries = st.builds(
        LoggedEntry,
        at=unsigned(32).map(time_since_2000),
        code=unsigned(16),
        other_info=st.just(b"") if layout is LogLayout.DLMS_SHORT else st.binary(max_size=40),
        log_id=unsigned(8) if layout is LogLayout.ZIGBEE else st.none(),
    )
    return EventLog(
        kind=kind,
        layout=layout,
        entries=draw(_tuples(entries)),
        result=0 if layout is LogLayout.ZIGBEE else result,
        invoke_id=draw(_invoke_ids_of(layout)),
    )


def _invoke_ids_of(layout: LogLayout) -> st.SearchStrategy[int]:
    return st.just(INVOKE_ID) if layout is LogLayout.ZIGBEE else invoke_ids


_BY_HEADER: dict[tuple[int, Cra], st.SearchStrategy[Payload]] = {
    **{
        (code, Cra.COMMAND): st.builds(JoinCommand, role=codes, other=eui64s, other_type=codes, certificate=st.just(b"") | certificates)
        for code in JOIN_MESSAGE_CODES
    },
    **{(code, Cra.RESPONSE): st.builds(JoinResponse, code=codes) for code in JOIN_MESSAGE_CODES},
    **{(code, Cra.COMMAND): st.builds(UnjoinCommand, other=eui64s) for code in UNJOIN_MESSAGE_CODES},
    **{(code, Cra.RESPONSE): st.builds(UnjoinResponse, code=codes) for code in UNJOIN_MESSAGE_CODES},
    (MessageCode.CS07, Cra.COMMAND): st.builds(ReadJoinDetails),
    (MessageCode.CS07, Cra.RESPONSE): st.builds(JoinDetails, code=codes, entries=maybe(_tuples(device_entries))),
    (MessageCode.GCS62, Cra.ALERT): st.builds(GpfLogChanged, alert_code=unsigned(16), at=gpf_times, entries=_tuples(device_entries)),
    (MessageCode.GCS59, Cra.COMMAND): st.builds(RestoreGpfLog, entries=_tuples(device_entries)),
    (MessageCode.GCS59, Cra.RESPONSE): st.builds(GpfLogRestored, results=_tuples(st.tuples(device_entries, codes))),
    (MessageCode.CS14, Cra.ALERT): st.builds(
        HubLogChanged,
        alert_code=unsigned(16),
        at=maybe(dlms_times),
        backup_time=maybe(dlms_times),
        extended_pan_id=octets(8),
        entries=_tuples(hub_entries),
        invoke_id=invoke_ids,
    ),
    **{(code, Cra.COMMAND): st.builds(ReadActiveDevices, invoke_id=invoke_ids) for code in (MessageCode.CCS05_CCS04, MessageCode.CCS06)},
    **{
        (code, Cra.RESPONSE): st.builds(ActiveDevices, entries=maybe(_tuples(active_devices)), result=unsigned(8), invoke_id=invoke_ids)
        for code in (MessageCode.CCS05_CCS04, MessageCode.CCS06)
    },
    (MessageCode.CCS07, Cra.COMMAND): st.builds(ReadHubLog, invoke_id=invoke_ids),
    (MessageCode.CCS07, Cra.RESPONSE): st.builds(
        HubLogs,
        current=maybe(hub_logs),
        historic=maybe(hub_logs),
        current_result=unsigned(8),
        historic_result=unsigned(8),
        invoke_id=invoke_ids,
    ),
    (MessageCode.CCS01, Cra.COMMAND): st.builds(
        AddToHub,
        device=eui64s,
        key=st.binary(max_size=16),
        join_time_s=unsigned(16),
        enable=st.booleans(),
        key_type=unsigned(8),
        device_type=unsigned(8),
        invoke_id=invoke_ids,
    ),
    (MessageCode.CCS02, Cra.COMMAND): st.builds(RemoveFromHub, device=eui64s, invoke_id=invoke_ids),
    (MessageCode.CCS03, Cra.COMMAND): st.builds(
        RestoreHubLog, extended_pan_id=octets(8), entries=_tuples(hub_entries), invoke_id=invoke_ids
    ),
    **{
        (code, Cra.RESPONSE): st.builds(HubLogUpdated, results=_tuples(unsigned(8)), invoke_id=invoke_ids)
        for code in (MessageCode.CCS01, MessageCode.CCS02, MessageCode.CCS03)
    },
    **{(code, Cra.ALERT): generic_alerts() for code in (MessageCode.GCA, MessageCode.GNCA, 0x7777)},
    **{
        (code, Cra.ALERT): st.builds(
            DiscardedMessage,
            alert_code=unsigned(16),
            at=maybe(dlms_times),
            originator=eui64s,
            target=eui64s,
            cra=unsigned(8),
            counter=counters,
            invoke_id=invoke_ids,
        )
        for code in (MessageCode.DBCH10, MessageCode.ALERT_8F84)
    },
    (MessageCode.ECS100, Cra.ALERT): st.builds(
        UnsupportedCommand,
        alert_code=unsigned(16),
        at=maybe(dlms_times),
        message_code=unsigned(16),
        counter=counters,
        invoke_id=invoke_ids,
    ),
    **{(code, Cra.RESPONSE): event_logs(LogKind.SECURITY) for code in (MessageCode.ECS35B, MessageCode.ECS35D, MessageCode.CS10B)},
    **{(code, Cra.RESPONSE): event_logs(LogKind.EVENT) for code in (MessageCode.ECS35A, MessageCode.ECS35C, MessageCode.CS10A)},
}

headers = st.sampled_from(sorted(_BY_HEADER))
"""Message code and CRA of every kind of message whose payload is read."""


def payloads_of(header: tuple[int, Cra]) -> st.SearchStrategy[Payload]:
    """Payloads that a message with this code and CRA can carry."""
    return _BY_HEADER[header]
