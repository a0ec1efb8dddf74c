"""What GBCS messages say: `decode_payload` reads those that evidence needs, `encode_payload` writes them.

Each payload is a value of its own; a message whose payload joinbridge has no use for gives None.
"""

from __future__ import annotations

from collections.abc import Callable

from joinbridge.core.vocabulary import JOIN_MESSAGE_CODES, UNJOIN_MESSAGE_CODES, Cra, MessageCode
from joinbridge.errors import DecodeError
from joinbridge.wire.gbcs import GbcsMessage
from joinbridge.wire.payloads import gbz
from joinbridge.wire.payloads.alerts import NOTIFICATION, DiscardedMessage, GenericAlert, UnsupportedCommand
from joinbridge.wire.payloads.gpf import GpfLogChanged, GpfLogRestored, RestoreGpfLog
from joinbridge.wire.payloads.hub import (
    ActiveDevice,
    ActiveDevices,
    HubEntry,
    HubLog,
    HubLogChanged,
    HubLogs,
    ReadActiveDevices,
    ReadHubLog,
)
from joinbridge.wire.payloads.hub_commands import AddToHub, HubLogUpdated, RemoveFromHub, RestoreHubLog
from joinbridge.wire.payloads.join import (
    DeviceEntry,
    JoinCommand,
    JoinDetails,
    JoinResponse,
    ReadJoinDetails,
    UnjoinCommand,
    UnjoinResponse,
)
from joinbridge.wire.payloads.logs import EventLog, LoggedEntry, LogLayout, LogPage

__all__ = [
    "ActiveDevice",
    "ActiveDevices",
    "AddToHub",
    "DeviceEntry",
    "DiscardedMessage",
    "EventLog",
    "GenericAlert",
    "GpfLogChanged",
    "GpfLogRestored",
    "HubEntry",
    "HubLog",
    "HubLogChanged",
    "HubLogUpdated",
    "HubLogs",
    "JoinCommand",
    "JoinDetails",
    "JoinResponse",
    "LogLayout",
    "LogPage",
    "LoggedEntry",
    "Payload",
    "ReadActiveDevices",
    "ReadHubLog",
    "ReadJoinDetails",
    "RemoveFromHub",
    "RestoreGpfLog",
    "RestoreHubLog",
    "UnjoinCommand",
    "UnjoinResponse",
    "UnsupportedCommand",
    "decode_payload",
    "encode_payload",
]

Payload = (
    JoinCommand
    | JoinResponse
    | UnjoinCommand
    | UnjoinResponse
    | ReadJoinDetails
    | JoinDetails
    | GpfLogChanged
    | RestoreGpfLog
    | GpfLogRestored
    | HubLogChanged
    | ReadActiveDevices
    | ActiveDevices
    | ReadHubLog
    | HubLogs
    | AddToHub
    | RemoveFromHub
    | RestoreHubLog
    | HubLogUpdated
    | GenericAlert
    | DiscardedMessage
    | UnsupportedCommand
    | EventLog
)


def decode_payload(message: GbcsMessage) -> Payload | None:
    """Return what `message` says, or None when its kind is not one that joinbridge reads.

    An alert of a kind not known here is read as a `GenericAlert` when it has the form of one.
    Raises: DecodeError when a payload of a known kind is malformed; the offset is that of the fault in the whole message.
    """
    read = _READERS.get((message.message_code, message.cra))
    if read is None:
        return _other_alert(message.content) if message.cra is Cra.ALERT else None
    if message.cra is Cra.ALERT and message.content.startswith(gbz.PROFILE):
        # The kinds known here are written in DLMS or DER; a device that speaks ZigBee can only have sent the generic form.
        read = GenericAlert.from_bytes
    try:
        return read(message.content)
    except DecodeError as error:
        raise error.shifted(message.content_offset) from error


def encode_payload(payload: Payload) -> bytes:
    """Return the content octets that say `payload`: the inverse of `decode_payload`.

    Raises: ValueError or OverflowError when a field does not fit where the format has it.
    """
    return payload.to_bytes()


