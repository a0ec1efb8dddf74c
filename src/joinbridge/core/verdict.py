"""The verdict: what all the evidence about one pair, taken together, proves.

Joined needs one conclusive finding, or two independent strong ones, that
  1. answers the question: it is newer than some attempt on the pair (`_answers`);
  2. is newer than every conclusive finding against it (`_newer`);
  3. cannot have been undone: it is newer than every Unjoin that may have been carried out (`survives`).
Not joined needs a conclusive finding that is newer than every conclusive finding for it and than every join still unproven.
Anything less is no verdict. Where an order cannot be known, the answer is the one that infers nothing
(docs/domain.md, "Evidence").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from joinbridge.core.attempt import UNPROVEN, AttemptState, JoinAttempt
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.facts import Sighting
from joinbridge.core.pair import PairRecord
from joinbridge.core.policy import Policy
from joinbridge.core.rules import BY_FACT, PairContext
from joinbridge.core.vocabulary import Intent, UnjoinCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is proven: `joined` is None when nothing is. `basis` is the evidence it rests on."""

    joined: bool | None = None
    basis: tuple[Evidence, ...] = ()

    @property
    def at(self) -> datetime | None:
        """As of when: the newest piece of the basis."""
        return max((e.at for e in self.basis), default=None)

    @property
    def by_answer(self) -> bool:
        """Whether a device's own answer, or a person, is the basis, rather than an inference."""
        return any(e.answer for e in self.basis)


def collect(ledger: Iterable[Sighting], context: PairContext) -> tuple[Evidence, ...]:
    """Return what every rule finds in every sighting about the pair, oldest first."""
    found = (rule.apply(s, context) for s in ledger for rule in BY_FACT.get(type(s.fact), ()))
    return tuple(sorted((e for e in found if e is not None), key=lambda e: (e.at, e.row, e.message)))


def reach(evidence: Sequence[Evidence], context: PairContext, record: PairRecord) -> Verdict:
    """Return what `evidence` proves about the pair; evidence from before `record.expired_at` (a device left) counts no more."""
    expired_at = record.expired_at
    counted = [e for e in evidence if not e.shadow and (expired_at is None or e.earliest > expired_at)]
    negatives = [e for e in counted if e.polarity is Polarity.NOT_JOINED and e.grade is Grade.CONCLUSIVE]
    positives = [e for e in counted if e.polarity is Polarity.JOINED and e.grade is Grade.CONCLUSIVE]
    proofs = [(e,) for e in positives] + _strong_couples(counted)
    standing = [p for p in proofs if all(_stands(e, negatives, context, record) for e in p)]
    if standing:
        # The device's own answer is worth more than an inference, and newer proof more than older.
        best = max(standing, key=lambda p: (any(e.answer for e in p), len(p) == 1, min(e.at for e in p)))
        return Verdict(joined=True, basis=best)
    against = [e for e in negatives if all(_newer(e, p, context) for p in positives) and _is_latest_word(e, context)]
    if against:
        return Verdict(joined=False, basis=(max(against, key=lambda e: e.at),))
    return Verdict()


def is_after(evidence: Evidence, attempt: JoinAttempt, policy: Policy) -> bool:
    """Whether `evidence` shows the device as it was after it had, or could have had, the command of `attempt`.

    Counters of one originator decide where they can; otherwise time does: with `queue_skew` in favour of a positive finding, which
    waits in the ledger when it overtakes its request, and by the earliest possible moment for a negative one.
    """
    if attempt.submitted_at is None and evidence.polarity is Polarity.NOT_JOINED:
        return False
    asked_at = attempt.submitted_at or attempt.requested_at
    if evidence.answer and evidence.attempt == attempt.request_id:
        return True
    if evidence.order is not None and not attempt.retries and evidence.order.business.remote == attempt.request_id.remote:
        read, asked = evidence.order.business.counter, attempt.request_id.counter
        if read != asked:
            return read > asked
    if evidence.polarity is Polarity.NOT_JOINED:
        return evidence.earliest >= asked_at
    return evidence.at >= asked_at - policy.queue_skew


def may_have_removed(attempt: JoinAttempt) -> bool:
    """Whether an Unjoin was sent and may have removed the entry."""
    if attempt.intent is not Intent.UNJOIN or attempt.submitted_at is None:
        return False
    if attempt.state is AttemptState.REJECTED:
        return attempt.response_code != UnjoinCode.NOT_IN_DEVICE_LOG
    return attempt.state not in (AttemptState.NOT_SENT, AttemptState.DISPROVED)


def survives(evidence: Evidence, unjoin: JoinAttempt, context: PairContext) -> bool:
    """Whether a positive finding is certainly from after `unjoin` was carried out, if it was."""
    if evidence.answer:
        join = next((a for a in context.on_pair(Intent.JOIN) if a.request_id == evidence.attempt), None)
        if join is None:  # a person's word
            return evidence.at > _asked_at(unjoin)
        return _sequence(join) > _sequence(unjoin)
    order, removal = evidence.order, unjoin.request_id
    if order is not None and order.business.remote == removal.remote and order.business.counter != removal.counter:
        return order.business.counter > removal.counter
    settled_at = unjoin.answered_at or unjoin.lost_at
    return settled_at is not None and evidence.earliest > settled_at


def _strong_couples(counted: Sequence[Evidence]) -> list[tuple[Evidence, ...]]:
    strong = [e for e in counted if e.polarity is Polarity.JOINED and e.grade is Grade.STRONG]
    return [(a, b) for a, b in combinations(strong, 2) if a.family != b.family and a.message != b.message]


def _stands(evidence: Evidence, negatives: Sequence[Evidence], context: PairContext, record: PairRecord) -> bool:
    return (
        _answers(evidence, context, record)
        and all(_newer(evidence, n, context) for n in negatives)
        and all(survives(evidence, u, context) for u in context.on_pair(Intent.UNJOIN) if may_have_removed(u))
    )


def _answers(evidence: Evidence, context: PairContext, record: PairRecord) -> bool:
    """Whether the finding is newer than some question about the pair: a join that may have been sent, a refused Unjoin, or a restore."""
    if record.restored_at is not None and evidence.at >= record.restored_at - context.policy.queue_skew:
        return True
    return evidence.answer or any(
        is_after(evidence, a, context.policy) for a in context.on_pair() if (a.intent is Intent.JOIN) != (a.state is AttemptState.NOT_SENT)
    )


def _is_latest_word(evidence: Evidence, context: PairContext) -> bool:
    unproven = (a for a in context.on_pair(Intent.JOIN) if a.state in UNPROVEN and a.submitted_at is not None)
    return all(is_after(evidence, a, context.policy) for a in unproven)


def _newer(evidence: Evidence, than: Evidence, context: PairContext) -> bool:
    """Whether `evidence` is certainly the newer of the two. Ties and unknown orders are not."""
    if evidence.order is not None and than.order is not None:
        compared = evidence.order.compare(than.order)
        if compared:
            return compared > 0
    if evidence.answer and than.answer:
        ours, theirs = (_attempt_of(e, context) for e in (evidence, than))
        if ours is not None and theirs is not None:
            return _sequence(ours) > _sequence(theirs)
    return evidence.at > than.at


def _attempt_of(evidence: Evidence, context: PairContext) -> JoinAttempt | None:
    return next((a for a in context.on_pair() if a.request_id == evidence.attempt), None)


def _asked_at(attempt: JoinAttempt) -> datetime:
    return attempt.submitted_at or attempt.requested_at


def _sequence(attempt: JoinAttempt) -> tuple[datetime, int]:
    return _asked_at(attempt), attempt.request_id.counter
