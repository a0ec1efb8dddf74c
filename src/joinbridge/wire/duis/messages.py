"""What the DSP says in a DUIS document, as values: responses with their payload or alert. What it is asked is in `requests`.

Names follow the elements of the DUIS XSD 5.4; docs/domain.md, "DUIS" explains them. Enumerations of the schema stay text
(a later schema adds words), GBCS payloads are octets, already base64-decoded, times are aware UTC. `None` is an absent
element. What joinbridge does not act on is recognised and passed by: the `Other…` types keep its element name alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from joinbridge.core.ids import DeviceId, RequestId
from joinbridge.wire.duis.requests import SCHEMA_VERSION, DuisRequest

# ---- payloads of a service response


@dataclass(frozen=True, slots=True, kw_only=True)
class GbcsPayload:
    """What the device answered."""

    gbcs: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCommand:
    """A command for the User to deliver by a hand-held terminal."""

    gbcs: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PreCommand:
    """A command for the User to sign; nothing was sent to the device yet."""

    gbcs_version: str
    gbcs: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureDatedAlert:
    """How a device fared with a future-dated command: alert 8F66 or 8F67. Never for joins."""

    alert_code: str
    gbcs: bytes
    instruction_number: int
    total_command_instructions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryDevice:
    """One device of the inventory. Where it is (MPxN, UPRN, address) is not kept: joinbridge has no use for it."""

    device: DeviceId
    device_type: str
    manufacturer: str
    model: str
    device_status: str | None = None
    smets_chts_version: str | None = None
    firmware_version: str | None = None
    csp_region: str | None = None
    gbcs_version: str | None = None
    han_variant: str | None = None
    connectivity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryListing:
    """`DSPInventory`: 1 to 17 devices; says nothing about joins."""

    devices: tuple[InventoryDevice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPayload:
    """Any other payload, named as in `OtherService`."""

    element: str


ResponsePayload = GbcsPayload | LocalCommand | PreCommand | FutureDatedAlert | InventoryListing | OtherPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResponse:
    """`ResponseMessage`: without a payload it acknowledges or refuses."""

    service_reference: str
    service_reference_variant: str
    payload: ResponsePayload | None = None


# ---- alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAlert:
    """`DeviceAlertMessage`: an alert of a device, forwarded to its User; `alert_code` is upper-case hex, e.g. 8F20."""

    alert_code: str
    gbcs: bytes
    throttled_alert_sequence_id: int | None = None
    throttled_alert_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailure:
    """The command of `request_id` could not be delivered, or was not answered: the alert code says which."""

    request_id: RequestId
    device: DeviceId
    dsp_schedule_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateHanDeviceLogResult:
    """What became of an SRV 8.11 request: the alert code says it."""

    request_id: RequestId


RestoredLog = Literal["CHFDeviceLog", "GPFDeviceLog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLogRestored:
    """A hub was exchanged and one of its two logs restored on the new one."""

    log: RestoredLog
    old_chf: DeviceId
    new_chf: DeviceId
    old_gpf: DeviceId
    new_gpf: DeviceId
    restored_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PpmidRemoval:
    """A prepayment display left the home of a hub."""

    ppmid: DeviceId
    chf: DeviceId


CraFlag = Literal["Command", "Response", "Alert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardedDuisMessage:
    """The hub `chf` dropped a message; codes are upper-case hex.

    It is the `MessageDiscardedDueToDutyCycleManagement` of a `DualBandCHAlert`.
    """

    request_id: RequestId
    cra: CraFlag
    chf: DeviceId
    device_alert_code: str
    message_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociatedDevice:
    """A type 1 device that is affected together with its meter."""

    device: DeviceId
    device_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatusChange:
    """`DeviceStatusChangeEvent`: `change` is the name of the chosen element.

    Of DUIS 5.4: MeterIdentity, MeterDecommissioningOrWithdrawal, DeviceRemovedFromInventory, CHFDecommissioning,
    DeviceSuspended, DeviceRestored, RecoveryCompleteACBCredentials, RecoveryComplete. The first two carry the meter's
    `import_mpxn`; the second the `associated` devices that go with the meter.
    """

    device: DeviceId
    change: str
    import_mpxn: str | None = None
    associated: tuple[AssociatedDevice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDccAlert:
    """Any other DCC Alert, named as in `OtherService`; a `DualBandCHAlert` that discards no message is one too."""

    element: str


DccAlertBody = (
    CommandFailure | UpdateHanDeviceLogResult | DeviceLogRestored | PpmidRemoval | DiscardedDuisMessage | DeviceStatusChange | OtherDccAlert
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DccAlert:
    """`DCCAlertMessage`: the DSP tells a User something by itself. No code is bound to a body: the body decides."""

    alert_code: str
    alert: DccAlertBody
    throttled_alert_sequence_id: int | None = None
    throttled_alert_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Smets1Response:
    """`SMETS1ResponseMessage`: recognised; the message within and its own signature are not read."""


ResponseBody = ServiceResponse | DeviceAlert | DccAlert | Smets1Response


@dataclass(frozen=True, slots=True, kw_only=True)
class DuisResponse:
    """`sr:Response`: what the DSP sends to a User.

    `response_id` is the RequestID with its first two parts swapped, so its `remote` is the device and its `device` the
    User. Alerts need not have either id.
    """

    response_code: str
    response_date_time: datetime
    body: ResponseBody
    request_id: RequestId | None = None
    response_id: RequestId | None = None
    schema_version: str = SCHEMA_VERSION


DuisDocument = DuisRequest | DuisResponse

Kind = Literal["request", "acknowledgement", "response", "pre_command", "device_alert", "dcc_alert", "smets1"]


def kind_of(document: DuisDocument) -> Kind:
    """Return what kind of message `document` is: up to three responses share one RequestID, so the id cannot tell.

    An acknowledgement has neither payload nor ResponseID (docs/domain.md, "The messages around one join").
    """
    if isinstance(document, DuisRequest):
        return "request"
    match document.body:
        case ServiceResponse(payload=None) if document.response_id is None:
            return "acknowledgement"
        case ServiceResponse(payload=PreCommand()):
            return "pre_command"
        case ServiceResponse():
            return "response"
        case DeviceAlert():
            return "device_alert"
        case DccAlert():
            return "dcc_alert"
        case _:
            return "smets1"
