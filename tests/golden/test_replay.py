"""Captures of real messages, put together with some of our own: what `replay` must say of each, whatever changes inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest

from joinbridge.core.ids import RequestId, parse_eui64
from joinbridge.core.vocabulary import Cra
from joinbridge.wire.capture import CaptureLine
from joinbridge.wire.duis.messages import DuisResponse, GbcsPayload, ServiceResponse
from joinbridge.wire.duis.requests import DuisRequest, UnjoinService
from joinbridge.wire.duis.write import write_duis
from joinbridge.wire.gbcs import GbcsMessage, encode_gbcs
from joinbridge.wire.payloads import encode_payload
from joinbridge.wire.payloads.join import DeviceEntry, JoinDetails, JoinResponse, UnjoinResponse
from support.captures import START, attempt, line, replay, verdict

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real messages is not beside the project (../shared/corpus)")

SUPPLIER = parse_eui64("90-B3-D5-1F-30-01-00-00")
GSME = parse_eui64("00-DB-12-34-56-78-90-A1")
GPF = parse_eui64("00-DB-12-34-56-78-90-A3")
LISTED_GPF = "00-DB-12-34-56-78-90-99"  # type 3 in the log that CS07_8.9_SUCCESS_RESPONSE reads from the GSME
LISTED_PPMID = "00-DB-12-34-56-78-90-97"  # type 5 in the log of alert 8071
ASKED = "00-DB-12-34-56-78-90-9C"  # the other device of CS03B_8.7.2_SUCCESS


def duis(name: str) -> bytes:
    return (CORPUS / "duis" / name).read_bytes()


def gbcs(name: str) -> bytes:
    return (CORPUS / "gbcs" / f"{name}_GBCS.HEX").read_bytes()


def join_request(minutes: float = 0, *, other: str = ASKED, target: str = GSME, counter: int = 1001) -> CaptureLine:
    """The corpus's own request for GSME→GPF, with another device, target or counter where the test needs one."""
    body = duis("CS03B_8.7.2_SUCCESS_REQUEST_DUIS.XML").decode()
    body = body.replace(ASKED, other).replace(f"{GSME}:1001", f"{target}:{counter}")
    return line(body.encode(), "sr.request", minutes)


def bare(name: str, minutes: float, source: str = "sr.response") -> CaptureLine:
    return line(gbcs(name), source, minutes, region="north" if source == "csp.alert" else None)


def response(message: GbcsMessage, minutes: float) -> CaptureLine:
    """A device's answer as the DSP hands it to the User."""
    key = message.business_key
    assert key is not None
    document = DuisResponse(
        request_id=key,
        response_id=RequestId(key.device, key.remote, key.counter),
        response_code="I0",
        response_date_time=START,
        body=ServiceResponse(service_reference="8.7", service_reference_variant="8.7.2", payload=GbcsPayload(gbcs=encode_gbcs(message))),
    )
    return line(write_duis(document), "sr.response", minutes)


def answer(code: int, counter: int = 1001, *, target: str = GSME) -> GbcsMessage:
    return _from_device(target, counter, 0x000E, encode_payload(JoinResponse(code=code)))


def log_of(*others: str, counter: int = 2000, target: str = GSME) -> GbcsMessage:
    entries = tuple(DeviceEntry(device=parse_eui64(o), device_type=3) for o in others)
    return _from_device(target, counter, 0x0013, encode_payload(JoinDetails(code=0, entries=entries)))


def _from_device(target: str, counter: int, message_code: int, content: bytes) -> GbcsMessage:
    return GbcsMessage(
        cra=Cra.RESPONSE,
        counter=counter,
        originator=parse_eui64(target),
        recipient=SUPPLIER,
        message_code=message_code,
        content=content,
        mac=bytes(12),
    )


def unjoin_request(minutes: float, counter: int) -> CaptureLine:
    request = DuisRequest(
        request_id=RequestId(SUPPLIER, GSME, counter),
        command_variant=1,
        service_reference="8.8",
        service_reference_variant="8.8.2",
        body=UnjoinService(other_device=parse_eui64(ASKED), critical=False),
    )
    return line(write_duis(request), "sr.request", minutes)


