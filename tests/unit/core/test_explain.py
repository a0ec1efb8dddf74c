"""What `explain` says of a join: what decided, what was missing, what would change the answer."""

from __future__ import annotations

from joinbridge.core.attempt import AttemptKey, Purpose
from joinbridge.core.explain import Explanation, explain
from joinbridge.core.policy import Policy
from joinbridge.core.vocabulary import Intent
from support import home
from support.home import CAD, ESME, PPMID, after, answered, decided, join, log_read, request_id, unjoin
from support.world import World


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

    assert found.record is None
    assert found.missing == ("the other device: no message that was seen names it",)


def test_a_join_without_any_evidence_says_what_would_prove_it() -> None:
    world = World()
    world.see(join(1))

    found = explained(world, 1)

    assert found.decided_by == ()
    assert found.missing[0].startswith("proof: a read of the Device Log")
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
    assert any("the answer itself" in line for line in found.would_change)
    assert any("Unjoin" in line for line in found.would_change)


def test_a_confirmed_join_does_not_wait_for_its_answer() -> None:
    world = World()
    world.see(join(1))
    world.see(answered(1), at=after(minutes=1))

    found = explained(world, 1)

    assert not any("the answer itself" in line for line in found.would_change)


def test_one_strong_finding_says_that_a_second_one_is_missing() -> None:
    world = World()
    world.see(join(1))
    world.see(join(2), at=after(hours=2))
    world.see(answered(2, 3), at=after(hours=2, minutes=1))

    found = explained(world, 1)

    assert len(found.missing) == 1
    assert "row 12 (repeat-refused" in found.missing[0]
    assert "second, independent finding" in found.missing[0]


def test_proof_that_is_older_than_the_request_is_named_as_such() -> None:
    world = World()
    world.see(log_read(1, CAD))
    world.see(join(2), at=after(hours=2))

    found = explained(world, 2)

    assert any("is older than every request for this join" in line for line in found.missing)


def test_proof_that_an_unanswered_unjoin_may_have_undone_is_named_as_such() -> None:
    world = World()
    world.see(join(1))
    world.see(unjoin(20), at=after(minutes=5))
    world.see(log_read(10, CAD), at=after(minutes=8))

    found = explained(world, 1)

    assert any("which may have been carried out" in line for line in found.missing)


def test_proof_that_contradicts_other_proof_is_named_as_such() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(30, PPMID), at=after(hours=2))
    world.see(join(40), at=after(hours=3))
    world.see(log_read(20, CAD), at=after(hours=4))

    found = explained(world, 40)

    assert any("which says the opposite" in line for line in found.missing)


def test_a_join_that_is_disproved_says_what_would_bring_it_back() -> None:
    world = World()
    world.see(join(1))
    world.see(log_read(2, PPMID), at=after(hours=3))

    found = explained(world, 1)

    assert [e.row for e in found.decided_by] == [6]
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

    assert len(found.missing) == 1
    assert "is older than every request for this join" in found.missing[0]
