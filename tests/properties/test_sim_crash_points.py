"""Every crash point of the reference stories, or a part of them: after each the invariants hold, and the end is the same."""

from __future__ import annotations

import pytest

from joinbridge.proving.crashing import crash_everywhere
from joinbridge.proving.scratch import own_scratch
from joinbridge.proving.stories import STORIES, Story

EVERY = 10


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(STORIES)), ids=[story.name for story in STORIES])
def test_a_story_ends_the_same_wherever_it_is_interrupted(number: int) -> None:
    crashes = crash_everywhere(STORIES[number], own_scratch(), every=EVERY, first=number % EVERY)

    assert crashes.broken == []
    assert crashes.open_ended == []
    assert crashes.enumerated == crashes.reached == crashes.recovered > 0


@pytest.mark.slow
def test_of_the_shortest_story_every_crash_point_is_told() -> None:
    crashes = crash_everywhere(shortest(), own_scratch())

    assert crashes.complete
    assert crashes.by_mode["before"] == crashes.by_mode["after"] == crashes.by_mode["torn"]


def shortest() -> Story:
    return next(story for story in STORIES if story.name == "dead letters")
