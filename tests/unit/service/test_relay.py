"""The relay: what is owed is carried out, in order for each target, at least once, and takes effect once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from joinbridge.bus.memory import MemoryBus
from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import Effect, NoticeKind, NotifySupplier, ProbeDeviceLog, PublishEvent, ReissueJoin, UpdateInventory
from joinbridge.core.ids import CommandKey, DeviceId, JoinPair
from joinbridge.core.pair import PairState
from joinbridge.core.vocabulary import Intent
from joinbridge.errors import InventoryConflictError, InventoryError
from joinbridge.ports import Changes, Inventory, Publication
from joinbridge.service.relay import CLOCKS_APART, FIRST_POSTPONEMENT, LAST_POSTPONEMENT, LEASE, PATIENCE, lease_for
from joinbridge.store.outbox import EffectStatus
from joinbridge.store.store import SqlStore
from joinbridge.wire.duis.parse import parse_duis
from joinbridge.wire.duis.requests import DuisRequest, JoinService, ReadDeviceLog
from support.eventually import eventually
from support.home import ACB, CAD, ESME, GPF, PPMID, START, request_id
from support.schema import needs_duis_schema, schema_errors
from support.sidecar import Parts, Running, Site, WatchedInventory

PAIR = JoinPair(ESME, PPMID)
PROBE = CommandKey(ACB, ESME, 1_750_000_000_000)
ENOUGH = PATIENCE + CLOCKS_APART


def update(key: str = "smi:1", pair: JoinPair = PAIR, *, joined: bool = True) -> UpdateInventory:
    return UpdateInventory(key=key, pair=pair, joined=joined, expected=not joined, reason="the log lists it")


def retry(key: str = "retry:1", target: DeviceId = ESME) -> ReissueJoin:
    return ReissueJoin(key=key, request_id=request_id(1, target=target), other=PPMID, number=1)


def probe(key: str = "probe:1", request: CommandKey = PROBE) -> ProbeDeviceLog:
    return ProbeDeviceLog(key=key, request_id=request)


def notice(key: str = "notice:1", target: DeviceId = ESME) -> NotifySupplier:
    return NotifySupplier(key=key, request_id=request_id(1, target=target), intent=Intent.JOIN, kind=NoticeKind.ANSWER_LOST)


def event(key: str = "event:1", target: DeviceId = ESME) -> PublishEvent:
    return PublishEvent(key=key, at=START, state=AttemptState.RESPONSE_LOST, pair=JoinPair(target, PPMID), request_id=request_id(1))


async def owe(site: Site, *effects: Effect) -> None:
    async with SqlStore(site.database, site.clock).transaction() as unit:
        await unit.save(Changes(effects=effects))


async def statuses(site: Site) -> dict[str, EffectStatus]:
    return {record.effect.key: record.status for record in await site.records.effects()}


async def turns(running: Running) -> int:
    """Take turns until nothing is done any more; return how many effects were."""
    total = 0
    while done := await running.relay.turn():
        total += done
    return total


class TestCarryingOut:
    @pytest.mark.parametrize(
        ("effect", "route"),
        [
            (retry(), "retry.join"),
            (probe(), "probe.device-log"),
            (notice(), "notice.supplier"),
            (event(), "join.response_lost"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Effect) else "",
    )
    async def test_a_message_is_published_under_its_key_and_settled(self, site: Site, effect: Effect, route: str) -> None:
        await owe(site, effect)

        async with site.sidecar() as running:
            assert await running.relay.turn() == 1

        (published,) = site.published
        assert (published.key, published.route) == (effect.key, route)
        assert published.exchange == ("joinbridge.events" if isinstance(effect, PublishEvent) else "joinbridge.commands")
        assert await statuses(site) == {effect.key: EffectStatus.DONE}

    async def test_the_inventory_is_updated_and_the_update_settled(self, site: Site) -> None:
        await owe(site, update())

        async with site.sidecar() as running:
            assert await running.relay.turn() == 1

        assert site.inventory.changes == [(PAIR, True)]
        assert await statuses(site) == {"smi:1": EffectStatus.DONE}
        assert site.published == []

    async def test_what_is_owed_to_different_targets_goes_out_in_one_turn(self, site: Site) -> None:
        await owe(site, update(), retry(target=PPMID), notice(target=GPF), event(target=CAD))

        async with site.sidecar() as running:
            assert await running.relay.turn() == 4

    async def test_effects_on_one_target_keep_their_order(self, site: Site) -> None:
        await owe(site, event("e1"), update("u1"), notice("n1"), update("u2", joined=False), event("e2"))
        order: list[str] = []

        def around(parts: Parts) -> Parts:
            return replace(parts, publisher=_Noting(order), inventory=_NotingInventory(order))

        async with site.sidecar(around=around) as running:
            assert await turns(running) == 5

        assert order == ["e1", "joined", "n1", "not joined", "e2"]

    async def test_nothing_is_done_when_nothing_is_owed(self, site: Site) -> None:
        async with site.sidecar() as running:
            assert await running.relay.turn() == 0


class _Noting:
    def __init__(self, order: list[str]) -> None:
        self._order = order

    async def publish(self, publications: Sequence[Publication]) -> None:
        self._order.extend(one.key for one in publications)


class _NotingInventory(WatchedInventory):
    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self._order = order

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        self._order.append("joined" if joined else "not joined")
        return await super().set_joined(pair, joined=joined, expected=expected)


class TestMessages:
    async def published(self, site: Site, effect: Effect) -> Publication:
        await owe(site, effect)
        async with site.sidecar() as running:
            await running.relay.turn()
        (one,) = site.published
        return one

    @needs_duis_schema
    @pytest.mark.parametrize("effect", [retry(), probe()], ids=["retry", "probe"])
    async def test_requests_are_valid_by_the_duis_schema(self, site: Site, effect: Effect) -> None:
        published = await self.published(site, effect)

        assert published.content_type == "application/xml"
        assert schema_errors(published.body) == []

    async def test_a_retry_is_the_join_under_its_own_request_id(self, site: Site) -> None:
        published = await self.published(site, retry())

        request = parse_duis(published.body)
        assert isinstance(request, DuisRequest)
        assert request.request_id == request_id(1)
        assert (request.service_reference, request.service_reference_variant, request.command_variant) == ("8.7", "8.7.2", 1)
        assert request.body == JoinService(other_device=PPMID, critical=False)

    async def test_a_probe_is_a_read_of_the_device_log(self, site: Site) -> None:
        published = await self.published(site, probe())

        request = parse_duis(published.body)
        assert isinstance(request, DuisRequest)
        assert request.request_id == PROBE
        assert (request.service_reference, request.service_reference_variant, request.command_variant) == ("8.9", "8.9", 1)
        assert request.body == ReadDeviceLog()

    async def test_a_notice_is_a_cloud_event(self, site: Site) -> None:
        published = await self.published(site, notice())

        assert published.content_type == "application/cloudevents+json"
        assert json.loads(published.body) == {
            "specversion": "1.0",
            "id": "notice:1",
            "source": "joinbridge",
            "type": "notice.supplier",
            "subject": str(request_id(1)),
            "time": START.isoformat(),
            "datacontenttype": "application/json",
            "data": {"request_id": str(request_id(1)), "intent": "join", "kind": "answer-lost"},
        }

    async def test_an_event_is_a_cloud_event_that_says_when_it_was_decided(self, site: Site) -> None:
        decided = PublishEvent(key="event:1", at=START, state=PairState.DISPUTED, pair=PAIR, rules=("a", "b"))
        site.clock.jump(START + timedelta(hours=1))

        published = await self.published(site, decided)

        assert published.route == "join.disputed"
        assert json.loads(published.body) == {
            "specversion": "1.0",
            "id": "event:1",
            "source": "joinbridge",
            "type": "join.disputed",
            "subject": str(PAIR),
            "time": START.isoformat(),
            "datacontenttype": "application/json",
            "data": {
                "target": ESME,
                "other": PPMID,
                "request_id": None,
                "intent": None,
                "state": "disputed",
                "response_code": None,
                "rules": ["a", "b"],
                "proven_between": None,
            },
        }

    async def test_commands_must_reach_somebody_and_events_need_not(self, site: Site) -> None:
        await owe(site, retry(), probe(request=replace_device(PROBE, PPMID)), notice(target=GPF), event(target=CAD))

        async with site.sidecar() as running:
            await running.relay.turn()

        assert {one.route: one.mandatory for one in site.published} == {
            "retry.join": True,
            "probe.device-log": True,
            "notice.supplier": True,
            "join.response_lost": False,
        }


def replace_device(key: CommandKey, device: DeviceId) -> CommandKey:
    return CommandKey(key.remote, device, key.counter)


class TestFailing:
    async def test_what_cannot_be_published_waits_ever_longer(self, site: Site) -> None:
        await owe(site, retry())
        waits = []

        async with site.sidecar() as running:
            with site.bus.outage():
                for _ in range(10):
                    assert await running.sidecar.settle() == 0
                    due = await running.sidecar.next_due()
                    assert due is not None
                    waits.append(due - site.clock.now())
                    assert await running.relay.turn() == 0  # not before
                    site.clock.jump(due)
            assert await running.sidecar.settle() == 1

        assert waits[:4] == [FIRST_POSTPONEMENT * factor for factor in (1, 2, 4, 8)]
        assert waits == sorted(waits)
        assert waits[-1] == LAST_POSTPONEMENT
        (record,) = await site.records.effects()
        assert (record.status, record.tries) == (EffectStatus.DONE, 11)
        assert "not confirmed" in (record.last_error or "")

    async def test_an_unreachable_inventory_holds_up_its_target_and_nobody_else(self, site: Site) -> None:
        await owe(site, update(), event("after it"), retry(target=PPMID))
        site.inventory.reachable = False

        async with site.sidecar() as running:
            assert await turns(running) == 1
            assert [one.key for one in site.published] == ["retry:1"]

            site.inventory.reachable = True
            site.clock.jump(site.clock.now() + FIRST_POSTPONEMENT)
            assert await turns(running) == 2

        assert site.inventory.changes == [(PAIR, True)]
        assert [one.key for one in site.published] == ["retry:1", "after it"]

    async def test_an_inventory_that_is_away_is_asked_once_a_turn_and_holds_up_no_publication(self, site: Site) -> None:
        asked: list[JoinPair] = []

        class Away(WatchedInventory):
            async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
                asked.append(pair)
                assert [one.key for one in site.published] == ["retry:1"]
                raise InventoryError(f"away, {joined} and {expected} or not")

        pairs = [JoinPair(target, CAD) for target in (ESME, GPF, PPMID)]
        updates = [UpdateInventory(key=f"u{n}", pair=pair, joined=True, expected=False, reason="r") for n, pair in enumerate(pairs)]
        await owe(site, *updates, retry(target=CAD))

        async with site.sidecar(around=lambda parts: replace(parts, inventory=Away())) as running:
            assert await running.relay.turn() == 1

        assert asked == pairs[:1]
        assert {one.status for one in await site.records.effects()} == {EffectStatus.OWED, EffectStatus.DONE}

    async def test_after_an_outage_everything_catches_up_in_order(self, site: Site) -> None:
        async with site.sidecar() as running:
            with site.bus.outage():
                for number in range(4):
                    await owe(site, event(f"esme {number}"), event(f"gpf {number}", target=GPF))
                    await site.pass_time(running, by=timedelta(minutes=1))
                assert site.published == []
            await site.pass_time(running, by=LAST_POSTPONEMENT)

        keys = [one.key for one in site.published]
        for target in ("esme", "gpf"):
            assert [key for key in keys if key.startswith(target)] == [f"{target} {number}" for number in range(4)]

    async def test_a_command_that_nobody_takes_is_tried_again_alone(self, site: Site) -> None:
        tried: list[list[str]] = []

        class NobodyReadsNotices:
            async def publish(self, publications: Sequence[Publication]) -> None:
                tried.append(sorted(one.key for one in publications))
                unroutable = [replace(one, exchange="nowhere") if one.route == "notice.supplier" else one for one in publications]
                await site.recorder.publish(unroutable)

        await owe(site, notice(), retry(target=PPMID), event(target=GPF), event("event:2", target=CAD))

        async with site.sidecar(around=lambda parts: replace(parts, publisher=NobodyReadsNotices()), tries_at_once=2) as running:
            turn = asyncio.create_task(running.relay.turn())
            await eventually(lambda: site.clock.sleeping)
            await site.clock.advance(by=timedelta(seconds=2))
            assert await turn == 3

        assert tried == [["event:1", "event:2", "notice:1", "retry:1"], ["notice:1"]]
        (failed,) = (record for record in await site.records.effects() if record.status is not EffectStatus.DONE)
        assert (failed.effect.key, failed.status) == ("notice:1", EffectStatus.OWED)
        assert failed.last_error == "nowhere/notice.supplier: not confirmed"

    async def test_an_inventory_that_holds_something_else_is_counted_and_asked_again(self, site: Site) -> None:
        class Contradicting(WatchedInventory):
            async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
                raise InventoryConflictError(f"the inventory holds {pair} as 'X', neither {joined} nor {expected}", held=None)

        await owe(site, update())
        async with site.sidecar(around=lambda parts: replace(parts, inventory=Contradicting())) as running:
            assert await running.relay.turn() == 0

            assert running.relay.conflicts == 1
        (record,) = await site.records.effects()
        assert record.status is EffectStatus.OWED
        assert record.last_error == f"conflict: the inventory holds {PAIR} as 'X', neither True nor False"
        assert record.due_at == START + FIRST_POSTPONEMENT

    @pytest.mark.parametrize("effect", [update(), retry()], ids=["inventory", "publisher"])
    async def test_a_moment_is_waited_out(self, site: Site, effect: Effect) -> None:
        await owe(site, effect)
        async with site.sidecar(tries_at_once=3) as running:
            site.inventory.reachable = False
            with site.bus.outage():
                turn = asyncio.create_task(running.relay.turn())
                await eventually(lambda: site.clock.sleeping)
                site.inventory.reachable = True
            while not turn.done():
                await eventually(lambda: site.clock.sleeping or turn.done())
                await site.clock.advance(by=timedelta(seconds=2))

            assert await turn == 1
        (record,) = await site.records.effects()
        assert (record.status, record.tries) == (EffectStatus.DONE, 1)


class TestOnce:
    async def test_what_was_done_and_not_settled_is_done_again_under_the_same_key_and_changes_nothing(self, site: Site) -> None:
        await owe(site, update(), retry(target=PPMID))
        async with site.sidecar(around=lambda parts: replace(parts, outbox=_DiesBeforeSettling(parts))) as running:
            with pytest.raises(_Gone):
                await running.relay.turn()

        site.clock.jump(START + LEASE)
        async with site.sidecar() as restarted:
            assert await restarted.relay.turn() == 2

        assert site.inventory.changes == [(PAIR, True)]
        first, second = site.published
        assert replace(first, at=None) == replace(second, at=None)

    async def test_two_relays_do_not_do_the_same(self, site: Site) -> None:
        await owe(site, *(event(f"event:{n}", target=target) for n, target in enumerate((ESME, GPF, CAD))))

        async with site.sidecar() as one, site.sidecar() as other:
            assert await one.relay.turn() + await other.relay.turn() == 3

        assert len({publication.key for publication in site.published}) == len(site.published) == 3

    async def test_what_arrived_though_it_was_not_confirmed_comes_again_under_the_same_key(self, site: Site) -> None:
        bus: MemoryBus = site.bus
        await owe(site, retry())
        async with site.sidecar() as running, bus.source("estate") as estate:
            with bus.outage(arriving=1):
                assert await running.relay.turn() == 0
            site.clock.jump(START + FIRST_POSTPONEMENT)
            assert await running.relay.turn() == 1

            arrived = await estate.receive(10, timedelta(0))
        assert [one.key for one in arrived] == ["retry:1", "retry:1"]


class _SlowInventory:
    """The inventory as a relay sees it for which the first change takes long; others get on `meanwhile`."""

    def __init__(self, inventory: Inventory, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._inventory = inventory
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def joined(self, pairs: Sequence[JoinPair]) -> Mapping[JoinPair, bool]:
        return await self._inventory.joined(pairs)

    async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await self._inventory.set_joined(pair, joined=joined, expected=expected)


class TestLeases:
    """A relay that is slow, or did not run for a while, may find that another one has carried on without it."""

    SLOW = JoinPair(GPF, PPMID)

    async def interrupted(self, site: Site, takes: timedelta, meanwhile: Callable[[Running], Awaitable[object]]) -> None:
        """Let a relay correct `SLOW`, which `takes` long while another one does what it does `meanwhile`, and then `PAIR`."""
        await owe(site, update("slow", self.SLOW), update("join"))

        async def others() -> None:
            site.clock.jump(site.clock.now() + takes)
            async with site.sidecar() as other:
                await meanwhile(other)

        def slowed(parts: Parts) -> Parts:
            return replace(parts, inventory=_SlowInventory(parts.inventory, others))

        async with site.sidecar(around=slowed) as running:
            await running.relay.turn()

    async def test_what_another_has_done_and_undone_since_is_not_done_again(self, site: Site) -> None:
        async def join_and_unjoin(other: Running) -> None:
            await turns(other)
            await owe(site, update("unjoin", joined=False))
            await turns(other)

        await self.interrupted(site, LEASE, join_and_unjoin)

        assert await site.inventory.joined([PAIR]) == {PAIR: False}
        assert [joined for pair, joined in site.inventory.changes if pair == PAIR] == [True, False]
        assert set((await statuses(site)).values()) == {EffectStatus.DONE}

    @pytest.mark.parametrize(("left", "begun"), [(ENOUGH, True), (ENOUGH - timedelta(microseconds=1), False)])
    async def test_what_might_not_be_over_before_the_lease_is_not_begun(self, site: Site, left: timedelta, begun: bool) -> None:
        await self.interrupted(site, LEASE - left, turns)

        assert (PAIR, True) in site.inventory.changes or not begun
        assert (await statuses(site))["join"] is (EffectStatus.DONE if begun else EffectStatus.LEASED)

        site.clock.jump(START + LEASE)
        async with site.sidecar() as later:
            await turns(later)
        assert site.inventory.changes == [(self.SLOW, True), (PAIR, True)]

    async def test_an_inventory_that_fails_slowly_is_not_asked_again_when_that_might_outlast_the_lease(self, site: Site) -> None:
        asked: list[JoinPair] = []

        class FailsSlowly(WatchedInventory):
            async def set_joined(self, pair: JoinPair, *, joined: bool, expected: bool | None) -> bool:
                asked.append(pair)
                site.clock.jump(START + LEASE - ENOUGH + timedelta(microseconds=1))
                raise InventoryError(f"away, {joined} and {expected} or not")

        await owe(site, update())
        async with site.sidecar(around=lambda parts: replace(parts, inventory=FailsSlowly()), tries_at_once=3) as running:
            turn = asyncio.create_task(running.relay.turn())
            while not turn.done():
                await eventually(lambda: site.clock.sleeping or turn.done())
                await site.clock.advance(by=timedelta(seconds=2))

        assert asked == [PAIR]
        (record,) = await site.records.effects()
        assert record.status is EffectStatus.OWED
        assert record.last_error == "it did not answer in time to be asked again within this lease"

    def test_a_lease_has_room_for_several_tries_of_a_patient_inventory(self) -> None:
        assert lease_for(PATIENCE) == LEASE
        assert lease_for(timedelta(seconds=1)) == LEASE
        assert lease_for(timedelta(minutes=1)) == timedelta(minutes=4)


class _Gone(BaseException):
    pass


class _DiesBeforeSettling:
    def __init__(self, parts: Parts) -> None:
        self.lease, self.postpone, self.next_due = parts.outbox.lease, parts.outbox.postpone, parts.outbox.next_due

    async def settle(self, keys: Sequence[str], now: datetime, leased_until: datetime) -> None:
        del keys, now, leased_until
        raise _Gone
