"""Crash points: all of them are enumerated, and a story that ends otherwise is noticed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from joinbridge.proving import crashing
from joinbridge.proving.crashing import CrashPoint, Mode, crash_everywhere, differences, end_state, slower
from joinbridge.proving.faults import FaultKind
from joinbridge.proving.history import History
from joinbridge.proving.scratch import own_scratch
from joinbridge.proving.stories import STORIES, Story, record, tell

SHORT = next(story for story in STORIES if story.name == "dead letters")


def test_a_tape_is_told_in_the_same_way_every_time() -> None:
    plan, tape = record(SHORT.seed, own_scratch())

    first, again = (tell(plan, tape, own_scratch()) for _ in range(2))

    assert first.trace.digest == again.trace.digest
    assert end_state(first.history) == end_state(again.history)
    assert first.weather.calls == again.weather.calls


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_each_story_shows_what_it_is_told_for_and_ends_well(story: Story) -> None:
    crashes = crash_everywhere(story, own_scratch(), every=1_000_000)

    assert crashes.open_ended == []
    assert crashes.broken == []


def test_a_point_is_before_after_or_within_a_call() -> None:
    kinds = {(point.call, mode): replace(point, mode=mode).fault.kind for point in points() for mode in Mode}

    assert kinds == {
        ("publish", Mode.BEFORE): FaultKind.CRASH_BEFORE,
        ("publish", Mode.AFTER): FaultKind.CRASH_AFTER,
        ("publish", Mode.TORN): FaultKind.CRASH_HALFWAY,
        ("commit", Mode.BEFORE): FaultKind.CRASH_BEFORE,
        ("commit", Mode.AFTER): FaultKind.CRASH_AFTER,
        ("commit", Mode.TORN): FaultKind.FAIL_AFTER,
    }


def points() -> list[CrashPoint]:
    return [CrashPoint(call=call, nth=1, mode=Mode.BEFORE) for call in ("publish", "commit")]


@pytest.mark.parametrize("every", [1, 3, 10, 30, 60])
def test_a_part_of_the_points_has_some_of_each_mode(every: int) -> None:
    modes = Counter(point.mode for point in crashing.points({"ack": 40, "commit": 50})[::every])

    assert modes.keys() == set(Mode)
    assert max(modes.values()) - min(modes.values()) <= 1


def test_an_end_that_is_another_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[History] = []

    def forgetful(history: History) -> dict[str, object]:
        told.append(history)
        return {"audit": Counter(["one"] if len(told) == 1 else ["another"])}

    monkeypatch.setattr(crashing, "end_state", forgetful)

    crashes = crash_everywhere(SHORT, own_scratch(), every=20)

    assert crashes.recovered == 0
    assert crashes.enumerated == len(crashes.broken) > 0
    assert not crashes.complete
    assert crashes.broken[0].wrong == ("audit differ: another: None became 1",)


@pytest.mark.slow
def test_who_starts_again_while_something_comes_ends_as_who_was_merely_slow() -> None:
    story = next(each for each in STORIES if each.name == "proof by a restored log")
    plan, tape = record(story.seed, own_scratch())
    undisturbed = tell(plan, tape, own_scratch())
    slow = [end_state(tell(plan, tape, own_scratch(), late=late).history) for late in slower(undisturbed.history, tape)]

    faults = [CrashPoint(call="due", nth=nth, mode=Mode.BEFORE).fault for nth in range(1, undisturbed.weather.calls["due"] + 1)]
    ends = [end_state(tell(replace(plan, schedule=(fault,)), tape, own_scratch()).history) for fault in faults]

    as_if_nothing_was = [differences(end_state(undisturbed.history), end) == [] for end in ends]
    as_if_it_was_slow = [any(differences(each, end) == [] for each in slow) for end in ends]
    assert not all(as_if_nothing_was)
    assert all(one or other for one, other in zip(as_if_nothing_was, as_if_it_was_slow, strict=True))


def test_a_story_that_no_longer_shows_its_thing_is_told() -> None:
    crashes = crash_everywhere(replace(SHORT, shows=lambda _: False), own_scratch(), every=1_000_000)

    assert crashes.open_ended == ["dead letters does not show what it is told for"]
    assert not crashes.complete
