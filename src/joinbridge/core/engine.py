"""The engine: from what is recorded and one event to what is recorded next and what is owed. Pure and total.

`decide` never raises, never waits, and never forgets: whatever arrives, in whatever order and however often, gives a defined decision.
It does three things in turn: move the attempts that the event speaks of (`correlation`, `attempt`), keep the sighting where it may be
evidence (`relevance`), and judge the pairs of the targets that were touched (`judgement`, `verdict`, `standing`). What to do about a lost
answer is in `pursuit`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from joinbridge.core import attempt as attempts
from joinbridge.core import pursuit
from joinbridge.core.attempt import AttemptKey, AttemptState, JoinAttempt, Purpose
from joinbridge.core.case import Case, DeadlinePassed, Decision, Event
from joinbridge.core.correlation import moved
from joinbridge.core.draft import Draft
from joinbridge.core.effects import NoticeKind
from joinbridge.core.facts import (
    DeviceDescription,
    DeviceRetired,
    GpfLogReported,
    HubExchanged,
    HubLogReported,
    InventoryRead,
    JoinAnswered,
    JoinRequested,
    PartnerJoined,
    PreCommandReturned,
    Sighting,
)
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.core.judgement import judge
from joinbridge.core.pair import PairRecord
from joinbridge.core.policy import Policy
from joinbridge.core.relevance import keepers, touched
from joinbridge.core.rules.delivery import SMI_SAYS_NOT_JOINED
from joinbridge.core.vocabulary import DeviceType, Intent, MessageCode, UnjoinCode


def decide(case: Case, event: Event, *, policy: Policy, now: datetime) -> Decision:
    """Return what follows from `event`. `case` must be whole for each device that `relevance.touched` names."""
    if isinstance(event, DeadlinePassed):
        draft = Draft(case, policy, _within_reach(now))
        _deadline(draft, event)
    else:
        at = _within_reach(event.at)
        sighting = event if at == event.at else replace(event, at=at)
        draft = Draft(case, policy, _within_reach(now))
        _observe(draft, sighting)
    return draft.decision()


def _within_reach(at: datetime) -> datetime:
    """Return `at`, or the nearest moment from which every waiting time can be counted forwards and backwards."""
    return min(max(at, _EARLIEST), _LATEST)


_EARLIEST = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LATEST = datetime.fromisoformat("9000-01-01T00:00:00+00:00")


def _observe(draft: Draft, sighting: Sighting) -> None:
    fact = sighting.fact
    trusted = draft.policy.trusts(sighting)
    match fact:
        case JoinRequested() | PreCommandReturned():
            _request(draft, fact, sighting.at, trusted=trusted)
        case InventoryRead() | HubExchanged() | DeviceRetired() if not trusted:
            draft.surprise(f"a {type(fact).__name__} from {sighting.source}, which is not trusted")
        case InventoryRead(descriptions=descriptions):
            draft.learn(descriptions)
            # A type that was not known may be what a finding waited for.
            for target in sorted({pair.target for pair in draft.pairs if not {pair.target, pair.other}.isdisjoint(touched(fact))}):
                _judge_target(draft, target)
        case HubExchanged():
            _exchange(draft, fact, sighting.at)
        case DeviceRetired(device=device):
            _retire(draft, device, sighting.at)
        case _:
            _evidence(draft, sighting, trusted=trusted)


def _request(draft: Draft, fact: JoinRequested | PreCommandReturned, at: datetime, *, trusted: bool) -> None:
    old = draft.attempts.get(AttemptKey(fact.request_id, fact.intent))
    if not trusted:
        draft.surprise(f"{fact.request_id} was told by a source that is not trusted")
        if old is not None or fact.intent is Intent.JOIN:
            return  # an answer would be taken for one to it; but an Unjoin is a reason for doubt, whoever tells of it
    if old is None:
        new = attempts.opened(fact, at) if isinstance(fact, JoinRequested) else attempts.opened_by_pre_command(fact, at)
    else:
        new = attempts.informed(old, fact, at)
        if old.other is not None and fact.other not in (None, old.other):
            draft.surprise(f"{fact.request_id} was for {old.other} and is now for {fact.other}")
    # What overtook its request waits in the ledger; so does what quotes a wire key that was not known until now.
    waited = draft.ledger(new.target) if old is None or old.wire_key != new.wire_key else ()
    overtook = sorted(waited, key=lambda s: s.at)
    for earlier in overtook:
        new = moved(new, earlier, draft.policy)
    draft.open_pair(new, at)
    for earlier in overtook:
        draft.inventory_holds(new, earlier)
    _follow(draft, old, new)
    _judge_target(draft, new.target)


def _evidence(draft: Draft, sighting: Sighting, *, trusted: bool) -> None:
    fact = sighting.fact
    if trusted and isinstance(fact, GpfLogReported | HubLogReported):
        known_as = DeviceType.GPF if isinstance(fact, GpfLogReported) else DeviceType.CHF
        draft.learn((DeviceDescription(fact.device, known_as),))
    kept = [device for device in sorted(keepers(fact, draft.case)) if draft.keep(device, sighting)]
    for device in kept:
        for old in draft.on_target(device):
            draft.inventory_holds(old, sighting)
            new = moved(old, sighting, draft.policy)
            if new != old:
                _follow(draft, old, new)
        _judge_target(draft, device)


def _follow(draft: Draft, old: JoinAttempt | None, new: JoinAttempt) -> None:
    """Record `new` with all that the change from `old` starts: a deadline, a search, a case, a notice."""
    was = None if old is None else old.state
    if new.state in attempts.AWAITING and new.submitted_at is not None and new.due(Purpose.ANSWER) is None:
        new = pursuit.await_answer(new, draft.type_of(new.target), draft.policy, draft.now)
    elif new.state is AttemptState.RESPONSE_LOST and was is not AttemptState.RESPONSE_LOST:
        draft.put(new)  # the loss is told even if the search moves on at once
        new = draft.owe(pursuit.search(new, draft.type_of(new.target), draft.on_target(new.target), draft.policy, draft.now))
    elif new.intent is Intent.UNJOIN and was is not new.state and _leaves_doubt(new):
        new = draft.owe(pursuit.investigate(new, draft.on_target(new.target), draft.policy, draft.now))
    elif new.state is AttemptState.DISPROVED and was is not AttemptState.DISPROVED:
        draft.owe((new, (pursuit.notice(new, NoticeKind.NOT_DELIVERED),)))
    elif old is not None and new.state in attempts.LOST and new.response_code != old.response_code:
        # The re-issued command was refused, the first one may have been carried out: ask the device now.
        new = attempts.armed(new, Purpose.PROBE, draft.now)
    # A read that was carried out just before the command, and answered just before it too, is no contradiction.
    was_lost = old is not None and old.lost_at is not None
    if was is AttemptState.DISPROVED and was_lost and new.state in _ANSWERED_SUCCESS and new.pair is not None:
        draft.contradict(new.pair, f"{new.request_id} was disproved and then answered with success")
    draft.put(new)
    if new.state in _ANSWERED_SUCCESS and was not in _ANSWERED_SUCCESS:
        _tell_partner(draft, new)


_ANSWERED_SUCCESS = (AttemptState.SUCCEEDED, AttemptState.CONFIRMED_LATE)


def _leaves_doubt(unjoin: JoinAttempt) -> bool:
    if unjoin.state is AttemptState.NOT_SENT:
        return unjoin.refusal == SMI_SAYS_NOT_JOINED
    return unjoin.state is AttemptState.REJECTED and unjoin.response_code != UnjoinCode.NOT_IN_DEVICE_LOG


def _tell_partner(draft: Draft, attempt: JoinAttempt) -> None:
    """Row 16: an initiator's success is evidence for the responder's half, which is a pair of its own."""
    if attempt.intent is not Intent.JOIN or attempt.other is None or attempt.rival is not None:
        return
    for sighting in draft.ledger(attempt.target):
        fact = sighting.fact
        answers = isinstance(fact, JoinAnswered) and fact.business_key == attempt.request_id and fact.code == 0
        if answers and isinstance(fact, JoinAnswered) and fact.message_code == MessageCode.CS03A1:
            derived = PartnerJoined(device=attempt.other, partner=attempt.target)
            key = MessageKey(f"{sighting.key}/partner")
            if draft.keep(attempt.other, replace(sighting, fact=derived, key=key)):
                _judge_target(draft, attempt.other)


def _deadline(draft: Draft, event: DeadlinePassed) -> None:
    old = draft.attempts.get(event.key)
    if old is None or event.deadline not in old.deadlines or draft.now < event.deadline.due_at:
        return  # armed for something that is over, or not due yet
    new = attempts.fired(old, event.deadline)
    others = draft.on_target(new.target)
    match event.deadline.purpose:
        case Purpose.ANSWER:
            _follow(draft, old, attempts.lost(new, attempts.LossTrigger.DEADLINE, draft.now))
        case Purpose.RETRY:
            draft.put(draft.owe(pursuit.reissue(new, draft.type_of(new.target), others, draft.policy, draft.now)))
        case Purpose.PROBE:
            draft.put(draft.owe(pursuit.probe(new, others, draft.policy, draft.now)))
        case _:  # Purpose.FINAL
            draft.put(draft.owe((attempts.given_up(new), (pursuit.notice(new, NoticeKind.UNRESOLVED),))))
    _judge_target(draft, new.target)


def _exchange(draft: Draft, fact: HubExchanged, at: datetime) -> None:
    moving = [record.pair for record in draft.pairs.values() if record.pair.target == fact.old_gpf]
    for pair in moving:
        replacement = JoinPair(fact.new_gpf, pair.other)
        if replacement not in draft.pairs:
            draft.put_pair(PairRecord(pair=replacement, since=at, restored_at=at))
    draft.learn((DeviceDescription(fact.new_gpf, DeviceType.GPF),))
    _retire(draft, fact.old_gpf, at)
    _judge_target(draft, fact.new_gpf)


def _retire(draft: Draft, device: DeviceId, at: datetime) -> None:
    """Row 39: the device has left the home. What was known of its pairs is over; nothing is inferred either way."""
    for record in list(draft.pairs.values()):
        if device in (record.pair.target, record.pair.other):
            draft.put_pair(replace(record, expired_at=max(at, record.expired_at or at)))
    targets = {device}
    for attempt in list(draft.attempts.values()):
        if device in (attempt.target, attempt.other) and attempt.requested_at <= at:
            draft.put(attempts.given_up(attempt))
            targets.add(attempt.target)
    for target in sorted(targets):
        _judge_target(draft, target)


def _judge_target(draft: Draft, target: DeviceId) -> None:
    for pair in _pairs_on(draft, target):
        judge(draft, draft.pairs[pair])


def _pairs_on(draft: Draft, target: DeviceId) -> Iterable[JoinPair]:
    return sorted(pair for pair in draft.pairs if pair.target == target)
