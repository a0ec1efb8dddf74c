"""Invariants 2, 4 and 9: what was done to the world."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from joinbridge.core.attempt import AttemptState
from joinbridge.core.effects import Effect, ProbeDeviceLog, PublishEvent, ReissueJoin, UpdateInventory
from joinbridge.core.ids import DeviceId, JoinPair
from joinbridge.core.vocabulary import Intent
from joinbridge.observing import Decided
from joinbridge.proving.history import History


def an_effect_is_carried_out_once(history: History) -> Iterator[str]:
    """2: one key means one thing, however often it is sent; the inventory is changed no more often than was owed.

    What is done has arrived, in the order in which it was owed for each target. In shadow mode nothing is done.
    """
    said: dict[str, tuple[str, bytes]] = {}
    for one in history.ledger.published:
        content = (one.route, one.body if not one.body.startswith(b"{") else b"")
        if said.setdefault(one.key, content) != content:
            yield f"{one.key} was published with two contents"
        if one.key not in history.stored.outbox:
            yield f"{one.key} was published and is not in the outbox"
    owed = Counter((effect.pair, effect.joined) for effect in history.effects if isinstance(effect, UpdateInventory))
    changed = Counter((call.pair, call.joined) for call in history.ledger.written if call.before is not call.after)
    for (pair, joined), times in changed.items():
        if times > owed[pair, joined]:
            yield f"the inventory was set {times} times to {joined} for {pair}, {owed[pair, joined]} times were owed"
    undone = [key for key, status in history.stored.outbox.items() if status not in ("done", "overtaken", "withheld")]
    if undone:
        yield f"at rest {undone[0]} and {len(undone) - 1} more are still owed"
    if missing := [effect.key for effect in history.effects if effect.key not in history.stored.outbox]:
        yield f"{missing[0]} was committed and is not in the outbox"
    if not history.live:
        yield from (f"{one.key} was published in shadow mode" for one in history.ledger.published)
        yield from (f"the inventory was set to {call.joined} for {call.pair} in shadow mode" for call in history.ledger.written)
    yield from _done_and_not_arrived(history)
    yield from _out_of_order(history)


def the_inventory_is_the_fold_of_its_history(history: History) -> Iterator[str]:
    """4: every write compares and sets, nobody's change is lost, and what we settled last holds until somebody else writes."""
    owed = {(effect.pair, effect.joined, effect.expected) for effect in history.effects if isinstance(effect, UpdateInventory)}
    for call in history.ledger.written:
        may = call.expected is None or call.before in (call.expected, call.joined)
        if call.conflict is may or call.after is not (call.joined if may else call.before):
            yield f"setting {call.pair} to {call.joined} (expected {call.expected}) made {call.after} of {call.before}"
        if (call.pair, call.joined, call.expected) not in owed:
            yield f"{call.pair} was set to {call.joined} if the inventory held {call.expected}, which nobody had decided"
    fold: dict[JoinPair, bool] = {}
    last_foreign: dict[JoinPair, int] = {}
    for number, change in enumerate(history.ledger.inventory):
        fold[change.pair] = change.joined
        if not change.ours:
            last_foreign[change.pair] = number
    for pair in fold.keys() | {pair for pair, joined in history.inventory.items() if joined}:
        if history.inventory.get(pair, False) is not fold.get(pair, False):
            yield f"the inventory holds {history.inventory.get(pair)} for {pair}, its changes come to {fold.get(pair)}"
    latest = {effect.pair: effect for effect in history.effects if isinstance(effect, UpdateInventory)}
    tried = {call.pair: call.change for call in history.ledger.written}
    for pair, effect in latest.items():
        overwritten = last_foreign.get(pair, -1) >= tried.get(pair, 0)
        if history.stored.outbox.get(effect.key) == "done" and not overwritten and fold.get(pair, False) is not effect.joined:
            yield f"{effect.key} is done, and the inventory holds {fold.get(pair)}"


def retries_and_probes_are_bounded(history: History) -> Iterator[str]:
    """9: by the policy, for each attempt; what is sent is no more than what is recorded; and no Join is issued again after an Unjoin."""
    policy = history.policy
    for attempt in history.attempts.values():
        if attempt.probes > policy.max_probes or attempt.retries > max(policy.max_retries, 1):
            yield f"{attempt.key} has {attempt.retries} retries and {attempt.probes} probes"
    reissued = Counter(effect.request_id for effect in history.effects if isinstance(effect, ReissueJoin))
    for request_id, times in reissued.items():
        if times > policy.max_retries:
            yield f"{request_id} was to be issued again {times} times"
    probed = Counter(effect.request_id.device for effect in history.effects if isinstance(effect, ProbeDeviceLog))
    on_target = Counter(attempt.target for attempt in history.attempts.values())
    for device, times in probed.items():
        if times > on_target[device] * policy.max_probes:
            yield f"{device} was probed {times} times for {on_target[device]} attempts"
    for decided in history.decided:
        yield from _issued_again_after_an_unjoin(decided)


def _done_and_not_arrived(history: History) -> Iterator[str]:
    arrived = {one.key for one in history.ledger.published}
    written = {(call.pair, call.joined) for call in history.ledger.written if not call.conflict}
    for effect in history.effects:
        came = (effect.pair, effect.joined) in written if isinstance(effect, UpdateInventory) else effect.key in arrived
        if not came and history.stored.outbox.get(effect.key) == "done":
            yield f"{effect.key} is done, and nothing of it has arrived"


def _out_of_order(history: History) -> Iterator[str]:
    """Say where what was published of one target first arrived in another order than it was owed in."""
    first: dict[str, int] = {}
    for number, one in enumerate(history.ledger.published):
        first.setdefault(one.key, number)
    lanes: defaultdict[DeviceId | None, list[str]] = defaultdict(list)
    for effect in history.effects:
        if effect.key in first:
            lanes[_target(effect)].append(effect.key)
    for target, keys in lanes.items():
        overtaken = next((a for a, b in pairwise(keys) if first[a] > first[b]), None)
        if overtaken is not None:
            yield f"{overtaken} arrived after what was owed later for {target}"


def _target(effect: Effect) -> DeviceId | None:
    match effect:
        case UpdateInventory(pair=pair):
            return pair.target
        case PublishEvent(pair=pair, request_id=None):
            return None if pair is None else pair.target
        case _:
            return None if effect.request_id is None else effect.request_id.device


def _issued_again_after_an_unjoin(decided: Decided) -> Iterator[str]:
    """Say which Join is issued again although its Unjoin was asked for since: the Join would undo it."""
    attempts = {**decided.case.attempts, **{attempt.key: attempt for attempt in decided.decision.attempts}}
    for effect in decided.decision.effects:
        if not isinstance(effect, ReissueJoin):
            continue
        join = next(a for a in attempts.values() if a.request_id == effect.request_id and a.intent is Intent.JOIN)
        for unjoin in attempts.values():
            is_one = unjoin.intent is Intent.UNJOIN and unjoin.pair == join.pair and unjoin.state is not AttemptState.NOT_SENT
            if is_one and unjoin.asked_at >= join.asked_at:
                yield f"{effect.key} issues a Join again after {unjoin.key}"
