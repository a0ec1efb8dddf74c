"""The request around a service: which service reference and which command variant belong to it."""

from __future__ import annotations

from joinbridge.core.ids import RequestId
from joinbridge.core.vocabulary import (
    SRV_JOIN_CRITICAL,
    SRV_JOIN_NON_CRITICAL,
    SRV_READ_DEVICE_LOG,
    SRV_UNJOIN_CRITICAL,
    SRV_UNJOIN_NON_CRITICAL,
)
from joinbridge.wire.duis.requests import (
    CommissionDevice,
    DecommissionDevice,
    DuisRequest,
    JoinService,
    ReadDeviceLog,
    ReadEventOrSecurityLog,
    ReadInventory,
    RequestBody,
    RestoreGpfDeviceLog,
    RestoreHanDeviceLog,
    ReturnLocalCommandResponse,
    SignedPreCommand,
    UnjoinService,
    UpdateHanDeviceLog,
)

# docs/domain.md, "Command variants".
CV_SEND = 1
"""Send a non-critical command to the device."""
CV_TRANSFORM = 4
"""Return the Pre-Command of a critical request, for signing."""
CV_SEND_SIGNED = 5
"""Send a Signed Pre-Command to the device."""
CV_NON_DEVICE = 8
"""Answered by the DSP itself."""

_HEADERS: dict[type[RequestBody], tuple[str, int]] = {
    SignedPreCommand: ("", CV_SEND_SIGNED),  # any critical service
    ReadDeviceLog: (SRV_READ_DEVICE_LOG, CV_SEND),
    UpdateHanDeviceLog: ("8.11", CV_SEND),
    RestoreHanDeviceLog: ("8.12.1", CV_SEND),
    RestoreGpfDeviceLog: ("8.12.2", CV_SEND),
    ReturnLocalCommandResponse: ("8.13", CV_NON_DEVICE),
    CommissionDevice: ("8.1.1", CV_TRANSFORM),
    ReadInventory: ("8.2", CV_NON_DEVICE),
    DecommissionDevice: ("8.3", CV_NON_DEVICE),
    ReadEventOrSecurityLog: ("6.13", CV_SEND),
}


def request_for(request_id: RequestId, body: RequestBody, *, srv: str | None = None, command_variant: int | None = None) -> DuisRequest:
    """Return the request that asks for `body`, with the header that belongs to it unless told otherwise.

    `srv` is the service reference variant, e.g. 8.7.2. The command variant left to itself is the one that sends the
    command over the wide-area network at once, or as soon as its Pre-Command is signed.

    Raises: ValueError when the service does not tell (a Signed Pre-Command its `srv`, an `OtherService` both).
    """
    usual = _usual_header(body)
    variant, command = srv or usual[0], command_variant or usual[1]
    if not variant or not command:
        raise ValueError(f"{type(body).__name__} needs an srv and a command_variant")
    return DuisRequest(
        request_id=request_id,
        command_variant=command,
        # DUIS XSD, ServiceReference: the first two numbers of each of the variants.
        service_reference=".".join(variant.split(".")[:2]),
        service_reference_variant=variant,
        body=body,
    )


def _usual_header(body: RequestBody) -> tuple[str, int]:
    match body:
        case JoinService(critical=critical):
            return (SRV_JOIN_CRITICAL, CV_TRANSFORM) if critical else (SRV_JOIN_NON_CRITICAL, CV_SEND)
        case UnjoinService(critical=critical):
            return (SRV_UNJOIN_CRITICAL, CV_TRANSFORM) if critical else (SRV_UNJOIN_NON_CRITICAL, CV_SEND)
        case _:
            return _HEADERS.get(type(body), ("", 0))
