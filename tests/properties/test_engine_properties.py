"""Whatever arrives, in whatever order and however often: the engine is total, idempotent and keeps its promises."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from joinbridge.core.case import Decision
from joinbridge.core.effects import ProbeDeviceLog, ReissueJoin, UpdateInventory
from joinbridge.core.facts import DeviceAlerted, DeviceRetired, Fact, HubExchanged, HubLogReported, Sighting
from joinbridge.core.ids import DeviceId, MessageKey
from joinbridge.core.pair import HELD_JOINED, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import AlertCode, Cra, Intent, MessageCode
from support import home
from support.world import World

TARGETS = st.sampled_from([home.GPF, home.ESME])
OTHERS = st.sampled_from([home.CAD, home.PPMID])
REMOTES = st.sampled_from([home.SUPPLIER, home.OTHER_SUPPLIER])
COUNTERS = st.integers(1, 4)
MOMENTS = st.integers(0, 10 * 24 * 60).map(lambda minutes: home.after(minutes=minutes)) | st.integers(0, 240).map(
    lambda minutes: home.after(minutes=minutes)
)
LISTS = st.lists(OTHERS, unique=True, max_size=2)


@st.composite
def facts_about(draw: st.DrawFn, target: DeviceId, at: datetime) -> Fact:
    """A fact about one target, near `at`: which of its counters and which of its two partners is chance."""
    counter, by, other = draw(COUNTERS), draw(REMOTES), draw(OTHERS)
    fronted_as = draw(st.none() | COUNTERS)
    told_at = draw(st.none() | st.just(at) | MOMENTS)
    alert = draw(st.sampled_from([AlertCode.JOIN_SUCCEEDED, AlertCode.JOIN_FAILED, AlertCode.DEVICE_COMMISSIONED]))
    choices: list[Fact] = [
        home.join(counter, target=target, other=other, by=by, fronted_as=fronted_as, submitted=draw(st.booleans())),
        home.join(counter, target=target, other=other, by=by, srv="8.7.1", local_only=draw(st.booleans())),
        home.unjoin(counter, target=target, other=other, by=by, fronted_as=fronted_as),
        home.acknowledged(counter, draw(st.sampled_from(["I99", "E5", "E20", "E21", "E080801"])), target=target, by=by),
        home.answered(
            counter, draw(st.sampled_from([0, 0, 3, 4, 5])), target=target, by=by, fronted_as=fronted_as, message_code=MessageCode.CS03A1
        ),
        home.unjoin_answered(counter, draw(st.sampled_from([0, 1, 2])), target=target, by=by, fronted_as=fronted_as),
        home.log_read(counter, *draw(LISTS), target=target, by=by, fronted_as=fronted_as, failed=draw(st.booleans())),
        home.probed(at, *draw(LISTS), target=target),
        home.gpf_log(told_at, *draw(LISTS), target=target),
        home.security_log((told_at or at, alert), target=target),
        home.discarded(counter, draw(st.sampled_from([Cra.COMMAND, Cra.RESPONSE])), target=target, by=by),
        HubLogReported(device=home.CHF, device_time=told_at, entries=((other, draw(st.booleans())),)),
        DeviceAlerted(
            device=target, code=draw(st.sampled_from([AlertCode.JOIN_SUCCEEDED, AlertCode.DEVICE_COMMISSIONED])), device_time=told_at
        ),
        home.decided(draw(st.booleans()), target=target, other=other),
        home.described(target, other),
        HubExchanged(old_chf=home.CHF, new_chf=home.NEW_CHF, old_gpf=target, new_gpf=home.NEW_GPF),
        DeviceRetired(device=draw(st.sampled_from([target, other])), reason="withdrawn"),
    ]
    return draw(st.sampled_from(choices))


@st.composite
def histories(draw: st.DrawFn) -> list[Sighting]:
    """A history of one target with two others and two remotes, shuffled and with repetitions."""
    target = draw(TARGETS)
    moments = draw(st.lists(MOMENTS, min_size=1, max_size=12))
    sources = st.sampled_from(["sr.response", "sr.response", "csp.alert", "somewhere"])
    story = [
        Sighting(fact=draw(facts_about(target, at)), key=MessageKey(f"message-{number}"), at=at, source=draw(sources))
        for number, at in enumerate(sorted(moments))
    ]
    repeated = draw(st.lists(st.sampled_from(story), max_size=4))
    return draw(st.permutations([*story, *repeated]) | st.just([*story, *repeated]))


def promises_are_kept(world: World, _: Decision) -> None:
    """Check what must hold after every decision."""
    for attempt in world.attempts.values():
        assert attempt.retries <= max(world.policy.max_retries, 1)  # one may be the DSP's own
        assert attempt.probes <= world.policy.max_probes
        in_a_case = attempt.intent is Intent.UNJOIN
        assert not attempt.deadlines or attempt.is_open or in_a_case
    for record in world.pairs.values():
        assert record.state not in HELD_JOINED or record.basis
        assert not any(e.shadow for e in record.basis)
        assert (record.state is PairState.DISPUTED) == (record.disputed_at is not None)


def told(history: list[Sighting], policy: Policy | None = None) -> World:
    world = World(policy=policy or Policy(), checks=[promises_are_kept])
    for sighting in history:
        world.deliver(sighting)
    return world


@given(histories())
def test_no_history_breaks_a_promise_even_after_every_deadline(history: list[Sighting]) -> None:
    world = told(history)

    world.tick(world.policy.final_wait * 3)

    assert world.next_deadline() is None
    assert not any(attempt.is_open for attempt in world.attempts.values() if attempt.submitted_at is not None)
    keys = Counter(e.key for e in world.owed(UpdateInventory))
    assert all(count == 1 for count in keys.values())
    reissued = Counter(e.request_id for e in world.owed(ReissueJoin))
    assert all(count <= world.policy.max_retries for count in reissued.values())
    assert len(world.owed(ProbeDeviceLog)) <= world.policy.max_probes * len(world.attempts)


@given(histories())
def test_the_same_sighting_at_once_again_changes_nothing(history: list[Sighting]) -> None:
    world = told(history)

    again = world.deliver(history[-1])

    assert (again.attempts, again.pairs, again.kept, again.effects, again.devices) == ((), (), (), (), ())


@given(histories())
def test_evidence_that_is_told_again_is_not_kept_twice_and_moves_no_pair(history: list[Sighting]) -> None:
    world = told(history)
    states = {pair: record.state for pair, record in world.pairs.items()}
    ledger = dict(world.ledger)

    kept = {sighting.key for sightings in ledger.values() for sighting in sightings}
    for sighting in history:
        if sighting.key in kept:
            world.deliver(sighting)

    assert {pair: record.state for pair, record in world.pairs.items()} == states
    assert world.ledger == ledger


@given(histories())
def test_nothing_is_inferred_of_a_home_whose_every_producer_is_untrusted(history: list[Sighting]) -> None:
    world = told(history, Policy(trusted_sources=frozenset()))

    assert not any(record.state in HELD_JOINED for record in world.pairs.values())
    assert not any(update.joined for update in world.owed(UpdateInventory))
