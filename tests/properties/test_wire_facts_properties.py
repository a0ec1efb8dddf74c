"""Whatever comes over the bus: a value or a DecodeError, from the bytes to the facts and to the description."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import example, given
from hypothesis import strategies as st

from joinbridge.core.ids import RequestId
from joinbridge.core.relevance import touched
from joinbridge.core.vocabulary import INTENT_OF_SRV, Cra
from joinbridge.errors import DecodeError
from joinbridge.wire.describe import describe
from joinbridge.wire.duis import messages as duis
from joinbridge.wire.duis import requests
from joinbridge.wire.duis.write import write_duis
from joinbridge.wire.facts import Reading, Told, facts_of
from joinbridge.wire.gbcs import GbcsMessage, encode_gbcs
from joinbridge.wire.message import decode_message
from joinbridge.wire.payloads import encode_payload
from support import strategies_duis, strategies_gbcs
from support.home import ACB, ESME, PPMID, START, SUPPLIER
from support.messages import gpf_report, join_answer, join_request

REQUEST = RequestId(SUPPLIER, ESME, 1001)
READING = Reading(keys={ESME: generate_private_key(SECP256R1()).public_key()})


@st.composite
def gbcs_messages(draw: st.DrawFn) -> GbcsMessage:
    """Messages of every kind whose payload is read, and of others."""
    message = draw(strategies_gbcs.messages())
    if draw(st.booleans()):
        code, cra = draw(strategies_gbcs.headers)
        payload = draw(strategies_gbcs.payloads_of((code, cra)))
        signature = b"" if message.signature is None else message.signature
        message = replace(message, cra=cra, message_code=code, content=encode_payload(payload), signature=signature)
    return replace(message, originator=draw(st.sampled_from([ESME, ACB, message.originator])))


@st.composite
def holders(draw: st.DrawFn) -> duis.DuisDocument:
    """DUIS documents of every kind, those that carry a GBCS message with a real one in them."""
    octets = encode_gbcs(draw(gbcs_messages()))
    srv = draw(st.sampled_from([*INTENT_OF_SRV, "8.9", "8.13", "6.13"]))
    payloads: list[duis.ResponsePayload] = [
        duis.GbcsPayload(gbcs=octets),
        duis.LocalCommand(gbcs=octets),
        duis.PreCommand(gbcs_version="4.2", gbcs=octets),
    ]
    bodies: list[requests.RequestBody | duis.ResponseBody] = [
        requests.SignedPreCommand(gbcs=octets),
        requests.ReturnLocalCommandResponse(gbcs=octets),
        duis.DeviceAlert(alert_code="8F49", gbcs=octets),
        duis.ServiceResponse(service_reference="8.7", service_reference_variant=srv, payload=draw(st.sampled_from(payloads))),
    ]
    body = draw(st.sampled_from(bodies))
    if isinstance(body, requests.SignedPreCommand | requests.ReturnLocalCommandResponse):
        return requests.DuisRequest(
            request_id=REQUEST, command_variant=5, service_reference="8.7", service_reference_variant=srv, body=body
        )
    if isinstance(body, duis.DeviceAlert | duis.ServiceResponse):
        return duis.DuisResponse(response_code="I0", response_date_time=START, body=body, request_id=REQUEST)
    raise AssertionError(body)


documents = (holders() | strategies_duis.documents).map(write_duis)
messages = gbcs_messages().map(encode_gbcs)
written = st.one_of(
    documents,
    messages,
    messages.map(lambda octets: octets.hex().encode()),
    messages.map(b64encode),
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """Real messages, cut, with bits flipped, octets put in, taken out or repeated."""
    body = bytearray(draw(written))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        match draw(st.integers(0, 4)):
            case 0:
                del body[at:]
            case 1:
                body[at:at] = draw(st.binary(min_size=1, max_size=4))
            case 2:
                del body[at : at + draw(st.integers(1, 8))]
            case 3:
                body[at:at] = body[max(0, at - 20) : at]
            case _ if at < len(body):
                body[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(body)


def understood(body: bytes) -> tuple[Told, ...] | None:
    """Return what a message says, None when it cannot be read. Anything but a DecodeError goes through."""
    try:
        message = decode_message(body)
    except DecodeError as error:
        judged(error, body)
        return None
    try:
        json.dumps(describe(message), allow_nan=False)
    except DecodeError as error:
        judged(error, body)
    try:
        told = facts_of(message, READING)
    except DecodeError as error:
        judged(error, body)
        return None
    for one in told:
        touched(one.fact)
    return told


def judged(error: DecodeError, body: bytes) -> None:
    """An error has a reason, and an offset in what was given or in the message within."""
    assert error.reason
    assert 0 <= error.offset <= max(1, len(body))


@given(body=st.binary(max_size=300))
@example(body=b"")
@example(body=b"\xdd")
@example(body=b"\xdf\x09\x01")
@example(body=b"=")
@example(body=b"<")
@example(body=b"\xef\xbb\xbf<")
def test_any_bytes_give_a_value_or_a_decode_error(body: bytes) -> None:
    understood(body)


@given(body=mangled())
def test_mangled_messages_give_a_value_or_a_decode_error(body: bytes) -> None:
    understood(body)


@given(body=written)
def test_real_messages_give_a_value_or_a_decode_error(body: bytes) -> None:
    understood(body)


@given(body=written)
def test_the_same_message_always_says_the_same(body: bytes) -> None:
    assert understood(body) == understood(body)


@given(octets=messages)
def test_a_message_says_the_same_however_it_is_written(octets: bytes) -> None:
    as_hex, as_base64 = octets.hex().encode(), b64encode(octets)

    assert understood(octets) == understood(as_hex.upper()) == understood(b"\n" + as_base64 + b"\r\n")


@given(octets=gbcs_messages().filter(lambda message: message.cra is Cra.RESPONSE).map(encode_gbcs))
def test_a_message_says_the_same_inside_a_response_as_alone(octets: bytes) -> None:
    body = duis.ServiceResponse(service_reference="8.9", service_reference_variant="8.9", payload=duis.GbcsPayload(gbcs=octets))
    wrapped = write_duis(duis.DuisResponse(response_code="I0", response_date_time=START, body=body, request_id=REQUEST))

    assert understood(wrapped) == understood(octets)


@pytest.mark.parametrize(
    "body",
    [join_request(ESME, PPMID), join_answer(ESME), gpf_report([PPMID, ESME], START)],
    ids=["request", "answer", "alert"],
)
def test_every_cut_and_every_flipped_bit_of_a_message_gives_a_value_or_a_decode_error(body: bytes) -> None:
    for at in range(len(body)):
        understood(body[:at])
        for bit in (0, 3, 7):
            understood(body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :])
