"""What the evidence about one pair proves, taken together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from joinbridge.core.attempt import AttemptState
from joinbridge.core.evidence import Evidence, Grade, Mode, Polarity
from joinbridge.core.facts import Sighting
from joinbridge.core.ids import MessageKey
from joinbridge.core.pair import PairRecord
from joinbridge.core.policy import Policy
from joinbridge.core.verdict import Verdict, collect, counted, reach
from joinbridge.core.vocabulary import Intent
from support.findings import absence, answer_to, context, finding, sent, word
from support.home import CAD, PPMID, START, acknowledged, after, described, log_read, pair

RECORD = PairRecord(pair=pair(), since=START)
STRONG = finding(grade=Grade.STRONG, at=after(minutes=10), rule="repeat-refused", message="one")
SECOND = finding(grade=Grade.STRONG, at=after(minutes=20), rule="join-logged", message="two")


def seen(message: str, minutes: int, *listed: str) -> Sighting:
    fact = log_read(20 + minutes, *(CAD for _ in listed))
    return Sighting(fact=fact, key=MessageKey(message), at=after(minutes=minutes), source="sr.response")


def test_the_rules_findings_are_collected_oldest_first() -> None:
    ledger = [
        seen("late", 10, "cad"),
        seen("early", 5),
        Sighting(fact=acknowledged(1), key=MessageKey("says nothing"), at=after(), source="sr.response"),
        Sighting(fact=described(PPMID), key=MessageKey("no rule reads it"), at=after(), source="sr.response"),
    ]

    found = collect(ledger, context(sent(1)))

    assert [(e.message, e.polarity) for e in found] == [("early", Polarity.NOT_JOINED), ("late", Polarity.JOINED)]


def test_what_a_rule_in_shadow_finds_is_recorded_but_does_not_count() -> None:
    policy = Policy(rule_modes={"device-log-lists": Mode.SHADOW})

    found = collect([seen("read", 5, "cad")], context(sent(1), policy=policy))

    assert [e.shadow for e in found] == [True]
    assert counted(found, RECORD) == ()


def test_evidence_from_before_the_device_left_does_not_count() -> None:
    before, since = finding(at=after(minutes=1)), finding(at=after(minutes=3))
    left = replace(RECORD, expired_at=after(minutes=2))

    assert counted([before, since], left) == (since,)
    assert counted([before, since], RECORD) == (before, since)


def test_nothing_is_proven_without_evidence() -> None:
    verdict = reach([], context(sent(1)), RECORD)

    assert verdict == Verdict()
    assert verdict.earliest is None
    assert not verdict.by_answer


def test_one_conclusive_finding_proves_the_join() -> None:
    listed = finding(at=after(minutes=10), earliest=after(minutes=8))

    verdict = reach([listed], context(sent(1)), RECORD)

    assert (verdict.joined, verdict.basis, verdict.earliest) == (True, (listed,), after(minutes=8))
    assert not verdict.by_answer


def test_the_devices_own_answer_is_the_basis_rather_than_an_inference() -> None:
    join = sent(1)
    listed, answer = finding(at=after(minutes=10)), answer_to(join, Polarity.JOINED, at=after(minutes=5))

    verdict = reach([answer, listed], context(join), RECORD)

    assert (verdict.joined, verdict.basis) == (True, (answer,))
    assert verdict.by_answer
    assert set(verdict.proofs) == {(answer,), (listed,)}


def test_two_independent_strong_findings_prove_the_join() -> None:
    verdict = reach([STRONG, SECOND], context(sent(1)), RECORD)

    assert (verdict.joined, verdict.basis) == (True, (STRONG, SECOND))


@pytest.mark.parametrize(
    "found",
    [
        [STRONG],
        [STRONG, replace(SECOND, family=STRONG.family)],
        [STRONG, replace(SECOND, message=STRONG.message)],
        [STRONG, replace(SECOND, grade=Grade.CORROBORATING), replace(SECOND, grade=Grade.CORROBORATING, message=MessageKey("three"))],
        [finding(Polarity.NEITHER)],
    ],
    ids=["one", "one family", "one message", "only corroborated", "speaks for neither"],
)
def test_less_than_two_independent_strong_findings_prove_nothing(found: list[Evidence]) -> None:
    assert reach(found, context(sent(1)), RECORD) == Verdict()


def test_a_strong_finding_against_it_stops_two_strong_ones_but_not_a_conclusive_one() -> None:
    full = absence(grade=Grade.STRONG, at=after(minutes=15))
    listed = finding(at=after(minutes=10))

    couple = reach([STRONG, SECOND, full], context(sent(1)), RECORD)
    conclusive = reach([listed, full], context(sent(1)), RECORD)

    assert couple == Verdict()
    assert conclusive.joined is True


def test_a_finding_from_before_every_request_answers_nothing() -> None:
    early = finding(at=after(hours=-1))

    assert reach([early], context(sent(1)), RECORD) == Verdict()


def test_a_join_that_was_never_sent_raises_no_question_but_a_refused_unjoin_does() -> None:
    listed = finding(at=after(minutes=10))
    never_sent = sent(1, state=AttemptState.NOT_SENT)
    refused_unjoin = sent(2, Intent.UNJOIN, state=AttemptState.NOT_SENT)
    sent_unjoin = sent(3, Intent.UNJOIN, state=AttemptState.DISPROVED)

    assert reach([listed], context(never_sent), RECORD) == Verdict()
    assert reach([listed], context(sent_unjoin), RECORD) == Verdict()
    assert reach([listed], context(refused_unjoin), RECORD).joined is True


def test_a_persons_word_needs_no_question() -> None:
    said = word(Polarity.JOINED, at=after(minutes=10))

    verdict = reach([said], context(), RECORD)

    assert (verdict.joined, verdict.by_answer) == (True, True)


def test_a_restored_pair_is_a_question_without_a_request() -> None:
    restored = replace(RECORD, restored_at=after(days=3))

    listed = finding(at=after(days=2))
    much_older = finding(at=after(hours=1))

    assert reach([listed], context(), restored).joined is True
    assert reach([much_older], context(), restored) == Verdict()


def test_a_newer_absence_proves_not_joined() -> None:
    listed, gone, still_gone = finding(at=after(minutes=10)), absence(at=after(minutes=20)), absence(at=after(minutes=30))

    verdict = reach([listed, gone, still_gone], context(sent(1)), RECORD)

    assert (verdict.joined, verdict.basis) == (False, (still_gone,))


def test_findings_in_no_order_prove_nothing() -> None:
    listed = finding(at=after(minutes=20), earliest=after(minutes=5))

    gone = absence(at=after(minutes=25), earliest=after(minutes=6))

    assert reach([listed, gone], context(sent(1)), RECORD) == Verdict()


def test_an_absence_from_before_an_unproven_join_proves_nothing() -> None:
    first, second = sent(1, state=AttemptState.REJECTED), sent(2, at=after(hours=1))

    gone = absence(at=after(minutes=30))

    assert reach([gone], context(first, second), RECORD) == Verdict()
    assert reach([gone], context(first, replace(second, submitted_at=None)), RECORD).joined is False


def test_a_finding_that_an_unjoin_may_have_undone_proves_nothing() -> None:
    listed = finding(at=after(minutes=10))

    assert reach([listed], context(sent(1), sent(2, Intent.UNJOIN)), RECORD) == Verdict()
