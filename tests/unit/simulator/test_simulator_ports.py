"""The estate behind the ports: its inventory, its captures, and its link to a bus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from joinbridge.core.ids import JoinPair
from joinbridge.core.vocabulary import DeviceType
from joinbridge.errors import DecodeError, InventoryConflictError, InventoryError
from joinbridge.ports import Delivery, Inventory, Publication
from joinbridge.simulator.capture import to_capture_line
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.inventory import EstateInventory
from joinbridge.simulator.link import EstateLink
from joinbridge.simulator.parties import device_id
from joinbridge.simulator.scenario import SCENARIOS, START, build
from joinbridge.wire.capture import parse_line, write_line
from joinbridge.wire.message import decode_message

PAIR = JoinPair(device_id(1, DeviceType.ESME, 0), device_id(1, DeviceType.TYPE2, 0))


class RecordingPublisher:
    """A publisher that confirms everything and keeps it."""

    def __init__(self) -> None:
        self.published: list[Publication] = []

    async def publish(self, publications: Sequence[Publication]) -> None:
        self.published += publications


class OneDelivery:
    """A source that has one delivery."""

    def __init__(self, delivery: Delivery) -> None:
        self.waiting = [delivery]
        self.settled: list[Delivery] = []

    @property
    def is_live(self) -> bool:
        """Pass on."""
        return True

    async def receive(self, limit: int, wait: timedelta) -> Sequence[Delivery]:
        assert wait == timedelta(0)
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        self.settled += deliveries

    async def requeue(self, deliveries: Sequence[Delivery]) -> None:
        self.waiting += deliveries

    async def reject(self, delivery: Delivery, reason: str, offset: int | None) -> None:
        raise AssertionError(f"{delivery.route} rejected: {reason} at {offset}")


def estate() -> Estate:
    return build(SCENARIOS["harsh"], seed=2, homes=8)


class TestInventory:
    def test_it_reads_and_writes_the_relation_that_the_dsp_uses(self) -> None:
        world = estate()
        inventory: Inventory = EstateInventory(world)

        changed = asyncio.run(inventory.set_joined(PAIR, joined=True, expected=False))

        assert changed
        assert world.smi == {PAIR: True}
        assert asyncio.run(inventory.joined([PAIR, PAIR.reverse])) == {PAIR: True, PAIR.reverse: False}

    def test_writing_what_it_holds_changes_nothing(self) -> None:
        inventory = EstateInventory(estate())

        assert not asyncio.run(inventory.set_joined(PAIR, joined=False, expected=True))

    def test_it_is_not_overwritten_when_it_holds_something_else(self) -> None:
        world = estate()

        with pytest.raises(InventoryConflictError) as raised:
            asyncio.run(EstateInventory(world).set_joined(PAIR, joined=True, expected=True))

        assert raised.value.held is False
        assert world.smi == {}

    def test_it_is_overwritten_when_nothing_was_expected(self) -> None:
        assert asyncio.run(EstateInventory(estate()).set_joined(PAIR, joined=True, expected=None))

    def test_it_can_be_out_of_reach(self) -> None:
        inventory = EstateInventory(estate())
        inventory.reachable = False

        with pytest.raises(InventoryError):
            asyncio.run(inventory.joined([PAIR]))


class TestCapture:
    def test_each_publication_becomes_a_line_that_reads_back_as_its_body(self) -> None:
        world = estate()
        publications = world.advance(world.ends_at)

        for publication in publications:
            line = parse_line(write_line(to_capture_line(publication)))

            assert line.at == publication.at
            assert line.octets() == publication.body
            assert (line.region is not None) == (line.source == "csp.alert")
        assert {to_capture_line(each).source for each in publications} == {"sr.request", "sr.response", "csp.alert"}
        assert {to_capture_line(each).region for each in publications} == {None, "north", "central", "south"}


class TestLink:
    def test_what_happens_is_published_and_what_joinbridge_sends_is_handed_over_and_acknowledged(self) -> None:
        world, publisher = estate(), RecordingPublisher()
        notice = b'{"data": {"request_id": "%s:%s:1", "kind": "answer-lost"}}' % (PAIR.target.encode(), PAIR.other.encode())
        source = OneDelivery(Delivery(body=notice, source="joinbridge", route="notice.supplier", at=START))
        link = EstateLink(world, publisher, source)

        published = asyncio.run(link.advance(START + timedelta(days=1)))
        heard = [asyncio.run(link.listen(START + timedelta(days=1))) for _ in range(2)]

        assert published == len(publisher.published) > 0
        assert heard == [1, 0]
        assert world.commands.notices == 1
        assert [each.route for each in source.settled] == ["notice.supplier"]


class TestCorruption:
    def test_a_damaged_copy_of_any_message_can_be_told(self) -> None:
        world = build(SCENARIOS["harsh"], seed=7, homes=60)
        damaged = [each for each in world.advance(world.ends_at) if each.key.endswith("-damaged")]

        for publication in damaged:
            with pytest.raises(DecodeError):
                decode_message(publication.body)
        assert {each.content_type for each in damaged} == {
            "application/xml",
            "application/vnd.gbcs+hex",
            "application/vnd.gbcs+base64",
            "application/octet-stream",
        }
