"""DUIS messages that this project did not write: each is read as what docs/domain.md says it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from joinbridge.core.ids import DeviceId, parse_eui64, parse_request_id
from joinbridge.wire.duis.messages import DuisResponse, GbcsPayload, InventoryListing, ServiceResponse, kind_of
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import (
    DuisRequest,
    JoinService,
    OtherService,
    ReadDeviceLog,
    ReadInventory,
    RequestBody,
    UnjoinService,
    UpdateHanDeviceLog,
    WhitelistDetails,
)
from joinbridge.wire.duis.write import write_duis
from support.schema import DUIS_CORPUS, needs_duis_corpus, needs_duis_schema, schema_errors

pytestmark = needs_duis_corpus

SUPPLIER = "90-B3-D5-1F-30-01-00-00"
DSP = "90-B3-D5-1F-30-00-00-02"

SAMPLES = sorted(path.name for path in DUIS_CORPUS.glob("*") if path.suffix.lower() == ".xml")


def device(last: str) -> DeviceId:
    return parse_eui64(f"00-DB-12-34-56-78-90-{last}")


def sample(name: str) -> bytes:
    return (DUIS_CORPUS / name).read_bytes()


def response(name: str) -> DuisResponse:
    document = parse_duis(sample(name))
    assert isinstance(document, DuisResponse)
    return document


def gbcs_of(document: DuisResponse) -> bytes:
    assert isinstance(document.body, ServiceResponse)
    assert isinstance(document.body.payload, GbcsPayload)
    return document.body.payload.gbcs


@pytest.mark.parametrize(
    ("name", "target", "counter", "command_variant", "srv", "body"),
    [
        (
            "CS03A1_8.7.1_SUCCESS_REQUEST_DUIS.XML",
            "00-DB-12-34-56-78-90-A0",
            1000,
            4,
            "8.7.1",
            JoinService(other_device=device("9A"), critical=True),
        ),
        (
            "CS03A2NonCritical_8.7.2_SUCCESS_REQUEST_DUIS.XML",
            "00-DB-12-34-56-78-90-A4",
            1000,
            1,
            "8.7.2",
            JoinService(other_device=device("93"), critical=False),
        ),
        (
            "CS03B_8.7.2_SUCCESS_REQUEST_DUIS.XML",
            "00-DB-12-34-56-78-90-A1",
            1001,
            1,
            "8.7.2",
            JoinService(other_device=device("9C"), critical=False),
        ),
        (
            "CS04B_8.8.2_SUCCESS_REQUEST_DUIS.XML",
            "00-DB-12-34-56-78-90-A1",
            1000,
            1,
            "8.8.2",
            UnjoinService(other_device=parse_eui64("01-02-03-04-05-06-07-08"), critical=False),
        ),
        ("CS07_8.9_SUCCESS_REQUEST_DUIS.XML", "00-DB-12-34-56-78-90-A1", 1001, 1, "8.9", ReadDeviceLog()),
        (
            "CCS01_8.11_SUCCESS_REQUEST_DUIS.XML",
            "00-DB-12-34-56-78-90-A2",
            1002,
            1,
            "8.11",
            UpdateHanDeviceLog(
                device=device("A0"),
                add=True,
                whitelist=WhitelistDetails(
                    join_time_period_s=90,
                    install_code=b"0123456789ABCDEF",
                    import_mpxn="1312345678111",
                    secondary_import_mpan="1312345678222",
                ),
            ),
        ),
        ("8.2_READ_INVENTORY_REQUEST_DUIS.XML", DSP, 1000, 8, "8.2", ReadInventory(device=device("A2"))),
        (
            "ECS17b_4.1.1_SINGLE_SUCCESS_REQUEST_DUIS-signed.XML",
            "00-DB-12-34-56-78-90-A0",
            1000,
            1,
            "4.1.1",
            OtherService(element="ReadInstantaneousImportRegisters"),
        ),
    ],
)
def test_a_request_is_read(name: str, target: str, counter: int, command_variant: int, srv: str, body: RequestBody) -> None:
    document = parse_duis(sample(name))

    assert document == DuisRequest(
        request_id=parse_request_id(f"{SUPPLIER}:{target}:{counter}"),
        command_variant=command_variant,
        service_reference=".".join(srv.split(".")[:2]),
        service_reference_variant=srv,
        body=body,
        schema_version="5.0" if srv == "4.1.1" else "5.4",
    )


def test_an_error_acknowledgement_has_neither_response_id_nor_payload() -> None:
    document = response("acknowledgement-error.xml")

    assert kind_of(document) == "acknowledgement"
    assert document.response_code == "E65"
    assert document.request_id == parse_request_id(f"{SUPPLIER}:88-73-84-57-00-2F-96-6C:1658482675800")
    assert document.response_date_time == datetime(2022, 7, 22, 9, 37, 56, 134_000, tzinfo=UTC)


def test_an_answer_of_a_device_swaps_the_ids_of_its_request() -> None:
    document = response("message.xml")

    assert kind_of(document) == "response"
    assert document.request_id is not None
    assert document.response_id is not None
    assert (document.request_id.remote, document.request_id.device) == (document.response_id.device, document.response_id.remote)
    assert document.request_id.counter == document.response_id.counter
    assert gbcs_of(document).startswith(bytes.fromhex("DD000000000000"))


def test_an_answer_to_a_fronted_command_has_the_counter_of_the_user_in_its_request_id() -> None:
    # docs/domain.md, "The messages around one join": the wire counter is the broker's own.
    document = response("readfw-response.xml")
    message = gbcs_of(document)

    grouping = message.index(b"\xdf\x09")
    assert document.request_id is not None
    assert document.request_id.counter == 1660751141087
    assert int.from_bytes(message[grouping + 3 : grouping + 11], "big") == 1660751141383
    assert int.from_bytes(message[grouping + 41 : grouping + 49], "big") == 1660751141087


def test_a_bad_signature_changes_nothing_for_it_is_not_verified_here() -> None:
    assert response("readfw-response-badsignature.xml") == response("readfw-response.xml")


def test_an_inventory_lists_devices_and_no_joins() -> None:
    document = response("read-inventory-response-5.4.xml")

    assert kind_of(document) == "response"
    assert isinstance(document.body, ServiceResponse)
    assert isinstance(document.body.payload, InventoryListing)
    devices = document.body.payload.devices
    assert [each.device_type for each in devices] == ["CHF", "CAD", "GPF"]
    assert [each.csp_region for each in devices] == ["4G Central", "Central", "4G Central"]
    assert [each.device_status for each in devices] == ["Commissioned", None, "InstalledNotCommissioned"]


@needs_duis_schema
@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_read_and_written_again_is_the_same_value_and_valid(name: str) -> None:
    document = parse_duis(sample(name))

    written = write_duis(document)

    assert parse_duis(written) == document
    assert schema_errors(written) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_means_the_same_under_any_prefix_and_layout(name: str) -> None:
    data = sample(name)

    renamed = parse_duis(re.sub(rb"\bsr:|(?<=xmlns:)sr(?==)", lambda m: m[0].replace(b"sr", b"q"), data))
    spread = parse_duis(data.replace(b"><", b">\n\t<"))

    assert renamed == parse_duis(data)
    assert spread == parse_duis(data)
