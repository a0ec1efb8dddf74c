"""Messages of the usual shapes and sizes, made by our own encoders: what the benchmarks are fed with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from joinbridge.core.ids import DeviceId, Eui64, RequestId, eui64_from_bytes, parse_eui64
from joinbridge.core.vocabulary import Cra
from joinbridge.ports import Publication
from joinbridge.wire.duis.messages import DuisResponse, GbcsPayload, ServiceResponse
from joinbridge.wire.duis.requests import DuisRequest, JoinService
from joinbridge.wire.duis.write import write_duis
from joinbridge.wire.gbcs import GbcsMessage, encode_gbcs
from joinbridge.wire.payloads import encode_payload
from joinbridge.wire.payloads.alerts import GenericAlert
from joinbridge.wire.payloads.join import JoinCommand, JoinResponse

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SUPPLIER = parse_eui64("90-B3-D5-1F-30-01-00-00")
CS03B, GCA = 0x000E, 0x1000


def device(number: int) -> DeviceId:
    """Return the EUI-64 of the device with that number."""
    return eui64_from_bytes(bytes.fromhex("00DB1234") + number.to_bytes(4, "big"))


def join_request(number: int) -> bytes:
    """Return the DUIS request that asks device `number` to authorise its neighbour."""
    return write_duis(
        DuisRequest(
            request_id=RequestId(SUPPLIER, device(number), 1_000_000 + number),
            command_variant=1,
            service_reference="8.7",
            service_reference_variant="8.7.2",
            body=JoinService(other_device=device(number + 1_000_000), critical=False),
        )
    )


def join_command(number: int) -> GbcsMessage:
    """Return the MAC'd GBCS command that carries the join to the device."""
    content = encode_payload(JoinCommand(role=2, other=device(number + 1_000_000), other_type=3))
    return GbcsMessage(
        cra=Cra.COMMAND,
        counter=1_000_000 + number,
        originator=SUPPLIER,
        recipient=device(number),
        message_code=CS03B,
        content=content,
        mac=bytes(12),
    )


def join_answer(number: int) -> GbcsMessage:
    """Return the device's MAC'd answer: success."""
    return GbcsMessage(
        cra=Cra.RESPONSE,
        counter=1_000_000 + number,
        originator=device(number),
        recipient=SUPPLIER,
        message_code=CS03B,
        content=encode_payload(JoinResponse(code=0)),
        mac=bytes(12),
    )


def join_response(number: int) -> bytes:
    """Return the DUIS response that hands the answer to the User."""
    request_id = RequestId(SUPPLIER, device(number), 1_000_000 + number)
    return write_duis(
        DuisResponse(
            request_id=request_id,
            response_id=RequestId(request_id.device, request_id.remote, request_id.counter),
            response_code="I0",
            response_date_time=START,
            body=ServiceResponse(
                service_reference="8.7",
                service_reference_variant="8.7.2",
                payload=GbcsPayload(gbcs=encode_gbcs(join_answer(number))),
            ),
        )
    )


def alert(number: int, code: int = 0x81A0, sender: Eui64 | None = None) -> bytes:
    """Return a device alert that concerns no join."""
    return encode_gbcs(
        GbcsMessage(
            cra=Cra.ALERT,
            counter=number,
            originator=sender or device(number),
            recipient=SUPPLIER,
            message_code=GCA,
            content=encode_payload(GenericAlert(alert_code=code, at=START)),
            signature=bytes(64),
        )
    )


def joins(first: int, count: int) -> list[Publication]:
    """Return `count` joins, each a request and its answer, as the bus carries them."""
    sent = []
    for number in range(first, first + count):
        at = START + timedelta(milliseconds=number)
        for route, body in (("request.8.7.2", join_request(number)), ("response.8.7.2", join_response(number))):
            sent.append(Publication(key="", exchange="dsp.sr", route=route, body=body, content_type="application/xml", at=at))
    return sent


def alerts(first: int, count: int) -> list[Publication]:
    """Return `count` alerts that concern nothing open, as the bus carries them."""
    return [
        Publication(
            key="", exchange="csp.alerts", route="north.81A0", body=alert(number), content_type="application/octet-stream", at=START
        )
        for number in range(first, first + count)
    ]