def _other_alert(content: bytes) -> GenericAlert | None:
    if not content.startswith((NOTIFICATION, gbz.PROFILE)):
        return None
    try:
        alert = GenericAlert.from_bytes(content)
    except DecodeError:
        return None
    # Alert codes of GBCS begin with 8; anything else is a payload that only happens to begin like an alert.
    return alert if alert.alert_code >> 12 == 8 else None


_READERS: dict[tuple[int, Cra], Callable[[bytes], Payload]] = {
    **{(code, Cra.COMMAND): JoinCommand.from_bytes for code in JOIN_MESSAGE_CODES},
    **{(code, Cra.RESPONSE): JoinResponse.from_bytes for code in JOIN_MESSAGE_CODES},
    **{(code, Cra.COMMAND): UnjoinCommand.from_bytes for code in UNJOIN_MESSAGE_CODES},
    **{(code, Cra.RESPONSE): UnjoinResponse.from_bytes for code in UNJOIN_MESSAGE_CODES},
    (MessageCode.CS07, Cra.COMMAND): ReadJoinDetails.from_bytes,
    (MessageCode.CS07, Cra.RESPONSE): JoinDetails.from_bytes,
    (MessageCode.GCS62, Cra.ALERT): GpfLogChanged.from_bytes,
    (MessageCode.GCS59, Cra.COMMAND): RestoreGpfLog.from_bytes,
    (MessageCode.GCS59, Cra.RESPONSE): GpfLogRestored.from_bytes,
    (MessageCode.CS14, Cra.ALERT): HubLogChanged.from_bytes,
    (MessageCode.CCS05_CCS04, Cra.COMMAND): ReadActiveDevices.from_bytes,
    (MessageCode.CCS05_CCS04, Cra.RESPONSE): ActiveDevices.from_bytes,
    (MessageCode.CCS06, Cra.COMMAND): ReadActiveDevices.from_bytes,
    (MessageCode.CCS06, Cra.RESPONSE): ActiveDevices.from_bytes,
    (MessageCode.CCS07, Cra.COMMAND): ReadHubLog.from_bytes,
    (MessageCode.CCS07, Cra.RESPONSE): HubLogs.from_bytes,
    (MessageCode.CCS01, Cra.COMMAND): AddToHub.from_bytes,
    (MessageCode.CCS01, Cra.RESPONSE): HubLogUpdated.from_bytes,
    (MessageCode.CCS02, Cra.COMMAND): RemoveFromHub.from_bytes,
    (MessageCode.CCS02, Cra.RESPONSE): HubLogUpdated.from_bytes,
    (MessageCode.CCS03, Cra.COMMAND): RestoreHubLog.from_bytes,
    (MessageCode.CCS03, Cra.RESPONSE): HubLogUpdated.from_bytes,
    (MessageCode.GCA, Cra.ALERT): GenericAlert.from_bytes,
    (MessageCode.GNCA, Cra.ALERT): GenericAlert.from_bytes,
    (MessageCode.DBCH10, Cra.ALERT): DiscardedMessage.from_bytes,
    (MessageCode.ALERT_8F84, Cra.ALERT): DiscardedMessage.from_bytes,
    (MessageCode.ECS100, Cra.ALERT): UnsupportedCommand.from_bytes,
    (MessageCode.ECS35A, Cra.RESPONSE): EventLog.events_from_bytes,
    (MessageCode.ECS35B, Cra.RESPONSE): EventLog.security_from_bytes,
    (MessageCode.ECS35C, Cra.RESPONSE): EventLog.events_from_bytes,
    (MessageCode.ECS35D, Cra.RESPONSE): EventLog.security_from_bytes,
    (MessageCode.CS10A, Cra.RESPONSE): EventLog.events_from_bytes,
    (MessageCode.CS10B, Cra.RESPONSE): EventLog.security_from_bytes,
}
