"""The engine against an estate that knows the truth: nothing is ever inferred, or corrected, that is not so.

To look longer: `HYPOTHESIS_PROFILE=ci python -m pytest tests/properties/test_engine_truth.py`, or raise `max_examples` there.
"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from joinbridge.core.pair import HELD_JOINED
from support.estate import Estate, Kind
from support.home import ESME, GPF, GSME, PPMID

SEEDS = st.integers(0, 2**32)
KINDS = st.builds(
    Kind,
    target=st.sampled_from([ESME, GSME, GPF, PPMID]),
    commands=st.integers(1, 12),
    span_s=st.sampled_from([600.0, 7200.0, 6 * 3600.0, 48 * 3600.0]),
    unjoins=st.booleans(),
    loss=st.sampled_from([0.1, 0.3, 0.6]),
    lateness=st.sampled_from([0.05, 0.3, 0.6]),
    calm=st.booleans(),
)


def lived(seed: int, kind: Kind) -> Estate:
    """Live through the history of that kind and seed."""
    estate = Estate(Random(seed), kind)
    estate.live()
    estate.at_rest()
    return estate


@given(seed=SEEDS, kind=KINDS)
def test_no_pair_is_ever_held_joined_that_is_not_and_at_rest_the_inventory_agrees(seed: int, kind: Kind) -> None:
    estate = lived(seed, kind)

    assert not estate.problems, "\n".join(estate.story)


@given(seed=SEEDS)
def test_where_the_order_is_clear_and_nothing_is_lost_every_join_is_found(seed: int) -> None:
    estate = lived(seed, Kind(target=ESME, unjoins=False, loss=0.0, calm=True))

    found = {pair for pair, record in estate.world.pairs.items() if record.state in HELD_JOINED}
    assert found == set(estate.joined), "\n".join(estate.story)


@given(seed=SEEDS, kind=KINDS)
def test_the_same_history_is_always_decided_in_the_same_way(seed: int, kind: Kind) -> None:
    first, again = lived(seed, kind), lived(seed, kind)

    assert (first.world.attempts, first.world.pairs, first.world.effects) == (again.world.attempts, again.world.pairs, again.world.effects)
