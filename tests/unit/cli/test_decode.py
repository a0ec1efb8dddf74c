"""`joinbridge decode`: every file is told apart and described, and one that cannot be read does not stop the others."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest

from joinbridge.core.ids import RequestId
from joinbridge.core.vocabulary import Cra, MessageCode
from joinbridge.wire.duis.messages import (
    DeviceAlert,
    DuisResponse,
    GbcsPayload,
    LocalCommand,
    PreCommand,
    ResponsePayload,
    ServiceResponse,
    Smets1Response,
)
from joinbridge.wire.duis.write import write_duis
from joinbridge.wire.gbcs import MAC_SIZE, GbcsMessage, encode_gbcs
from joinbridge.wire.payloads import encode_payload
from joinbridge.wire.payloads.gpf import GpfLogRestored
from joinbridge.wire.payloads.join import JoinCommand
from support.cli import Cli
from support.home import ACB, ESME, GPF, PPMID, START, SUPPLIER, request_id
from support.messages import acknowledgement, answer, command_failure, entry, gpf_report, join_answer, join_request

REQUEST_ID = f"{SUPPLIER}:{ESME}:1"
ALERT = gpf_report([PPMID], START)
COMMAND = encode_gbcs(
    GbcsMessage(
        cra=Cra.COMMAND,
        counter=77,
        originator=ACB,
        recipient=ESME,
        message_code=MessageCode.CS03B,
        content=encode_payload(JoinCommand(role=2, other=PPMID, other_type=5)),
        supplementary_party=SUPPLIER,
        supplementary_counter=1,
        mac=bytes(MAC_SIZE),
    )
)

GBCS_FIELDS = {
    "cra",
    "originator",
    "recipient",
    "originator_counter",
    "message_code",
    "use_case",
    "supplementary_party",
    "supplementary_counter",
    "supplementary_originator_counter",
    "business_key",
    "wire_key",
    "mac",
    "signature",
    "payload",
}
DUIS_FIELDS = {
    "kind",
    "request_id",
    "response_id",
    "response_code",
    "service_reference_variant",
    "command_variant",
    "other_device",
    "alert_code",
    "gbcs",
}


def response(payload: ResponsePayload) -> bytes:
    key = request_id(1)
    return write_duis(
        DuisResponse(
            request_id=key,
            response_id=RequestId(key.device, key.remote, 1),
            response_code="I0",
            response_date_time=START,
            body=ServiceResponse(service_reference="8.7", service_reference_variant="8.7.1", payload=payload),
        )
    )


def forwarded(gbcs: bytes) -> bytes:
    return write_duis(DuisResponse(response_code="I0", response_date_time=START, body=DeviceAlert(alert_code="8071", gbcs=gbcs)))


class TestJson:
    def test_one_line_for_each_file_in_the_order_of_the_arguments(self, cli: Cli) -> None:
        files = {"c.xml": join_request(ESME, PPMID), "a.bin": ALERT, "b.hex": ALERT.hex().encode(), "d.b64": b64encode(COMMAND)}
        for name, body in files.items():
            Path(name).write_bytes(body)

        outcome = cli("decode", "--json", *files)

        assert outcome.code == 0
        assert outcome.stderr == b""
        assert [(one["file"], one["format"]) for one in outcome.lines] == [
            ("c.xml", "duis"),
            ("a.bin", "gbcs"),
            ("b.hex", "gbcs"),
            ("d.b64", "gbcs"),
        ]
        assert {name: value for name, value in outcome.lines[1].items() if name != "file"} == {
            name: value for name, value in outcome.lines[2].items() if name != "file"
        }

    def test_a_gbcs_message_has_all_its_fields(self, cli: Cli) -> None:
        Path("command").write_bytes(COMMAND)

        described = cli("decode", "--json", "command").json

        assert described.keys() == {"file", "format"} | GBCS_FIELDS
        assert (described["cra"], described["message_code"], described["use_case"]) == ("command", "000E", "CS03B")
        assert (described["originator"], described["recipient"], described["originator_counter"]) == (ACB, ESME, 77)
        assert (described["supplementary_party"], described["supplementary_counter"]) == (SUPPLIER, 1)
        assert (described["business_key"], described["wire_key"]) == (REQUEST_ID, f"{ACB}:{ESME}:77")
        assert (described["mac"], described["signature"]) == (True, False)
        assert described["payload"]["other"] == PPMID

    def test_an_alert_has_no_business_key(self, cli: Cli) -> None:
        Path("alert").write_bytes(ALERT)

        described = cli("decode", "--json", "alert").json

        assert (described["cra"], described["business_key"], described["wire_key"]) == ("alert", None, f"{SUPPLIER}:{GPF}:1")
        assert described["supplementary_counter"] is None

    @pytest.mark.parametrize(
        ("body", "kind", "has_gbcs"),
        [
            (join_request(ESME, PPMID), "request", False),
            (acknowledgement(request_id(1)), "acknowledgement", False),
            (join_answer(ESME), "response", True),
            (response(GbcsPayload(gbcs=COMMAND)), "response", True),
            (response(LocalCommand(gbcs=COMMAND)), "response", True),
            (response(PreCommand(gbcs_version="4.2", gbcs=COMMAND)), "pre_command", True),
            (command_failure(request_id(1)), "dcc_alert", False),
            (write_duis(DuisResponse(response_code="I0", response_date_time=START, body=Smets1Response())), "smets1", False),
            (forwarded(ALERT), "device_alert", True),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_duis_document_has_all_its_fields(self, cli: Cli, body: bytes, kind: str, has_gbcs: bool) -> None:
        Path("document").write_bytes(body)

        described = cli("decode", "--json", "document").json

        assert described.keys() >= {"file", "format"} | DUIS_FIELDS
        assert described["kind"] == kind
        assert (described["gbcs"] is not None) is has_gbcs
        if has_gbcs:
            assert described["gbcs"].keys() == GBCS_FIELDS

    def test_a_dash_is_standard_input(self, cli: Cli) -> None:
        outcome = cli("decode", "--json", "-", stdin=join_request(ESME, PPMID))

        assert (outcome.code, outcome.json["file"], outcome.json["request_id"]) == (0, "-", REQUEST_ID)

    def test_a_file_that_cannot_be_decoded_is_reported_and_the_others_are_described(self, cli: Cli) -> None:
        Path("good").write_bytes(ALERT)
        Path("bad").write_bytes(ALERT[:40].hex().encode())

        outcome = cli("decode", "--json", "good", "bad", "missing", "good")

        assert outcome.code == 1
        assert [one["file"] for one in outcome.lines] == ["good", "bad", "missing", "good"]
        assert outcome.lines[1] == {"file": "bad", "error": "length 93 where 32 octets follow", "offset": 7}
        assert outcome.lines[2] == {"file": "missing", "error": "cannot be read: No such file or directory", "offset": None}
        assert "error" not in outcome.lines[3]
        assert outcome.stderr == b""

    @pytest.mark.parametrize("body", [b"", b"hello", b"<a/>", b"\xdd", b"DD0"])
    def test_an_error_has_three_fields(self, cli: Cli, body: bytes) -> None:
        Path("bad").write_bytes(body)

        outcome = cli("decode", "--json", "bad")

        assert outcome.code == 1
        assert outcome.json.keys() == {"file", "error", "offset"}
        assert isinstance(outcome.json["offset"], int)

    def test_a_broken_message_inside_a_document_says_that_it_is_inside(self, cli: Cli) -> None:
        Path("document").write_bytes(response(GbcsPayload(gbcs=COMMAND[:-1])))

        outcome = cli("decode", "--json", "document")

        assert outcome.code == 1
        assert outcome.json["error"].startswith("in the GBCS payload: ")

    def test_a_folder_is_not_a_file(self, cli: Cli) -> None:
        outcome = cli("decode", "--json", Path.cwd())

        assert (outcome.code, outcome.json["error"]) == (1, "cannot be read: Is a directory")

    def test_a_name_that_is_not_unicode_is_escaped(self, cli: Cli) -> None:
        name = os.fsdecode(b"\xff.xml")
        Path(name).write_bytes(join_request(ESME, PPMID))

        outcome = cli("decode", "--json", name)

        assert outcome.code == 0
        assert outcome.json["file"] == name
        assert outcome.stdout.isascii()


class TestForPeople:
    def test_a_message_is_a_tree(self, cli: Cli) -> None:
        Path("document").write_bytes(join_answer(ESME, code=3))

        outcome = cli("decode", "document")

        assert outcome.code == 0
        for line in (
            "document",
            "kind: response",
            f"request_id: {REQUEST_ID}",
            "use_case: CS03B",
            "meaning: incompatible_with_existing_entry",
        ):
            assert line in outcome.out
        assert "alert_code" not in outcome.out, "what is absent is left out"

    def test_lists_are_numbered(self, cli: Cli) -> None:
        Path("alert").write_bytes(gpf_report([PPMID, ESME], START))

        outcome = cli("decode", "alert")

        assert "entries (2)" in outcome.out
        assert f"device: {ESME}" in outcome.out

    def test_lists_of_lists_too(self, cli: Cli) -> None:
        restored = GpfLogRestored(results=((entry(PPMID), 0), (entry(ESME), 4)))
        Path("restored").write_bytes(encode_gbcs(answer(request_id(1, target=GPF), MessageCode.GCS59, restored)))

        outcome = cli("decode", "restored")

        assert "results (2)" in outcome.out
        assert f"device: {ESME}" in outcome.out
        assert "1: 4" in outcome.out

    def test_an_error_goes_to_standard_error_with_the_place(self, cli: Cli) -> None:
        Path("good").write_bytes(ALERT)
        Path("bad").write_bytes(b"hello, world")

        outcome = cli("decode", "bad", "good", "missing")

        assert outcome.code == 1
        assert outcome.stderr.decode().splitlines() == [
            "error: bad: neither XML, nor GBCS as binary, hex or base64 (at byte 0)",
            "error: missing: cannot be read: No such file or directory",
        ]
        assert outcome.out.startswith("good\n")

    @pytest.mark.parametrize("name", ["a[bold].bin", "[red]", "[link=x]y.bin"])
    def test_square_brackets_are_only_square_brackets(self, cli: Cli, name: str) -> None:
        Path(name).write_bytes(ALERT)

        assert cli("decode", name).out.startswith(f"{name}\n")
        assert cli("decode", f"[/b]{name}").complaint.startswith(f"error: [/b]{name}: cannot be read")

    def test_without_a_file_the_usage_is_shown(self, cli: Cli) -> None:
        outcome = cli("decode")

        assert outcome.code == 2
        assert "Missing argument" in outcome.complaint
        assert outcome.stdout == b""
