"""Payloads that change the whitelist of a Communications Hub (docs/domain.md, "Hub device log (CCS family)"): CCS01, CCS02, CCS03."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from joinbridge.core.ids import Eui64
from joinbridge.wire import dlms
from joinbridge.wire.payloads.hub import PAN_ID_SIZE, HubEntry
from joinbridge.wire.reader import Reader

# Access kind, class 0068 (ZigBee network control), instance 0-0:30.3.0.255, attribute or method.
_REGISTER = bytes.fromhex("03 0068 00001E0300FF 01")
_REMOVE = bytes.fromhex("03 0068 00001E0300FF 02")
_RESTORE = bytes.fromhex("03 0068 00001E0300FF 05")
_SET_ENABLE = bytes.fromhex("02 0068 00001E0300FF 02")
_SET_JOIN_TIME = bytes.fromhex("02 0068 00001E0300FF 03")
_RESULT_KINDS = {3: (3, 2, 2)}  # CCS01: an action and two sets; the others are one action


@dataclass(frozen=True, slots=True, kw_only=True)
class AddToHub:
    """The CCS01 command: whitelist `device` and open the network for it for `join_time_s` seconds.

    `key` is the device's pre-configured key, a secret. `key_type` and `device_type` are the two enums around it, raw.
    """

    device: Eui64
    key: bytes = field(repr=False)
    join_time_s: int
    enable: bool = True
    key_type: int = 1
    device_type: int = 0
    invoke_id: int = dlms.INVOKE_ID

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a CCS01 command. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id, specifications = dlms.take_request(reader)
        if sorted(specifications) != sorted((_REGISTER, _SET_JOIN_TIME, _SET_ENABLE)):
            raise reader.fault("the access-request asks for something else than its use case does")
        device, key_type, key, device_type, join_time_s, enable = Eui64(""), 0, b"", 0, 0, 0
        for specification in specifications:
            if specification == _REGISTER:
                dlms.take_structure(reader, 4, "registration")
                device = dlms.take_eui64(reader, "device id")
                key_type = dlms.take_number(reader, dlms.ENUM, "key type")
                key = dlms.take_octets(reader, "key")
                device_type = dlms.take_number(reader, dlms.ENUM, "device type")
            elif specification == _SET_JOIN_TIME:
                join_time_s = dlms.take_number(reader, dlms.LONG_UNSIGNED, "join time")
            else:
                enable = dlms.take_number(reader, dlms.BOOLEAN, "enabling")
        reader.finish()
        return cls(
            device=device,
            key=key,
            join_time_s=join_time_s,
            enable=bool(enable),
            key_type=key_type,
            device_type=device_type,
            invoke_id=invoke_id,
        )

    def to_bytes(self) -> bytes:
        """Write it. Raises: OverflowError when a number does not fit."""
        registration = dlms.put_structure(
            dlms.put_eui64(self.device),
            dlms.put_number(dlms.ENUM, self.key_type),
            dlms.put_octets(self.key),
            dlms.put_number(dlms.ENUM, self.device_type),
        )
        return dlms.put_request(
            self.invoke_id,
            (_REGISTER, registration),
            (_SET_JOIN_TIME, dlms.put_number(dlms.LONG_UNSIGNED, self.join_time_s)),
            (_SET_ENABLE, dlms.put_number(dlms.BOOLEAN, self.enable)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFromHub:
    """The CCS02 command: strike `device` from the whitelist."""

    device: Eui64
    invoke_id: int = dlms.INVOKE_ID

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a CCS02 command. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id = dlms.take_request_for(reader, _REMOVE)
        device = dlms.take_eui64(reader, "device id")
        reader.finish()
        return cls(device=device, invoke_id=invoke_id)

    def to_bytes(self) -> bytes:
        """Write it."""
        return dlms.put_request(self.invoke_id, (_REMOVE, dlms.put_eui64(self.device)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreHubLog:
    """The CCS03 command: take over this whitelist from the hub you replace."""

    extended_pan_id: bytes
    entries: tuple[HubEntry, ...]
    invoke_id: int = dlms.INVOKE_ID

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of a CCS03 command. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id = dlms.take_request_for(reader, _RESTORE)
        dlms.take_structure(reader, 2, "log to restore")
        pan_id = dlms.take_octets(reader, "extended PAN id", PAN_ID_SIZE)
        entries = tuple(HubEntry.take(reader) for _ in range(dlms.take_count(reader, "log entries")))
        reader.finish()
        return cls(extended_pan_id=pan_id, entries=entries, invoke_id=invoke_id)

    def to_bytes(self) -> bytes:
        """Write it."""
        entries = dlms.put_array(entry.put() for entry in self.entries)
        return dlms.put_request(self.invoke_id, (_RESTORE, dlms.put_structure(dlms.put_octets(self.extended_pan_id), entries)))


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLogUpdated:
    """The answer to CCS01, CCS02 and CCS03: one result for each thing asked for, in order (0 is success)."""

    results: tuple[int, ...]
    invoke_id: int = dlms.INVOKE_ID

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the content of such a response: three results for CCS01, one for the others. Raises: DecodeError."""
        reader = Reader(content)
        invoke_id, count = dlms.take_any_response(reader)
        for _ in range(count):
            reader.expect(dlms.NULL, "access data")
        results = dlms.take_results(reader, count)
        return cls(results=tuple(result for _, result in results), invoke_id=invoke_id)

    def to_bytes(self) -> bytes:
        """Write it. Raises: OverflowError or ValueError when a number does not fit."""
        kinds = _RESULT_KINDS.get(len(self.results), (3,) * len(self.results))
        answers = ((dlms.NULL, kind, result) for kind, result in zip(kinds, self.results, strict=True))
        return dlms.put_response(self.invoke_id, *answers)

    @property
    def succeeded(self) -> bool:
        """Whether everything that was asked for was done."""
        return bool(self.results) and not any(self.results)
