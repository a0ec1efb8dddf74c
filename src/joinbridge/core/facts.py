"""What one message says, decoded: the only input of the engine besides deadlines.

A fact names the device it is about (`device`); it never says what follows from it: that is `rules`. Times inside facts are the
device's own (aware UTC); when the bus saw the message is in the `Sighting` around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from joinbridge.core.ids import BusinessKey, DeviceId, MessageKey, RequestId, WireKey
from joinbridge.core.vocabulary import Cra, DeviceType, Intent, JoinRole


class Authenticity(StrEnum):
    """Whether the message proves who made it (docs/domain.md, "Cryptography")."""

    VERIFIED = "verified"  # its signature was checked against the signer's certificate
    CHANNEL = "channel"  # not checkable here; only as good as the bus producer
    USER_SUPPLIED = "user"  # came through a User (SRV 8.13), not through the device's own path


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequested:
    """A User asked for a Join or Unjoin: a DUIS request of SRV 8.7.x/8.8.x, a Signed Pre-Command, or a bare GBCS command.

    `submitted` is False for the transform request (CV 4), which sends nothing to the device. `local_only` is True for CV 2 and 6.
    `other` is None only when nothing in the message names it. `role` and `other_type` are what the
    device is told, when the GBCS command itself was read.
    """

    request_id: RequestId
    intent: Intent
    srv: str | None
    other: DeviceId | None
    submitted: bool = True
    local_only: bool = False
    wire_key: WireKey | None = None
    role: JoinRole | None = None
    other_type: DeviceType | None = None

    @property
    def device(self) -> DeviceId:
        """The target of the request."""
        return self.request_id.device


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAcknowledged:
    """The DSP answered a request without a device's answer in it: I99, E…, or W…; `asynchronous` when it carried a ResponseID."""

    request_id: RequestId
    srv: str | None
    code: str
    asynchronous: bool

    @property
    def device(self) -> DeviceId:
        """The target of the request."""
        return self.request_id.device


