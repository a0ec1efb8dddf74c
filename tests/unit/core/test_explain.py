"""What `explain` says of a join: what decided, what was missing, what would change the answer."""

from __future__ import annotations

import pytest

from joinbridge.core.attempt import AttemptKey, Purpose
from joinbridge.core.explain import Explanation, explain
from joinbridge.core.ids import Eui64
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import Intent
from support import home
from support.home import CAD, ESME, OTHER_SUPPLIER, PPMID, SUPPLIER, after, answered, decided, join, log_read, request_id, unjoin
from support.world import World

UNDONE_BY_AN_UNJOIN = "an Unjoin that is carried out makes the pair not joined"
NO_MORE_IN_THE_LOG = "a newer CS07 read or 8071 without the other device, with no Unjoin to account for it, makes the pair disputed"


def explained(world: World, counter: int, intent: Intent = Intent.JOIN) -> Explanation:
    found = explain(world.case([ESME]), AttemptKey(request_id(counter), intent), world.policy)
    assert found is not None
    return found


def test_an_attempt_that_nobody_knows_has_no_explanation() -> None:
    assert explain(World().case([ESME]), AttemptKey(request_id(1), Intent.JOIN), Policy()) is None


def test_a_request_that_names_no_other_device_says_that_this_is_missing() -> None:
    world = World()
    world.see(join(1, other=None))

    found = explained(world, 1)

    attempt = world.attempt(request_id(1))
    assert found == Explanation(
        attempt=attempt,
        record=None,
        evidence=(),
        decided_by=(),
        missing=("the other device: no message that was seen names it",),
        would_change=(),
        next_deadline=attempt.deadlines[0],
    )


def test_a_join_without_any_evidence_says_what_would_prove_it() -> None:
    world = World()
    world.see(join(1))

    found = explained(world, 1)

    assert found.decided_by == ()
    assert found.missing == (f"proof: a read of the Device Log of {ESME} (CS07), the GPF's own 8071 if it is one, or the answer itself",)
    assert found.would_change == (f"a CS07 read of {ESME} that lists {CAD}, or does not",)
    assert found.next_deadline is not None
    assert found.next_deadline.purpose is Purpose.ANSWER


def test_an_inferred_join_names_the_evidence_it_rests_on() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(2, CAD), at=after(hours=3))

    found = explained(world, 1)

    assert [e.row for e in found.decided_by] == [5]
    assert found.missing == ()
    assert found.would_change == (
        UNDONE_BY_AN_UNJOIN,
        NO_MORE_IN_THE_LOG,
        "the answer itself, if it still comes, turns the inference into a confirmation",
    )


def test_an_explanation_has_the_records_and_all_of_the_evidence() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(2, CAD), at=after(hours=3))
    decision = world.see(answered(1, 2), at=after(hours=4))

    found = explained(world, 1)

    assert (found.attempt, found.record) == (world.attempt(request_id(1)), world.pairs[home.pair()])
    assert found.evidence == decision.evidence
    assert [e.row for e in found.evidence] == [5, 15]


def test_a_confirmed_join_does_not_wait_for_its_answer() -> None:
    world = World()
    world.see(join(1))
    world.see(answered(1), at=after(minutes=1))

    found = explained(world, 1)

    assert found.would_change == (UNDONE_BY_AN_UNJOIN, NO_MORE_IN_THE_LOG)


def test_one_strong_finding_says_that_a_second_one_is_missing() -> None:
    world = World()
    world.see(join(1))
    world.see(join(2), at=after(hours=2))
    world.see(answered(2, 3), at=after(hours=2, minutes=1))

    found = explained(world, 1)

    assert found.missing == (
        "row 12 (repeat-refused, 2025-06-15 17:01:00Z) is strong but not enough alone: a second, independent finding, or a conclusive one",
    )


@pytest.mark.parametrize("by", [SUPPLIER, OTHER_SUPPLIER], ids=["by its counter", "by time"])
def test_proof_that_is_older_than_the_request_is_named_as_such(by: Eui64) -> None:
    world = World()
    world.see(log_read(1, CAD, by=by))
    world.see(join(2), at=after(hours=2))

    found = explained(world, 2)

    assert found.missing == ("row 5 (device-log-lists, 2025-06-15 15:00:00Z) is older than every request for this join",)


def test_proof_that_waits_for_a_type_says_so() -> None:
    world = World(policy=Policy(needs_type=True))
    world.see(join(1))
    world.see(log_read(2, CAD), at=after(hours=2))

    found = explained(world, 1)

    assert found.missing == (
        f"row 5 (device-log-lists, 2025-06-15 17:00:00Z) counts when the type of {CAD} is known: the entry may be of another one",
    )
    assert found.would_change == (
        f"the type of {CAD}, from an answer to a Read Inventory (SRV 8.2) or from the table of devices",
        f"a CS07 read of {ESME} that does not list {CAD}",
    )


def test_proof_that_an_unanswered_unjoin_may_have_undone_is_named_as_such() -> None:
    world = World()
    world.see(join(1))
    world.see(unjoin(20), at=after(minutes=5))
    world.see(log_read(10, CAD), at=after(minutes=8))

    found = explained(world, 1)

    listed, removal = "row 5 (device-log-lists, 2025-06-15 15:08:00Z)", f"the Unjoin {request_id(20)}"
    assert found.missing == (f"{listed} is not certainly from after {removal}, which may have been carried out",)


def test_proof_that_contradicts_other_proof_is_named_as_such() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(30, PPMID), at=after(hours=2))
    world.see(join(40), at=after(hours=3))
    world.see(log_read(20, CAD), at=after(hours=4))

    found = explained(world, 40)

    listed, lacking = "row 5 (device-log-lists, 2025-06-15 19:00:00Z)", "row 6 (device-log-lacks, 2025-06-15 17:00:00Z)"
    assert found.missing == (f"{listed} is not certainly newer than {lacking}, which says the opposite",)


def test_a_join_that_is_disproved_says_what_would_bring_it_back() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(2, PPMID), at=after(hours=3))

    found = explained(world, 1)

    assert [e.row for e in found.decided_by] == [6]
    assert found.missing == ()
    assert found.would_change == ("a newer answer, CS07 read or 8071 that shows the entry",)


def test_a_dispute_says_who_can_end_it() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(2, CAD), at=after(hours=3))
    world.see(log_read(3, PPMID), at=after(hours=6))

    found = explained(world, 1)

    assert world.state(home.pair()) == "disputed"
    assert found.would_change == ("a person's decision, or proof from after a Join that is asked for from now on",)


def test_a_persons_decision_is_evidence_too() -> None:
    world = World()
    world.see(join(1))
    world.see(decided(joined=True), at=after(days=8))

    found = explained(world, 1)

    assert [e.rule for e in found.decided_by] == ["person-decided"]


def test_what_does_not_stand_against_a_proof_is_not_named() -> None:
    world = World()
    world.see(unjoin(5, srv="8.8.1"))
    world.see(log_read(6, PPMID), at=after(minutes=10))
    world.see(log_read(7, CAD), at=after(minutes=20))
    world.see(join(20, srv="8.7.1"), at=after(hours=3))

    found = explained(world, 20)

    assert found.missing == ("row 5 (device-log-lists, 2025-06-15 15:20:00Z) is older than every request for this join",)
