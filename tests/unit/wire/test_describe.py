"""A message as plain JSON values: every kind, without key material, and with the fields that scripts rely on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joinbridge.core.facts import LogKind
from joinbridge.core.ids import RequestId
from joinbridge.core.vocabulary import Cra, JoinCode, MessageCode, UnjoinCode
from joinbridge.errors import DecodeError
from joinbridge.wire.describe import describe
from joinbridge.wire.duis import messages as duis
from joinbridge.wire.duis import requests
from joinbridge.wire.gbcs import MAC_SIZE, GbcsMessage, decode_gbcs, encode_gbcs
from joinbridge.wire.payloads import Payload, encode_payload
from joinbridge.wire.payloads.alerts import GenericAlert, UnsupportedCommand
from joinbridge.wire.payloads.hub_commands import AddToHub
from joinbridge.wire.payloads.join import JoinCommand, JoinResponse, UnjoinResponse
from joinbridge.wire.payloads.logs import EventLog, LoggedEntry, LogLayout
from support import strategies_duis, strategies_gbcs
from support.home import ACB, CHF, ESME, PPMID, START, SUPPLIER
from support.messages import answer, gpf_report

REQUEST = RequestId(SUPPLIER, ESME, 1001)
SECRET = bytes(range(0xA0, 0xB0))

COMMAND = GbcsMessage(
    cra=Cra.COMMAND,
    counter=77,
    originator=ACB,
    recipient=ESME,
    message_code=MessageCode.CS03B,
    content=encode_payload(JoinCommand(role=2, other=PPMID, other_type=5)),
    supplementary_party=SUPPLIER,
    supplementary_counter=1001,
    mac=bytes(MAC_SIZE),
)


def alerting(code: int, payload: Payload) -> GbcsMessage:
    """Return an alert of the ESME with that payload."""
    return replace(
        COMMAND,
        cra=Cra.ALERT,
        originator=ESME,
        recipient=SUPPLIER,
        message_code=code,
        content=encode_payload(payload),
        supplementary_party=None,
        supplementary_counter=None,
    )


def as_json(described: Mapping[str, object]) -> Mapping[str, Any]:
    """Return what a reader of the JSON sees. Any: it is JSON."""
    seen: Mapping[str, Any] = json.loads(json.dumps(described, allow_nan=False))
    assert seen == described, "plain JSON values only"
    return seen


class TestGbcs:
    def test_a_command_with_all_its_fields(self) -> None:
        assert as_json(describe(COMMAND)) == {
            "format": "gbcs",
            "cra": "command",
            "originator": ACB,
            "recipient": ESME,
            "originator_counter": 77,
            "message_code": "000E",
            "use_case": "CS03B",
            "supplementary_party": SUPPLIER,
            "supplementary_counter": 1001,
            "supplementary_originator_counter": None,
            "business_key": str(REQUEST),
            "wire_key": f"{ACB}:{ESME}:77",
            "mac": True,
            "signature": False,
            "payload": {"type": "JoinCommand", "role": 2, "other": PPMID, "other_type": 5, "certificate": ""},
        }

    def test_an_alert_has_no_business_key(self) -> None:
        described = describe(decode_gbcs(gpf_report([PPMID], START)))

        assert (described["cra"], described["business_key"]) == ("alert", None)

    @pytest.mark.parametrize("signature", [b"", bytes(64)])
    def test_whether_it_is_signed(self, signature: bytes) -> None:
        described = describe(replace(COMMAND, signature=signature, mac=None))

        assert (described["mac"], described["signature"]) == (False, bool(signature))

    def test_a_message_code_that_nobody_knows(self) -> None:
        described = describe(replace(COMMAND, message_code=0x0BCD, content=b"\x01"))

        assert (described["message_code"], described["use_case"], described["payload"]) == ("0BCD", None, None)
        assert "payload_error" not in described

    @pytest.mark.parametrize(("code", "meaning"), [(code.value, code.name.lower()) for code in JoinCode])
    def test_the_code_of_a_join_answer_has_a_meaning(self, code: int, meaning: str) -> None:
        described = as_json(describe(answer(REQUEST, MessageCode.CS03B, JoinResponse(code=code))))

        assert described["payload"] == {"type": "JoinResponse", "code": code, "meaning": meaning}

    @pytest.mark.parametrize(("code", "meaning"), [(code.value, code.name.lower()) for code in UnjoinCode])
    def test_the_code_of_an_unjoin_answer_too(self, code: int, meaning: str) -> None:
        described = as_json(describe(answer(REQUEST, MessageCode.CS04B, UnjoinResponse(code=code))))

        assert described["payload"] == {"type": "UnjoinResponse", "code": code, "meaning": meaning}

    @pytest.mark.parametrize(
        ("code", "payload"), [(MessageCode.CS03B, JoinResponse(code=99)), (MessageCode.CS04B, UnjoinResponse(code=99))]
    )
    def test_a_code_that_gbcs_does_not_have_has_none(self, code: int, payload: JoinResponse | UnjoinResponse) -> None:
        described = as_json(describe(answer(REQUEST, code, payload)))

        assert described["payload"] == {"type": type(payload).__name__, "code": 99}

    def test_codes_are_written_as_the_field_says_them(self) -> None:
        refused = UnsupportedCommand(alert_code=0x8F85, at=None, message_code=0x000D, counter=1001)
        logged = EventLog(
            kind=LogKind.SECURITY,
            layout=LogLayout.DLMS_SHORT,
            entries=(LoggedEntry(at=START, code=0x8F49), LoggedEntry(at=START, code=0x0007)),
        )

        alert = as_json(describe(alerting(MessageCode.ECS100, refused)))["payload"]
        entries = as_json(describe(answer(REQUEST, MessageCode.ECS35B, logged)))["payload"]["entries"]

        assert (alert["alert_code"], alert["message_code"]) == ("8F85", "000D")
        assert (alert["counter"], alert["meaning"]) == (1001, "command_not_supported")
        assert [entry["code"] for entry in entries] == ["8F49", "0007"]

    def test_an_alert_that_no_evidence_reads_has_a_code_and_no_meaning(self) -> None:
        payload = as_json(describe(alerting(MessageCode.GCA, GenericAlert(alert_code=0x8F20, at=START))))["payload"]

        assert payload["alert_code"] == "8F20"
        assert "meaning" not in payload

    @pytest.mark.parametrize(
        "code", [MessageCode.CS03A1, MessageCode.CS04B, MessageCode.CS07, MessageCode.GCS59], ids=lambda code: code.name
    )
    def test_a_payload_that_a_decision_can_rest_on_must_be_readable(self, code: int) -> None:
        with pytest.raises(DecodeError):
            describe(replace(COMMAND, message_code=code, content=b"\x30\x05"))

    def test_of_any_other_it_is_said_why_it_is_not(self) -> None:
        described = as_json(describe(replace(COMMAND, message_code=MessageCode.CCS02, content=b"\x30\x05", content_offset=60)))

        assert described["payload"] is None
        assert described["payload_error"]["offset"] >= 60
        assert described["payload_error"]["error"]


class TestDuis:
    def test_a_request_with_all_its_fields(self) -> None:
        document = requests.DuisRequest(
            request_id=REQUEST,
            command_variant=1,
            service_reference="8.7",
            service_reference_variant="8.7.2",
            body=requests.JoinService(other_device=PPMID, critical=False),
        )

        assert as_json(describe(document)) == {
            "format": "duis",
            "kind": "request",
            "schema_version": "5.4",
            "request_id": str(REQUEST),
            "response_id": None,
            "response_code": None,
            "response_date_time": None,
            "service_reference": "8.7",
            "service_reference_variant": "8.7.2",
            "command_variant": 1,
            "other_device": PPMID,
            "alert_code": None,
            "body": {"type": "JoinService", "other_device": PPMID, "critical": False},
            "gbcs": None,
        }

    def test_a_response_with_the_message_in_it(self) -> None:
        document = _response(duis.GbcsPayload(gbcs=encode_gbcs(COMMAND)))

        described = as_json(describe(document))

        nested = {name: value for name, value in describe(COMMAND).items() if name != "format"}
        assert described["gbcs"] == nested
        assert described["body"]["payload"] == {"type": "GbcsPayload"}
        assert (described["kind"], described["response_code"]) == ("response", "I0")
        assert described["response_id"] == f"{ESME}:{SUPPLIER}:1001"
        assert described["response_date_time"] == START.isoformat()
        assert (described["service_reference"], described["service_reference_variant"]) == ("8.7", "8.7.2")
        assert described["command_variant"] is None

    def test_an_alert_has_its_code_on_top(self) -> None:
        alert = duis.DuisResponse(
            response_code="I0",
            response_date_time=START,
            body=duis.DccAlert(alert_code="N13", alert=duis.CommandFailure(request_id=REQUEST, device=ESME)),
        )

        described = as_json(describe(alert))

        assert (described["kind"], described["alert_code"], described["request_id"]) == ("dcc_alert", "N13", None)
        assert described["body"]["alert"] == {
            "type": "CommandFailure",
            "request_id": str(REQUEST),
            "device": ESME,
            "dsp_schedule_id": None,
        }

    @pytest.mark.parametrize(
        ("document", "kind"),
        [
            (duis.ServiceResponse(service_reference="8.7", service_reference_variant="8.7.2"), "acknowledgement"),
            (duis.Smets1Response(), "smets1"),
            (duis.DeviceAlert(alert_code="8F49", gbcs=encode_gbcs(COMMAND)), "device_alert"),
        ],
    )
    def test_the_kind_is_told(self, document: duis.ResponseBody, kind: str) -> None:
        described = describe(duis.DuisResponse(response_code="I99", response_date_time=START, body=document, request_id=REQUEST))

        assert described["kind"] == kind

    @pytest.mark.parametrize("octets", [b"", b"\xdd\x00", encode_gbcs(replace(COMMAND, content=b"\x30\x05"))])
    def test_a_message_in_it_that_cannot_be_read_is_an_error_that_says_where(self, octets: bytes) -> None:
        with pytest.raises(DecodeError) as refused:
            describe(_response(duis.GbcsPayload(gbcs=octets)))

        assert refused.value.reason.startswith("in the GBCS payload: ")


class TestSecrets:
    def test_the_key_of_a_device_is_not_shown(self) -> None:
        payload = AddToHub(device=PPMID, key=SECRET, join_time_s=600)
        message = replace(COMMAND, recipient=CHF, message_code=MessageCode.CCS01, content=encode_payload(payload))

        described = as_json(describe(message))

        assert described["payload"]["device"] == PPMID
        assert "key" not in described["payload"]
        assert SECRET.hex().upper() not in json.dumps(described).upper()

    def test_an_install_code_is_not_shown(self) -> None:
        whitelist = requests.WhitelistDetails(join_time_period_s=600, install_code=SECRET)
        document = requests.DuisRequest(
            request_id=REQUEST,
            command_variant=1,
            service_reference="8.11",
            service_reference_variant="8.11",
            body=requests.UpdateHanDeviceLog(device=PPMID, add=True, whitelist=whitelist),
        )

        described = as_json(describe(document))

        assert described["body"]["whitelist"]["join_time_period_s"] == 600
        assert "install_code" not in described["body"]["whitelist"]
        assert SECRET.hex().upper() not in json.dumps(described).upper()


def _response(payload: duis.ResponsePayload) -> duis.DuisResponse:
    return duis.DuisResponse(
        request_id=REQUEST,
        response_id=RequestId(ESME, SUPPLIER, 1001),
        response_code="I0",
        response_date_time=START,
        body=duis.ServiceResponse(service_reference="8.7", service_reference_variant="8.7.2", payload=payload),
    )


@given(data=st.data())
def test_every_payload_is_described_in_plain_values(data: st.DataObject) -> None:
    code, cra = data.draw(strategies_gbcs.headers)
    payload = data.draw(strategies_gbcs.payloads_of((code, cra)))
    message = replace(COMMAND, cra=cra, message_code=code, content=encode_payload(payload))

    described = as_json(describe(message))

    assert described["payload"]["type"] == type(payload).__name__
    if isinstance(payload, AddToHub):
        assert "key" not in described["payload"]


@given(document=strategies_duis.documents)
def test_every_document_is_described_in_plain_values(document: duis.DuisDocument) -> None:
    try:
        described = as_json(describe(document))
    except DecodeError:
        return  # the octets of the strategy are seldom a GBCS message

    assert described["kind"] == duis.kind_of(document)
    assert "install_code" not in json.dumps(described)
