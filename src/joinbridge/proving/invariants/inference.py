"""Invariants 5, 6 and 13: what is said of a pair, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import UpdateInventory
from joinbridge.core.evidence import Grade, Polarity
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.vocabulary import Intent
from joinbridge.observing import Decided
from joinbridge.proving.history import History


def what_is_inferred_has_its_evidence(history: History) -> Iterator[str]:
    """5: a pair that is inferred rests on one conclusive finding or two independent strong ones, kept, from messages that were recorded."""
    for pair, record in history.pairs.items():
        if record.state is not PairState.INFERRED_SUCCESS:
            continue
        basis = record.basis
        conclusive = any(e.grade is Grade.CONCLUSIVE for e in basis)
        strong = {(e.family, e.message) for e in basis if e.grade >= Grade.STRONG}
        if not conclusive and (len(strong) < 2 or len({family for family, _ in strong}) < 2):
            yield f"{pair} is inferred from {[e.rule for e in basis]}, which is not enough"
        for found in basis:
            if found.polarity is not Polarity.JOINED or found.shadow:
                yield f"{pair} is inferred from {found.rule}, which does not speak for it"
            if (pair.target, pair.other, found.rule, found.message) not in history.stored.evidence:
                yield f"{pair} is inferred from {found.rule} in {found.message}, which is not kept"
            if found.message.split("#")[0].split("/")[0] not in history.stored.inbox:
                yield f"{pair} is inferred from {found.message}, which was never recorded"


def a_contradiction_disputes_at_once(history: History) -> Iterator[str]:
    """6: the decision that contradicts an inference leaves nothing resting on it, and owes the inventory the taking back of it.

    What is contradicted may also be that an attempt came to nothing; that is gone with its answer. The other way round, a dispute counts
    against every rule that what was said rested on; and it is gone without one only when somebody asked for that, or the device left.
    """
    for decided in history.decided:
        yield from _quietly_replaced(decided)
        now = {record.pair: record for record in decided.decision.pairs}
        for contradiction in decided.decision.contradictions:
            pair = contradiction.pair
            was, record = decided.case.pairs.get(pair), now.get(pair)
            stands = record or was
            if stands is not None and contradiction.rule in _rests_on(stands) and not _outlasts(stands, decided):
                yield f"{pair} was contradicted, is {stands.state} and rests on {contradiction.rule}"
            if record is None:
                continue
            taken_back = any(isinstance(e, UpdateInventory) and e.pair == pair and not e.joined for e in decided.decision.effects)
            if record.state is PairState.DISPUTED and was is not None and was.held is True and record.held is not False:
                yield f"{pair} is disputed, and the inventory is believed to hold it"
            elif record.state is PairState.DISPUTED and was is not None and was.held is True and not taken_back:
                yield f"{pair} is disputed, and nothing takes it back in the inventory"


def nothing_is_inferred_that_is_not_so(history: History) -> Iterator[str]:
    """13: no pair is inferred that the truth says is not joined, neither when it was said nor at rest."""
    if history.truth is None or history.ended_at is None:
        return
    if history.score is not None and history.score.false_inferences:
        yield f"{history.score.false_inferences} false inferences were announced"
    for pair, record in history.pairs.items():
        # Of what left the home, or was forgotten by its device, nobody can know until something tells.
        unknowable = record.expired_at is not None or history.truth.left_home(pair) or pair in history.truth.forgotten
        if record.state is PairState.INFERRED_SUCCESS and not unknowable and not history.truth.joined_at(pair, history.ended_at):
            yield f"{pair} is inferred at rest, and is not joined"


def _rests_on(record: PairRecord) -> AbstractSet[str]:
    """Return the rules from which the pair is held to be joined."""
    return {e.rule for e in record.basis if not e.settles} if record.state in HELD_JOINED else frozenset()


def _outlasts(record: PairRecord, decided: Decided) -> bool:
    """Whether all that was contradicted is that an attempt came to nothing, and the pair rests on what is from after its answer.

    A Join that has not been read yet may have made again what an Unjoin removed: what the log lists is there, only not from before.
    """
    before = decided.case.attempts
    answers = [
        attempt.answered_at
        for attempt in decided.decision.attempts
        if attempt.pair == record.pair and attempt.key in before and before[attempt.key].state is AttemptState.DISPROVED
    ]
    return bool(answers) and all(answer is not None and e.earliest > answer for answer in answers for e in record.basis)


def _quietly_replaced(decided: Decided) -> Iterator[str]:
    """Say which pair was held to be joined and is not any more, without a contradiction that is counted or a known cause."""
    contradicted = {(each.pair, each.rule) for each in decided.decision.contradictions}
    for record in decided.decision.pairs:
        was = decided.case.pairs.get(record.pair)
        if was is None or was.state not in HELD_JOINED or record.expired_at != was.expired_at:
            continue
        if record.state is PairState.DISPUTED:
            yield from (
                f"{record.pair} is disputed, and that is not counted against {rule}"
                for rule in _rests_on(was)
                if (record.pair, rule) not in contradicted
            )
        elif record.state is PairState.NOT_JOINED and not _asked_for(record, decided):
            yield f"{record.pair} was {was.state} and quietly became {record.state}"


def _asked_for(record: PairRecord, decided: Decided) -> bool:
    """Whether a person decided so, or an Unjoin may have removed the entry; one that names two devices may have removed either."""
    attempts = {**decided.case.attempts, **{attempt.key: attempt for attempt in decided.decision.attempts}}
    unjoins = (a for a in attempts.values() if a.intent is Intent.UNJOIN and a.target == record.pair.target)
    return any(e.by_person for e in record.basis) or any(record.pair.other in (a.other, a.rival) for a in unjoins)
