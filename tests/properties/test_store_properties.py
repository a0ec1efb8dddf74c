"""Properties of the store: nothing is lost in writing, no change to the audit chain goes unnoticed, the outbox keeps its order."""

from __future__ import annotations

import asyncio
import dataclasses
import types
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.effects import Effect, PublishEvent
from joinbridge.core.evidence import Evidence
from joinbridge.core.facts import DeviceDescription, Fact
from joinbridge.core.ids import COUNTER_MAX, Eui64
from joinbridge.core.pair import PairRecord
from joinbridge.errors import AuditError
from joinbridge.ports import AuditRecord, Changes, FailedTry
from joinbridge.store import codec
from joinbridge.store.audit import AuditEntry, ChainHead, extended, from_line, to_line, verify
from support.records import pair_of, update
from support.store import Instance, one_instance

pytestmark = pytest.mark.slow

T = TypeVar("T")

MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds the zone
EUIS = st.binary(min_size=8, max_size=8).map(lambda octets: Eui64(octets.hex("-").upper()))
LEAVES: dict[object, st.SearchStrategy[Any]] = {
    datetime: MOMENTS,
    Eui64: EUIS,
    int: st.integers(0, COUNTER_MAX),
    str: st.text(),
    bool: st.booleans(),
    types.NoneType: st.none(),
}


