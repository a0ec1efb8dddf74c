"""Reference stories: short lives of one home, each of which shows something that a crash must not change.

A story is a seed that was found to show it; `shows` says how to see that it still does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import NoticeKind, NotifySupplier, ProbeDeviceLog, ReissueJoin
from joinbridge.core.pair import PairState
from joinbridge.core.rules.delivery import SMI_SAYS_NOT_JOINED
from joinbridge.core.vocabulary import Intent
from joinbridge.proving.faults import Fault, FaultKind
from joinbridge.proving.history import History
from joinbridge.proving.plan import Plan, calm_plan
from joinbridge.proving.scratch import Scratch
from joinbridge.proving.simulation import NEVER_LATE, Lived, live_through
from joinbridge.proving.surroundings import LivingEstate
from joinbridge.proving.tape import Recorded, Replayed, Tape
from joinbridge.simulator.estate import Estate
from joinbridge.simulator.scenario import START

Shows = Callable[[History], bool]


def _rests_on(rule: str) -> Shows:
    """Return whether a pair was inferred from what `rule` found."""

    def shows(history: History) -> bool:
        return any(
            record.kind == "pair.changed" and record.body["to"] == PairState.INFERRED_SUCCESS and rule in _rules(record.body)
            for record in history.audit
        )

    return shows


def _rules(body: Mapping[str, object]) -> Sequence[str]:
    basis = body["basis"]
    return [str(found["rule"]) for found in basis] if isinstance(basis, list) else []


def _moved(before: AttemptState, after: AttemptState) -> Shows:
    """Return whether an attempt went from one state to another."""
    return lambda history: any(
        record.kind == "attempt.changed" and (record.body["from"], record.body["to"]) == (before, after) for record in history.audit
    )


def _reached(intent: Intent, state: AttemptState) -> Shows:
    return lambda history: any(a.intent is intent and a.state is state for a in history.attempts.values())


def _refused_and_told(history: History) -> bool:
    refused = any(attempt.refusal == SMI_SAYS_NOT_JOINED for attempt in history.attempts.values())
    return refused and any(isinstance(e, NotifySupplier) and e.kind is NoticeKind.UNJOIN_AGAIN for e in history.effects)


def _owed(kind: type[ReissueJoin | ProbeDeviceLog]) -> Shows:
    return lambda history: any(isinstance(effect, kind) for effect in history.effects)


def _disputed(history: History) -> bool:
    return any(record.kind == "rule.contradicted" for record in history.audit)


def _repeated(history: History) -> bool:
    return any(not new for commit in history.ledger.commits for new in commit.fresh.values())


def _died(history: History) -> bool:
    return bool(history.stored.dead)


def _expired(history: History) -> bool:
    return any(record.expired_at is not None for record in history.pairs.values())


def _postponed(history: History) -> bool:
    """Whether a correction of the inventory was carried out later than it was owed."""
    return any(call.before is not call.after for call in history.ledger.written) and history.ledger.postponed > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story: the seed of its home, what it shows, and what goes wrong around the sidecar in any case."""

    name: str
    seed: int
    shows: Shows
    meanwhile: Sequence[Fault] = ()
    batch_limit: int = 200


_UNTIL_EVENING_S = 72_000.0
_STRIDE_S = 60.0
_CONFLICTS = Fault(kind=FaultKind.INVENTORY_CONFLICTS, for_s=_UNTIL_EVENING_S)
_AWAY = Fault(kind=FaultKind.INVENTORY_AWAY, for_s=_UNTIL_EVENING_S)

STORIES: Sequence[Story] = (
    Story(name="proof by the Device Log", seed=257, shows=_rests_on("device-log-lists")),
    Story(name="proof by alert 8071", seed=52, shows=_rests_on("gpf-log-lists")),
    Story(name="proof by two strong findings", seed=457, shows=_rests_on("repeat-refused")),
    Story(name="an Unjoin inferred", seed=390, shows=_reached(Intent.UNJOIN, AttemptState.INFERRED_SUCCESS)),
    Story(name="proof by a restored log", seed=610, shows=_rests_on("gpf-log-restored")),
    Story(name="an Unjoin refused, and sent again", seed=610, shows=_refused_and_told),
    Story(name="dead letters", seed=91, shows=_died),
    Story(name="a device exchanged", seed=395, shows=_expired),
    Story(name="a probe that disproves", seed=231, shows=_moved(AttemptState.PROBED, AttemptState.DISPROVED)),
    Story(name="a Join issued again", seed=457, shows=_owed(ReissueJoin)),
    Story(name="an answer after the proof", seed=245, shows=_moved(AttemptState.INFERRED_SUCCESS, AttemptState.SUCCEEDED)),
    Story(name="duplicates", seed=292, shows=_repeated),
    Story(name="given up", seed=113, shows=_moved(AttemptState.PROBED, AttemptState.UNRESOLVED)),
    Story(name="a contradiction", seed=1523, shows=_disputed),
    Story(name="a late answer", seed=1522, shows=_moved(AttemptState.PROBED, AttemptState.CONFIRMED_LATE)),
    Story(name="message by message", seed=553, shows=_rests_on("gpf-log-restored"), batch_limit=1),
    Story(name="the inventory conflicts", seed=52, shows=_postponed, meanwhile=(_CONFLICTS,)),
    Story(name="the inventory is away", seed=52, shows=_postponed, meanwhile=(_AWAY,)),
)
"""The stories, each as short as a home's life can be that shows the thing."""


def record(seed: int, scratch: Scratch, *, batch_limit: int = 200) -> tuple[Plan, Tape]:
    """Return the plan of `seed` without anything going wrong around the sidecar, and the tape of its estate."""
    plan = calm_plan(seed, stride_s=_STRIDE_S, batch_limit=batch_limit)
    recording = Recorded(LivingEstate(Estate(plan.seed, plan.homes, plan.estate, START, plan.pace)))
    live_through(plan, recording, scratch)
    return replace(plan, stride_s=0.0, heals=False), recording.tape


def tell(plan: Plan, tape: Tape, scratch: Scratch, *, keep: bool = False, late: Mapping[datetime, timedelta] = NEVER_LATE) -> Lived:
    """Let a sidecar listen to a tape; `late` is as for `live_through`."""
    return live_through(plan, Replayed(tape), scratch, keep=keep, late=late)
