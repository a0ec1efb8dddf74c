"""Payloads of security and event logs (docs/domain.md, "Security and event logs")."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from joinbridge.core.facts import LogKind
from joinbridge.errors import DecodeError
from joinbridge.wire import dlms
from joinbridge.wire.payloads import gbz
from joinbridge.wire.reader import Reader, write_length

_EVENTS_CLUSTER = 0x0709
_PUBLISH_EVENT_LOG, _DEFAULT_RESPONSE = 0x01, 0x0B
_FRAME_TYPE = 0x03  # bits of the ZCL frame control: 0 a general command, 1 one of the cluster's own
_PUBLISH_HEADER = b"\x19\x00\x01"
_DEFAULT_HEADER = b"\x18\x00\x0b"
_PUBLISH_FIELDS_SIZE = 5  # total 2, index, count, flags
_NO_OCTETS = 0xFF  # ZCL: an octet string that has no value; no octets follow


class LogLayout(StrEnum):
    """How a log is written."""

    DLMS_SHORT = "dlms-short"  # time and code: ECS35b, ECS35c, ECS35d
    DLMS_LONG = "dlms-long"  # time, code, and octets: ECS35a
    ZIGBEE = "zigbee"  # log id, code, time, octets: CS10a, CS10b


# A compact array (13) says the type of its elements once: a structure (02) of unsigned 32 (06), unsigned 16 (12), octet string (09).
_COMPACT_ARRAY = b"\x13\x02"
_ELEMENTS = {LogLayout.DLMS_SHORT: b"\x02\x06\x12", LogLayout.DLMS_LONG: b"\x03\x06\x12\x09"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEntry:
    """One entry: when (whole seconds, UTC), what, and what more; `log_id` is None where the layout has none.

    A time the device left unset (all ones) reads as 2136-02-07, which no window of evidence holds.
    """

    at: datetime
    code: int
    other_info: bytes = b""
    log_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """How a ZigBee log was cut into commands: the header fields of one command, and how many octets of entries it carries."""

    size_bytes: int
    total: int
    index: int
    count: int
    flags: int
    header: bytes = _PUBLISH_HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """The log of a meter or hub; `entries` is None when it gave none, `result` then says why (0 is success).

    `result` is a DLMS access result or, in the ZigBee layout, a ZCL status. `pages` keeps how the entries were sent, for exact
    re-encoding; without it a ZigBee log is written as one page. `invoke_id` is not used there.
    """

    kind: LogKind
    layout: LogLayout
    entries: tuple[LoggedEntry, ...] | None
    result: int = 0
    invoke_id: int = dlms.INVOKE_ID
    pages: tuple[LogPage, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def security_from_bytes(cls, content: bytes) -> Self:
        """Read the content of an ECS35b, ECS35d or CS10b response. Raises: DecodeError."""
        return cls._from_bytes(content, LogKind.SECURITY)

    @classmethod
    def events_from_bytes(cls, content: bytes) -> Self:
        """Read the content of an ECS35a, ECS35c or CS10a response. Raises: DecodeError."""
        return cls._from_bytes(content, LogKind.EVENT)

    @classmethod
    def _from_bytes(cls, content: bytes, kind: LogKind) -> Self:
        reader = Reader(content)
        if content.startswith(gbz.PROFILE):
            entries, result, pages = _take_zigbee_log(reader)
            return cls(kind=kind, layout=LogLayout.ZIGBEE, entries=entries, result=result, pages=pages)
        invoke_id = dlms.take_response(reader, 1)
        layout, dlms_entries = _take_dlms_log(reader)
        ((_, result),) = dlms.take_results(reader, 1)
        return cls(kind=kind, layout=layout, entries=dlms_entries, result=result, invoke_id=invoke_id)

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError or OverflowError when a field does not fit."""
        if self.layout is LogLayout.ZIGBEE:
            return gbz.put_components(*_zigbee_components(self))
        data = dlms.NULL
        if self.entries is not None:
            body = b"".join(_put_dlms_entry(entry, self.layout) for entry in self.entries)
            data = _COMPACT_ARRAY + _ELEMENTS[self.layout] + write_length(len(body)) + body
        return dlms.put_response(self.invoke_id, (data, 1, self.result))


