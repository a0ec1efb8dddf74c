"""Topic patterns, and what a message is by its route."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joinbridge.bus.topics import Binding, Origin, estate_bindings, find_origin

WORDS = ["", "a", "bb", "8F12", "a+b"]


def fits(pattern: str, route: str) -> bool:
    return Binding(exchange="x", pattern=pattern).fits("x", route)


@pytest.mark.parametrize(
    ("pattern", "route"),
    [
        ("#", ""),
        ("#", "a"),
        ("#", "a.b.c"),
        ("a.#", "a"),
        ("a.#", "a.b.c"),
        ("#.c", "c"),
        ("#.c", "a.b.c"),
        ("a.#.c", "a.c"),
        ("a.#.#.c", "a.b.b.c"),
        ("*", "a"),
        ("*.8F12", "north.8F12"),
        ("a.b", "a.b"),
        ("", ""),
    ],
)
def test_a_pattern_takes_the_routes_it_describes(pattern: str, route: str) -> None:
    assert fits(pattern, route)


@pytest.mark.parametrize(
    ("pattern", "route"),
    [
        ("*", ""),
        ("*", "a.b"),
        ("a.#", "ab"),
        ("a.#", "b.a"),
        ("a.*", "a"),
        ("*.8F12", "north.8F12.more"),
        ("a.b", "axb"),
        ("", "a"),
    ],
)
def test_a_pattern_leaves_all_other_routes(pattern: str, route: str) -> None:
    assert not fits(pattern, route)


def reference(pattern: list[str], route: list[str]) -> bool:
    """The definition, word by word."""
    match pattern:
        case []:
            return not route
        case ["#", *rest]:
            return any(reference(rest, route[skipped:]) for skipped in range(len(route) + 1))
        case [word, *rest]:
            return bool(route) and word in ("*", route[0]) and reference(rest, route[1:])
        case _:
            return False


@given(
    st.lists(st.sampled_from(["*", "#", *WORDS[1:]]), min_size=1, max_size=5),
    st.lists(st.sampled_from(WORDS[1:]), max_size=5),
)
def test_patterns_mean_what_their_definition_says(pattern: list[str], route: list[str]) -> None:
    assert fits(".".join(pattern), ".".join(route)) == reference(pattern, route)


def test_a_binding_is_for_one_exchange_only() -> None:
    assert not Binding(exchange="x", pattern="#").fits("y", "a")


def test_the_first_binding_that_fits_says_what_a_message_is() -> None:
    bindings = [Binding(exchange="x", pattern="a.*", source="first"), Binding(exchange="x", pattern="#", source="second")]

    assert find_origin(bindings, "x", "a.b") == Origin("first")
    assert find_origin(bindings, "x", "b.b") == Origin("second")
    assert find_origin(bindings, "y", "a.b") is None


def test_without_a_source_of_its_own_a_message_is_named_after_its_exchange() -> None:
    assert Binding(exchange="joinbridge.commands", pattern="#").origin("retry.join") == Origin("joinbridge.commands")


def test_a_route_that_is_too_short_names_no_region() -> None:
    binding = Binding(exchange="x", pattern="#", source="csp.alert", region_word=1)

    assert binding.origin("8F12") == Origin("csp.alert")
    assert binding.origin("8F12.north") == Origin("csp.alert", "north")


def test_the_exchanges_of_the_estate_can_have_other_names() -> None:
    bindings = estate_bindings(requests="sr", alerts="al")

    assert find_origin(bindings, "sr", "response.8.9") == Origin("sr.response")
    assert find_origin(bindings, "al", "south.81C0") == Origin("csp.alert", "south")
    assert find_origin(bindings, "dsp.sr", "response.8.9") is None
