"""Core values to JSON text and back, exactly: facts, effects, evidence, records.

A fact or effect is stored as its kind (the name of its class) and its fields; the other values have one class each. Times are written
in UTC to the microsecond, counters as whole numbers of any size.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, TypeVar, cast, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from joinbridge.core.effects import Effect, PublishEvent
from joinbridge.core.facts import Fact
from joinbridge.core.pair import PairState
from joinbridge.errors import StoreError, StoreRefusedError

T = TypeVar("T")

PAIR_EVENT = "PublishEvent.pair"
"""An event about a pair. Its states and an attempt's share names, so that the kind must say whose the state is."""


def encode(value: object) -> str:
    """Return `value`, a dataclass of the core, as JSON text.

    Raises: StoreRefusedError when it holds text that is not Unicode.
    """
    try:
        return _adapter(type(value)).dump_json(value).decode()
    except PydanticSerializationError as error:
        raise StoreRefusedError(f"a {type(value).__name__} cannot be written: {error}") from error


def decode(cls: type[T], text: str) -> T:
    """Return the `cls` that `encode` made `text` of.

    Raises: StoreError when the text is something else, as a newer version may have left it.
    """
    try:
        return _adapter(cls).validate_json(text)
    except ValidationError as error:
        raise StoreError(f"not a {cls.__name__} that this version can read: {error}") from error


def fact_kind(fact: Fact) -> str:
    """Return the kind under which `fact` is stored; its fields go through `encode`."""
    return type(fact).__name__


def decode_fact(kind: str, text: str) -> Fact:
    """Return the fact of `kind` that `encode` made `text` of.

    Raises: StoreError when either is unknown to this version.
    """
    cls = _facts().get(kind)
    if cls is None:
        raise StoreError(f"no fact that this version knows: {kind!r}")
    return decode(cls, text)


def effect_kind(effect: Effect) -> str:
    """Return the kind under which `effect` is stored; its fields go through `encode`."""
    if isinstance(effect, PublishEvent) and isinstance(effect.state, PairState):
        return PAIR_EVENT
    return type(effect).__name__


def decode_effect(kind: str, text: str) -> Effect:
    """Return the effect of `kind` that `encode` made `text` of.

    Raises: StoreError when either is unknown to this version.
    """
    if kind == PAIR_EVENT:
        event = decode(PublishEvent, text)
        return replace(event, state=PairState(event.state))
    cls = _effects().get(kind)
    if cls is None:
        raise StoreError(f"no effect that this version knows: {kind!r}")
    return decode(cls, text)


# Any: the value's type is tied to the key's, which no dict can say.
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(cls: type[T]) -> TypeAdapter[T]:
    """Return the adapter of `cls`, built when it is first needed: that takes some milliseconds."""
    adapter = _ADAPTERS.get(cls)
    if adapter is None:
        adapter = _ADAPTERS[cls] = TypeAdapter(cls)
    return adapter


@cache
def _facts() -> dict[str, type[Fact]]:
    return _by_name(Fact)


@cache
def _effects() -> dict[str, type[Effect]]:
    return _by_name(Effect)


# Any: a union of classes is an object that the type system has no name for.
def _by_name(union: Any) -> dict[str, Any]:
    return {cast("type", cls).__name__: cls for cls in get_args(union)}
