"""A rule that was contradicted too often lately returns to shadow, until it was not for long enough."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.case import Contradiction
from joinbridge.core.evidence import Mode
from joinbridge.core.ids import CommandKey, JoinPair
from joinbridge.core.pair import PairState
from joinbridge.errors import StoreError
from joinbridge.ports import Changes, Store
from joinbridge.service.step import RULES_REFRESH
from joinbridge.store.store import SqlStore
from support.home import ESME, PPMID, START, SUPPLIER, request_id
from support.messages import (
    command_failure,
    device_log,
    inventory_answer,
    join_request,
    unjoin_answer,
    unjoin_request,
)
from support.sidecar import LIVE, Parts, Running, Site

PAIR = JoinPair(ESME, PPMID)
RULE = "device-log-lists"


class CountingContradictions:
    """A Store that counts how often it was asked for contradictions; while `away` is set it cannot be reached for that."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked = 0
        self.away = False
        self.transaction, self.watched, self.next_deadline = store.transaction, store.watched, store.next_deadline

    async def contradictions(self, since: datetime) -> Mapping[str, int]:
        self.asked += 1
        if self.away:
            raise StoreError("away")
        return await self._store.contradictions(since)


@asynccontextmanager
async def counted(site: Site) -> AsyncIterator[tuple[Running, CountingContradictions]]:
    """Start a sidecar on a store that counts."""
    counting = list[CountingContradictions]()

    def around(parts: Parts) -> Parts:
        counting.append(CountingContradictions(parts.store))
        return replace(parts, store=counting[0])

    async with site.sidecar(around=around) as running:
        yield running, counting[0]


class TestRuleDemotion:
    async def contradicted(self, site: Site, times: int, at: datetime = START) -> None:
        says = [Contradiction(rule=RULE, pair=PAIR, at=at, says="newer proof") for _ in range(times)]
        async with SqlStore(site.database, site.clock).transaction() as unit:
            await unit.save(Changes(contradictions=says))

    async def inferred(self, site: Site, running: Running, counter: int) -> AttemptState:
        """Lose the answer to a join, read the target's log, which lists the other device, and return what became of the join."""
        await site.told(running, inventory_answer(PPMID), join_request(ESME, PPMID, counter), command_failure(request_id(counter)))
        site.clock.jump(site.clock.now() + timedelta(minutes=10))
        await site.told(running, device_log(CommandKey(SUPPLIER, ESME, counter + 1), [PPMID]))
        (attempt,) = [a for a in await site.records.attempts() if a.request_id.counter == counter]
        return attempt.state

    async def test_a_rule_that_was_contradicted_often_lately_counts_no_more(self, site: Site) -> None:
        await self.contradicted(site, LIVE.evidence.contradictions_to_shadow)

        async with site.sidecar() as running:
            assert await self.inferred(site, running, 1) is AttemptState.PROBED

        evidence = await site.records.evidence(PAIR)
        assert [e.shadow for e in evidence if e.rule == RULE] == [True]

    async def test_once_less_and_it_counts(self, site: Site) -> None:
        await self.contradicted(site, LIVE.evidence.contradictions_to_shadow - 1)

        async with site.sidecar() as running:
            assert await self.inferred(site, running, 1) is AttemptState.INFERRED_SUCCESS

    async def test_it_counts_again_when_the_window_has_passed(self, site: Site) -> None:
        await self.contradicted(site, LIVE.evidence.contradictions_to_shadow)

        async with site.sidecar() as running:
            assert await self.inferred(site, running, 1) is AttemptState.PROBED
            site.clock.jump(START + LIVE.evidence.contradiction_window + RULES_REFRESH)

            assert await self.inferred(site, running, 11) is AttemptState.INFERRED_SUCCESS

    async def test_a_rule_that_is_off_stays_off(self, site: Site) -> None:
        settings = LIVE.model_copy(update={"rules": {RULE: Mode.OFF}})
        await self.contradicted(site, LIVE.evidence.contradictions_to_shadow)

        async with site.sidecar(settings=settings) as running:
            await self.inferred(site, running, 1)

        assert [e for e in await site.records.evidence(PAIR) if e.rule == RULE] == []

    async def test_a_contradiction_counts_before_the_next_batch(self, site: Site) -> None:
        settings = LIVE.model_copy(update={"evidence": LIVE.evidence.model_copy(update={"contradictions_to_shadow": 1})})

        async with site.sidecar(settings=settings) as running:
            assert await self.inferred(site, running, 1) is AttemptState.INFERRED_SUCCESS
            site.clock.jump(site.clock.now() + timedelta(hours=1))
            await site.told(running, device_log(CommandKey(SUPPLIER, ESME, 50), []))
            (pair,) = await site.records.pairs()
            assert pair.state is PairState.DISPUTED

            assert await self.inferred(site, running, 61) is AttemptState.PROBED

    async def test_one_that_is_explained_counts_no_more_in_the_next_batch(self, site: Site) -> None:
        settings = LIVE.model_copy(update={"evidence": LIVE.evidence.model_copy(update={"contradictions_to_shadow": 1})})

        async with site.sidecar(settings=settings) as running:
            assert await self.inferred(site, running, 1) is AttemptState.INFERRED_SUCCESS
            asked_at = site.clock.now()
            site.clock.jump(asked_at + timedelta(hours=1))
            await site.told(running, device_log(CommandKey(SUPPLIER, ESME, 50), []))
            await site.send(unjoin_request(ESME, PPMID, 40), unjoin_answer(ESME, 40), at=asked_at + timedelta(minutes=30))
            await running.sidecar.settle()
            (pair,) = await site.records.pairs()
            assert pair.state is PairState.NOT_JOINED

            assert await self.inferred(site, running, 61) is AttemptState.INFERRED_SUCCESS

    async def test_it_is_looked_up_once_an_hour_and_not_for_every_batch(self, site: Site) -> None:
        async with counted(site) as (running, store):
            for counter in range(10):
                await site.told(running, join_request(ESME, PPMID, counter))
            assert store.asked == 1

            site.clock.jump(START + RULES_REFRESH)
            await site.told(running, join_request(ESME, PPMID, 100))
            assert store.asked == 2

    async def test_while_it_cannot_be_looked_up_nothing_is_decided(self, site: Site) -> None:
        async with counted(site) as (running, store):
            store.away = True
            await site.send(join_request(ESME, PPMID))
            with pytest.raises(StoreError):
                await running.intake.turn()
            assert await site.records.attempts() == []

            store.away = False
            await running.intake.turn()
            assert await site.attempt_state() is AttemptState.REQUESTED
