"""Where a pair stands after a verdict: what was said before is never quietly overwritten."""

from __future__ import annotations

from dataclasses import replace

from joinbridge.core.attempt import AttemptState, Deadline, JoinAttempt, Purpose
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.standing import Standing, stand
from joinbridge.core.verdict import Verdict
from joinbridge.core.vocabulary import Intent, JoinCode
from support.findings import absence, answer_to, context, finding, sent, word
from support.home import START, after, pair

JOIN = sent(1, state=AttemptState.INFERRED_SUCCESS)
LISTED = finding(at=after(minutes=10))
GONE = absence(at=after(minutes=20))
NOTHING = Verdict()
UNKNOWN = PairRecord(pair=pair(), since=START)
INFERRED = replace(UNKNOWN, state=PairState.INFERRED_SUCCESS, basis=(LISTED,))
DISPUTED = replace(UNKNOWN, state=PairState.DISPUTED, basis=(LISTED, GONE), disputed_at=after(minutes=20))


def joined(*basis: Evidence) -> Verdict:
    return Verdict(joined=True, basis=basis, proofs=(basis,))


def not_joined(*basis: Evidence) -> Verdict:
    return Verdict(joined=False, basis=basis)


def refused(code: int, *, intent: Intent = Intent.JOIN) -> JoinAttempt:
    return replace(sent(1, intent, state=AttemptState.REJECTED), response_code=code)


def test_an_inference_makes_a_pair_inferred_and_an_answer_makes_it_joined() -> None:
    answer = answer_to(JOIN, Polarity.JOINED, at=after(minutes=5))

    assert stand(UNKNOWN, joined(LISTED), [LISTED], context(JOIN)) == Standing(state=PairState.INFERRED_SUCCESS, basis=(LISTED,))
    assert stand(UNKNOWN, joined(answer), [answer], context(JOIN)) == Standing(state=PairState.JOINED, basis=(answer,))


def test_proof_against_a_pair_that_was_not_held_joined_makes_it_not_joined() -> None:
    assert stand(UNKNOWN, not_joined(GONE), [GONE], context(JOIN)) == Standing(state=PairState.NOT_JOINED, basis=(GONE,))


def test_proof_against_what_was_inferred_disputes_it_and_keeps_both_sides() -> None:
    standing = stand(INFERRED, not_joined(GONE), [LISTED, GONE], context(JOIN))

    assert standing == Standing(state=PairState.DISPUTED, basis=(LISTED, GONE), contradicted=True)


def test_a_persons_word_against_what_was_inferred_is_final_and_counts_as_contradiction() -> None:
    said = word(Polarity.NOT_JOINED, at=after(minutes=30))

    standing = stand(INFERRED, not_joined(said), [LISTED, said], context(JOIN))

    assert standing == Standing(state=PairState.NOT_JOINED, basis=(said,), contradicted=True)


def test_an_unjoin_explains_why_the_entry_is_gone() -> None:
    unjoin = sent(2, Intent.UNJOIN, at=after(minutes=15), state=AttemptState.SUCCEEDED)

    standing = stand(INFERRED, not_joined(GONE), [LISTED, GONE], context(JOIN, unjoin))

    assert standing == Standing(state=PairState.NOT_JOINED, basis=(GONE,))


def test_a_dispute_outlives_proof_from_before_it_and_proof_that_nobody_asked_for() -> None:
    old = finding(at=after(minutes=15))
    unasked = finding(at=after(hours=1))

    assert stand(DISPUTED, joined(old), [old], context(JOIN)) == Standing(state=PairState.DISPUTED, basis=DISPUTED.basis)
    assert stand(DISPUTED, joined(unasked), [unasked], context(JOIN)).state is PairState.DISPUTED
    assert stand(DISPUTED, not_joined(absence(at=after(hours=1))), [GONE], context(JOIN)).state is PairState.DISPUTED
    assert stand(DISPUTED, NOTHING, [], context(JOIN)).state is PairState.DISPUTED


def test_a_dispute_without_a_date_is_settled_by_nothing() -> None:
    undated = replace(DISPUTED, disputed_at=None)

    standing = stand(undated, joined(word(Polarity.JOINED, at=after(hours=1))), [], context(JOIN))

    assert standing.state is PairState.DISPUTED


def test_a_persons_later_word_ends_a_dispute_either_way() -> None:
    yes, no = word(Polarity.JOINED, at=after(hours=1)), word(Polarity.NOT_JOINED, at=after(hours=1))

    assert stand(DISPUTED, joined(yes), [yes], context(JOIN)) == Standing(state=PairState.JOINED, basis=(yes,))
    assert stand(DISPUTED, not_joined(no), [no], context(JOIN)) == Standing(state=PairState.NOT_JOINED, basis=(no,))


def test_proof_of_a_new_join_ends_a_dispute() -> None:
    new_join = sent(2, at=after(minutes=30))

    listed = finding(at=after(hours=1))

    assert stand(DISPUTED, joined(listed), [listed], context(JOIN, new_join)).state is PairState.INFERRED_SUCCESS


