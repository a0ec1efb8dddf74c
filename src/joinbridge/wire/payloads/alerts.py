"""Payloads of alerts that name no device log: generic ones, and those that quote a command (docs/domain.md, "Alerts")."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

from joinbridge.core.ids import Eui64, eui64_from_bytes, eui64_to_bytes
from joinbridge.wire import dlms
from joinbridge.wire.payloads import gbz
from joinbridge.wire.reader import Reader

AlertProfile = Literal["dlms", "zigbee"]

NOTIFICATION = b"\x0f"
"""The first octet of every alert in DLMS form; in ZigBee form it is `gbz.PROFILE`."""

_QUOTED_HEADER_SIZE = 25  # originator 8, target 8, CRA 1, counter 8
_QUOTED_COMMAND_SIZE = 10  # message code 2, counter 8


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericAlert:
    """GCA, GNCA and any other alert of that form: a code and a time; `extra` is what its use case adds, not looked into.

    `extra_count` is how many DLMS values, or GBZ components, `extra` holds. A time in ZigBee form is whole seconds.
    """

    alert_code: int
    at: datetime | None
    profile: AlertProfile = "dlms"
    extra: bytes = b""
    extra_count: int = 0
    invoke_id: int = dlms.INVOKE_ID
    at_octets: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of an alert in either form. Raises: DecodeError."""
        reader = Reader(content)
        if reader.peek() != NOTIFICATION:
            return cls._from_zigbee(reader)
        invoke_id, alert_code, at_octets, extra_count = _take_alert(reader)
        return cls(
            alert_code=alert_code,
            at=dlms.read_date_time(at_octets),
            extra=_take_extra(reader, extra_count),
            extra_count=extra_count,
            invoke_id=invoke_id,
            at_octets=at_octets,
        )

    @classmethod
    def _from_zigbee(cls, reader: Reader) -> Self:
        reader.expect(gbz.PROFILE, "GBZ profile")
        extra_count = reader.number(1, "count of GBZ components")
        alert_code = reader.number(2, "alert code")
        seconds = reader.number(4, "alert time")
        return cls(
            alert_code=alert_code,
            at=None if seconds == gbz.UNSET_TIME else gbz.time_since_2000(seconds),
            profile="zigbee",
            # GBCS has generic ZigBee alerts of 9 octets; some use cases add octets without counting them as components.
            extra=reader.take(reader.left, "alert data"),
            extra_count=extra_count,
        )

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError or OverflowError when a field does not fit."""
        if self.profile == "zigbee":
            seconds = gbz.UNSET_TIME if self.at is None else gbz.seconds_since_2000(self.at)
            head = self.extra_count.to_bytes(1, "big") + self.alert_code.to_bytes(2, "big") + seconds.to_bytes(4, "big")
            return gbz.PROFILE + head + self.extra
        at = dlms.put_octets(dlms.write_date_time(self.at, self.at_octets))
        return dlms.put_notification(
            self.invoke_id, dlms.put_number(dlms.LONG_UNSIGNED, self.alert_code), at, extra=self.extra, extra_count=self.extra_count
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardedMessage:
    """8F2C (DBCH10) and 8F84: a hub dropped, or could not deliver, the message with these header values."""

    alert_code: int
    at: datetime | None
    originator: Eui64
    target: Eui64
    cra: int
    counter: int
    invoke_id: int = dlms.INVOKE_ID
    at_octets: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of such an alert. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id, alert_code, at_octets, quoted = _take_quoting_alert(reader, _QUOTED_HEADER_SIZE)
        return cls(
            alert_code=alert_code,
            at=dlms.read_date_time(at_octets),
            originator=eui64_from_bytes(quoted[:8]),
            target=eui64_from_bytes(quoted[8:16]),
            cra=quoted[16],
            counter=int.from_bytes(quoted[17:], "big"),
            invoke_id=invoke_id,
            at_octets=at_octets,
        )

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError or OverflowError when a field does not fit."""
        ids = eui64_to_bytes(self.originator) + eui64_to_bytes(self.target)
        quoted = ids + self.cra.to_bytes(1, "big") + self.counter.to_bytes(8, "big")
        return _put_quoting_alert(self, quoted)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedCommand:
    """8F85 (ECS100): the device does not know the command with this message code and counter, and did nothing."""

    alert_code: int
    at: datetime | None
    message_code: int
    counter: int
    invoke_id: int = dlms.INVOKE_ID
    at_octets: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of such an alert. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id, alert_code, at_octets, quoted = _take_quoting_alert(reader, _QUOTED_COMMAND_SIZE)
        return cls(
            alert_code=alert_code,
            at=dlms.read_date_time(at_octets),
            message_code=int.from_bytes(quoted[:2], "big"),
            counter=int.from_bytes(quoted[2:], "big"),
            invoke_id=invoke_id,
            at_octets=at_octets,
        )

    def to_bytes(self) -> bytes:
        """Write it. Raises: ValueError or OverflowError when a field does not fit."""
        return _put_quoting_alert(self, self.message_code.to_bytes(2, "big") + self.counter.to_bytes(8, "big"))


def _take_alert(reader: Reader) -> tuple[int, int, bytes, int]:
    """Return invoke id, alert code, the 12 octets of its time, and how many values of the use case come next."""
    invoke_id, count = dlms.take_notification(reader)
    if count < 2:
        raise reader.fault(f"an alert of {count} elements", back=1)
    alert_code = dlms.take_number(reader, dlms.LONG_UNSIGNED, "alert code")
    return invoke_id, alert_code, dlms.take_octets(reader, "alert time", 12), count - 2


def _take_extra(reader: Reader, count: int) -> bytes:
    """Return all that is left; a value has at least one octet, and none has none."""
    if reader.left < count or (reader.left and not count):
        raise reader.fault(f"{reader.left} octets left where {count} values should follow")
    return reader.take(reader.left, "alert data")


def _take_quoting_alert(reader: Reader, size: int) -> tuple[int, int, bytes, bytes]:
    """Return invoke id, alert code, the octets of its time, and the one octet string that its use case adds."""
    invoke_id, alert_code, at_octets, count = _take_alert(reader)
    if count != 1:
        raise reader.fault(f"{count} values follow the time where the use case has one")
    quoted = dlms.take_octets(reader, "quoted header", size)
    reader.finish()
    return invoke_id, alert_code, at_octets, quoted


def _put_quoting_alert(alert: DiscardedMessage | UnsupportedCommand, quoted: bytes) -> bytes:
    return dlms.put_notification(
        alert.invoke_id,
        dlms.put_number(dlms.LONG_UNSIGNED, alert.alert_code),
        dlms.put_octets(dlms.write_date_time(alert.at, alert.at_octets)),
        dlms.put_octets(quoted),
    )
