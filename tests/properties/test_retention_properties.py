"""Housekeeping against an estate that knows the truth: whatever was deleted, nothing that is said afterwards is wrong."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joinbridge.config import Retention
from joinbridge.core.pair import HELD_JOINED, PairState
from joinbridge.ports import Changes
from support.estate import Estate, Kind
from support.home import ESME, GPF, GSME, PPMID, described
from support.postgresql import run
from support.store import one_instance

pytestmark = pytest.mark.slow

KINDS = st.builds(
    Kind,
    target=st.sampled_from([ESME, GSME, GPF, PPMID]),
    commands=st.integers(1, 10),
    span_s=st.sampled_from([600.0, 7200.0, 48 * 3600.0]),
    unjoins=st.booleans(),
    loss=st.sampled_from([0.1, 0.3, 0.6]),
    lateness=st.sampled_from([0.05, 0.3]),
)
RETENTION = Retention()
LONG = RETENTION.evidence + timedelta(days=1)


async def keep_house(estate: Estate) -> int:
    """Let the estate's records grow old in a store, and delete from them what may be deleted; return how much that was."""
    world = estate.world
    estate.now += LONG
    world.now += LONG
    async with one_instance() as instance:
        kept = [(device, sighting) for device, sightings in world.ledger.items() for sighting in sightings]
        await instance.save(Changes(attempts=list(world.attempts.values()), pairs=list(world.pairs.values()), kept=kept))
        deleted = 0
        while not (part := await instance.housekeeping.prune(world.now, RETENTION)).done:
            deleted += part.ledger
        world.ledger = dict((await instance.load(*world.ledger)).ledger)
    return deleted + part.ledger


def lived(seed: int, kind: Kind) -> Estate:
    estate = Estate(Random(seed), kind)
    estate.live()
    estate.at_rest()
    assert not estate.problems, "\n".join(estate.story)
    return estate


@given(seed=st.integers(0, 2**32), kind=KINDS)
def test_an_estate_that_lives_on_after_its_old_records_are_gone_is_never_wrong(seed: int, kind: Kind) -> None:
    estate = lived(seed, kind)
    run(keep_house(estate))

    estate.live()
    estate.at_rest()

    assert not estate.problems, "\n".join(estate.story)


@given(seed=st.integers(0, 2**32), kind=KINDS)
def test_what_is_held_joined_or_disputed_stays_so_when_it_is_judged_again(seed: int, kind: Kind) -> None:
    estate = lived(seed, kind)
    firm = HELD_JOINED | {PairState.DISPUTED}
    before = {pair: record.state for pair, record in estate.world.pairs.items() if record.state in firm}

    run(keep_house(estate))
    estate.world.see(described(kind.target), source="sr.response")

    assert {pair: record.state for pair, record in estate.world.pairs.items() if record.state in firm} == before


def test_there_is_something_to_delete() -> None:
    assert any(run(keep_house(lived(seed, Kind(target=ESME, loss=0.6)))) for seed in range(20))
