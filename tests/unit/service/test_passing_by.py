"""What is passed by, and what is watched: traffic that concerns nothing open costs nothing."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.ids import DeviceId, parse_eui64
from joinbridge.core.vocabulary import AlertCode
from joinbridge.errors import StaleVersionError, StoreError, StoreRefusedError
from joinbridge.observing import Taken
from joinbridge.ports import Changes
from joinbridge.service.step import WATCH_REFRESH
from support.home import CAD, ESME, GPF, PPMID, START
from support.messages import generic_alert, gpf_report, hub_report, inventory_answer, join_answer, join_request
from support.sidecar import HookedStore, Site
from support.store import counted_statements

STRANGER = parse_eui64("00-11-22-33-44-55-88-01")


class TestPassingBy:
    async def test_device_traffic_that_concerns_nothing_open_costs_no_statement(self, site: Site) -> None:
        traffic = [generic_alert(STRANGER, AlertCode.JOIN_SUCCEEDED, START, counter=n) for n in range(50)]
        async with site.sidecar() as running:
            await site.told(running, join_request(ESME, PPMID))
            commits = running.step.commits
            await site.send(*traffic, hub_report([STRANGER], START))

            with counted_statements() as statements:
                assert await running.intake.turn() == 51

            assert statements == []
            assert running.step.commits == commits
            assert running.intake.totals.passed_by == 51

    async def test_what_concerns_an_open_join_is_judged(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.told(running, join_request(ESME, PPMID))

            assert await site.told(running, generic_alert(ESME, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)
            assert await site.told(running, generic_alert(PPMID, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)
            assert await site.told(running, hub_report([STRANGER, PPMID], START)) == Taken(judged=1)

    async def test_once_the_join_is_over_it_is_passed_by_again(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.told(running, join_request(ESME, PPMID))
            await site.told(running, join_answer(ESME))

            assert await site.told(running, generic_alert(ESME, AlertCode.JOIN_SUCCEEDED, START)) == Taken(passed_by=1)

    async def test_what_another_sidecar_has_closed_is_passed_by_within_the_hour(self, site: Site) -> None:
        async with site.sidecar() as one, site.sidecar() as other:
            await site.told(one, join_request(ESME, PPMID))
            await site.told(other, join_answer(ESME))
            assert await site.told(one, generic_alert(ESME, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)

            site.clock.jump(START + WATCH_REFRESH)

            assert await site.told(one, generic_alert(PPMID, AlertCode.JOIN_SUCCEEDED, START)) == Taken(passed_by=1)

    async def test_what_was_open_before_a_restart_still_counts(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.told(running, join_request(ESME, PPMID))

        async with site.sidecar() as restarted:
            assert await site.told(restarted, generic_alert(PPMID, AlertCode.JOIN_SUCCEEDED, START)) == Taken(judged=1)

    async def test_decisive_evidence_counts_before_its_request(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.send(inventory_answer(GPF, CAD))
            assert await site.told(running, gpf_report([CAD], START)) == Taken(judged=2)

            await site.told(running, join_request(GPF, CAD))

        assert await site.attempt_state() is AttemptState.INFERRED_SUCCESS

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

    async def test_as_long_as_it_cannot_be_asked_nothing_is_taken_and_it_is_asked_again(self, site: Site) -> None:
        errors = [StoreError("nobody knows what became of it"), StoreError("away")]

        class Away(HookedStore):
            async def watched(self) -> AbstractSet[DeviceId]:
                if len(errors) == 1:
                    raise errors.pop()
                return await super().watched()

        def answer() -> None:
            if len(errors) == 2:
                raise errors.pop(0)

        async with site.sidecar(around=lambda p: replace(p, store=Away(p.store, on_commit=answer))) as running:
            await site.send(join_request(ESME, PPMID))
            for _ in range(2):
                with pytest.raises(StoreError):
                    await running.intake.turn()
                assert ESME not in running.watch

            await running.intake.turn()

            assert running.intake.totals == Taken(duplicates=1)
            assert ESME in running.watch

    async def test_each_message_of_a_batch_counts_as_what_became_of_it(self, site: Site) -> None:
        async with site.sidecar() as running:
            request = join_request(ESME, PPMID)
            passing = generic_alert(STRANGER, AlertCode.JOIN_SUCCEEDED, START)

            assert await site.told(running, request, passing, request, b"nothing at all") == Taken(
                judged=1, passed_by=1, duplicates=1, dead=1
            )
