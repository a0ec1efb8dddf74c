"""What the audit chain is told of a decision."""

from __future__ import annotations

import json
from dataclasses import replace

from joinbridge.core.attempt import AttemptState, LossTrigger
from joinbridge.core.case import Case, Contradiction, Decision, Explanation
from joinbridge.core.evidence import Grade
from joinbridge.core.pair import PairState
from joinbridge.ports import AuditRecord
from joinbridge.service.audit import record_of_letter, records_of
from support.records import NOON, attempt, dead_letter, event, finding, pair_of, pair_record, update

ASKED = attempt()
JOIN = f"{ASKED.request_id}/join"


def told(decision: Decision, case: Case | None = None, *, withheld: bool = False) -> list[AuditRecord]:
    return list(records_of(case or Case(), decision, NOON, withheld=withheld))


def test_a_new_attempt() -> None:
    (record,) = told(Decision(attempts=(ASKED,)))

    assert (record.at, record.kind, record.subject) == (NOON, "attempt.changed", JOIN)
    assert record.body == {"from": None, "to": "requested", "other": ASKED.other, "response_code": None, "lost_because": None}


def test_an_attempt_that_moves() -> None:
    case = Case(attempts={ASKED.key: ASKED})
    lost = replace(ASKED, state=AttemptState.RESPONSE_LOST, lost_because=LossTrigger.E21)

    (record,) = told(Decision(attempts=(lost,)), case)

    assert (record.body["from"], record.body["to"], record.body["lost_because"]) == ("requested", "response_lost", "E21")


def test_an_attempt_that_stays_where_it_is_is_not_told() -> None:
    case = Case(attempts={ASKED.key: ASKED})

    assert told(Decision(attempts=(replace(ASKED, probes=1),)), case) == []


def test_a_pair_with_the_evidence_it_rests_on() -> None:
    before, found = pair_record(), finding(grade=Grade.STRONG)
    case = Case(pairs={before.pair: before})

    (record,) = told(Decision(pairs=(replace(before, state=PairState.INFERRED_SUCCESS, basis=(found,)),)), case)

    assert (record.kind, record.subject) == ("pair.changed", str(before.pair))
    assert (record.body["from"], record.body["to"]) == ("pending", "inferred_success")
    assert record.body["basis"] == [
        {
            "row": found.row,
            "rule": found.rule,
            "version": 1,
            "polarity": "joined",
            "grade": "strong",
            "at": NOON.isoformat(),
            "message": "m1",
        }
    ]


def test_a_pair_that_rests_on_something_else_now_is_told_and_one_that_does_not_is_not() -> None:
    before = pair_record(state=PairState.JOINED, basis=(finding(),))
    case = Case(pairs={before.pair: before})

    assert [r.kind for r in told(Decision(pairs=(replace(before, basis=(finding(message="m2"),)),)), case)] == ["pair.changed"]
    assert told(Decision(pairs=(replace(before, held=True),)), case) == []


def test_effects_are_owed_or_withheld_and_events_repeat_nothing() -> None:
    decision = Decision(effects=(update("u1"), event("e1")))

    assert [(r.kind, r.subject, r.body) for r in told(decision)] == [("effect.owed", "u1", {"effect": "UpdateInventory"})]
    assert [r.kind for r in told(decision, withheld=True)] == ["effect.withheld"]


def test_contradictions_and_surprises() -> None:
    contradiction = Contradiction(rule="gpf-log-lists", pair=pair_of(), at=NOON, says="newer proof")

    first, second = told(Decision(contradictions=(contradiction,), surprises=("who would have thought",)))

    assert (first.kind, first.subject) == ("rule.contradicted", str(pair_of()))
    assert first.body == {"rule": "gpf-log-lists", "says": "newer proof"}
    assert (second.kind, second.subject, second.body) == ("surprise", "", {"says": "who would have thought"})


def test_what_explains_a_contradiction_is_told_with_the_moment_from_which_on_it_does() -> None:
    [record] = told(Decision(explanations=(Explanation(rule="gpf-log-lists", pair=pair_of(), since=NOON),)))

    assert (record.kind, record.subject, record.body) == (
        "rule.explained",
        str(pair_of()),
        {"rule": "gpf-log-lists", "since": NOON.isoformat()},
    )


def test_a_dead_letter_is_told_without_its_body() -> None:
    letter = dead_letter()

    record = record_of_letter(letter, NOON)

    assert (record.kind, record.subject) == ("message.dead", letter.key)
    assert record.body == {"reason": "not XML", "offset": 2, "route": "request.8.7.2", "source": "sr.request"}


def test_everything_told_is_plain_json() -> None:
    decision = Decision(
        attempts=(replace(ASKED, lost_because=LossTrigger.DEADLINE),),
        pairs=(pair_record(basis=(finding(),)),),
        effects=(update(),),
        contradictions=(Contradiction(rule="r", pair=pair_of(), at=NOON, says="s"),),
        surprises=("s",),
    )

    for record in told(decision):
        assert json.loads(json.dumps(record.body)) == record.body