def test_a_request_and_its_answer_succeed_whether_the_answer_comes_bare_or_in_a_duis_response(tmp_path: Path) -> None:
    for minutes, answered in enumerate((bare("CS03B_8.7.2_SUCCESS_RESPONSE", 1), response(answer(0), 1))):
        outcome = replay(tmp_path, [join_request(), answered])

        assert attempt(outcome, 1001)["state"] == "succeeded", minutes
        assert attempt(outcome, 1001)["join_response_code"] == 0
        assert verdict(outcome, ASKED) == ("joined", {1})


def test_an_answer_that_overtakes_its_request_is_not_lost(tmp_path: Path) -> None:
    outcome = replay(tmp_path, [bare("CS03B_8.7.2_SUCCESS_RESPONSE", 0), join_request(1)])

    assert attempt(outcome, 1001)["state"] == "succeeded"


def test_a_critical_request_and_its_signed_answer_succeed(tmp_path: Path) -> None:
    request = line(duis("CS03A1_8.7.1_SUCCESS_REQUEST_DUIS.XML"), "sr.request", 0)

    outcome = replay(tmp_path, [request, bare("CS03A1_8.7.1_SUCCESS_RESPONSE", 1)])

    assert attempt(outcome, 1000)["state"] == "succeeded"
    assert verdict(outcome, "00-DB-12-34-56-78-90-9A") == ("joined", {1})


def test_an_acb_fronted_answer_finds_its_request_by_the_supplementary_counter(tmp_path: Path) -> None:
    request = line(duis("CS03A2NonCritical_8.7.2_SUCCESS_REQUEST_DUIS.XML"), "sr.request", 0)

    outcome = replay(tmp_path, [request, bare("CS03A2NonCritical_8.7.2_SUCCESS_RESPONSE", 1)])

    assert attempt(outcome, 1000)["state"] == "succeeded"


def test_a_refusal_is_a_rejected_attempt(tmp_path: Path) -> None:
    request = join_request(other="01-02-03-04-05-06-07-08", counter=1002)

    outcome = replay(tmp_path, [request, bare("CS03B_8.7.2_ERROR_RESPONSE", 1)])

    assert (attempt(outcome, 1002)["state"], attempt(outcome, 1002)["join_response_code"]) == ("rejected", 2)
    assert verdict(outcome, "01-02-03-04-05-06-07-08") == ("not_joined", {15})


def test_an_8f12_that_names_the_device_proves_nothing(tmp_path: Path) -> None:
    request = join_request(other="00-DB-12-34-56-78-90-A0")

    outcome = replay(tmp_path, [request, bare("CS14_NA_8F12_ALERT", 1, "csp.alert")])

    assert attempt(outcome, 1001)["state"] == "requested"
    assert verdict(outcome, "00-DB-12-34-56-78-90-A0") == ("pending", set())


def test_an_8f12_still_proves_nothing_when_every_deadline_has_passed(tmp_path: Path) -> None:
    request = join_request(other="00-DB-12-34-56-78-90-A0")

    outcome = replay(tmp_path, [request, bare("CS14_NA_8F12_ALERT", 1, "csp.alert")], "--until", "2026-04-01T00:00:00Z")

    assert attempt(outcome, 1001)["state"] == "unresolved"
    assert verdict(outcome, "00-DB-12-34-56-78-90-A0")[0] == "unknown"


def test_an_8071_that_lists_the_device_proves_the_join(tmp_path: Path) -> None:
    lines = [join_request(other=LISTED_PPMID, target=GPF), bare("GCS62_NA_8071_ALERT", 1, "csp.alert")]

    for order in permutations(lines):
        outcome = replay(tmp_path, order)

        assert attempt(outcome, 1001)["state"] == "inferred_success"
        assert verdict(outcome, LISTED_PPMID) == ("inferred_success", {9})


def test_an_8071_of_the_gpf_says_nothing_about_other_targets(tmp_path: Path) -> None:
    outcome = replay(tmp_path, [join_request(other=LISTED_PPMID), bare("GCS62_NA_8071_ALERT", 1, "csp.alert")])

    assert verdict(outcome, LISTED_PPMID) == ("pending", set())


@pytest.mark.parametrize("minutes", [1, 120], ids=["before the deadline", "after the deadline"])
def test_a_log_read_that_lists_the_device_proves_the_join(tmp_path: Path, minutes: float) -> None:
    outcome = replay(tmp_path, [join_request(other=LISTED_GPF), bare("CS07_8.9_SUCCESS_RESPONSE", minutes)])

    assert attempt(outcome, 1001)["state"] == "inferred_success"
    assert verdict(outcome, LISTED_GPF) == ("inferred_success", {5})


