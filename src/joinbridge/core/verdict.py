"""The verdict: what all the evidence about one pair, taken together, proves.

Joined needs one conclusive finding, or two independent strong ones, that
  1. answers the question: it is newer than some attempt on the pair (`_answers`);
  2. is newer than every conclusive finding against it, and two strong ones also than every strong one (`order.newer`);
  3. cannot have been undone: it is newer than every Unjoin that may have been carried out (`order.survives`).
Not joined needs a conclusive finding that is newer than every conclusive finding for it and than every join still unproven.
Anything less is no verdict. Where an order cannot be known, the answer is the one that infers nothing
(docs/domain.md, "Evidence").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from joinbridge.core.attempt import UNPROVEN, AttemptState
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.facts import Sighting
from joinbridge.core.order import is_after, newer, removers, survives
from joinbridge.core.pair import PairRecord
from joinbridge.core.rules import BY_FACT, PairContext
from joinbridge.core.vocabulary import Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is proven: `joined` is None when nothing is. `basis` is the evidence it rests on, the best of all `proofs` there are.

    An attempt may be older than one proof and newer than another: it is settled by any that is newer.
    """

    joined: bool | None = None
    basis: tuple[Evidence, ...] = ()
    proofs: tuple[tuple[Evidence, ...], ...] = ()

    @property
    def earliest(self) -> datetime | None:
        """The earliest moment of which all of the basis can speak."""
        return min((e.earliest for e in self.basis), default=None)

    @property
    def by_answer(self) -> bool:
        """Whether a device's own answer, or a person, is the basis, rather than an inference."""
        return any(e.settles for e in self.basis)


def collect(ledger: Iterable[Sighting], context: PairContext) -> tuple[Evidence, ...]:
    """Return what every rule finds in every sighting about the pair, oldest first."""
    found = (rule.apply(s, context) for s in ledger for rule in BY_FACT.get(type(s.fact), ()))
    return tuple(sorted((e for e in found if e is not None), key=lambda e: (e.at, e.row, e.message)))


def counted(evidence: Iterable[Evidence], record: PairRecord) -> tuple[Evidence, ...]:
    """Return the evidence that may decide: not that of rules in shadow, nor from before `record.expired_at`, when a device left."""
    expired_at = record.expired_at
    return tuple(e for e in evidence if not e.shadow and (expired_at is None or e.earliest > expired_at))


def reach(evidence: Sequence[Evidence], context: PairContext, record: PairRecord) -> Verdict:
    """Return what `evidence`, all of which counts, proves about the pair of `record`."""
    negatives = [e for e in evidence if e.polarity is Polarity.NOT_JOINED and e.grade >= Grade.STRONG]
    conclusive = [e for e in negatives if e.grade is Grade.CONCLUSIVE]
    rested_on = {(e.rule, e.message) for e in record.basis}
    positives = [
        e
        for e in evidence
        if e.polarity is Polarity.JOINED and e.grade is Grade.CONCLUSIVE and (not e.unchecked or (e.rule, e.message) in rested_on)
    ]
    proofs = [((e,), conclusive) for e in positives] + [(couple, negatives) for couple in _strong_couples(evidence)]
    standing = [proof for proof, against in proofs if all(_stands(e, against, context, record) for e in proof)]
    if standing:
        # The device's own answer is worth more than an inference, and newer proof more than older.
        best = max(standing, key=lambda p: (any(e.settles for e in p), len(p) == 1, min(e.at for e in p)))
        return Verdict(joined=True, basis=best, proofs=tuple(standing))
    against = [e for e in conclusive if all(newer(e, p) for p in positives) and _is_latest_word(e, context)]
    if against:
        return Verdict(joined=False, basis=(max(against, key=lambda e: e.at),))
    return Verdict()


def _strong_couples(evidence: Sequence[Evidence]) -> list[tuple[Evidence, ...]]:
    strong = [e for e in evidence if e.polarity is Polarity.JOINED and e.grade is Grade.STRONG]
    return [(a, b) for a, b in combinations(strong, 2) if a.family != b.family and a.message != b.message]


def _stands(evidence: Evidence, negatives: Sequence[Evidence], context: PairContext, record: PairRecord) -> bool:
    return (
        _answers(evidence, context, record)
        and all(newer(evidence, n) for n in negatives)
        and all(survives(evidence, u, context) for u in removers(context))
    )


def _answers(evidence: Evidence, context: PairContext, record: PairRecord) -> bool:
    """Whether the finding is newer than some question about the pair: a join that may have been sent, a refused Unjoin, or a restore."""
    if record.restored_at is not None and evidence.at >= record.restored_at - context.policy.max_transit:
        return True  # the alert about the restore comes after the restore
    return evidence.answer or any(
        is_after(evidence, a, context.policy) for a in context.on_pair() if (a.intent is Intent.JOIN) != (a.state is AttemptState.NOT_SENT)
    )


def _is_latest_word(evidence: Evidence, context: PairContext) -> bool:
    unproven = (a for a in context.on_pair(Intent.JOIN) if a.state in UNPROVEN and a.submitted_at is not None)
    return all(is_after(evidence, a, context.policy) for a in unproven)
