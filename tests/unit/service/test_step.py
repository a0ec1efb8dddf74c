"""One step: what a batch of messages, or of deadlines, writes, and whom it tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from joinbridge.config import Settings
from joinbridge.core.attempt import AttemptState
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import JoinAnswered, JoinRequested, Sighting
from joinbridge.core.ids import JoinPair
from joinbridge.core.pair import PairState
from joinbridge.core.rules import RULES
from joinbridge.errors import StoreError
from joinbridge.observing import Committed, Observer
from joinbridge.ports import Changes
from joinbridge.store.outbox import EffectStatus
from support.home import CAD, ESME, GPF, PPMID, START, after, request_id
from support.messages import (
    acknowledgement,
    command_failure,
    gpf_report,
    inventory_answer,
    join_answer,
    join_request,
)
from support.records import device
from support.sidecar import LIVE, SHADOW, HookedStore, Running, Site, a_site
from support.store import counted_statements

PAIR = JoinPair(ESME, PPMID)


class TestOneTransaction:
    async def test_nothing_is_loaded_for_what_cannot_be_read(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.told(running, join_request(ESME, PPMID))
            await site.send(b"nothing at all")
            with counted_statements() as statements:
                await running.intake.turn()

        assert statements
        assert [statement for statement in statements if "FROM attempts" in statement or "FROM pairs" in statement] == []

    async def test_a_batch_takes_as_many_statements_whatever_its_size(self, site: Site) -> None:
        counted = []
        for first, size in ((1000, 5), (2000, 100)):
            homes = [device(number) for number in range(first, first + size)]
            async with site.sidecar() as running:
                await site.send(*(join_request(target, PPMID) for target in homes))
                with counted_statements() as asking:
                    await running.intake.turn()
                await site.send(*(join_answer(target) for target in homes))
                with counted_statements() as answering:
                    await running.intake.turn()
            counted.append((len(asking), len(answering)))

        assert counted[0] == counted[1]

    async def test_messages_of_a_batch_are_decided_in_their_order(self, site: Site) -> None:
        await site.send(join_request(ESME, PPMID), acknowledgement(request_id(1)), join_answer(ESME))

        async with site.sidecar() as running:
            await running.intake.turn()

            assert running.step.commits == 1
        assert await site.attempt_state() is AttemptState.SUCCEEDED

    async def test_an_answer_may_come_before_its_request(self, site: Site) -> None:
        await site.send(join_answer(ESME), acknowledgement(request_id(1)), join_request(ESME, PPMID))

        async with site.sidecar() as running:
            await running.intake.turn()

        assert await site.attempt_state() is AttemptState.SUCCEEDED

    async def test_nothing_is_decided_before_the_bus_saw_it(self, site: Site) -> None:
        await site.send(join_request(ESME, PPMID), join_answer(ESME), at=after(minutes=3))  # the broker's clock is ahead of ours

        async with site.sidecar() as running:
            await running.sidecar.settle()

        (event,) = [one for one in site.published if one.route == "join.succeeded"]
        assert json.loads(event.body)["time"] == after(minutes=3).isoformat()

    async def test_a_surprise_is_recorded(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.told(running, join_request(ESME, PPMID, 1), join_request(ESME, CAD, 1))

        kinds = [entry.kind async for entry in site.audit.entries()]
        assert "surprise" in kinds


class TestShadow:
    async def lost_and_proven(self, site: Site, running: Running) -> None:
        await site.told(running, inventory_answer(GPF, PPMID), join_request(GPF, PPMID))
        await site.told(running, command_failure(request_id(1, target=GPF)))
        await site.told(running, gpf_report([PPMID], START))
        await site.pass_time(running, by=timedelta(days=8))

    async def test_everything_is_decided_and_recorded_and_nothing_is_done(self, site: Site) -> None:
        async with site.sidecar(settings=SHADOW) as running:
            await self.lost_and_proven(site, running)

        assert await site.attempt_state() is AttemptState.INFERRED_SUCCESS
        (pair,) = await site.records.pairs()
        assert pair.state is PairState.INFERRED_SUCCESS
        assert site.published == []
        assert site.inventory.changes == []
        effects = await site.records.effects()
        assert {effect.status for effect in effects} == {EffectStatus.WITHHELD}
        assert {type(effect.effect).__name__ for effect in effects} >= {"UpdateInventory", "PublishEvent"}

    async def test_the_audit_chain_tells_what_would_have_been_done(self, site: Site) -> None:
        async with site.sidecar(settings=SHADOW) as running:
            await self.lost_and_proven(site, running)

        kinds = {entry.kind async for entry in site.audit.entries()}
        assert "effect.withheld" in kinds
        assert "effect.owed" not in kinds
        await site.audit.verify()

    async def test_it_decides_as_live_mode_does(self, site: Site) -> None:
        async with site.sidecar(settings=SHADOW) as running:
            await self.lost_and_proven(site, running)
        shadow = await site.contents()
        await site.empty()
        async with site.sidecar(settings=LIVE) as running:
            await self.lost_and_proven(site, running)
        live = await site.contents()

        assert shadow["attempts"] == live["attempts"]
        assert shadow["pairs"] == live["pairs"]
        assert shadow["evidence"] == live["evidence"]
        assert {row["status"] for row in live["outbox"]} == {"done"}


class Listener(Observer):
    """Keeps what a step tells."""

    def __init__(self) -> None:
        self.commits: list[Committed] = []
        self.modes: list[Mapping[str, Mode]] = []

    def committed(self, committed: Committed) -> None:
        self.commits.append(committed)

    def rules(self, modes: Mapping[str, Mode]) -> None:
        self.modes.append(modes)


class TestTelling:
    @pytest.mark.parametrize("settings", [LIVE, SHADOW], ids=["live", "shadow"])
    async def test_an_observer_hears_of_a_commit_when_what_and_whether_anything_is_done(self, site: Site, settings: Settings) -> None:
        listener = Listener()
        async with site.sidecar(settings=settings, observer=listener) as running:
            site.clock.jump(after(minutes=3))
            await site.told(running, join_request(ESME, PPMID), join_answer(ESME), b"nothing at all")

        (committed,) = listener.commits
        assert committed.at == after(minutes=3)
        assert committed.withheld is (settings is SHADOW)
        assert 0 <= committed.took_s < 60
        assert [letter.body for letter in committed.letters] == [b"nothing at all"]
        requested, answered = committed.decisions
        assert isinstance(requested.event, Sighting)
        assert isinstance(requested.event.fact, JoinRequested)
        assert requested.case.attempts == {}
        assert isinstance(answered.event, Sighting)
        assert isinstance(answered.event.fact, JoinAnswered)
        assert [attempt.state for attempt in answered.case.attempts.values()] == [AttemptState.REQUESTED]
        assert [attempt.state for attempt in answered.decision.attempts] == [AttemptState.SUCCEEDED]

    async def test_an_observer_hears_which_mode_each_rule_is_in(self, site: Site) -> None:
        listener = Listener()
        async with site.sidecar(settings=LIVE.model_copy(update={"rules": {"device-log-lists": Mode.OFF}}), observer=listener) as running:
            await site.told(running, join_request(ESME, PPMID))

        (modes,) = listener.modes
        assert modes.keys() == {rule.name for rule in RULES}
        assert modes["device-log-lists"] is Mode.OFF
        assert modes["join-answered-success"] is Mode.LIVE


class TestDeadlines:
    ANSWER_WAIT = LIVE.deadlines.ppmid

    async def test_a_deadline_fires_when_it_is_due_and_not_before(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.told(running, inventory_answer(PPMID), join_request(PPMID, ESME))
            assert await running.sidecar.next_due() == START + self.ANSWER_WAIT

            site.clock.jump(START + self.ANSWER_WAIT - timedelta(microseconds=1))
            assert await running.step.fire(10) == 0
            assert await site.attempt_state() is AttemptState.REQUESTED

            site.clock.jump(START + self.ANSWER_WAIT)
            assert await running.step.fire(10) == 1
            assert await site.attempt_state() is AttemptState.RESPONSE_LOST

    async def test_it_fires_once(self, site: Site) -> None:
        async with site.sidecar() as running, site.sidecar() as other:
            await site.told(running, inventory_answer(PPMID), join_request(PPMID, ESME))
            site.clock.jump(START + self.ANSWER_WAIT)

            assert [await running.step.fire(10), await other.step.fire(10), await running.step.fire(10)] == [1, 0, 0]

        lost = [e async for e in site.audit.entries() if e.kind == "attempt.changed" and '"to":"response_lost"' in e.body]
        assert len(lost) == 1

    async def test_it_survives_a_restart_on_a_file(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'joinbridge.db'}"
        async with a_site(url) as site, site.sidecar() as running:
            await site.told(running, inventory_answer(PPMID), join_request(PPMID, ESME))

        async with a_site(url) as site, site.sidecar() as running:
            assert await running.sidecar.next_due() == START + self.ANSWER_WAIT
            await site.pass_time(running, by=self.ANSWER_WAIT)

            assert await site.attempt_state() is AttemptState.RESPONSE_LOST

    async def test_an_answer_disarms_it(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.told(running, inventory_answer(PPMID), join_request(PPMID, ESME), join_answer(PPMID))

            assert await running.sidecar.next_due() is None
            await site.pass_time(running, by=timedelta(days=8))
        assert await site.attempt_state() is AttemptState.SUCCEEDED

    async def test_no_more_than_the_limit_fire_at_a_time(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.told(running, inventory_answer(PPMID), *(join_request(PPMID, ESME, counter) for counter in range(1, 6)))
            site.clock.jump(START + self.ANSWER_WAIT)

            assert [await running.step.fire(2) for _ in range(4)] == [2, 2, 1, 0]

    async def test_when_the_database_goes_away_it_stays_due(self, site: Site) -> None:
        away = [False]

        def refuse(_: Changes) -> None:
            if away[0]:
                raise StoreError("away")

        async with site.sidecar(around=lambda p: replace(p, store=HookedStore(p.store, on_save=refuse))) as running:
            await site.told(running, inventory_answer(PPMID), join_request(PPMID, ESME))
            site.clock.jump(START + self.ANSWER_WAIT)
            away[0] = True
            with pytest.raises(StoreError):
                await running.step.fire(10)

            away[0] = False
            assert await running.step.fire(10) == 1
