"""The header that belongs to a service."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from joinbridge.wire.duis.compose import CV_SEND_SIGNED, request_for
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import (
    CommissionDevice,
    DecommissionDevice,
    JoinService,
    OtherService,
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
from joinbridge.wire.duis.write import write_duis
from support.duis_xml import METER, REQUEST_ID, device_id
from support.schema import needs_duis_schema, schema_errors

DEVICE = device_id(METER)
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)

USUAL: list[tuple[RequestBody, str, str, int]] = [
    (JoinService(other_device=DEVICE, critical=True), "8.7", "8.7.1", 4),
    (JoinService(other_device=DEVICE, critical=False), "8.7", "8.7.2", 1),
    (UnjoinService(other_device=DEVICE, critical=True), "8.8", "8.8.1", 4),
    (UnjoinService(other_device=DEVICE, critical=False), "8.8", "8.8.2", 1),
    (ReadDeviceLog(), "8.9", "8.9", 1),
    (UpdateHanDeviceLog(device=DEVICE, add=False), "8.11", "8.11", 1),
    (RestoreHanDeviceLog(old_chf=DEVICE), "8.12", "8.12.1", 1),
    (RestoreGpfDeviceLog(old_gpf=DEVICE), "8.12", "8.12.2", 1),
    (ReturnLocalCommandResponse(gbcs=b""), "8.13", "8.13", 8),
    (CommissionDevice(current_date_time=NOON, tolerance_period_s=10), "8.1", "8.1.1", 4),
    (ReadInventory(device=DEVICE), "8.2", "8.2", 8),
    (DecommissionDevice(device=DEVICE), "8.3", "8.3", 8),
    (ReadEventOrSecurityLog(log="Security", start=NOON, end=NOON), "6.13", "6.13", 1),
]


@pytest.mark.parametrize(("body", "reference", "variant", "command_variant"), USUAL)
def test_a_service_brings_its_header(body: RequestBody, reference: str, variant: str, command_variant: int) -> None:
    request = request_for(REQUEST_ID, body)

    assert request.service_reference == reference
    assert request.service_reference_variant == variant
    assert request.command_variant == command_variant
    assert parse_duis(write_duis(request)) == request


@needs_duis_schema
@pytest.mark.parametrize(("body", "reference", "variant", "command_variant"), USUAL)
def test_the_request_is_valid_by_the_schema(
    body: RequestBody,
    reference: str,  # noqa: ARG001 # the table is shared with the test above
    variant: str,  # noqa: ARG001 # as above
    command_variant: int,  # noqa: ARG001 # as above
) -> None:
    assert schema_errors(write_duis(request_for(REQUEST_ID, body))) == []


def test_the_header_can_be_told() -> None:
    local = request_for(REQUEST_ID, ReadDeviceLog(), command_variant=3)
    signed = request_for(REQUEST_ID, SignedPreCommand(gbcs=b"\xdf"), srv="8.7.1")
    other = request_for(REQUEST_ID, OtherService(element="EnableSupply"), srv="7.1", command_variant=4)

    assert (local.service_reference_variant, local.command_variant) == ("8.9", 3)
    assert (signed.service_reference, signed.command_variant) == ("8.7", CV_SEND_SIGNED)
    assert (other.service_reference, other.service_reference_variant, other.command_variant) == ("7.1", "7.1", 4)


def test_a_service_that_tells_no_header_needs_one() -> None:
    with pytest.raises(ValueError, match="SignedPreCommand needs an srv"):
        request_for(REQUEST_ID, SignedPreCommand(gbcs=b"\xdf"))
    with pytest.raises(ValueError, match="OtherService needs an srv"):
        request_for(REQUEST_ID, OtherService(element="EnableSupply"), srv="7.1")
