"""The funnel from lost to corrected: each lost answer is in it once, and what falls out is named."""

from __future__ import annotations

from itertools import pairwise

import pytest

from joinbridge.ops.account import Inventory, Mark, Story
from joinbridge.ops.drawing import BAR_LEFT, BAR_WIDTH, draw
from joinbridge.ops.funnel import Funnel, funnel
from joinbridge.ops.headline import headline, rest
from support.demo_reports import ANSWERED, LOG_LACKS, after, falsely_inferred, missed, proven, report, story, unresolved

ANSWER = proven(2, marks=(Mark(state="confirmed_late", at=after(hours=1), rules=(ANSWERED,)),))
REPEAT = proven(
    3,
    marks=(Mark(state="inferred_success", at=after(hours=1), rules=(ANSWERED,)),),
    corrected_at=None,
    inventory=Inventory.RIGHT,
)
DISPROVED = proven(4, code=4, marks=(Mark(state="disproved", at=after(hours=1), rules=(LOG_LACKS,)),), inventory=Inventory.RIGHT)
OPEN = proven(5, marks=(), proof_at=None, corrected_at=None, inventory=None)
OVERTAKEN = proven(6, marks=(), corrected_at=None, inventory=None)
STALE = proven(7, corrected_at=None, inventory=Inventory.WRONG)
NOT_LOST = story(8, refused="E19")
ALL = (proven(), unresolved(1), ANSWER, REPEAT, DISPROVED, OPEN, OVERTAKEN, STALE, NOT_LOST, missed(9), falsely_inferred(10))


def told(flow: Funnel) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    return {
        stage.label: ({part.label: part.count for part in stage.parts}, {part.label: part.count for part in stage.rest})
        for stage in flow.stages
    }


def test_each_stage_says_what_is_in_it_and_what_is_not() -> None:
    assert told(funnel(report(ALL))) == {
        "Answers lost": ({"lost": 10}, {}),
        "Evidence came": (
            {"from logs and alerts": 6, "from the answer, after all": 1, "from a Supplier's repeat": 1},
            {"never provable, with a person": 1, "never provable": 1},
        ),
        "Truth found": (
            {"joined": 4, "not carried out": 1},
            {"inferred falsely": 1, "proof missed": 1, "overtaken by an Unjoin": 1},
        ),
        "Inventory right": ({"corrected by joinbridge": 2, "right without it": 2}, {"still wrong": 1}),
    }


def test_nothing_gets_lost_between_the_stages() -> None:
    stages = funnel(report(ALL)).stages

    for before, stage in pairwise(stages):
        assert before.count == stage.count + sum(part.count for part in stage.rest), stage.label


def test_a_bar_is_as_long_as_its_share_of_what_was_lost() -> None:
    drawing = draw(funnel(report([proven(0), proven(1), proven(2), unresolved(3)])))

    assert [bar.width for bar in drawing.bars] == [BAR_WIDTH, BAR_WIDTH * 0.75, BAR_WIDTH * 0.75, BAR_WIDTH * 0.75]
    assert [bar.before for bar in drawing.bars] == [BAR_WIDTH, BAR_WIDTH, BAR_WIDTH * 0.75, BAR_WIDTH * 0.75]
    assert all(bar.segments[0].x == BAR_LEFT for bar in drawing.bars)


def test_even_one_of_a_thousand_can_be_seen() -> None:
    drawing = draw(funnel(report([*(proven(n) for n in range(999)), REPEAT])))

    assert drawing.bars[1].segments[-1].width == 3


class TestHeadline:
    @pytest.mark.parametrize(
        ("stories", "said"),
        [
            ([], "No answer to any of 1,258 joins was lost in two weeks, so there was nothing to find."),
            (
                [REPEAT],
                "1 of 1,258 join answers was lost in two weeks; joinbridge found the truth of it, with 0 false inferences.",
            ),
            (
                [proven(), proven(1)],
                (
                    "2 of 1,258 join answers were lost in two weeks; joinbridge found the truth of both, "
                    "with 0 false inferences, and spared GBP 4,000 of manual corrections."
                ),
            ),
            (
                [unresolved()],
                "1 of 1,258 join answers was lost in two weeks; joinbridge found the truth of none of them, with 0 false inferences.",
            ),
            (
                [proven(), falsely_inferred(1)],
                (
                    "2 of 1,258 join answers were lost in two weeks; joinbridge found the truth of 1, "
                    "but made 1 false inference, and spared GBP 2,000 of manual corrections."
                ),
            ),
            (
                [proven(lost_on=None, false=True, wrong=True)],
                "No answer to any of 1,258 joins was lost in two weeks, yet joinbridge made 1 false inference.",
            ),
        ],
        ids=["none lost", "one", "both", "none found", "false", "false without a loss"],
    )
    def test_it_says_what_was_lost_found_and_spared(self, stories: list[Story], said: str) -> None:
        account = report(stories)

        assert headline(account, funnel(account)) == said

    def test_the_rest_is_named_where_there_is_one(self) -> None:
        assert rest(funnel(report([proven()]))) == ""
        assert rest(funnel(report([proven(), unresolved(1), missed(2)]))) == "The rest: 1 never provable, with a person; 1 proof missed."
