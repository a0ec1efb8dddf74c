"""The store against dictionaries: two instances that load, change, fail, go back and overtake each other; nothing is half written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from joinbridge.core.attempt import AttemptKey, AttemptState, JoinAttempt
from joinbridge.core.case import Case, Contradiction, DeadlinePassed
from joinbridge.core.facts import DeviceDescription, Sighting
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.vocabulary import DeviceType, Intent
from joinbridge.errors import StaleVersionError
from joinbridge.ports import Changes
from joinbridge.store.store import SqlStore
from support.home import after
from support.records import attempt, deadline, device, pair_of, pair_record, sighting
from support.stateful import SiteMachine, tried

DEVICES = 4
devices = st.integers(1, DEVICES)
moments = st.integers(0, 30).map(lambda minutes: after(minutes=minutes))
attempts = st.builds(
    lambda target, other, counter, intent, state, due: replace(
        attempt(
            device(target),
            device(other or 1),
            counter=counter,
            intent=intent,
            state=state,
            requested_at=after(minutes=counter),
            deadlines=tuple(sorted(deadline(at) for at in due)),
        ),
        other=None if other is None else device(other),
    ),
    devices,
    st.none() | devices,
    st.integers(1, 2),
    st.sampled_from(Intent),
    st.sampled_from(AttemptState),
    st.sets(moments, max_size=2),
)
pairs = st.builds(
    lambda target, other, state: pair_record(pair_of(target, other), state=state), devices, devices, st.sampled_from(PairState)
)
kept = st.builds(
    lambda of, key, at: (device(of), sighting(f"s{key}", at=at)),
    devices,
    st.integers(0, 5),
    moments,
)
described = st.builds(lambda of, kind: DeviceDescription(device(of), kind), devices, st.sampled_from(DeviceType))


class Abandoned(Exception):  # noqa: N818  # nobody's error
    """Whoever worked in a transaction went no further."""


class StoreMachine(SiteMachine):
    """Transactions, one after the other, of instances that may have loaded long ago."""

    def __init__(self) -> None:
        super().__init__()
        self.store = SqlStore(self.site.database, self.site.clock)
        self.attempts: dict[AttemptKey, JoinAttempt] = {}
        self.pairs: dict[JoinPair, PairRecord] = {}
        self.inbox: set[MessageKey] = set()
        self.ledger: dict[DeviceId, list[Sighting]] = {}
        self.devices: dict[DeviceId, DeviceDescription] = {}
        self.contradicted: list[datetime] = []

    @rule(
        messages=st.sets(st.integers(0, 9), max_size=4),
        new_attempts=st.lists(attempts, max_size=3, unique_by=lambda a: a.key),
        new_pairs=st.lists(pairs, max_size=2, unique_by=lambda p: p.pair),
        new_kept=st.lists(kept, max_size=2, unique_by=lambda one: (one[0], one[1].key)),
        told=st.lists(described, max_size=1),
        contradicted=st.lists(moments, max_size=1),
        behind=st.sampled_from([0, 0, 0, 1]),
        abandoned=st.sampled_from([False, False, True]),
    )
    def work(
        self,
        messages: set[int],
        new_attempts: Sequence[JoinAttempt],
        new_pairs: Sequence[PairRecord],
        new_kept: Sequence[tuple[DeviceId, Sighting]],
        told: Sequence[DeviceDescription],
        contradicted: Sequence[datetime],
        behind: int,
        abandoned: bool,
    ) -> None:
        keys = {MessageKey(f"m{number}"): after() for number in messages}
        versions = [self.attempts[a.key].version if a.key in self.attempts else 0 for a in new_attempts]
        of_pairs = [self.pairs[p.pair].version if p.pair in self.pairs else 0 for p in new_pairs]
        stale = any(version >= behind > 0 for version in (*versions, *of_pairs))
        changes = Changes(
            attempts=[replace(a, version=max(0, v - behind)) for a, v in zip(new_attempts, versions, strict=True)],
            pairs=[replace(p, version=max(0, v - behind)) for p, v in zip(new_pairs, of_pairs, strict=True)],
            kept=new_kept,
            devices=told,
            contradictions=[Contradiction(rule="r", pair=pair_of(), at=at, says="") for at in contradicted],
        )

        try:
            self.run(self.transaction(keys, changes, abandoned=abandoned))
        except StaleVersionError:
            assert stale
            return
        except Abandoned:
            return
        assert not stale, "a record was overwritten that somebody else had changed"
        self.inbox |= keys.keys()
        self.attempts.update({a.key: replace(a, version=v + 1) for a, v in zip(new_attempts, versions, strict=True)})
        self.pairs.update({p.pair: replace(p, version=v + 1) for p, v in zip(new_pairs, of_pairs, strict=True)})
        self.devices.update({one.device: one for one in told})
        self.contradicted += contradicted
        for of, one in new_kept:
            known = self.ledger.setdefault(of, [])
            if one.key not in {old.key for old in known}:
                known.append(one)

    async def transaction(self, keys: dict[MessageKey, datetime], changes: Changes, *, abandoned: bool) -> None:
        async with self.store.transaction() as unit:
            assert await unit.fresh(keys) == keys.keys() - self.inbox
            await unit.save(changes)
            if abandoned:
                raise Abandoned

    @rule(named=st.sets(devices.map(device), min_size=1, max_size=3))
    def load(self, named: set[DeviceId]) -> None:
        async def loaded() -> Case:
            async with self.store.transaction() as unit:
                return await unit.load(named)

        case = self.run(loaded())

        near = self.near(named)
        assert case.attempts == {key: a for key, a in self.attempts.items() if a.target in near}
        assert case.pairs == {pair: p for pair, p in self.pairs.items() if pair.target in near}
        assert case.devices == {of: one for of, one in self.devices.items() if of in near}
        kept_there = {of: tuple(sorted(seen, key=lambda s: s.at)) for of, seen in self.ledger.items() if of in near}
        assert {of: tuple(seen) for of, seen in case.ledger.items()} == kept_there

    @rule(now=moments, limit=st.integers(1, 4))
    def due(self, now: datetime, limit: int) -> None:
        async def found() -> Sequence[DeadlinePassed]:
            async with self.store.transaction() as unit:
                return await unit.due(now, limit)

        passed = self.run(found())

        whole = [DeadlinePassed(key=key, deadline=d) for key, a in self.attempts.items() for d in a.deadlines if d.due_at <= now]
        whole.sort(key=lambda p: (p.deadline, str(p.key.request_id), p.key.intent))
        assert [p.deadline for p in passed] == [p.deadline for p in whole[:limit]]
        assert all(p in whole for p in passed)

    @rule(since=moments)
    def count_contradictions(self, since: datetime) -> None:
        counted = sum(at >= since for at in self.contradicted)

        assert self.run(self.store.contradictions(since)) == ({"r": counted} if counted else {})

    @invariant()
    def what_is_waited_for_is_known(self) -> None:
        waiting = [a for a in self.attempts.values() if a.is_open or a.deadlines]
        assert set(self.run(self.store.watched())) == {one for a in waiting for one in (a.target, a.other) if one is not None}
        assert self.run(self.store.next_deadline()) == min((d.due_at for a in self.attempts.values() for d in a.deadlines), default=None)

    def near(self, named: Collection[DeviceId]) -> set[DeviceId]:
        """The devices that are named, and their partners in an attempt or a pair."""
        ties = [(a.target, a.other) for a in self.attempts.values() if a.other is not None]
        ties += [(pair.target, pair.other) for pair in self.pairs]
        return {*named, *(two for one, two in ties if one in named), *(one for one, two in ties if two in named)}


TestStoreAgainstDictionaries = StoreMachine.TestCase
TestStoreAgainstDictionaries.settings = tried(20, long=2_000)
