"""What a DUIS request says, as values: the envelope, and the service that it asks for.

Names follow the elements of the DUIS XSD 5.4; docs/domain.md, "DUIS" explains them. `None` is an absent element.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from joinbridge.core.ids import DeviceId, RequestId

SCHEMA_VERSION = "5.4"
"""The schema that this package writes; it reads any."""


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
