"""At the very moment, and with half of what it takes: what infers nothing is what holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.order import closes, contradicts, may_come_after, newer, removals, shows_removal, survives
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.standing import Standing, stand
from joinbridge.core.verdict import Verdict, counted, reach
from joinbridge.core.vocabulary import SRV_UNJOIN_CRITICAL, Intent, JoinCode
from support.findings import absence, answer_to, context, finding, ordered, sent
from support.home import START, after, pair, request_id

POLICY = Policy()
JOIN, UNJOIN = sent(10), sent(10, Intent.UNJOIN)
TWO_DAYS = after(days=2)  # the command of a request at the start cannot be carried out any more


class TestWhatClosesAJoin:
    def test_the_time_for_an_answer_runs_anew_for_a_join_that_was_issued_again(self) -> None:
        again = replace(JOIN, retries=1, reissued_at=after(hours=1))

        assert not closes(absence(at=after(minutes=30)), again, context(again))
        assert closes(absence(at=after(hours=1, minutes=10)), again, context(again))

    def test_a_join_that_was_never_sent_is_closed_from_when_it_was_asked_for(self) -> None:
        transform = replace(JOIN, submitted_at=None)

        assert closes(absence(at=after(minutes=10)), transform, context(transform))
        assert not closes(absence(at=after(minutes=9)), transform, context(transform))


class TestWhatShowsARemoval:
    def test_the_answer_to_another_request_shows_none_by_itself(self) -> None:
        other = sent(9, Intent.UNJOIN, at=after(hours=-1))

        assert not shows_removal(answer_to(other, Polarity.NOT_JOINED, at=after(minutes=-30)), UNJOIN)

    def test_a_finding_that_speaks_of_the_request_and_is_no_answer_shows_none_by_itself(self) -> None:
        about_it = replace(absence(at=after(minutes=-30)), attempt=UNJOIN.request_id)

        assert not shows_removal(about_it, UNJOIN)

    def test_a_report_from_the_moment_of_the_request_shows_it(self) -> None:
        assert shows_removal(absence(at=after(minutes=1), earliest=after()), UNJOIN)

    def test_a_read_from_the_moment_of_the_request_shows_it_by_its_counter(self) -> None:
        critical = replace(UNJOIN, srv=SRV_UNJOIN_CRITICAL)

        assert shows_removal(absence(at=after(), order=ordered(11)), critical)
        assert not shows_removal(absence(at=after(seconds=-1), order=ordered(11)), critical)


class TestWhatMayStillCome:
    @pytest.mark.parametrize(("retries", "expected"), [(0, False), (1, True)])
    def test_a_join_that_was_answered_is_over_unless_it_was_issued_twice(self, retries: int, expected: bool) -> None:
        join = replace(JOIN, state=AttemptState.UNRESOLVED, answered_at=after(minutes=5), retries=retries)

        assert may_come_after(absence(at=after(minutes=1)), join, POLICY) is expected

    def test_a_join_that_nothing_was_heard_of_may_come_until_the_network_has_forgotten_it(self) -> None:
        assert may_come_after(absence(at=TWO_DAYS - timedelta(seconds=1)), JOIN, POLICY)
        assert not may_come_after(absence(at=TWO_DAYS), JOIN, POLICY)

    @pytest.mark.parametrize("state", [AttemptState.NOT_SENT, AttemptState.INFERRED_SUCCESS])
    def test_a_join_that_was_not_sent_or_is_proven_is_over(self, state: AttemptState) -> None:
        assert not may_come_after(absence(at=after(minutes=1)), replace(JOIN, state=state), POLICY)

    def test_a_join_with_a_lower_counter_than_one_that_was_carried_out_is_over(self) -> None:
        known = replace(JOIN, wire_key=request_id(10))

        assert not may_come_after(absence(at=after(minutes=1), order=ordered(11)), known, POLICY)
        assert may_come_after(absence(at=after(minutes=1), order=ordered(9)), known, POLICY)
        assert may_come_after(absence(at=after(minutes=1), order=ordered(11)), replace(known, retries=1), POLICY)


class TestWhichIsNewer:
    def test_an_answer_that_was_asked_for_when_another_was_given_is_not_certainly_newer(self) -> None:
        joined = answer_to(sent(1), Polarity.JOINED, at=after(minutes=5))
        gone = answer_to(sent(2, Intent.UNJOIN, at=after(minutes=5)), Polarity.NOT_JOINED, at=after(minutes=6))

        assert not newer(gone, joined)
        assert not newer(joined, gone)

    def test_an_answer_is_newer_than_a_log_that_may_have_been_read_at_that_moment(self) -> None:
        answer = answer_to(sent(1), Polarity.JOINED, at=after(minutes=5))

        assert newer(answer, absence(at=after(minutes=9), earliest=after(minutes=5)))
        assert not contradicts(absence(at=after(minutes=9), earliest=after(minutes=5)), answer)

    @pytest.mark.parametrize("clocks", [(True, False), (False, True)])
    def test_the_clock_of_a_device_orders_nothing_against_the_time_of_the_bus(self, clocks: tuple[bool, bool]) -> None:
        first = finding(at=after(minutes=10), earliest=after(), by_device_clock=clocks[0])
        second = absence(at=after(minutes=15), earliest=after(minutes=5), by_device_clock=clocks[1])

        assert not newer(second, first)

    @pytest.mark.parametrize("by_device_clock", [True, False])
    def test_of_two_findings_of_one_moment_neither_is_newer_nor_contradicts(self, by_device_clock: bool) -> None:
        there, gone = finding(at=after(), by_device_clock=by_device_clock), absence(at=after(), by_device_clock=by_device_clock)

        assert not newer(there, gone)
        assert not newer(gone, there)
        assert not contradicts(there, gone)
        assert not contradicts(gone, there)

    def test_what_was_true_from_the_moment_that_an_unjoin_is_over_does_not_certainly_survive_it(self) -> None:
        assert not survives(finding(at=TWO_DAYS), UNJOIN, context(UNJOIN))
        assert survives(finding(at=TWO_DAYS + timedelta(seconds=1)), UNJOIN, context(UNJOIN))


class TestWhatMustHaveBeenRemoved:
    BETWEEN = sent(10, Intent.UNJOIN, at=after(minutes=30))

    def test_nothing_where_the_entry_may_have_been_gone_at_the_moment_it_was_there(self) -> None:
        there, gone = finding(at=after()), absence(at=after(hours=1), earliest=after())

        assert removals([there, gone], context(self.BETWEEN)) == {}

    def test_a_later_sighting_of_the_entry_does_not_hide_an_earlier_one(self) -> None:
        late, early, gone = finding(at=after(hours=2)), finding(at=after()), absence(at=after(hours=1))

        assert removals([late, early, gone], context(self.BETWEEN)) == {self.BETWEEN.key: after(hours=1)}

    def test_an_unjoin_that_was_asked_for_later_has_not_done_it(self) -> None:
        later = sent(11, Intent.UNJOIN, at=after(hours=2))
        there, gone = finding(at=after()), absence(at=after(hours=1))

        assert removals([there, gone], context(self.BETWEEN, later)) == {self.BETWEEN.key: after(hours=1)}

    def test_nor_has_one_that_was_asked_for_at_that_very_moment(self) -> None:
        unjoin = sent(10, Intent.UNJOIN, at=after(hours=1))
        there, gone = finding(at=after()), absence(at=after(hours=1))

        assert removals([there, gone], context(unjoin)) == {}


class TestVerdict:
    RECORD = PairRecord(pair=pair(), since=START)

    def test_what_may_be_from_the_very_moment_a_device_left_does_not_count(self) -> None:
        left = replace(self.RECORD, expired_at=after(minutes=10))
        then, later = finding(at=after(minutes=10)), finding(at=after(minutes=11))

        assert counted([then, later], left) == (later,)

    def test_one_conclusive_finding_is_a_better_basis_than_two_newer_strong_ones(self) -> None:
        listed = finding(at=after(minutes=10))
        strong = [finding(grade=Grade.STRONG, at=after(minutes=20), rule=rule, message=rule) for rule in ("repeat-refused", "join-logged")]

        verdict = reach([listed, *strong], context(JOIN), self.RECORD)

        assert verdict.basis == (listed,)
        assert set(verdict.proofs) == {(listed,), tuple(strong)}

    def test_a_finding_from_the_earliest_moment_of_a_restore_answers_for_it(self) -> None:
        restored = replace(self.RECORD, restored_at=after(days=2))

        assert reach([finding(at=after())], context(), restored).joined
        assert reach([finding(at=after(seconds=-1))], context(), restored).joined is None

    def test_an_unjoin_that_nothing_was_heard_of_does_not_keep_a_pair_from_being_found_not_joined(self) -> None:
        failed, unjoin = replace(JOIN, state=AttemptState.REJECTED), sent(11, Intent.UNJOIN, at=after(hours=2))

        assert reach([absence(at=after(hours=1))], context(failed, unjoin), self.RECORD).joined is False


class TestStanding:
    LISTED = finding(at=after(minutes=10))
    GONE = absence(at=after(minutes=20))
    UNKNOWN = PairRecord(pair=pair(), since=START)
    DISPUTED = replace(UNKNOWN, state=PairState.DISPUTED, basis=(LISTED, GONE), disputed_at=after(minutes=20))

    def joined(self, *basis: Evidence) -> Verdict:
        return Verdict(joined=True, basis=basis, proofs=(basis,))

    def settled(self, listed: Evidence, *attempts: JoinAttempt) -> PairState:
        """Where a disputed pair stands that `listed` proves joined."""
        return stand(self.DISPUTED, self.joined(listed), [listed], context(JOIN, *attempts)).state

    def test_a_strong_finding_of_a_failed_join_is_enough_where_nothing_speaks_against_it(self) -> None:
        join = replace(sent(1, state=AttemptState.REJECTED), response_code=JoinCode.DEVICE_LOG_FULL)
        full = answer_to(join, Polarity.NOT_JOINED, at=after(minutes=1), grade=Grade.STRONG)

        assert stand(self.UNKNOWN, Verdict(), [full], context(join)) == Standing(state=PairState.NOT_JOINED, basis=(full,))

    def test_a_dispute_that_nothing_ends_keeps_both_its_sides(self) -> None:
        later = absence(at=after(hours=1))
        kept = Standing(state=PairState.DISPUTED, basis=(self.LISTED, self.GONE))

        assert stand(self.DISPUTED, Verdict(joined=False, basis=(later,)), [later], context(JOIN)) == kept
        assert stand(self.DISPUTED, Verdict(), [], context(JOIN)) == kept

    def test_an_unjoin_of_the_very_moment_explains_a_dispute(self) -> None:
        unjoin = sent(2, Intent.UNJOIN, at=after(minutes=20), state=AttemptState.SUCCEEDED)
        verdict = Verdict(joined=False, basis=(self.GONE,))

        assert stand(self.DISPUTED, verdict, [self.LISTED, self.GONE], context(JOIN, unjoin)).state is PairState.NOT_JOINED

    def test_proof_from_the_very_moment_of_a_dispute_does_not_end_it(self) -> None:
        asked_later = sent(2, at=after(minutes=30))

        assert self.settled(finding(at=after(hours=1), earliest=after(minutes=20)), asked_later) is PairState.DISPUTED
        assert self.settled(finding(at=after(hours=1), earliest=after(minutes=21)), asked_later) is PairState.INFERRED_SUCCESS

    def test_a_join_that_was_sent_at_the_very_moment_of_a_dispute_does_not_end_it(self) -> None:
        assert self.settled(finding(at=after(hours=1)), sent(2, at=after(minutes=20))) is PairState.DISPUTED

    def test_an_unjoin_that_is_asked_for_after_a_dispute_does_not_let_a_log_end_it_as_joined(self) -> None:
        assert self.settled(finding(at=after(days=9)), sent(2, Intent.UNJOIN, at=after(minutes=30))) is PairState.DISPUTED
