"""The part of GBZ (ZigBee in GBCS) that payloads use: components, times, event logs.

Source: docs/domain.md, "Alerts" and "Security and event logs"; GBCS 7.2.9 (GBZ), ZigBee Smart Energy (Events cluster).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from joinbridge.wire.dlms import in_utc
from joinbridge.wire.reader import Reader

PROFILE = b"\x01\x09"  # ZigBee Smart Energy
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
UNSET_TIME = 0xFFFF_FFFF

_LAST, _NOT_LAST = 0x01, 0x00  # control octet of a component; its other bits are encryption and a start time, which no answer here has


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One ZigBee command inside a GBZ message: the cluster, the three octets of its ZCL header, its payload, where that begins."""

    cluster: int
    header: bytes
    payload: bytes
    payload_at: int = 0


def take_components(reader: Reader) -> tuple[Component, ...]:
    """Return all components of a GBZ command or response, which then ends. Raises: DecodeError, also for an encrypted one."""
    reader.expect(PROFILE, "GBZ profile")
    components = tuple(_take_component(reader) for _ in range(reader.number(1, "count of GBZ components")))
    reader.finish()
    return components


def put_components(*components: Component) -> bytes:
    """Return a GBZ command or response. Raises: OverflowError when there are too many components, or one is too large."""
    octets = [PROFILE, len(components).to_bytes(1, "big")]
    for index, component in enumerate(components, start=1):
        body = component.header + component.payload
        octets.append(bytes((_LAST if index == len(components) else _NOT_LAST,)))
        octets.append(component.cluster.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body)
    return b"".join(octets)


def seconds_since_2000(at: datetime) -> int:
    """Return whole seconds from 2000-01-01 UTC to `at`. Raises: ValueError when `at` has no time zone."""
    return (in_utc(at) - EPOCH) // timedelta(seconds=1)


def time_since_2000(seconds: int) -> datetime:
    """Return the time so many seconds (up to 2^32-1) after 2000-01-01 UTC."""
    return EPOCH + timedelta(seconds=seconds)


def _take_component(reader: Reader) -> Component:
    control = reader.number(1, "GBZ component control")
    if control not in (_LAST, _NOT_LAST):
        raise reader.fault(f"GBZ component control {control:02x}: encrypted, or with a start time", back=1)
    cluster = reader.number(2, "ZigBee cluster")
    size = reader.number(2, "GBZ component length")
    if size < 3:
        raise reader.fault(f"GBZ component of {size} octets has no ZCL header", back=2)
    header = reader.take(3, "ZCL header")
    at = reader.at
    return Component(cluster=cluster, header=header, payload=reader.take(size - 3, "ZCL payload"), payload_at=at)