@pytest.mark.parametrize("minutes", [1, 120], ids=["before the deadline", "after the deadline"])
def test_a_log_read_that_does_not_list_the_device_disproves_the_join(tmp_path: Path, minutes: float) -> None:
    outcome = replay(tmp_path, [join_request(), bare("CS07_8.9_SUCCESS_RESPONSE", minutes)])

    assert attempt(outcome, 1001)["state"] == "disproved"
    assert verdict(outcome, ASKED) == ("not_joined", {6})


def test_code_3_on_an_identical_repeat_is_not_enough_alone(tmp_path: Path) -> None:
    lines = [join_request(), join_request(200, counter=1002), response(answer(3, 1002), 201)]

    outcome = replay(tmp_path, lines)

    assert attempt(outcome, 1002)["state"] == "rejected"
    assert attempt(outcome, 1001)["state"] in ("response_lost", "probed")
    assert verdict(outcome, ASKED) == ("pending", set())


def test_code_3_and_then_a_log_read_prove_the_join(tmp_path: Path) -> None:
    lines = [join_request(), join_request(200, counter=1002), response(answer(3, 1002), 201), response(log_of(ASKED), 210)]

    outcome = replay(tmp_path, lines)

    assert attempt(outcome, 1001)["state"] == "inferred_success"
    assert attempt(outcome, 1002)["state"] == "rejected"
    assert verdict(outcome, ASKED) == ("inferred_success", {5})


def test_an_answer_after_the_deadline_confirms_late(tmp_path: Path) -> None:
    outcome = replay(tmp_path, [join_request(), bare("CS03B_8.7.2_SUCCESS_RESPONSE", 600)])

    assert attempt(outcome, 1001)["state"] == "confirmed_late"
    assert verdict(outcome, ASKED) == ("joined", {1})


def test_an_unjoin_that_was_carried_out_ends_what_was_inferred(tmp_path: Path) -> None:
    unjoined = _from_device(GSME, 2100, 0x0010, encode_payload(UnjoinResponse(code=0)))
    lines = [join_request(), response(log_of(ASKED), 120), unjoin_request(130, 2100), response(unjoined, 131)]

    outcome = replay(tmp_path, lines)

    assert attempt(outcome, 1001)["state"] == "inferred_success"
    assert attempt(outcome, 2100)["state"] == "succeeded"
    assert verdict(outcome, ASKED) == ("not_joined", {2})


def test_a_log_read_from_before_an_unjoin_infers_nothing_for_a_join_after_it(tmp_path: Path) -> None:
    unjoined = _from_device(GSME, 2100, 0x0010, encode_payload(UnjoinResponse(code=0)))
    lines: Sequence[CaptureLine] = [
        unjoin_request(0, 2100),
        response(unjoined, 1),
        join_request(2, counter=2200),
        response(log_of(ASKED, counter=2000), 3),  # asked before the unjoin, delivered after the join
    ]

    outcome = replay(tmp_path, lines)

    assert attempt(outcome, 2200)["state"] == "requested"
    assert verdict(outcome, ASKED)[0] == "pending"


def test_what_cannot_be_decoded_is_counted_and_takes_nobody_along(tmp_path: Path) -> None:
    broken = line(gbcs("CS03B_8.7.2_SUCCESS_RESPONSE")[:40], "sr.response", 1)

    outcome = replay(tmp_path, [join_request(), broken, bare("CS03B_8.7.2_SUCCESS_RESPONSE", 2)])

    assert (outcome["messages"], outcome["dead_letters"]) == (3, 1)
    assert attempt(outcome, 1001)["state"] == "succeeded"


def test_every_corpus_message_replays_in_any_role_without_a_dead_letter(tmp_path: Path) -> None:
    files = [p for p in sorted((*(CORPUS / "duis").glob("*"), *(CORPUS / "gbcs").glob("*.HEX"))) if p.suffix.lower() in (".xml", ".hex")]
    lines = [line(p.read_bytes(), source, n) for n, p in enumerate(files) for source in ("sr.request", "sr.response", "csp.alert")]

    outcome = replay(tmp_path, lines)

    assert (outcome["messages"], outcome["dead_letters"]) == (len(lines), 0)
