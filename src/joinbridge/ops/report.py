"""The report of a run as one self-contained HTML page: what was lost, proven and saved, and whether anything was inferred falsely.

Pure: the same account always gives the same page. What the page says is decided here and in the modules beside this one; the template
only lays it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from joinbridge.ops import drawing, timeline
from joinbridge.ops.account import DemoReport, RuleText, Story
from joinbridge.ops.funnel import funnel
from joinbridge.ops.headline import headline, rest
from joinbridge.ops.story import Group, found_after, group, outcome, sentence
from joinbridge.ops.wording import exactly, moment, number, span, stretch

_LEGS: Mapping[str, tuple[str, str]] = {
    "radio": ("Radio of the home", "wrong"),
    "wan": ("Hub and wide-area network", "wrong"),
    "dsp": ("Inside the DSP", "wrong"),
    "user": ("Between DSP and User", "right; only the User is uninformed"),
    "bus": ("On the bus, corrupted", "right; only those who listen are uninformed"),
}
"""The legs of an answer's way (docs/domain.md, "Where answers get lost"), and what a loss there leaves in the SMI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRow:
    """How many answers one leg lost; `share` is in percent of the leg that lost most."""

    name: str
    inventory: str
    count: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule, and how many verdicts rest on it: of lost answers, and of all that the report tells."""

    rule: RuleText
    lost: int
    all: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryRow:
    """A line of the table of notable joins."""

    story: Story
    when: str
    sentence: str
    outcome: str
    failed: bool
    after: str
    rules: tuple[RuleText, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryGroup:
    """The lines under one heading."""

    group: Group
    rows: tuple[StoryRow, ...]

    @property
    def failed(self) -> int:
        """How many of them joinbridge got wrong or missed."""
        return sum(row.failed for row in self.rows)


def render(report: DemoReport) -> str:
    """Return the page. It loads nothing from anywhere, and holds no text that was not escaped."""
    stages = funnel(report)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            run=report.run,
            totals=report.totals,
            ledger=report.ledger,
            funnel=stages,
            drawing=drawing.draw(stages),
            geometry=drawing,
            headline=headline(report, stages),
            rest=rest(stages),
            legs=leg_rows(report),
            rules=rule_rows(report),
            timeline=timeline.timeline(report.stories),
            track=timeline.TRACK,
            row_height=timeline.ROW,
            timeline_width=timeline.WIDTH,
            legend=timeline.LEGEND,
            groups=story_groups(report),
            example=_example(report),
        )
    )


def leg_rows(report: DemoReport) -> tuple[LegRow, ...]:
    """Return the legs in the order of the answer's way."""
    by_leg = report.totals.lost_by_leg
    most = max((*by_leg.values(), 1))
    named = {**_LEGS, **{leg: (leg, "unknown") for leg in by_leg if leg not in _LEGS}}
    return tuple(
        LegRow(name=name, inventory=inventory, count=by_leg.get(leg, 0), share=round(100 * by_leg.get(leg, 0) / most, 1))
        for leg, (name, inventory) in named.items()
    )


def rule_rows(report: DemoReport) -> tuple[RuleRow, ...]:
    """Return the rules that a verdict rests on, by their rows."""
    of_all = Counter(rule for story in report.stories for rule in _rules_of(story))
    of_lost = Counter(rule for story in report.lost for rule in _rules_of(story))
    most = max((*of_lost.values(), 1))
    return tuple(
        RuleRow(rule=rule, lost=of_lost[rule], all=of_all[rule], share=round(100 * of_lost[rule] / most, 1))
        for rule in sorted(of_all, key=lambda rule: (rule.row, rule.name))
    )


def story_groups(report: DemoReport) -> tuple[StoryGroup, ...]:
    """Return the stories under their headings, those of each in the order of their requests."""
    rows: dict[Group, list[StoryRow]] = {}
    for story in sorted(report.stories, key=lambda each: (each.asked_at, each.request_id)):
        rows.setdefault(group(story), []).append(_row(story))
    return tuple(StoryGroup(group=each, rows=tuple(rows[each])) for each in Group if each in rows)


def _row(story: Story) -> StoryRow:
    after = found_after(story)
    return StoryRow(
        story=story,
        when=moment(story.asked_at),
        sentence=sentence(story),
        outcome=outcome(story),
        failed=story.missed or story.false or story.wrong,
        after="" if after is None else span(after),
        rules=_rules_of(story),
    )


def _rules_of(story: Story) -> tuple[RuleText, ...]:
    """Return the rules that the verdict rests on; for a failure, those that misled it."""
    return () if story.verdict is None else story.verdict.rules


def _example(report: DemoReport) -> str:
    """Return the RequestID that the page shows how to ask about: the first lost answer, or whatever there is."""
    return next((each.request_id for each in (*report.lost, *report.stories)), "REQUEST-ID")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("joinbridge.ops"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, moment=moment, exactly=exactly)
    environment.globals.update(stretch=stretch)
    return environment
