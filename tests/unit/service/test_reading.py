"""From a delivery to its sightings, or to the dead letter it becomes."""

from __future__ import annotations

import pytest

from joinbridge.core.facts import Authenticity, CommandNotExecuted, InventoryRead, JoinRequested
from joinbridge.core.ids import message_key
from joinbridge.core.vocabulary import AlertCode, Cra, MessageCode
from joinbridge.ports import Delivery
from joinbridge.service.reading import read
from joinbridge.wire.facts import Reading
from joinbridge.wire.gbcs import MAC_SIZE, GbcsMessage, encode_gbcs
from joinbridge.wire.payloads.alerts import UnsupportedCommand
from support.home import ACB, CAD, ESME, GPF, PPMID, START, SUPPLIER
from support.messages import inventory_answer, join_request

READING = Reading()


def delivered(body: bytes, *, attempts: int = 1) -> Delivery:
    return Delivery(
        body=body,
        source="csp.alert",
        route="north.8F85",
        at=START,
        content_type="application/octet-stream",
        region="north",
        attempts=attempts,
    )


def test_a_sighting_says_where_and_when_and_how_far_to_trust_it() -> None:
    body = join_request(ESME, PPMID)

    told = read(delivered(body), READING)

    (sighting,) = told.sightings
    assert isinstance(sighting.fact, JoinRequested)
    assert told.facts == (sighting.fact,)
    assert (sighting.key, sighting.at, sighting.source, sighting.region) == (message_key(body), START, "csp.alert", "north")
    assert sighting.authenticity is Authenticity.CHANNEL
    assert told.letter is None


def test_several_facts_of_one_message_have_names_of_their_own() -> None:
    payload = UnsupportedCommand(alert_code=AlertCode.COMMAND_NOT_SUPPORTED, at=START, message_code=MessageCode.CS03B, counter=7)
    body = encode_gbcs(
        GbcsMessage(
            cra=Cra.ALERT,
            counter=1,
            originator=ESME,
            recipient=ACB,
            supplementary_party=SUPPLIER,
            message_code=MessageCode.ECS100,
            content=payload.to_bytes(),
            mac=bytes(MAC_SIZE),
        )
    )

    told = read(delivered(body), READING)

    assert [type(fact) for fact in told.facts] == [CommandNotExecuted, CommandNotExecuted]
    assert [sighting.key for sighting in told.sightings] == [message_key(body), f"{message_key(body)}#1"]


def test_what_concerns_no_join_says_nothing() -> None:
    command = GbcsMessage(cra=Cra.COMMAND, counter=1, originator=ACB, recipient=GPF, message_code=MessageCode.CS07, content=b"\x05\x00")

    told = read(delivered(encode_gbcs(command)), READING)

    assert (told.sightings, told.letter) == ((), None)


def test_an_inventory_answer_is_one_sighting() -> None:
    told = read(delivered(inventory_answer(ESME, GPF, CAD)), READING)

    assert [type(fact) for fact in told.facts] == [InventoryRead]


@pytest.mark.parametrize("body", [b"", b"hello?", b"<x/>", b"DD00", b"\xdd\x00", b"<sr:Request>"])
def test_what_cannot_be_decoded_becomes_a_dead_letter(body: bytes) -> None:
    told = read(delivered(body), READING)

    assert told.sightings == ()
    letter = told.letter
    assert letter is not None
    assert (letter.key, letter.body) == (message_key(body), body)
    assert (letter.source, letter.route, letter.region) == ("csp.alert", "north.8F85", "north")
    assert letter.content_type == "application/octet-stream"
    assert letter.reason
    assert isinstance(letter.offset, int)
    assert (letter.first_seen, letter.last_seen) == (START, START)


def test_a_dead_letter_counts_one_attempt_however_often_the_broker_has_handed_it_over() -> None:
    told = read(delivered(b"hello?", attempts=5), READING)

    assert told.letter is not None
    assert told.letter.attempts == 1


def test_a_dead_letter_is_not_seen_under_the_name_that_the_message_has_once_it_can_be_read() -> None:
    told = read(delivered(b"hello?"), READING)

    assert told.key != message_key(b"hello?")
    assert told.key == read(delivered(b"hello?", attempts=2), READING).key