@dataclass(frozen=True, slots=True, kw_only=True)
class PreCommandReturned:
    """The DSP returned the Pre-Command of a critical request for signing; nothing was sent to the device yet."""

    request_id: RequestId
    intent: Intent
    other: DeviceId
    role: JoinRole | None
    other_type: DeviceType | None

    @property
    def device(self) -> DeviceId:
        """The target of the request."""
        return self.request_id.device


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinAnswered:
    """A device answered a Join or Unjoin command with one octet; it names neither the other device nor the method."""

    business_key: BusinessKey
    wire_key: WireKey
    intent: Intent
    code: int
    message_code: int

    @property
    def device(self) -> DeviceId:
        """The device that answered."""
        return self.business_key.device


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a Device Log: an authorised device and the type it was entered with (None when not one of GBCS's)."""

    other: DeviceId
    device_type: DeviceType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLogRead:
    """A device answered CS07 with its Device Log; `entries` is None when the read failed (code 1)."""

    business_key: BusinessKey
    wire_key: WireKey
    entries: tuple[LogEntry, ...] | None

    @property
    def device(self) -> DeviceId:
        """The device whose log it is."""
        return self.business_key.device


@dataclass(frozen=True, slots=True, kw_only=True)
class GpfLogReported:
    """A Gas Proxy Function reported its whole Device Log by itself (GCS62, alert 8071) as of `device_time`."""

    device: DeviceId
    device_time: datetime | None
    entries: tuple[LogEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpfLogRestored:
    """A new Gas Proxy Function answered a restore (GCS59) with a join code for each entry."""

    business_key: BusinessKey
    wire_key: WireKey
    results: tuple[tuple[LogEntry, int], ...]

    @property
    def device(self) -> DeviceId:
        """The new Gas Proxy Function."""
        return self.business_key.device


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLogReported:
    """A Communications Hub listed its whitelist (CS14/8F12, CCS07): each device and whether its link key is established."""

    device: DeviceId
    device_time: datetime | None
    entries: tuple[tuple[DeviceId, bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubActivityRead:
    """A Communications Hub listed its active devices with their last communication (CCS05/CCS04/CCS06)."""

    device: DeviceId
    entries: tuple[tuple[DeviceId, datetime | None], ...]


class LogKind(StrEnum):
    """Which log of a device was read."""

    SECURITY = "security"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One entry of a security or event log; `command_code` is the message code of the HAN command it speaks of, if it does."""

    at: datetime
    code: int
    command_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLogRead:
    """A device answered a read of its security or event log (SRV 6.13); no entry names another device."""

    business_key: BusinessKey
    wire_key: WireKey
    kind: LogKind
    entries: tuple[LoggedEvent, ...]

    @property
    def device(self) -> DeviceId:
        """The device whose log it is."""
        return self.business_key.device


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAlerted:
    """A device sent a generic alert: a code and a time, and no reference to any other device or command."""

    device: DeviceId
    code: int
    device_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDiscarded:
    """A hub dropped the message quoted by `key` (8F2C by wire key, DUIS MessageDiscarded by RequestID)."""

    key: CommandReference
    cra: Cra

    @property
    def device(self) -> DeviceId:
        """The device the message was for, or from."""
        return self.key.device


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandNotExecuted:
    """The command quoted by `key` was not delivered (8F84) or is not supported by the device (8F85, with its message code)."""

    key: CommandReference
    alert_code: int
    message_code: int | None = None

    @property
    def device(self) -> DeviceId:
        """The device the command was for."""
        return self.key.device


CommandReference = WireKey
"""A command as an alert quotes it: compare it with both keys of an attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailed:
    """The DSP told a User by DCC Alert (`CommandFailure`) that a command failed; `no_response`: True for N13, False for N12, None else."""

    request_id: RequestId
    alert_code: str
    no_response: bool | None

    @property
    def device(self) -> DeviceId:
        """The target of the request."""
        return self.request_id.device


@dataclass(frozen=True, slots=True, kw_only=True)
class HubExchanged:
    """A Communications Hub was replaced and its logs restored (`DeviceLogRestored`); pairs of the old GPF move to the new one."""

    old_chf: DeviceId
    new_chf: DeviceId
    old_gpf: DeviceId
    new_gpf: DeviceId

    @property
    def device(self) -> DeviceId:
        """The Gas Proxy Function that is gone."""
        return self.old_gpf


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRetired:
    """A device left the home: `PPMIDRemoval`, decommissioning, withdrawal, removal from the inventory."""

    device: DeviceId
    reason: str


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """What the inventory says of a device; None where it says nothing."""

    device: DeviceId
    device_type: DeviceType | None
    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    region: str | None = None

    @property
    def inventoried(self) -> bool:
        """Whether the inventory itself described it: that always names the manufacturer."""
        return self.manufacturer is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRead:
    """The DSP answered a Read Inventory (SRV 8.2); it holds no join relation, but types, makes and regions."""

    descriptions: tuple[DeviceDescription, ...]

    @property
    def device(self) -> DeviceId | None:
        """No single device: an inventory answer describes several."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerJoined:
    """The device's partner finished its own half of a method-A join: derived by the engine from the partner's answer."""

    device: DeviceId
    partner: DeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDecided:
    """A person reviewed a pair and decided, with a reason; one more piece of evidence."""

    device: DeviceId
    other: DeviceId
    joined: bool
    person: str
    reason: str


Fact = (
    JoinRequested
    | RequestAcknowledged
    | PreCommandReturned
    | JoinAnswered
    | DeviceLogRead
    | GpfLogReported
    | GpfLogRestored
    | HubLogReported
    | HubActivityRead
    | EventLogRead
    | DeviceAlerted
    | MessageDiscarded
    | CommandNotExecuted
    | CommandFailed
    | HubExchanged
    | DeviceRetired
    | InventoryRead
    | PartnerJoined
    | PersonDecided
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A fact as the bus showed it: which message, when, through which source, and how far it can be trusted.

    `at` is the bus time: the publisher's timestamp when the message carries one, its arrival otherwise.
    """

    fact: Fact
    key: MessageKey
    at: datetime
    source: str
    region: str | None = None
    authenticity: Authenticity = Authenticity.CHANNEL