def test_an_unjoin_that_was_asked_for_before_the_dispute_explains_it_afterwards() -> None:
    unjoin = sent(2, Intent.UNJOIN, at=after(minutes=15), state=AttemptState.SUCCEEDED)
    later = sent(3, Intent.UNJOIN, at=after(hours=1), state=AttemptState.SUCCEEDED)

    assert stand(DISPUTED, not_joined(GONE), [LISTED, GONE], context(JOIN, unjoin)).state is PairState.NOT_JOINED
    assert stand(DISPUTED, not_joined(GONE), [LISTED, GONE], context(JOIN, later)).state is PairState.DISPUTED


def test_a_dispute_that_is_explained_and_nothing_proven_leaves_the_pair_unknown() -> None:
    unjoin = sent(2, Intent.UNJOIN, at=after(minutes=15), state=AttemptState.SUCCEEDED)

    standing = stand(DISPUTED, NOTHING, [LISTED, GONE], context(JOIN, unjoin))

    assert standing == Standing(state=PairState.UNKNOWN, explained=True)


def test_an_inference_stands_while_its_basis_does() -> None:
    assert stand(INFERRED, NOTHING, [LISTED], context(JOIN)) == Standing(state=PairState.INFERRED_SUCCESS, basis=(LISTED,))


def test_an_inference_whose_basis_is_gone_is_disputed() -> None:
    standing = stand(INFERRED, NOTHING, [], context(JOIN))

    assert standing == Standing(state=PairState.DISPUTED, basis=(LISTED,), contradicted=True)


def test_a_finding_that_may_be_newer_shakes_an_inference_that_nothing_proves_any_more() -> None:
    unordered = absence(at=after(minutes=20), earliest=after(days=-1))
    older = absence(at=after(minutes=9), earliest=after(days=-1))

    assert stand(INFERRED, NOTHING, [LISTED, unordered], context(JOIN)).state is PairState.DISPUTED
    assert stand(INFERRED, NOTHING, [LISTED, older], context(JOIN)).state is PairState.INFERRED_SUCCESS


def test_a_strong_finding_shakes_two_strong_ones_but_not_a_conclusive_one() -> None:
    one = finding(grade=Grade.STRONG, at=after(minutes=10), rule="repeat-refused", message="one")
    two = finding(grade=Grade.STRONG, at=after(minutes=11), rule="join-logged", message="two")
    full = absence(grade=Grade.STRONG, at=after(minutes=20))

    assert stand(replace(INFERRED, basis=(one, two)), NOTHING, [one, two, full], context(JOIN)).state is PairState.DISPUTED
    assert stand(INFERRED, NOTHING, [LISTED, full], context(JOIN)).state is PairState.INFERRED_SUCCESS


def test_a_pair_with_an_unanswered_unjoin_is_pending_and_then_unknown() -> None:
    unjoin = sent(2, Intent.UNJOIN, at=after(minutes=15))

    assert stand(INFERRED, NOTHING, [LISTED], context(JOIN, unjoin)) == Standing(state=PairState.PENDING)
    given_up = replace(unjoin, state=AttemptState.UNRESOLVED)
    assert stand(INFERRED, NOTHING, [LISTED], context(JOIN, given_up)) == Standing(state=PairState.UNKNOWN)


def test_a_pair_of_a_device_that_left_is_unknown() -> None:
    assert stand(replace(INFERRED, expired_at=after(hours=1)), NOTHING, [LISTED], context(JOIN)).state is PairState.UNKNOWN


def test_a_case_keeps_a_pair_pending() -> None:
    final = Deadline(due_at=after(days=7), purpose=Purpose.FINAL, armed_in=AttemptState.NOT_SENT)
    refused_unjoin = replace(sent(2, Intent.UNJOIN, state=AttemptState.NOT_SENT), deadlines=(final,))

    assert stand(UNKNOWN, NOTHING, [], context(refused_unjoin)).state is PairState.PENDING


def test_a_refused_join_leaves_nothing_on_the_pair() -> None:
    join = refused(JoinCode.WRITE_FAILURE)
    refusal = answer_to(join, Polarity.ATTEMPT_FAILED, at=after(minutes=1))
    weak = replace(refusal, grade=Grade.AMBIGUOUS)

    assert stand(UNKNOWN, NOTHING, [refusal, weak, LISTED], context(join)) == Standing(state=PairState.NOT_JOINED, basis=(refusal,))


def test_a_refusal_because_of_an_existing_entry_leaves_the_pair_unknown() -> None:
    join = refused(JoinCode.INCOMPATIBLE_WITH_EXISTING_ENTRY)
    refusal = answer_to(join, Polarity.ATTEMPT_FAILED, at=after(minutes=1))

    assert stand(UNKNOWN, NOTHING, [refusal], context(join)).state is PairState.UNKNOWN


def test_a_refused_join_says_nothing_where_another_is_unproven_or_none_was_sent() -> None:
    join, unproven = refused(JoinCode.WRITE_FAILURE), sent(2, state=AttemptState.UNRESOLVED)
    refusal = answer_to(join, Polarity.ATTEMPT_FAILED, at=after(minutes=1))

    assert stand(UNKNOWN, NOTHING, [refusal], context(join, unproven)).state is PairState.UNKNOWN
    assert stand(UNKNOWN, NOTHING, [refusal], context(sent(3, state=AttemptState.NOT_SENT))).state is PairState.UNKNOWN
