"""What becomes of a batch: committed, then acknowledged; handed back; or, for the one message that is to blame, buried."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from joinbridge.bus.memory import MemorySource
from joinbridge.core.attempt import AttemptState
from joinbridge.core.ids import message_key
from joinbridge.core.vocabulary import MessageCode
from joinbridge.errors import StaleVersionError, StoreError, StoreRefusedError, TransportError
from joinbridge.observing import Taken
from joinbridge.ops.metrics import Metrics
from joinbridge.ports import Changes, Delivery, Source
from joinbridge.service.intake import CURRENT_WITHIN
from joinbridge.wire.gbcs import encode_gbcs
from joinbridge.wire.payloads.join import JoinResponse
from support.crash import Points
from support.eventually import eventually
from support.home import CAD, ESME, GPF, PPMID, START, after, request_id
from support.messages import acknowledgement, answer, join_answer, join_request
from support.sidecar import INTAKE, LIVE, HookedStore, Parts, Site

GUILTY_COUNTER = 666
GUILTY = join_request(PPMID, GPF, GUILTY_COUNTER)


def innocent(count: int) -> list[bytes]:
    return [join_request(ESME, PPMID, counter) for counter in range(1, count + 1)]


def with_store(on_save: Callable[[Changes], None]) -> Callable[[Parts], Parts]:
    """Put a hook before each save."""
    return lambda parts: replace(parts, store=HookedStore(parts.store, on_save=on_save))


def against(error: Exception, *counters: int) -> Callable[[Changes], None]:
    """Raise `error` as soon as the attempt of a request with one of `counters` is about to be written."""

    def refuse(changes: Changes) -> None:
        if any(attempt.request_id.counter in counters for attempt in changes.attempts):
            raise error

    return refuse


async def states(site: Site) -> dict[int, AttemptState]:
    return {attempt.request_id.counter: attempt.state for attempt in await site.records.attempts()}


async def waited_out(site: Site, turn: asyncio.Task[int]) -> int:
    """Return what `turn` returns, letting time pass whenever it waits."""
    while not turn.done():
        await eventually(lambda: site.clock.sleeping or turn.done())
        await site.clock.advance(by=timedelta(seconds=2))
    return await turn


class Checked:
    """A Source that looks into the database before it acknowledges."""

    is_live = True

    def __init__(self, source: Source, site: Site) -> None:
        self._source = source
        self._site = site
        self.recorded: list[int] = []
        self.receive, self.requeue, self.reject = source.receive, source.requeue, source.reject

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        self.recorded.append(len(await self._site.records.attempts()))
        await self._source.ack(deliveries)


class TestCommitting:
    async def test_a_batch_is_acknowledged_only_when_what_follows_from_it_is_committed(self, site: Site) -> None:
        points, checked = Points(), list[Checked]()

        def around(parts: Parts) -> Parts:
            checked.append(Checked(parts.source, site))
            return points.around(replace(parts, source=checked[0]))

        await site.send(*innocent(3))

        async with site.sidecar(around=around) as running:
            assert await running.intake.turn() == 3

        assert [name for name in points.passed if name in ("commit", "ack")] == ["commit", "ack"]
        assert checked[0].recorded == [3]
        assert site.bus.unsettled(INTAKE) == site.bus.ready(INTAKE) == 0

    async def test_nothing_is_asked_of_anybody_when_nothing_came(self, site: Site) -> None:
        points = Points()

        async with site.sidecar(around=points.around) as running:
            assert await running.intake.turn() == 0

        assert points.passed == ["receive"]

    async def test_a_batch_takes_no_more_than_its_limit(self, site: Site) -> None:
        await site.send(*innocent(5))

        async with site.sidecar(limit=2) as running:
            assert [await running.intake.turn() for _ in range(4)] == [2, 2, 1, 0]

    async def test_the_totals_tell_what_became_of_each_message(self, site: Site) -> None:
        asked, *_ = innocent(1)
        await site.send(asked, asked, b"neither", acknowledgement(request_id(1)))

        async with site.sidecar() as running:
            await running.sidecar.settle()

            assert running.intake.totals == Taken(judged=2, passed_by=0, duplicates=1, dead=1)


class TestDuplicates:
    async def test_a_second_copy_in_a_batch_changes_nothing(self, site: Site) -> None:
        asked, *_ = innocent(1)
        await site.send(asked, asked, asked)

        async with site.sidecar() as running:
            await running.intake.turn()

            assert running.intake.totals == Taken(judged=1, duplicates=2)
        assert await states(site) == {1: AttemptState.REQUESTED}

    async def test_a_second_copy_in_a_later_batch_changes_nothing(self, site: Site) -> None:
        asked, *_ = innocent(1)
        await site.send(asked, join_answer(ESME, 1), asked)

        async with site.sidecar(limit=1) as running:
            await running.sidecar.settle()

            assert running.intake.totals == Taken(judged=2, duplicates=1)
        assert await states(site) == {1: AttemptState.SUCCEEDED}
        (attempt,) = await site.records.attempts()
        assert attempt.version == 2

    async def test_what_is_committed_when_the_consumer_is_lost_comes_again_and_counts_once(self, site: Site) -> None:
        class LostBeforeAck:
            is_live = True

            def __init__(self, source: Source) -> None:
                assert isinstance(source, MemorySource)
                self._source = source
                self.receive, self.requeue, self.reject = source.receive, source.requeue, source.reject

            async def ack(self, deliveries: Sequence[Delivery]) -> None:
                if not deliveries[0].redelivered:
                    self._source.lose()
                await self._source.ack(deliveries)

        await site.send(*innocent(2))

        async with site.sidecar(around=lambda parts: replace(parts, source=LostBeforeAck(parts.source))) as running:
            await running.sidecar.settle()

            assert running.intake.totals == Taken(judged=2, duplicates=2)
        assert site.bus.ready(INTAKE) == site.bus.unsettled(INTAKE) == 0
        assert len(await site.records.attempts()) == 2


class TestPoison:
    @pytest.mark.parametrize("error", [StoreRefusedError("value too long"), ZeroDivisionError("one by none")], ids=["refused", "internal"])
    @pytest.mark.parametrize("place", [0, 3, 6])
    async def test_one_message_goes_to_the_dead_letters_and_its_neighbours_are_committed(
        self, site: Site, error: Exception, place: int
    ) -> None:
        bodies = innocent(6)
        bodies.insert(place, GUILTY)
        await site.send(*bodies)

        async with site.sidecar(around=with_store(against(error, GUILTY_COUNTER))) as running:
            assert await running.intake.turn() == 7

            assert running.intake.totals == Taken(judged=6, dead=1)
        (letter,) = site.bus.dead_letters()
        assert letter.key == message_key(GUILTY)
        assert str(error) in letter.reason
        assert (letter.route, letter.source, letter.offset) == ("request.test", "sr.request", None)
        assert sorted(await states(site)) == [1, 2, 3, 4, 5, 6]
        assert site.bus.ready(INTAKE) == site.bus.unsettled(INTAKE) == 0

    async def test_an_error_of_our_own_says_so(self, site: Site) -> None:
        await site.send(GUILTY)

        async with site.sidecar(around=with_store(against(ZeroDivisionError("one by none"), GUILTY_COUNTER))) as running:
            await running.intake.turn()

        (letter,) = site.bus.dead_letters()
        assert letter.reason == "internal error: ZeroDivisionError: one by none"

    async def test_every_guilty_message_is_found(self, site: Site) -> None:
        others = [join_request(PPMID, CAD, counter) for counter in (701, 702)]
        first, second, third = innocent(3)
        await site.send(others[0], first, GUILTY, second, third, others[1])

        async with site.sidecar(around=with_store(against(StoreRefusedError("no"), GUILTY_COUNTER, 701, 702))) as running:
            await running.intake.turn()

        assert {letter.key for letter in site.bus.dead_letters()} == {message_key(body) for body in (GUILTY, *others)}
        assert sorted(await states(site)) == [1, 2, 3]

    async def test_the_others_keep_their_order(self, site: Site) -> None:
        await site.send(join_request(ESME, PPMID, 1), GUILTY, join_answer(ESME, 1))

        async with site.sidecar(around=with_store(against(StoreRefusedError("no"), GUILTY_COUNTER))) as running:
            await running.intake.turn()

        assert await states(site) == {1: AttemptState.SUCCEEDED}


class TestDatabaseAway:
    async def test_the_batch_is_handed_back_and_comes_again(self, site: Site) -> None:
        away = [StoreError("away")]

        def refuse(_: Changes) -> None:
            if away:
                raise away[0]

        await site.send(*innocent(3))
        async with site.sidecar(around=with_store(refuse)) as running:
            with pytest.raises(StoreError, match="away"):
                await running.intake.turn()

            assert site.bus.ready(INTAKE) == 3
            assert site.bus.unsettled(INTAKE) == 0
            assert site.bus.dead_letters() == ()
            assert await states(site) == {}

            away.clear()
            assert await running.intake.turn() == 3
        assert sorted(await states(site)) == [1, 2, 3]

    async def test_a_moment_is_waited_out(self, site: Site) -> None:
        tries: list[int] = []

        def refuse_twice(_: Changes) -> None:
            tries.append(1)
            if len(tries) < 3:
                raise StoreError("away")

        await site.send(*innocent(1))
        async with site.sidecar(around=with_store(refuse_twice), tries_at_once=3) as running:
            turn = asyncio.create_task(running.intake.turn())

            assert await waited_out(site, turn) == 1
        assert len(tries) == 3

    async def test_it_goes_while_a_guilty_message_is_looked_for_and_nothing_is_lost(self, site: Site) -> None:
        saves: list[int] = []

        def refuse(changes: Changes) -> None:
            saves.append(len(changes.attempts))
            if len(saves) == 3:  # the whole, its first half, the half of that
                raise StoreError("away")
            against(StoreRefusedError("no"), GUILTY_COUNTER)(changes)

        await site.send(GUILTY, *innocent(7))
        async with site.sidecar(around=with_store(refuse)) as running:
            with pytest.raises(StoreError, match="away"):
                await running.intake.turn()

            assert site.bus.ready(INTAKE) == 8
            assert site.bus.unsettled(INTAKE) == 0

            await running.sidecar.settle()
        assert len(site.bus.dead_letters()) == 1
        assert sorted(await states(site)) == [1, 2, 3, 4, 5, 6, 7]

    async def test_when_the_dead_letters_are_away_the_guilty_message_is_handed_back(self, site: Site) -> None:
        await site.send(*innocent(2), GUILTY)

        async with site.sidecar(around=with_store(against(StoreRefusedError("no"), GUILTY_COUNTER))) as running:
            with site.bus.outage(), pytest.raises(TransportError):
                await running.intake.turn()

            assert site.bus.ready(INTAKE) == 1
            assert site.bus.unsettled(INTAKE) == 0
            assert sorted(await states(site)) == [1, 2]

            await running.sidecar.settle()
        assert len(site.bus.dead_letters()) == 1


class TestAnotherInstance:
    async def test_what_it_changed_first_is_decided_again_on(self, site: Site) -> None:
        stale = [StaleVersionError("1 of 1 records were changed by another instance")]

        def refuse_once(_: Changes) -> None:
            if stale:
                raise stale.pop()

        metrics = Metrics(LIVE, site.clock)
        refusing = with_store(refuse_once)
        await site.send(join_request(ESME, PPMID, 1))
        async with site.sidecar() as other, site.sidecar(around=refusing, tries_at_once=2, observer=metrics.observer) as running:
            await other.intake.turn()
            await site.send(acknowledgement(request_id(1)))
            turn = asyncio.create_task(running.intake.turn())
            await eventually(lambda: site.clock.sleeping)
            await site.send(join_answer(ESME, 1))
            await other.intake.turn()

            assert await waited_out(site, turn) == 1

        (attempt,) = await site.records.attempts()
        assert attempt.state is AttemptState.SUCCEEDED  # and the acknowledgement, decided on the old state, has not undone it
        assert attempt.version == 2
        assert metrics.instruments.registry.get_sample_value("joinbridge_batches_started_over_total") == 1

    async def test_a_batch_that_meets_it_again_and_again_is_committed_in_parts(self, site: Site) -> None:
        saved: list[int] = []

        def refuse_many(changes: Changes) -> None:
            if len(changes.attempts) > 1:
                raise StaleVersionError("1 of 1 records were changed by another instance")
            saved.extend(attempt.request_id.counter for attempt in changes.attempts)

        await site.send(*innocent(5))
        async with site.sidecar(around=with_store(refuse_many)) as running:
            assert await running.intake.turn() == 5

            assert saved == [1, 2, 3, 4, 5]
            assert site.bus.unsettled(INTAKE) == 0
            assert site.bus.dead_letters() == ()
            assert sorted(await states(site)) == [1, 2, 3, 4, 5]

    async def test_a_message_that_never_comes_first_is_handed_back_and_is_no_dead_letter(self, site: Site) -> None:
        await site.send(*innocent(3))
        async with site.sidecar(
            around=with_store(against(StaleVersionError("1 of 1 records were changed by another instance"), 2))
        ) as running:
            with pytest.raises(StaleVersionError):
                await running.intake.turn()

            assert site.bus.ready(INTAKE) == 2  # the one, and what came after it
            assert site.bus.unsettled(INTAKE) == 0
            assert site.bus.dead_letters() == ()
            assert sorted(await states(site)) == [1]


class TestDeadLetters:
    BROKEN = b"<sr:Request xmlns:sr='x'"

    async def test_what_cannot_be_decoded_is_recorded_with_all_that_is_known_of_it(self, site: Site) -> None:
        await site.send(self.BROKEN, *innocent(1))

        async with site.sidecar() as running:
            await running.intake.turn()

        letter = await site.records.dead_letter(message_key(self.BROKEN))
        assert letter is not None
        assert letter.body == self.BROKEN
        assert letter.reason.startswith("not well-formed")
        assert letter.offset is not None
        assert 0 < letter.offset <= len(self.BROKEN)
        assert (letter.source, letter.route, letter.region) == ("sr.request", "request.test", None)
        assert (letter.attempts, letter.first_seen, letter.last_seen) == (1, START, START)
        assert sorted(await states(site)) == [1]
        assert site.bus.ready(INTAKE) == site.bus.unsettled(INTAKE) == 0
        assert site.bus.dead_letters() == ()

    async def test_the_audit_chain_says_so_without_the_body(self, site: Site) -> None:
        await site.send(self.BROKEN)

        async with site.sidecar() as running:
            await running.intake.turn()

        (entry,) = [entry async for entry in site.audit.entries()]
        assert (entry.kind, entry.subject) == ("message.dead", message_key(self.BROKEN))
        assert '"route":"request.test"' in entry.body
        assert "sr:Request" not in entry.body

    async def test_seen_again_it_is_the_same_dead_letter(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.send(self.BROKEN, self.BROKEN)
            await running.intake.turn()
            site.clock.jump(after(hours=1))
            await site.send(self.BROKEN)
            await running.intake.turn()

        (letter,) = await site.records.dead_letters()
        assert (letter.attempts, letter.first_seen, letter.last_seen) == (3, START, after(hours=1))
        assert (await site.audit.head()).sequence == 1

    async def test_a_redelivery_counts_as_one_more_attempt(self, site: Site) -> None:
        async with site.sidecar() as running:
            await site.send(self.BROKEN)
            (delivery,) = await running.source.receive(1, timedelta(0))
            await running.source.requeue([delivery])
            await running.intake.turn()

        (letter,) = await site.records.dead_letters()
        assert letter.attempts == 1

    async def test_what_can_be_read_later_is_not_taken_for_a_duplicate_then(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / f"{ESME}-ds.pem").write_bytes(public_key())
        strict = LIVE.model_copy(update={"evidence": LIVE.evidence.model_copy(update={"keys_dir": tmp_path})})
        forged = encode_gbcs(replace(answer(request_id(1), MessageCode.CS03B, JoinResponse(code=0)), mac=None, signature=bytes(range(64))))
        await site.send(join_request(ESME, PPMID, 1), forged)
        async with site.sidecar(settings=strict) as running:
            await running.intake.turn()
            assert running.intake.totals == Taken(judged=1, dead=1)

        await site.send(forged)
        async with site.sidecar() as running:
            await running.intake.turn()

        assert await states(site) == {1: AttemptState.SUCCEEDED}


def public_key() -> bytes:
    key = generate_private_key(SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class TestBeingCurrent:
    async def test_it_is_not_before_the_first_turn_and_is_when_nothing_waits(self, site: Site) -> None:
        async with site.sidecar() as running:
            assert not running.intake.is_current

            await running.intake.turn()

            assert running.intake.is_current

    async def test_it_is_not_while_what_it_takes_is_old(self, site: Site) -> None:
        await site.send(join_request(ESME, PPMID))
        await site.clock.advance(by=CURRENT_WITHIN + timedelta(seconds=1))
        await site.send(join_answer(ESME))
        async with site.sidecar(limit=1) as running:
            await running.intake.turn()
            assert not running.intake.is_current

            await running.intake.turn()

            assert running.intake.is_current

    async def test_it_is_not_any_more_when_the_bus_is_away(self, site: Site) -> None:
        async with site.sidecar() as running:
            await running.intake.turn()
            running.source.close()

            with pytest.raises(TransportError):
                await running.intake.turn()

            assert not running.intake.is_current

    async def test_it_is_not_any_more_when_what_it_took_could_not_be_committed(self, site: Site) -> None:
        away = True

        def save(_: Changes) -> None:
            if away:
                raise StoreError("away")

        async with site.sidecar(around=with_store(save)) as running:
            await running.intake.turn()
            before = running.intake.is_current
            await site.send(join_request(ESME, PPMID))

            with pytest.raises(StoreError, match="away"):
                await waited_out(site, asyncio.create_task(running.intake.turn()))

            assert before
            assert not running.intake.is_current, "what it took says something that nobody has read"
            away = False
            await running.intake.turn()
            assert running.intake.is_current

    async def test_it_is_not_while_nobody_consumes(self, site: Site) -> None:
        class Away:
            """A source whose consumer is gone for the moment."""

            is_live = False

            def __init__(self, source: Source) -> None:
                self.receive, self.ack = source.receive, source.ack
                self.requeue, self.reject = source.requeue, source.reject

        async with site.sidecar(around=lambda parts: replace(parts, source=Away(parts.source))) as running:
            await running.intake.turn()

            assert not running.intake.is_current
