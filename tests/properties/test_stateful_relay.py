"""Relays on one outbox against a list for each device: they are killed at any operation, and everything arrives, in its order."""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from joinbridge.core.effects import Effect, NoticeKind, NotifySupplier, UpdateInventory
from joinbridge.core.ids import JoinPair
from joinbridge.core.vocabulary import Intent
from joinbridge.ports import Changes
from joinbridge.service.relay import LAST_POSTPONEMENT, LEASE
from joinbridge.store.outbox import EffectStatus, lane_of
from joinbridge.store.store import SqlStore
from support.crash import Killed, Points
from support.records import device, pair_of, request, update
from support.stateful import SiteMachine, tried

ESTATE = "estate"  # the queue of the site that takes commands
LANES = 3
lanes = st.integers(1, LANES)


class RelayMachine(SiteMachine):
    """Effects that are owed, relays that come and go, a broker and an inventory that are away."""

    def __init__(self) -> None:
        super().__init__()
        self.owed: defaultdict[str, list[str]] = defaultdict(list)
        self.joined: defaultdict[int, bool] = defaultdict(bool)
        self.arrived: list[str] = []
        self.number = 0

    @rule(several=st.lists(st.tuples(lanes, st.booleans()), min_size=1, max_size=3))
    def owe(self, several: list[tuple[int, bool]]) -> None:
        effects = [self.an_update(lane) if of_inventory else self.a_notice(lane) for lane, of_inventory in several]
        self.run(self.save(Changes(effects=effects)))
        for effect in effects:
            self.owed[lane_of(effect)].append(effect.key)

    @rule(lane=lanes)
    def withhold(self, lane: int) -> None:
        self.run(self.save(Changes(effects=[self.a_notice(lane)], withheld=True)))

    @rule(
        kill_at=st.none() | st.integers(1, 8), arriving=st.sampled_from([None, None, 0, 1]), inventory=st.sampled_from([True, True, False])
    )
    def relay(self, kill_at: int | None, arriving: int | None, inventory: bool) -> None:
        self.site.inventory.reachable = inventory
        with nullcontext() if arriving is None else self.site.bus.outage(arriving=arriving):
            self.turn(kill_at)

    @rule(seconds=st.integers(1, 90))
    def wait(self, seconds: int) -> None:
        self.site.clock.jump(self.site.clock.now() + timedelta(seconds=seconds))

    @precondition(lambda self: self.owed)
    @rule()
    def heal(self) -> None:
        self.site.inventory.reachable = True
        for _ in range(max(map(len, self.owed.values())) + 1):
            self.site.clock.jump(self.site.clock.now() + LAST_POSTPONEMENT + LEASE)
            self.turn(None)

        assert set(self.arrived) == {key for lane in self.owed.values() for key in lane}
        assert self.statuses() == {key: EffectStatus.DONE for lane in self.owed.values() for key in lane}

    @invariant()
    def the_first_of_each_arrived_in_its_order(self) -> None:
        for lane in self.owed.values():
            first = list(dict.fromkeys(key for key in self.arrived if key in lane))
            assert first == lane[: len(first)]

    @invariant()
    def what_counts_as_done_has_arrived(self) -> None:
        assert {key for key, status in self.statuses().items() if status is EffectStatus.DONE} <= set(self.arrived)

    @invariant()
    def the_inventory_holds_what_the_last_update_of_each_pair_says(self) -> None:
        last = {key.split(":")[1]: key.endswith(":joined") for key in self.arrived if key.startswith("u:")}
        held = self.run(self.held())
        assert {str(pair): joined for pair, joined in held.items()} == {str(pair): last.get(str(pair.target), False) for pair in held}

    async def held(self) -> dict[JoinPair, bool]:
        reachable, self.site.inventory.reachable = self.site.inventory.reachable, True
        found = dict(await self.site.inventory.joined([pair_of(lane, 9) for lane in range(1, LANES + 1)]))
        self.site.inventory.reachable = reachable
        return found

    def turn(self, kill_at: int | None) -> None:
        """Start a relay, let it take a turn, and end it; killed at its operation `kill_at` it does not get to the end of it."""
        points = Points(at=kill_at)
        changed = len(self.site.inventory.changes)

        async def taken() -> None:
            async with self.site.sidecar(around=points.around) as running:
                await running.relay.turn()

        try:
            self.run(taken())
        except Killed:
            assert kill_at is not None
        self.note(changed)

    def note(self, changed: int) -> None:
        """Note what has arrived: on the bus, where somebody takes it, and in the inventory, which had made `changed` changes before."""
        source = self.site.bus.source(ESTATE)
        deliveries = self.run(source.receive(1_000, timedelta(0)))
        self.run(source.ack(deliveries))
        source.close()
        self.arrived += [delivery.key for delivery in deliveries]
        for pair, _ in self.site.inventory.changes[changed:]:
            self.arrived.append(next(key for key in self.owed[pair.target] if key.startswith("u:") and key not in self.arrived))

    def an_update(self, lane: int) -> UpdateInventory:
        self.number += 1
        joined = self.joined[lane] = not self.joined[lane]
        key = f"u:{device(lane)}:{self.number}:{'joined' if joined else 'gone'}"
        return update(key, pair_of(lane, 9), joined=joined)

    def a_notice(self, lane: int) -> Effect:
        self.number += 1
        return NotifySupplier(key=f"n{self.number}", request_id=request(device(lane)), intent=Intent.JOIN, kind=NoticeKind.UNRESOLVED)

    async def save(self, changes: Changes) -> None:
        async with SqlStore(self.site.database, self.site.clock).transaction() as unit:
            await unit.save(changes)

    def statuses(self) -> dict[str, EffectStatus]:
        found = self.run(self.site.records.effects())
        return {record.effect.key: record.status for record in found if record.status is not EffectStatus.WITHHELD}


TestRelays = RelayMachine.TestCase
TestRelays.settings = tried(8, long=1_000)
