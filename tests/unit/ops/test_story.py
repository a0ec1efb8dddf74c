"""One join in one sentence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from joinbridge.ops.account import Doing, Mark, Move, Story, Way
from joinbridge.ops.story import Group, found_after, group, outcome, sentence
from support.demo_reports import ANSWERED, LOG_LACKS, LOG_LISTS, after, falsely_inferred, missed, proven, story, unresolved

REPEAT = proven(marks=(Mark(state="inferred_success", at=after(hours=1), rules=(ANSWERED,)),), corrected_at=None)
REISSUED = proven(
    moves=(Move(doing=Doing.MISSED, at=after(minutes=4), reason="E21"), Move(doing=Doing.ASKED_AGAIN, at=after(minutes=5))),
    marks=(Mark(state="response_lost", at=after(minutes=4)), Mark(state="confirmed_late", at=after(minutes=6), rules=(ANSWERED,))),
    answered_at=after(minutes=6),
)
DISPROVED = proven(code=13, marks=(Mark(state="disproved", at=after(minutes=11), rules=(LOG_LACKS,)),), corrected_at=None)
EARLY = story(
    executed_at=after(seconds=2),
    code=0,
    answered_at=after(seconds=9),
    marks=(Mark(state="inferred_success", at=after(seconds=5), rules=(LOG_LISTS,)), Mark(state="succeeded", at=after(seconds=10))),
)
NEVER_SENT = story(refused="E19", marks=(Mark(state="not_sent", at=after(seconds=1)),))
LOST_COMMAND = story(command_lost=True, marks=(Mark(state="disproved", at=after(minutes=2)),))
TAKEN_BACK = proven(false=True, wrong=True, marks=(*proven().marks, Mark(state="unresolved", at=after(hours=1))))
UNJOIN = proven(unjoin=True, code=1, lost_on="dsp")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        pytest.param(
            proven(),
            "The ESME carried it out 2 s after the request; its answer was lost on the wide-area network; overdue after 10 min; "
            "the ESME's Device Log was asked for; proven joined; joinbridge put the inventory right.",
            id="proven",
        ),
        pytest.param(
            REISSUED,
            "The ESME carried it out 2 s after the request; its answer was lost on the wide-area network; the DSP reported no response "
            "(E21) after 4 min; the DSP was asked to issue it again; the answer came after all; joinbridge put the inventory right.",
            id="reissued",
        ),
        pytest.param(
            REPEAT,
            "The ESME carried it out 2 s after the request; its answer was lost on the wide-area network; overdue after 10 min; "
            "the ESME's Device Log was asked for; the Supplier asked anew, and the answer to that proved it joined.",
            id="repeated by the Supplier",
        ),
        pytest.param(
            DISPROVED,
            "The ESME refused it with code 13, no answer from the partner, 2 s after the request; its answer was lost on the wide-area "
            "network; overdue after 10 min; the ESME's Device Log was asked for; proven not carried out.",
            id="disproved",
        ),
        pytest.param(
            EARLY,
            "The ESME carried it out 2 s after the request; proven joined before the answer came; the answer agreed 5 s later.",
            id="proven before the answer",
        ),
        pytest.param(NEVER_SENT, "The DSP refused it with E19, and nothing was sent.", id="never sent"),
        pytest.param(LOST_COMMAND, "The command never reached the ESME; proven not carried out.", id="command lost"),
    ],
)
def test_a_story_tells_what_happened_in_its_order(told: Story, said: str) -> None:
    assert sentence(told) == said


def test_a_request_that_was_heard_late_says_so() -> None:
    assert "; the bus delivered the request itself only after 9 min; " in sentence(proven(heard_at=after(minutes=9)))
    assert "the bus delivered" not in sentence(proven(heard_at=after(seconds=59)))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (falsely_inferred(), "joinbridge inferred it falsely"),
        (TAKEN_BACK, "; joinbridge inferred it falsely, and took that back; the inventory was told so."),
        (missed(), "proof had been delivered, and joinbridge missed it"),
        (unresolved(), "nothing proved it either way, so a person decides"),
    ],
)
def test_a_failure_is_told_as_one(told: Story, said: str) -> None:
    assert said in sentence(told)


@pytest.mark.parametrize(
    ("told", "where", "said"),
    [
        (proven(), Group.LOST, "joined"),
        (REISSUED, Group.LOST, "joined"),
        (DISPROVED, Group.LOST, "not carried out"),
        (unresolved(), Group.LOST, "with a person"),
        (missed(), Group.LOST, "missed"),
        (falsely_inferred(), Group.LOST, "false inference"),
        (proven(wrong=True, marks=DISPROVED.marks), Group.LOST, "wrongly disproved"),
        (LOST_COMMAND, Group.LATE, "not carried out"),
        (EARLY, Group.EARLY, "joined"),
        (NEVER_SENT, Group.REFUSED, "never sent"),
        (story(marks=(Mark(state="rejected", at=after(seconds=3)),)), Group.REFUSED, "refused"),
        (story(), Group.REFUSED, "open"),
        (UNJOIN, Group.UNJOIN, "gone"),
    ],
)
def test_each_story_has_its_group_and_its_outcome(told: Story, where: Group, said: str) -> None:
    assert group(told) is where
    assert outcome(told) == said


def test_the_delay_is_that_from_the_loss_to_the_verdict() -> None:
    assert found_after(proven()) == timedelta(minutes=10, seconds=3)
    assert found_after(unresolved()) is None
    assert found_after(EARLY) is None


class TestVerdict:
    def test_it_is_the_first_mark_that_still_holds(self) -> None:
        later = Mark(state="confirmed_late", at=after(hours=2))

        told = proven(marks=(*proven().marks, later))

        assert told.verdict == proven().marks[-1]
        assert told.state == "confirmed_late"

    def test_a_doubt_takes_it_back_and_a_contrary_verdict_takes_its_place(self) -> None:
        doubt, no = Mark(state="unresolved", at=after(hours=1)), Mark(state="disproved", at=after(hours=2))

        assert proven(marks=(*proven().marks, doubt)).verdict is None
        assert proven(marks=(*proven().marks, no)).verdict == no

    def test_a_refusal_after_it_is_of_another_issue_of_the_command(self) -> None:
        refused = Mark(state="rejected", at=after(hours=1))

        told = proven(marks=(*proven().marks, refused))

        assert told.verdict == proven().marks[-1]
        assert "; a repeat of the command was refused 50 min later; " in sentence(told)

    @pytest.mark.parametrize(("told", "way"), [(proven(), Way.EVIDENCE), (REPEAT, Way.REPEAT), (REISSUED, Way.OWN_ANSWER)])
    def test_its_way_is_what_it_was_found_from(self, told: Story, way: Way) -> None:
        assert told.verdict is not None
        assert told.verdict.way is way