# Any: a type hint is any object, and so is what it describes.
@cache
def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return every value of a type of the core, made from the annotations: a field that is added is tested at once."""
    if hint in LEAVES:
        return LEAVES[hint]
    if get_origin(hint) in (Union, types.UnionType):
        return st.one_of(*map(values_of, get_args(hint)))
    if get_origin(hint) is tuple:
        first, *others = get_args(hint)
        if others == [...]:
            return st.lists(values_of(first), max_size=3).map(tuple)
        return st.tuples(*map(values_of, (first, *others)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(cast("type", hint), **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(hint)})
    return values_of(hint.__supertype__)  # a NewType


@pytest.mark.parametrize("kind", get_args(Fact), ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_fact_comes_back_as_it_was(kind: Any, data: st.DataObject) -> None:
    fact = data.draw(values_of(kind))

    again = codec.decode_fact(codec.fact_kind(fact), codec.encode(fact))

    assert again == fact
    assert type(again) is kind


@pytest.mark.parametrize("kind", get_args(Effect), ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_effect_comes_back_as_it_was(kind: Any, data: st.DataObject) -> None:
    effect = data.draw(values_of(kind))

    again = codec.decode_effect(codec.effect_kind(effect), codec.encode(effect))

    assert again == effect
    assert type(again) is kind
    if isinstance(effect, PublishEvent):
        assert type(cast("PublishEvent", again).state) is type(effect.state)


@pytest.mark.parametrize("kind", [JoinAttempt, PairRecord, Evidence, DeviceDescription], ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_record_comes_back_as_it_was(kind: Any, data: st.DataObject) -> None:
    record = data.draw(values_of(kind))

    assert codec.decode(kind, codec.encode(record)) == record


# The audit chain

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.builds(AuditRecord, at=MOMENTS, kind=st.text(), subject=st.text(), body=st.dictionaries(st.text(), JSON, max_size=3))
ALTERED: dict[str, Callable[[Any], Any]] = {
    "sequence": lambda value: value + 1,
    "at": lambda value: value + timedelta(microseconds=1),
    "kind": lambda value: value + "x",
    "subject": lambda value: value + "x",
    "body": lambda value: value + " ",
    "previous": lambda value: value[::-1] + "0",
    "digest": lambda value: value[1:] + "0x",
}


@given(records=st.lists(RECORDS, max_size=6), cut=st.integers(0, 6))
def test_a_chain_verifies_as_it_was_written_and_as_it_was_exported(records: list[AuditRecord], cut: int) -> None:
    first = extended(ChainHead(), records[:cut])
    chain = (*first, *extended(verify(first), records[cut:]))

    exported = [from_line(to_line(entry), sequence=entry.sequence) for entry in chain]

    assert tuple(exported) == chain
    assert verify(exported, verify(chain)).sequence == len(records)


@given(records=st.lists(RECORDS, min_size=1, max_size=6), data=st.data())
def test_any_single_change_to_a_chain_is_found(records: list[AuditRecord], data: st.DataObject) -> None:
    chain = list(extended(ChainHead(), records))
    head = verify(chain)
    place = data.draw(st.integers(0, len(chain) - 1))

    changed = data.draw(st.sampled_from([_altered, _deleted, _doubled, _swapped]))(chain, place, data)

    if changed != chain:
        with pytest.raises(AuditError) as caught:
            verify(changed, head)
        assert caught.value.sequence <= place + 2  # it is found where it is, or at the next link


def _altered(chain: list[AuditEntry], place: int, data: st.DataObject) -> list[AuditEntry]:
    name = data.draw(st.sampled_from(sorted(ALTERED)))
    # Any: the field's type depends on its name.
    change: dict[str, Any] = {name: ALTERED[name](getattr(chain[place], name))}
    return [*chain[:place], replace(chain[place], **change), *chain[place + 1 :]]


def _deleted(chain: list[AuditEntry], place: int, _: st.DataObject) -> list[AuditEntry]:
    return [*chain[:place], *chain[place + 1 :]]


def _doubled(chain: list[AuditEntry], place: int, _: st.DataObject) -> list[AuditEntry]:
    return [*chain[: place + 1], *chain[place:]]


def _swapped(chain: list[AuditEntry], place: int, _: st.DataObject) -> list[AuditEntry]:
    return [*chain[:place], *reversed(chain[place : place + 2]), *chain[place + 2 :]]


# The outbox


@dataclass
class Owed:
    """An effect as the reference model sees it."""

    key: str
    lane: int
    due_at: datetime
    tries: int = 0
    leased: bool = False
    done: bool = False


class OutboxMachine(RuleBasedStateMachine):
    """Any number of relays on one outbox, against a list."""

    owed = Bundle("owed")
    leases = Bundle("leases")  # when they end

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.model: list[Owed] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        self.instance: Instance = self.run(self.stack.enter_async_context(one_instance()))

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    @rule(target=owed, lanes=st.lists(st.integers(1, 3), min_size=1, max_size=3))
    def owe(self, lanes: list[int]) -> Any:
        effects = [update(f"e{len(self.model) + n}", pair_of(lane, 9)) for n, lane in enumerate(lanes)]
        self.run(self.instance.save(Changes(effects=effects)))
        now = self.instance.clock.now()
        self.model += [Owed(effect.key, lane, now) for effect, lane in zip(effects, lanes, strict=True)]
        return multiple(*(effect.key for effect in effects))

    @rule(key=owed, lane=st.integers(1, 3))
    def owe_again(self, key: str, lane: int) -> None:
        self.run(self.instance.save(Changes(effects=[update(key, pair_of(lane, 9))])))

    @rule(target=leases, limit=st.integers(1, 4), minutes=st.integers(1, 5))
    def lease(self, limit: int, minutes: int) -> datetime:
        now, length = self.instance.clock.now(), timedelta(minutes=minutes)

        leased = self.run(self.instance.outbox.lease(now, limit, length))

        expected = sorted((o for o in self.heads() if o.due_at <= now), key=lambda o: (o.due_at, self.model.index(o)))[:limit]
        expected.sort(key=self.model.index)
        assert [(each.effect.key, each.tries) for each in leased] == [(o.key, o.tries) for o in expected]
        for effect in expected:
            effect.due_at = now + length
            effect.tries += 1
            effect.leased = True
        return now + length

    @rule(keys=st.lists(owed, max_size=3), lease=leases)
    def settle(self, keys: list[str], lease: datetime) -> None:
        self.run(self.instance.outbox.settle(keys, self.instance.clock.now(), lease))
        for effect in self.held(keys, lease):
            effect.done = True

    @rule(key=owed, minutes=st.integers(1, 5), lease=leases)
    def postpone(self, key: str, minutes: int, lease: datetime) -> None:
        until = self.instance.clock.now() + timedelta(minutes=minutes)
        self.run(self.instance.outbox.postpone([FailedTry(key=key, until=until, error="it failed")], lease))
        for effect in self.held([key], lease):
            effect.due_at = until
            effect.leased = False

    @rule(minutes=st.integers(1, 5))
    def time_passes(self, minutes: int) -> None:
        self.run(self.instance.clock.advance(by=timedelta(minutes=minutes)))

    @invariant()
    def the_next_is_known(self) -> None:
        if self.model:
            due = [o.due_at for o in self.model if not o.done]
            assert self.run(self.instance.outbox.next_due()) == min(due, default=None)

    def held(self, keys: Sequence[str], lease: datetime) -> list[Owed]:
        """Those that are held by the lease that ends then."""
        return [o for o in self.model if o.key in keys and o.leased and not o.done and o.due_at == lease]

    def heads(self) -> list[Owed]:
        """The first of each lane that is not done."""
        waiting = [o for o in self.model if not o.done]
        return [o for n, o in enumerate(waiting) if o.lane not in {before.lane for before in waiting[:n]}]


TestOutboxAgainstAList = OutboxMachine.TestCase
# Each step is a transaction or two: a third of a second for a history, where other properties take a millisecond.
TestOutboxAgainstAList.settings = settings(max_examples=min(settings().max_examples, 50), stateful_step_count=30)