def _take_dlms_log(reader: Reader) -> tuple[LogLayout, tuple[LoggedEntry, ...] | None]:
    if dlms.take_null(reader):
        return LogLayout.DLMS_SHORT, None  # nothing tells the layout, and nothing is laid out
    reader.expect(_COMPACT_ARRAY, "log")
    layout = LogLayout.DLMS_LONG if reader.peek() == b"\x03" else LogLayout.DLMS_SHORT
    reader.expect(_ELEMENTS[layout], "type of a log entry")
    size = reader.length()
    stop = reader.at + size
    entries = []
    while reader.at < stop:
        seconds, code = reader.number(4, "entry time"), reader.number(2, "event code")
        other_info = reader.take(reader.length(), "other information") if layout is LogLayout.DLMS_LONG else b""
        entries.append(LoggedEntry(at=gbz.time_since_2000(seconds), code=code, other_info=other_info))
    if reader.at > stop:
        raise reader.fault("the last log entry does not fit the length of the log")
    return layout, tuple(entries)


def _put_dlms_entry(entry: LoggedEntry, layout: LogLayout) -> bytes:
    octets = gbz.seconds_since_2000(entry.at).to_bytes(4, "big") + entry.code.to_bytes(2, "big")
    if layout is LogLayout.DLMS_LONG:
        return octets + write_length(len(entry.other_info)) + entry.other_info
    if entry.other_info:
        raise ValueError("the short layout has no other information")
    return octets


def _take_zigbee_log(reader: Reader) -> tuple[tuple[LoggedEntry, ...] | None, int, tuple[LogPage, ...]]:
    """Return the entries of all pages, or None and the ZCL status when the device refused; and the pages."""
    pages, bodies, first_body_at = [], [], 0
    for component in gbz.take_components(reader):
        if component.cluster != _EVENTS_CLUSTER:
            raise DecodeError(f"ZigBee cluster {component.cluster:04x} in a log", component.payload_at)
        frame_type, command = component.header[0] & _FRAME_TYPE, component.header[2]
        fields = Reader(component.payload, base=component.payload_at)
        if (frame_type, command) == (0, _DEFAULT_RESPONSE):
            fields.take(1, "refused command")
            status = fields.number(1, "ZCL status")
            fields.finish()
            return None, status, ()
        if (frame_type, command) != (1, _PUBLISH_EVENT_LOG):
            raise DecodeError(f"ZCL command {command:02x} in a log", component.payload_at - 1)
        total, index = fields.little(2, "total of entries"), fields.number(1, "page index")
        count, flags = fields.number(1, "count of pages"), fields.number(1, "page flags")
        first_body_at = first_body_at or component.payload_at + fields.at
        bodies.append(fields.take(fields.left, "log entries"))
        page = LogPage(size_bytes=len(bodies[-1]), total=total, index=index, count=count, flags=flags, header=component.header)
        pages.append(page)
    # An entry may begin on one page and end on the next (ZigBee Smart Energy, Log Payload Control), so pages are joined first.
    return _take_zigbee_entries(Reader(b"".join(bodies), base=first_body_at)), 0, tuple(pages)


def _take_zigbee_entries(reader: Reader) -> tuple[LoggedEntry, ...]:
    entries = []
    while reader.left:
        log_id = reader.number(1, "log id")
        code = reader.little(2, "event code")
        seconds = reader.little(4, "entry time")
        size = reader.number(1, "length of event data")
        other_info = reader.take(0 if size == _NO_OCTETS else size, "event data")
        entries.append(LoggedEntry(at=gbz.time_since_2000(seconds), code=code, other_info=other_info, log_id=log_id))
    return tuple(entries)


def _put_zigbee_entry(entry: LoggedEntry) -> bytes:
    if len(entry.other_info) >= _NO_OCTETS:
        raise ValueError("event data of more than 254 octets")
    log_id = (entry.log_id or 0).to_bytes(1, "little")
    time = gbz.seconds_since_2000(entry.at).to_bytes(4, "little")
    return log_id + entry.code.to_bytes(2, "little") + time + bytes((len(entry.other_info),)) + entry.other_info


def _zigbee_components(log: EventLog) -> list[gbz.Component]:
    if log.entries is None:
        refusal = bytes((0x00, log.result))  # the command that Default Response answers: 00, Get Event Log
        return [gbz.Component(cluster=_EVENTS_CLUSTER, header=_DEFAULT_HEADER, payload=refusal)]
    body = b"".join(_put_zigbee_entry(entry) for entry in log.entries)
    pages = log.pages
    if sum(page.size_bytes for page in pages) != len(body) or not pages:
        # Flags: upper half the number of entries, lower half 0, no entry crosses a page.
        flags = min(len(log.entries), 15) << 4
        pages = (LogPage(size_bytes=len(body), total=len(log.entries), index=0, count=1, flags=flags),)
    components, at = [], 0
    for page in pages:
        fields = page.total.to_bytes(2, "little") + bytes((page.index, page.count, page.flags))
        payload = fields + body[at : at + page.size_bytes]
        components.append(gbz.Component(cluster=_EVENTS_CLUSTER, header=page.header, payload=payload))
        at += page.size_bytes
    return components
