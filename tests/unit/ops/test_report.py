"""The page of a demo: what it says, that it says it safely, and that it needs nothing but itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from lxml import etree

from joinbridge.ops.account import DemoReport, Story
from joinbridge.ops.report import leg_rows, render, rule_rows, story_groups
from joinbridge.ops.story import Group
from support.demo_reports import ANSWERED, LOG_LISTS, falsely_inferred, missed, proven, report, story, unresolved
from support.page import Page, of_class, parse

FUNNEL, TIMELINE = of_class("funnel", "svg"), of_class("timeline", "svg")
EVERYTHING = (proven(), unresolved(1), missed(2), falsely_inferred(3), story(4, refused="E19"), story(5, unjoin=True, lost_on="dsp"))


def page_of(account: DemoReport) -> Page:
    return parse(render(account))


@pytest.mark.parametrize("stories", [(), EVERYTHING, [proven(n) for n in range(100)]], ids=["nothing", "everything", "many"])
class TestWhateverHappened:
    def test_every_drawing_is_well_formed_by_itself(self, stories: tuple[Story, ...]) -> None:
        page = render(report(stories))

        drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)

        assert drawings
        for drawing in drawings:
            assert etree.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg"

    def test_the_page_needs_nothing_from_anywhere(self, stories: tuple[Story, ...]) -> None:
        page = page_of(report(stories))

        assert not page.all("//script | //link | //img | //iframe | //object")
        assert not page.values("//@src | //@srcset | //@*[starts-with(name(), 'on')]")
        assert all(target.startswith("#") for target in page.values("//@href"))
        assert "url(" not in render(report(stories))
        assert "@import" not in render(report(stories))

    def test_every_link_within_the_page_leads_somewhere_and_no_name_is_given_twice(self, stories: tuple[Story, ...]) -> None:
        page = page_of(report(stories))

        names = page.values("//@id")

        assert len(names) == len(set(names))
        assert {target.removeprefix("#") for target in page.values("//@href")} <= set(names)

    def test_the_same_account_gives_the_same_page(self, stories: tuple[Story, ...]) -> None:
        assert render(report(stories)) == render(report(stories))

    def test_it_says_where_it_comes_from_and_how_to_look_further(self, stories: tuple[Story, ...]) -> None:
        said = page_of(report(stories, seed=77)).one("//footer").text

        assert "Seed 77" in said
        assert "23,456 heard, of which 15,000" in said
        assert "Dead letters 25" in said
        for command in ("joins", "explain", "dead-letters list", "audit verify"):
            assert re.search(rf"joinbridge {command} (\S+ )?--database sqlite:///out/demo\.db", said), command


def test_the_headline_gives_the_numbers_in_one_sentence() -> None:
    account = report([proven(n) for n in range(41)])

    assert page_of(account).one("//h1").text == (
        "41 of 1,258 join answers were lost in two weeks; joinbridge found the truth of all 41, "
        "with 0 false inferences, and spared GBP 82,000 of manual corrections."
    )


def test_where_nothing_was_lost_it_says_so_and_draws_nothing_of_it() -> None:
    page = page_of(report())

    assert "No answer to any of 1,258 joins was lost" in page.one("//h1").text
    assert "so there was nothing to prove" in page.text
    assert not page.all(FUNNEL)
    assert not page.all(TIMELINE)


def test_the_funnel_says_what_became_of_those_that_fell_out() -> None:
    page = page_of(report([*(proven(n) for n in range(5)), unresolved(5), missed(6)]))

    funnel = page.one(FUNNEL).text

    for said in ("7 Answers lost", "6 Evidence came", "5 Truth found", "5 Inventory right", " 1 never provable", " 1 proof missed"):
        assert said in funnel


class TestFalseInferences:
    def test_none_is_shown_as_none_in_green(self) -> None:
        page = page_of(report([proven()]))

        assert not page.all(of_class("alarm"))
        assert not page.all(of_class("some"))
        assert [cell.text for cell in page.all(of_class("none", "td"))] == ["0 none wrong", "0 none wrong"]

    def test_each_is_shown_in_red_with_its_count_wherever_it_counts(self) -> None:
        page = page_of(report([proven(), falsely_inferred(1), falsely_inferred(2)]))

        assert "2 false inferences" in page.one(of_class("alarm")).text
        assert page.one(of_class("some", "td")).text == "2 wrong"
        assert "but made 2 false inferences" in page.one("//h1").text
        assert "2 false inferences" in page.one("//head/title").text
        assert [each.text for each in page.all(of_class("bad", "dd"))] == ["2"]

    def test_the_joins_concerned_are_marked_in_the_drawing_and_in_the_table(self) -> None:
        page = page_of(report([proven(), falsely_inferred(1)]))

        assert page.values(f"{TIMELINE}//@href").count("#s-wrong") == 1
        assert "false inference" in page.one(of_class("failed", "tr")).text

    def test_they_do_not_count_as_truth_found(self) -> None:
        page = page_of(report([falsely_inferred()]))

        assert "0 Truth found" in page.one(FUNNEL).text
        assert "1 inferred falsely" in page.one(FUNNEL).text


def test_what_comes_from_outside_is_escaped() -> None:
    nasty = "<script>alert('&\"')</script>"
    account = report([proven(request_id=nasty, target_type=nasty, lost_on=nasty)], scenario_says=nasty)
    account = replace(account, run=replace(account.run, scenario=nasty, database=nasty))

    page = render(account)

    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;&amp;&#34;&#39;)&lt;/script&gt;" in page
    assert nasty in page_of(account).text


def test_a_long_timeline_ends_with_how_many_it_leaves_out_and_the_table_has_all() -> None:
    page = page_of(report([proven(n) for n in range(73)]))

    assert page.values(f"{TIMELINE}//@href").count("#s-asked") == 60
    assert "13 more lost joins are not drawn" in page.text
    assert len(page.all(of_class("verdict", "td"))) == 73


def test_every_symbol_in_use_has_its_place_in_the_legend() -> None:
    page = page_of(report(EVERYTHING))

    assert set(page.values(f"{TIMELINE}//@href")) <= set(page.values(f"{of_class('legend', 'ul')}//@href"))


class TestTables:
    def test_a_rule_is_counted_once_for_each_verdict_that_rests_on_it(self) -> None:
        late = proven(1, lost_on=None, answered_at=proven(1).asked_at)
        account = report([proven(), late])

        [row] = rule_rows(account)

        assert (row.rule, row.lost, row.all, row.share) == (LOG_LISTS, 1, 2, 100)

    def test_rules_stand_by_their_rows(self) -> None:
        by_answer = replace(proven(1), marks=(replace(proven(1).marks[-1], rules=(ANSWERED,)),))

        assert [each.rule.row for each in rule_rows(report([proven(), by_answer]))] == [1, 5]

    def test_every_leg_is_listed_in_the_order_of_the_way_even_one_that_nobody_knows(self) -> None:
        account = report([proven(), proven(1, lost_on="user"), proven(2, lost_on="user")])
        strange = replace(account, totals=replace(account.totals, lost_by_leg={**account.totals.lost_by_leg, "pigeon": 4}))

        assert [(row.count, row.share) for row in leg_rows(account)] == [(0, 0), (1, 50), (0, 0), (2, 100), (0, 0)]
        assert [(row.name, row.count) for row in leg_rows(strange)][-1] == ("pigeon", 4)

    def test_groups_with_failures_are_open_and_the_others_but_the_first_closed(self) -> None:
        unjoin = replace(falsely_inferred(3), unjoin=True)
        page = page_of(report([proven(), story(1, refused="E19"), unjoin]))

        opened = {each.one("./summary").text.split(":")[0]: "open" in each.root.attrib for each in page.all("//details")}

        assert opened == {"Answer lost": True, "Refused, or never sent": False, "Unjoins": True}

    def test_stories_stand_in_the_order_of_their_requests(self) -> None:
        [lost] = story_groups(report([proven(2), proven(0), proven(1)]))

        assert lost.group is Group.LOST
        assert [row.when for row in lost.rows] == ["2 Mar 00:00", "2 Mar 00:01", "2 Mar 00:02"]
        assert [row.after for row in lost.rows] == ["10 min"] * 3
