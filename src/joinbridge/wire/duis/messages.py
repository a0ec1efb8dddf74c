"""What a DUIS document says, as values: requests with their service, responses with their payload or alert.

Names follow the elements of the DUIS XSD 5.4; docs/domain.md, "DUIS" explains them. Enumerations of the schema stay text
(a later schema adds words), GBCS payloads are octets, already base64-decoded, times are aware UTC. `None` is an absent
element. What joinbridge does not act on is recognised and passed by: the `Other…` types keep its element name alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from joinbridge.core.ids import DeviceId, RequestId

SCHEMA_VERSION = "5.4"
"""The schema that this package writes; it reads any."""

# ---- requests


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinService:
    """SRV 8.7.1 (`critical`) or 8.7.2: let the target of the request authorise `other_device`."""

    other_device: DeviceId
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnjoinService:
    """SRV 8.8.1 (`critical`) or 8.8.2: let the target of the request forget `other_device`."""

    other_device: DeviceId
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPreCommand:
    """A critical command signed by its User (CV 5 to 7); the service is told by the header and the octets."""

    gbcs: bytes
    execution_date_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDeviceLog:
    """SRV 8.9: ask the target for its Device Log; `read_security_details` chooses CCS07 where the target is a CHF."""

    read_security_details: bool = False
    execution_date_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhitelistDetails:
    """How a Communications Hub is to admit a device: for 1 to 3600 seconds, with an install code of 6 to 16 octets."""

    join_time_period_s: int
    install_code: bytes
    import_mpxn: str | None = None
    secondary_import_mpan: str | None = None
    export_mpan: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateHanDeviceLog:
    """SRV 8.11: `add` a device to the whitelist of a hub, or remove it. Not an application-level join."""

    device: DeviceId
    add: bool
    whitelist: WhitelistDetails | None = None
    execution_date_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreHanDeviceLog:
    """SRV 8.12.1: restore the log of the hub that replaced `old_chf`."""

    old_chf: DeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreGpfDeviceLog:
    """SRV 8.12.2: restore the log of the Gas Proxy Function that replaced `old_gpf`."""

    old_gpf: DeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLocalCommandResponse:
    """SRV 8.13: a User hands in the device's answer to a locally delivered command."""

    gbcs: bytes
    original_request_id: RequestId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommissionDevice:
    """SRV 8.1.1: commission the target and set its clock, within a tolerance of 0 to 86400 seconds."""

    current_date_time: datetime
    tolerance_period_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadInventory:
    """SRV 8.2: ask the inventory by exactly one of: device, UPRN, MPxN, or post code with address identifier.

    Raises: ValueError when it is not exactly one.
    """

    device: DeviceId | None = None
    uprn: str | None = None
    mpxn: str | None = None
    post_code: str | None = None
    address_identifier: str | None = None

    def __post_init__(self) -> None:
        chosen = [self.device, self.uprn, self.mpxn, self.post_code]
        if chosen.count(None) != len(chosen) - 1 or (self.post_code is None) != (self.address_identifier is None):
            raise ValueError("not exactly one of device, uprn, mpxn, post_code with address_identifier")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecommissionDevice:
    """SRV 8.3: take `device` out of use."""

    device: DeviceId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEventOrSecurityLog:
    """SRV 6.13: ask for a log: `Event`, `ALCSEvent`, `PowerEvent`, `Security`, `GSMEEvent` or `GSMESecurity`."""

    log: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherService:
    """Any other service: the element's local name, or `{namespace}name` when the namespace is not DUIS's."""

    element: str


RequestBody = (
    JoinService
    | UnjoinService
    | SignedPreCommand
    | ReadDeviceLog
    | UpdateHanDeviceLog
    | RestoreHanDeviceLog
    | RestoreGpfDeviceLog
    | ReturnLocalCommandResponse
    | CommissionDevice
    | ReadInventory
    | DecommissionDevice
    | ReadEventOrSecurityLog
    | OtherService
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DuisRequest:
    """`sr:Request`: what a User asks of the DSP. `service_reference` is e.g. 8.7, its variant e.g. 8.7.2."""

    request_id: RequestId
    command_variant: int
    service_reference: str
    service_reference_variant: str
    body: RequestBody
    schema_version: str = SCHEMA_VERSION
    first_in_sequence: bool | None = None
    preceding_request_id: RequestId | None = None


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
