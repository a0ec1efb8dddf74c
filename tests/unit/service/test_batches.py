"""However a history is cut into batches, the same comes out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joinbridge.core.case import Case, Decision
from joinbridge.core.facts import DeviceDescription
from joinbridge.core.ids import CommandKey
from joinbridge.core.vocabulary import DeviceType
from joinbridge.service.working_set import WorkingSet
from support.home import CAD, ESME, GPF, GSME, PPMID, START, SUPPLIER, after, request_id
from support.messages import (
    acknowledgement,
    device_log,
    gpf_report,
    inventory_answer,
    join_answer,
    join_request,
    unjoin_answer,
    unjoin_request,
)
from support.records import attempt, finding, pair_record, sighting, update
from support.sidecar import a_site

HISTORY = (
    inventory_answer(PPMID, ESME, GPF, GSME),
    join_request(PPMID, ESME, 1),
    acknowledgement(request_id(1, target=PPMID)),
    join_request(GPF, CAD, 2),
    acknowledgement(request_id(1, target=PPMID), "E21"),
    gpf_report([CAD], after(minutes=1)),
    device_log(CommandKey(SUPPLIER, PPMID, 10), [ESME]),
    unjoin_request(GPF, CAD, 3),
    unjoin_answer(GPF, 3),
    join_answer(PPMID, 1),
    join_request(ESME, PPMID, 4),
    join_answer(ESME, 4, code=3),
)

# Versions count commits, and the keys of effects carry them.
VERSIONED = {
    "attempts": ("version", "record"),
    "pairs": ("version", "record"),
    "outbox": ("id", "key", "record"),
    "audit": ("subject", "previous", "digest"),
    "audit_head": ("digest",),
    "ledger": ("id",),
    "device_versions": ("version",),
}


async def left_by(cuts: Sequence[int]) -> Mapping[str, object]:
    """Return what the history leaves behind when it comes in batches of these sizes, and the rest at once."""
    async with a_site() as site, site.sidecar() as running:
        await site.send(*HISTORY)
        for limit in cuts:
            deliveries = await running.source.receive(limit, timedelta(0))
            if deliveries:
                await running.step.take(deliveries)
                await running.source.ack(deliveries)
        await running.sidecar.settle()
        tables = await site.contents(without=VERSIONED)
        states = [(a.request_id, a.intent, a.state, a.response_code, a.deadlines) for a in await site.records.attempts()]
        bases = [(p.pair, p.state, p.basis) for p in await site.records.pairs()]
        ledger = sorted(tables["ledger"], key=lambda row: str(row["device"]))  # each device's own in the order of arrival
        return {**tables, "ledger": ledger, "states": states, "bases": bases, "inventory": site.inventory.changes}


@cache
def left_by_one_batch() -> Mapping[str, object]:
    return asyncio.run(left_by([]))


@pytest.mark.slow
@settings(max_examples=15)
@given(cuts=st.lists(st.integers(1, 5), min_size=1, max_size=len(HISTORY)))
def test_the_records_are_the_same_however_messages_are_grouped(cuts: Sequence[int]) -> None:
    assert asyncio.run(left_by(cuts)) == left_by_one_batch()


class TestWorkingSet:
    @pytest.fixture
    def case(self) -> Case:
        pair = pair_record()
        asked = attempt(pair.pair.target, pair.pair.other)
        return Case(
            attempts={asked.key: asked},
            pairs={pair.pair: pair},
            ledger={pair.pair.target: (sighting("m1"),)},
            devices={pair.pair.other: DeviceDescription(pair.pair.other, DeviceType.PPMID)},
        )

    def test_a_decision_sees_the_devices_it_touches_and_their_partners(self, case: Case) -> None:
        (pair,) = case.pairs
        working = WorkingSet(case)

        assert working.case([pair.target]) == case
        assert working.case([pair.other]) == case
        assert working.case([CAD]) == Case()

    def test_a_decision_sees_what_those_before_it_changed(self, case: Case) -> None:
        (pair,) = case.pairs
        asked = attempt(pair.target, CAD, counter=2)
        working = WorkingSet(case)

        working.apply(Decision(attempts=(asked,), kept=((pair.target, sighting("m2")),)))

        seen = working.case([CAD])
        assert asked.key in seen.attempts
        assert [kept.key for kept in seen.ledger[pair.target]] == ["m1", "m2"]

    def test_an_attempt_without_another_device_has_no_partner(self) -> None:
        asked = attempt(ESME, CAD)
        working = WorkingSet(Case())

        working.apply(Decision(attempts=(type(asked)(request_id=asked.request_id, intent=asked.intent, requested_at=START),)))

        assert list(working.case([ESME]).attempts) == [asked.key]

    def test_only_what_changed_is_written_and_the_last_word_of_each(self, case: Case) -> None:
        (pair,) = case.pairs
        working = WorkingSet(case)
        first, second = finding(pair, says="first"), finding(pair, says="second")

        working.apply(Decision(evidence=(first,), effects=(update("u1"),)))
        working.apply(Decision(evidence=(second,), effects=(update("u2"),), surprises=("oh",)))
        changes = working.changes(withheld=True, audit=())

        assert [*changes.attempts, *changes.pairs, *changes.kept, *changes.devices] == []
        assert changes.evidence == (second,)
        assert [effect.key for effect in changes.effects] == ["u1", "u2"]
        assert changes.withheld
        assert working.surprises == ["oh"]
        assert not working.shakes_rules
