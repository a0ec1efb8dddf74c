"""What the codec promises beside the round trip, which is a property (tests/properties)."""

from __future__ import annotations

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.effects import PublishEvent
from joinbridge.core.facts import DeviceRetired
from joinbridge.core.pair import PairState
from joinbridge.errors import StoreError, StoreRefusedError
from joinbridge.store import codec
from support.records import NOON, attempt, event, pair_of, request, sighting, update


def test_a_state_that_pairs_and_attempts_share_stays_whose_it_was() -> None:
    of_pair = event(state=PairState.INFERRED_SUCCESS, pair=pair_of())
    of_attempt = event(state=AttemptState.INFERRED_SUCCESS, request_id=request(pair_of().target))

    for effect, state in ((of_pair, PairState), (of_attempt, AttemptState)):
        again = codec.decode_effect(codec.effect_kind(effect), codec.encode(effect))
        assert again == effect
        assert isinstance(again, PublishEvent)
        assert type(again.state) is state


def test_the_kind_of_a_fact_is_its_class() -> None:
    assert codec.fact_kind(sighting().fact) == "GpfLogReported"
    assert codec.effect_kind(update()) == "UpdateInventory"


def test_what_this_version_does_not_know_is_an_error_of_the_store() -> None:
    with pytest.raises(StoreError, match="NewFact"):
        codec.decode_fact("NewFact", "{}")
    with pytest.raises(StoreError, match="NewEffect"):
        codec.decode_effect("NewEffect", "{}")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key":"k"}', codec.encode(update())])
def test_text_that_is_something_else_is_an_error_of_the_store(text: str) -> None:
    with pytest.raises(StoreError, match="JoinAttempt"):
        codec.decode(JoinAttempt, text)


def test_text_that_is_not_unicode_is_refused_for_good() -> None:
    with pytest.raises(StoreRefusedError, match="DeviceRetired"):
        codec.encode(DeviceRetired(device=pair_of().target, reason="\ud800"))


def test_moments_are_written_to_the_microsecond() -> None:
    assert f'"requested_at":"{NOON:%Y-%m-%dT%H:%M:%S}.123456Z"' in codec.encode(attempt())
