"""Which kind of message a value is, and what a value cannot be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from joinbridge.core.ids import RequestId
from joinbridge.wire.duis.messages import (
    DccAlert,
    DeviceAlert,
    DuisResponse,
    GbcsPayload,
    InventoryListing,
    Kind,
    LocalCommand,
    OtherDccAlert,
    PreCommand,
    ResponseBody,
    ResponsePayload,
    ServiceResponse,
    Smets1Response,
    kind_of,
)
from joinbridge.wire.duis.requests import DuisRequest, ReadDeviceLog, ReadInventory
from support.duis_xml import METER, REQUEST_ID, RESPONSE_ID, device_id


def answer(payload: ResponsePayload | None) -> ServiceResponse:
    return ServiceResponse(service_reference="8.7", service_reference_variant="8.7.1", payload=payload)


@pytest.mark.parametrize(
    ("body", "response_id", "kind"),
    [
        (answer(None), None, "acknowledgement"),
        (answer(None), RESPONSE_ID, "response"),
        (answer(PreCommand(gbcs_version="4.3", gbcs=b"")), None, "pre_command"),
        (answer(PreCommand(gbcs_version="4.3", gbcs=b"")), RESPONSE_ID, "pre_command"),
        (answer(GbcsPayload(gbcs=b"")), RESPONSE_ID, "response"),
        (answer(LocalCommand(gbcs=b"")), None, "response"),
        (answer(InventoryListing(devices=())), None, "response"),
        (DeviceAlert(alert_code="8F20", gbcs=b""), None, "device_alert"),
        (DccAlert(alert_code="N13", alert=OtherDccAlert(element="X")), None, "dcc_alert"),
        (Smets1Response(), RESPONSE_ID, "smets1"),
    ],
)
def test_a_response_is_told_by_what_is_in_it(body: ResponseBody, response_id: RequestId | None, kind: Kind) -> None:
    response = DuisResponse(
        request_id=REQUEST_ID,
        response_id=response_id,
        response_code="I0",
        response_date_time=datetime(2025, 6, 1, tzinfo=UTC),
        body=body,
    )

    assert kind_of(response) == kind


def test_a_request_is_a_request() -> None:
    request = DuisRequest(
        request_id=REQUEST_ID,
        command_variant=1,
        service_reference="8.9",
        service_reference_variant="8.9",
        body=ReadDeviceLog(),
    )

    assert kind_of(request) == "request"


def test_the_inventory_is_asked_by_exactly_one_criterion() -> None:
    meter = device_id(METER)

    with pytest.raises(ValueError, match="exactly one"):
        ReadInventory()
    with pytest.raises(ValueError, match="exactly one"):
        ReadInventory(device=meter, uprn="1")
    with pytest.raises(ValueError, match="exactly one"):
        ReadInventory(post_code="AB1 2CD")
    with pytest.raises(ValueError, match="exactly one"):
        ReadInventory(device=meter, address_identifier="1")
    assert ReadInventory(post_code="AB1 2CD", address_identifier="1").device is None
