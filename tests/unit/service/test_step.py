"""One step: what a batch of messages, or of deadlines, writes, and what it passes by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from joinbridge.config import Settings
from joinbridge.core.attempt import AttemptState
from joinbridge.core.case import Contradiction
from joinbridge.core.evidence import Mode
from joinbridge.core.facts import JoinAnswered, JoinRequested, Sighting
from joinbridge.core.ids import CommandKey, DeviceId, JoinPair, parse_eui64
from joinbridge.core.pair import PairState
from joinbridge.core.rules import RULES
from joinbridge.core.vocabulary import AlertCode
from joinbridge.errors import StaleVersionError, StoreError, StoreRefusedError
from joinbridge.observing import Committed, Observer, Taken
from joinbridge.ports import Changes, Store
from joinbridge.service.step import RULES_REFRESH, WATCH_REFRESH
from joinbridge.store.outbox import EffectStatus
from joinbridge.store.store import SqlStore
from support.home import CAD, ESME, GPF, PPMID, START, SUPPLIER, after, request_id
from support.messages import (
    acknowledgement,
    command_failure,
    device_log,
    generic_alert,
    gpf_report,
    hub_report,
    inventory_answer,
    join_answer,
    join_request,
    unjoin_answer,
    unjoin_request,
)
from support.records import device
from support.sidecar import LIVE, SHADOW, HookedStore, Parts, Running, Site, a_site
from support.store import counted_statements

STRANGER = parse_eui64("00-11-22-33-44-55-88-01")
PAIR = JoinPair(ESME, PPMID)


async def attempt_state(site: Site) -> AttemptState:
    (attempt,) = await site.records.attempts()
    return attempt.state


async def told(site: Site, running: Running, *bodies: bytes) -> Taken:
    """Send messages, let them be taken, and return what became of them."""
    before = running.intake.totals
    await site.send(*bodies)
    await running.sidecar.settle()
    after_it = running.intake.totals
    return Taken(
        judged=after_it.judged - before.judged,
        passed_by=after_it.passed_by - before.passed_by,
        duplicates=after_it.duplicates - before.duplicates,
        dead=after_it.dead - before.dead,
    )


class TestPassingBy:
    async def test_device_traffic_that_concerns_nothing_open_costs_no_statement(self, site: Site) -> None:
        traffic = [generic_alert(STRANGER, AlertCode.JOIN_SUCCEEDED, START, counter=n) for n in range(50)]
        async with site.sidecar() as running:
            await told(site, running, join_request(ESME, PPMID))
            commits = running.step.commits
            await site.send(*traffic, hub_report([STRANGER], START))

            with counted_statements() as statements:
                assert await running.intake.turn() == 51

            assert statements == []
            assert running.step.commits == commits
            assert running.intake.totals.passed_by == 51

    async def test_what_concerns_an_open_join_is_judged(self, site: Site) -> None:
        async with site.sidecar() as running:
            await told(site, running, join_request(ESME, PPMID))

            assert await told(site, running, generic_alert(ESME, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)
            assert await told(site, running, generic_alert(PPMID, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)
            assert await told(site, running, hub_report([STRANGER, PPMID], START)) == Taken(judged=1)

    async def test_once_the_join_is_over_it_is_passed_by_again(self, site: Site) -> None:
        async with site.sidecar() as running:
            await told(site, running, join_request(ESME, PPMID))
            await told(site, running, join_answer(ESME))

            assert await told(site, running, generic_alert(ESME, AlertCode.JOIN_SUCCEEDED, START)) == Taken(passed_by=1)

    async def test_what_another_sidecar_has_closed_is_passed_by_within_the_hour(self, site: Site) -> None:
        async with site.sidecar() as one, site.sidecar() as other:
            await told(site, one, join_request(ESME, PPMID))
            await told(site, other, join_answer(ESME))
            assert await told(site, one, generic_alert(ESME, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)

            site.clock.jump(START + WATCH_REFRESH)

            assert await told(site, one, generic_alert(PPMID, AlertCode.JOIN_SUCCEEDED, START)) == Taken(passed_by=1)

    async def test_what_another_sidecar_has_opened_is_judged_within_the_hour(self, site: Site) -> None:
        async with site.sidecar() as one, site.sidecar() as other:
            await told(site, other, join_request(ESME, PPMID))

            site.clock.jump(START + WATCH_REFRESH)

            assert await told(site, one, generic_alert(PPMID, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)

    async def test_what_was_open_before_a_restart_still_counts(self, site: Site) -> None:
        async with site.sidecar() as running:
            await told(site, running, join_request(ESME, PPMID))

        async with site.sidecar() as restarted:
            assert await told(site, restarted, generic_alert(PPMID, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)

    async def test_decisive_evidence_counts_before_its_request(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.send(inventory_answer(GPF, CAD))
            assert await told(site, running, gpf_report([CAD], START)) == Taken(judged=2)

            await told(site, running, join_request(GPF, CAD))

        assert await attempt_state(site) is AttemptState.INFERRED_SUCCESS

    async def test_nothing_is_watched_for_the_sake_of_a_batch_that_was_not_committed(self, site: Site) -> None:
        refusing = [True]

        def refuse(_: Changes) -> None:
            if refusing:
                raise StoreError("away")

        async with site.sidecar(around=lambda p: replace(p, store=HookedStore(p.store, on_save=refuse))) as running:
            await site.send(join_request(ESME, PPMID))
            with pytest.raises(StoreError):
                await running.intake.turn()

            assert ESME not in running.watch
            refusing.clear()
            await running.intake.turn()
            assert ESME in running.watch

    async def test_what_a_commit_opened_is_watched_also_when_its_answer_was_lost(self, site: Site) -> None:
        lost = [StoreError("nobody knows what became of it")]

        def answer() -> None:
            if lost:
                raise lost.pop()

        async with site.sidecar(around=lambda p: replace(p, store=HookedStore(p.store, on_commit=answer))) as running:
            await site.send(join_request(ESME, PPMID))
            with pytest.raises(StoreError):
                await running.intake.turn()
            await running.intake.turn()

            assert running.intake.totals == Taken(duplicates=1)
            assert ESME in running.watch
            assert PPMID in running.watch

    @pytest.mark.parametrize("error", [StoreRefusedError("too long"), StaleVersionError("another was first")])
    async def test_the_store_is_not_asked_for_all_that_is_open_where_nothing_was_written(self, site: Site, error: StoreError) -> None:
        def refuse(_: Changes) -> None:
            raise error

        async with site.sidecar(around=lambda p: replace(p, store=HookedStore(p.store, on_save=refuse))) as running:
            await site.send(join_request(ESME, PPMID))
            with suppress(StoreError):
                await running.intake.turn()
            with counted_statements() as asked:
                await running.step.take([])

            assert asked == []

    async def test_it_is_asked_once_after_an_answer_that_was_lost_and_not_before(self, site: Site) -> None:
        asked: list[str] = []
        lost = [StoreError("nobody knows what became of it")]

        class Asked(HookedStore):
            async def watched(self) -> AbstractSet[DeviceId]:
                asked.append("watched")
                return await super().watched()

        def answer() -> None:
            if lost:
                raise lost.pop()

        async with site.sidecar(around=lambda p: replace(p, store=Asked(p.store, on_commit=answer))) as running:
            asked.clear()  # that was at its start
            await site.send(join_request(ESME, PPMID))
            with pytest.raises(StoreError):
                await running.intake.turn()
            assert asked == []

            await running.intake.turn()
            await running.step.take([])
            assert asked == ["watched"]

    async def test_each_message_of_a_batch_counts_as_what_became_of_it(self, site: Site) -> None:
        async with site.sidecar() as running:
            request = join_request(ESME, PPMID)
            passing = generic_alert(STRANGER, AlertCode.JOIN_SUCCEEDED, START)

            assert await told(site, running, request, passing, request, b"nothing at all") == Taken(
                judged=1, passed_by=1, duplicates=1, dead=1
            )


class TestOneTransaction:
    async def test_nothing_is_loaded_for_what_cannot_be_read(self, site: Site) -> None:
        async with site.sidecar() as running:
            await told(site, running, join_request(ESME, PPMID))
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
        assert await attempt_state(site) is AttemptState.SUCCEEDED

    async def test_an_answer_may_come_before_its_request(self, site: Site) -> None:
        await site.send(join_answer(ESME), acknowledgement(request_id(1)), join_request(ESME, PPMID))

        async with site.sidecar() as running:
            await running.intake.turn()

        assert await attempt_state(site) is AttemptState.SUCCEEDED

    async def test_nothing_is_decided_before_the_bus_saw_it(self, site: Site) -> None:
        await site.send(join_request(ESME, PPMID), join_answer(ESME), at=after(minutes=3))  # the broker's clock is ahead of ours

        async with site.sidecar() as running:
            await running.sidecar.settle()

        (event,) = [one for one in site.published if one.route == "join.succeeded"]
        assert json.loads(event.body)["time"] == after(minutes=3).isoformat()

    async def test_a_surprise_is_recorded(self, site: Site) -> None:
        async with site.sidecar() as running:
            await told(site, running, join_request(ESME, PPMID, 1), join_request(ESME, CAD, 1))

        kinds = [entry.kind async for entry in site.audit.entries()]
        assert "surprise" in kinds


class TestShadow:
    async def lost_and_proven(self, site: Site, running: Running) -> None:
        await told(site, running, inventory_answer(GPF, PPMID), join_request(GPF, PPMID))
        await told(site, running, command_failure(request_id(1, target=GPF)))
        await told(site, running, gpf_report([PPMID], START))
        await site.pass_time(running, by=timedelta(days=8))

    async def test_everything_is_decided_and_recorded_and_nothing_is_done(self, site: Site) -> None:
        async with site.sidecar(settings=SHADOW) as running:
            await self.lost_and_proven(site, running)

        assert await attempt_state(site) is AttemptState.INFERRED_SUCCESS
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
            await told(site, running, join_request(ESME, PPMID), join_answer(ESME), b"nothing at all")

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
        async with site.sidecar(settings=LIVE.model_copy(update={"rules": {RULE: Mode.OFF}}), observer=listener) as running:
            await told(site, running, join_request(ESME, PPMID))

        (modes,) = listener.modes
        assert modes.keys() == {rule.name for rule in RULES}
        assert modes[RULE] is Mode.OFF
        assert modes["join-answered-success"] is Mode.LIVE


class TestDeadlines:
    ANSWER_WAIT = LIVE.deadlines.ppmid

    async def test_a_deadline_fires_when_it_is_due_and_not_before(self, site: Site) -> None:
        async with site.sidecar() as running:
            await told(site, running, inventory_answer(PPMID), join_request(PPMID, ESME))
            assert await running.sidecar.next_due() == START + self.ANSWER_WAIT

            site.clock.jump(START + self.ANSWER_WAIT - timedelta(microseconds=1))
            assert await running.step.fire(10) == 0
            assert await attempt_state(site) is AttemptState.REQUESTED

            site.clock.jump(START + self.ANSWER_WAIT)
            assert await running.step.fire(10) == 1
            assert await attempt_state(site) is AttemptState.RESPONSE_LOST

    async def test_it_fires_once(self, site: Site) -> None:
        async with site.sidecar() as running, site.sidecar() as other:
            await told(site, running, inventory_answer(PPMID), join_request(PPMID, ESME))
            site.clock.jump(START + self.ANSWER_WAIT)

            assert [await running.step.fire(10), await other.step.fire(10), await running.step.fire(10)] == [1, 0, 0]

        lost = [e async for e in site.audit.entries() if e.kind == "attempt.changed" and '"to":"response_lost"' in e.body]
        assert len(lost) == 1

    async def test_it_survives_a_restart_on_a_file(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'joinbridge.db'}"
        async with a_site(url) as site, site.sidecar() as running:
            await told(site, running, inventory_answer(PPMID), join_request(PPMID, ESME))

        async with a_site(url) as site, site.sidecar() as running:
            assert await running.sidecar.next_due() == START + self.ANSWER_WAIT
            await site.pass_time(running, by=self.ANSWER_WAIT)

            assert await attempt_state(site) is AttemptState.RESPONSE_LOST

    async def test_an_answer_disarms_it(self, site: Site) -> None:
        async with site.sidecar() as running:
            await told(site, running, inventory_answer(PPMID), join_request(PPMID, ESME), join_answer(PPMID))

            assert await running.sidecar.next_due() is None
            await site.pass_time(running, by=timedelta(days=8))
        assert await attempt_state(site) is AttemptState.SUCCEEDED

    async def test_no_more_than_the_limit_fire_at_a_time(self, site: Site) -> None:
        async with site.sidecar() as running:
            await told(site, running, inventory_answer(PPMID), *(join_request(PPMID, ESME, counter) for counter in range(1, 6)))
            site.clock.jump(START + self.ANSWER_WAIT)

            assert [await running.step.fire(2) for _ in range(4)] == [2, 2, 1, 0]

    async def test_when_the_database_goes_away_it_stays_due(self, site: Site) -> None:
        away = [False]

        def refuse(_: Changes) -> None:
            if away[0]:
                raise StoreError("away")

        async with site.sidecar(around=lambda p: replace(p, store=HookedStore(p.store, on_save=refuse))) as running:
            await told(site, running, inventory_answer(PPMID), join_request(PPMID, ESME))
            site.clock.jump(START + self.ANSWER_WAIT)
            away[0] = True
            with pytest.raises(StoreError):
                await running.step.fire(10)

            away[0] = False
            assert await running.step.fire(10) == 1


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


class TestRuleDemotion:
    async def contradicted(self, site: Site, times: int, at: datetime = START) -> None:
        says = [Contradiction(rule=RULE, pair=PAIR, at=at, says="newer proof") for _ in range(times)]
        async with SqlStore(site.database, site.clock).transaction() as unit:
            await unit.save(Changes(contradictions=says))

    async def inferred(self, site: Site, running: Running, counter: int) -> AttemptState:
        """Lose the answer to a join, read the target's log, which lists the other device, and return what became of the join."""
        await told(site, running, inventory_answer(PPMID), join_request(ESME, PPMID, counter), command_failure(request_id(counter)))
        site.clock.jump(site.clock.now() + timedelta(minutes=10))
        await told(site, running, device_log(CommandKey(SUPPLIER, ESME, counter + 1), [PPMID]))
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
            await told(site, running, device_log(CommandKey(SUPPLIER, ESME, 50), []))
            (pair,) = await site.records.pairs()
            assert pair.state is PairState.DISPUTED

            assert await self.inferred(site, running, 61) is AttemptState.PROBED

    async def test_one_that_is_explained_counts_no_more_in_the_next_batch(self, site: Site) -> None:
        settings = LIVE.model_copy(update={"evidence": LIVE.evidence.model_copy(update={"contradictions_to_shadow": 1})})

        async with site.sidecar(settings=settings) as running:
            assert await self.inferred(site, running, 1) is AttemptState.INFERRED_SUCCESS
            asked_at = site.clock.now()
            site.clock.jump(asked_at + timedelta(hours=1))
            await told(site, running, device_log(CommandKey(SUPPLIER, ESME, 50), []))
            await site.send(unjoin_request(ESME, PPMID, 40), unjoin_answer(ESME, 40), at=asked_at + timedelta(minutes=30))
            await running.sidecar.settle()
            (pair,) = await site.records.pairs()
            assert pair.state is PairState.NOT_JOINED

            assert await self.inferred(site, running, 61) is AttemptState.INFERRED_SUCCESS

    async def test_it_is_looked_up_once_an_hour_and_not_for_every_batch(self, site: Site) -> None:
        counting = list[CountingContradictions]()

        def around(parts: Parts) -> Parts:
            counting.append(CountingContradictions(parts.store))
            return replace(parts, store=counting[0])

        async with site.sidecar(around=around) as running:
            for counter in range(10):
                await told(site, running, join_request(ESME, PPMID, counter))
            assert counting[0].asked == 1

            site.clock.jump(START + RULES_REFRESH)
            await told(site, running, join_request(ESME, PPMID, 100))
            assert counting[0].asked == 2

    async def test_while_it_cannot_be_looked_up_nothing_is_decided(self, site: Site) -> None:
        counting = list[CountingContradictions]()

        def around(parts: Parts) -> Parts:
            counting.append(CountingContradictions(parts.store))
            return replace(parts, store=counting[0])

        async with site.sidecar(around=around) as running:
            counting[0].away = True
            await site.send(join_request(ESME, PPMID))
            with pytest.raises(StoreError):
                await running.intake.turn()
            assert await site.records.attempts() == []

            counting[0].away = False
            await running.intake.turn()
            assert await attempt_state(site) is AttemptState.REQUESTED
