"""Payloads in which a Communications Hub tells its whitelist and its neighbours.

Source: docs/domain.md, "Hub device log (CCS family)" and "CHF Device Log Changed (8F12)".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from joinbridge.core.ids import Eui64
from joinbridge.wire import dlms
from joinbridge.wire.reader import Reader

PAN_ID_SIZE = 8

_GET, _ACTION = 1, 3  # kinds of access, in specifications and results
_STATUS_BITS = b"\x04\x08"  # a bit-string of eight
_GET_ACTIVE_DEVICES = bytes.fromhex("01 0068 00001E0300FF 04")
_BACK_UP_CURRENT = bytes.fromhex("03 0068 00001E0300FF 04")
_BACK_UP_HISTORIC = bytes.fromhex("03 0068 00001E0301FF 04")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLogChanged:
    """CS14, alert 8F12: the whole whitelist. The `_octets` fields keep the times as sent, for exact re-encoding."""

    alert_code: int
    at: datetime | None
    backup_time: datetime | None
    extended_pan_id: bytes
    entries: tuple[HubEntry, ...]
    invoke_id: int = dlms.INVOKE_ID
    at_octets: bytes = field(default=b"", compare=False, repr=False)
    backup_time_octets: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a CS14 alert. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id, elements = dlms.take_notification(reader)
        if elements != 3:
            raise reader.fault(f"an alert of {elements} elements where the use case has 3", back=1)
        alert_code = dlms.take_number(reader, dlms.LONG_UNSIGNED, "alert code")
        at_octets = dlms.take_octets(reader, "alert time", 12)
        log = HubLog.take(reader)
        reader.finish()
        return cls(
            alert_code=alert_code,
            at=dlms.read_date_time(at_octets),
            backup_time=log.backup_time,
            extended_pan_id=log.extended_pan_id,
            entries=log.entries,
            invoke_id=invoke_id,
            at_octets=at_octets,
            backup_time_octets=log.backup_time_octets,
        )

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError or OverflowError when a field does not fit."""
        log = HubLog(
            backup_time=self.backup_time,
            extended_pan_id=self.extended_pan_id,
            entries=self.entries,
            backup_time_octets=self.backup_time_octets,
        )
        return dlms.put_notification(
            self.invoke_id,
            dlms.put_number(dlms.LONG_UNSIGNED, self.alert_code),
            dlms.put_octets(dlms.write_date_time(self.at, self.at_octets)),
            log.put(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HubEntry:
    """One whitelisted device and the hash of its trust-centre link key: 16 octets, or none while it has no key yet."""

    device: Eui64
    link_key_hash: bytes

    @classmethod
    def take(cls, reader: Reader) -> Self:
        """Read one from inside a payload. Raises: DecodeError."""
        dlms.take_structure(reader, 2, "log entry")
        device = dlms.take_eui64(reader, "device id")
        return cls(device=device, link_key_hash=dlms.take_octets(reader, "link key hash", 0, 16))

    def put(self) -> bytes:
        """Write it for the inside of a payload."""
        return dlms.put_structure(dlms.put_eui64(self.device), dlms.put_octets(self.link_key_hash))


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLog:
    """One whitelist as a hub backed it up at `backup_time`."""

    backup_time: datetime | None
    extended_pan_id: bytes
    entries: tuple[HubEntry, ...]
    backup_time_octets: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def take(cls, reader: Reader) -> Self:
        """Read one from inside a payload."""
        dlms.take_structure(reader, 3, "backed-up log")
        octets = dlms.take_octets(reader, "backup time", 12)
        pan_id = dlms.take_octets(reader, "extended PAN id", PAN_ID_SIZE)
        entries = tuple(HubEntry.take(reader) for _ in range(dlms.take_count(reader, "log entries")))
        return cls(backup_time=dlms.read_date_time(octets), extended_pan_id=pan_id, entries=entries, backup_time_octets=octets)

    def put(self) -> bytes:
        """Write it for the inside of a payload."""
        return dlms.put_structure(
            dlms.put_octets(dlms.write_date_time(self.backup_time, self.backup_time_octets)),
            dlms.put_octets(self.extended_pan_id),
            dlms.put_array(entry.put() for entry in self.entries),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveDevice:
    """What a hub knows of one device on its network: RSSI in dBm, LQI 0 to 255, counts as the hub keeps them."""

    device: Eui64
    status: int
    rssi_max: int
    rssi_average: int
    rssi_min: int
    lqi_max: int
    lqi_average: int
    lqi_min: int
    last_communication: datetime | None
    hops: int
    transmission_failures: int
    transmission_successes: int
    application_version: int
    stack_version: int
    last_communication_octets: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def take(cls, reader: Reader) -> Self:
        """Read one from inside a payload. Raises: DecodeError."""
        dlms.take_structure(reader, 14, "active device")
        device = dlms.take_eui64(reader, "device id")
        reader.expect(_STATUS_BITS, "device status")
        status = reader.number(1, "device status")
        rssi = [dlms.take_signed(reader, "RSSI") for _ in range(3)]
        lqi = [dlms.take_number(reader, dlms.UNSIGNED, "LQI") for _ in range(3)]
        octets = dlms.take_octets(reader, "last communication", 12)
        rest = [dlms.take_number(reader, dlms.UNSIGNED, "count or version") for _ in range(5)]
        return cls(
            device=device,
            status=status,
            rssi_max=rssi[0],
            rssi_average=rssi[1],
            rssi_min=rssi[2],
            lqi_max=lqi[0],
            lqi_average=lqi[1],
            lqi_min=lqi[2],
            last_communication=dlms.read_date_time(octets),
            hops=rest[0],
            transmission_failures=rest[1],
            transmission_successes=rest[2],
            application_version=rest[3],
            stack_version=rest[4],
            last_communication_octets=octets,
        )

    def put(self) -> bytes:
        """Write it for the inside of a payload. Raises: ValueError or OverflowError when a field does not fit."""
        rest = (
            self.hops,
            self.transmission_failures,
            self.transmission_successes,
            self.application_version,
            self.stack_version,
        )
        return dlms.put_structure(
            dlms.put_eui64(self.device),
            _STATUS_BITS + self.status.to_bytes(1, "big"),
            *(dlms.put_signed(value) for value in (self.rssi_max, self.rssi_average, self.rssi_min)),
            *(dlms.put_number(dlms.UNSIGNED, value) for value in (self.lqi_max, self.lqi_average, self.lqi_min)),
            dlms.put_octets(dlms.write_date_time(self.last_communication, self.last_communication_octets)),
            *(dlms.put_number(dlms.UNSIGNED, value) for value in rest),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadActiveDevices:
    """The CCS05/CCS04 and CCS06 command: list the devices you hear."""

    invoke_id: int = dlms.INVOKE_ID

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of such a command. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id = dlms.take_request_for(reader, _GET_ACTIVE_DEVICES)
        reader.expect(dlms.NULL, "access data")
        reader.finish()
        return cls(invoke_id=invoke_id)

    def to_bytes(self) -> bytes:
        """Write it."""
        return dlms.put_request(self.invoke_id, (_GET_ACTIVE_DEVICES, dlms.NULL))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveDevices:
    """The answer to `ReadActiveDevices`; `entries` is None when the hub gave none, `result` then says why (0 is success)."""

    entries: tuple[ActiveDevice, ...] | None
    result: int = 0
    invoke_id: int = dlms.INVOKE_ID

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of such a response. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id = dlms.take_response(reader, 1)
        entries = None
        if not dlms.take_null(reader):
            entries = tuple(ActiveDevice.take(reader) for _ in range(dlms.take_count(reader, "active devices")))
        ((_, result),) = dlms.take_results(reader, 1)
        return cls(entries=entries, result=result, invoke_id=invoke_id)

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError or OverflowError when a field does not fit."""
        data = dlms.NULL if self.entries is None else dlms.put_array(entry.put() for entry in self.entries)
        return dlms.put_response(self.invoke_id, (data, _GET, self.result))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadHubLog:
    """The CCS07 command: list your current and your historic whitelist."""

    invoke_id: int = dlms.INVOKE_ID

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a CCS07 command. Raises: DecodeError."""
        reader = Reader(content)
        # The two values after the specifications carry nothing: the method takes no parameter that matters. Not looked into.
        return cls(invoke_id=dlms.take_request_for(reader, _BACK_UP_CURRENT, _BACK_UP_HISTORIC))

    def to_bytes(self) -> bytes:
        """Write it."""
        return dlms.put_request(self.invoke_id, (_BACK_UP_CURRENT, dlms.NULL), (_BACK_UP_HISTORIC, dlms.NULL))


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLogs:
    """The answer to `ReadHubLog`; a log is None when the hub did not give it, its result then says why (0 is success)."""

    current: HubLog | None
    historic: HubLog | None
    current_result: int = 0
    historic_result: int = 0
    invoke_id: int = dlms.INVOKE_ID

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a CCS07 response. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id = dlms.take_response(reader, 2)
        current = None if dlms.take_null(reader) else HubLog.take(reader)
        historic = None if dlms.take_null(reader) else HubLog.take(reader)
        (_, current_result), (_, historic_result) = dlms.take_results(reader, 2)
        return cls(
            current=current,
            historic=historic,
            current_result=current_result,
            historic_result=historic_result,
            invoke_id=invoke_id,
        )

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError or OverflowError when a field does not fit."""
        current = dlms.NULL if self.current is None else self.current.put()
        historic = dlms.NULL if self.historic is None else self.historic.put()
        return dlms.put_response(self.invoke_id, (current, _ACTION, self.current_result), (historic, _ACTION, self.historic_result))
