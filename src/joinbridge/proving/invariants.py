"""What must hold of every history, whatever went wrong in it: docs/architecture.md, "What holds at all times", number by number.

Each function yields what is wrong, in words: nothing, when all is well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from joinbridge.core.attempt import OPEN, AttemptState
from joinbridge.core.effects import ProbeDeviceLog, ReissueJoin, UpdateInventory
from joinbridge.core.evidence import Grade, Polarity
from joinbridge.core.ids import JoinPair, MessageKey, message_key
from joinbridge.core.pair import HELD_JOINED, PairRecord, PairState
from joinbridge.core.relevance import DECISIVE
from joinbridge.errors import AuditError
from joinbridge.observing import Decided
from joinbridge.ops.reference import transitions
from joinbridge.ports import Delivery
from joinbridge.proving.history import History, body_of
from joinbridge.service.reading import Read, read
from joinbridge.store.audit import canonical, verify
from joinbridge.wire.facts import Reading

Invariant = Callable[[History], Iterator[str]]

_READING = Reading()
_FINAL = frozenset({AttemptState.SUCCEEDED, AttemptState.CONFIRMED_LATE})
_MAY_REOPEN = {
    (AttemptState.NOT_SENT, AttemptState.ACCEPTED),  # it was refused, and taken after all
    (AttemptState.DISPROVED, AttemptState.RESPONSE_LOST),  # the network dropped an answer: it was carried out after all
}


def every_message_is_applied_or_dead(history: History) -> Iterator[str]:
    """1: what the bus confirmed to the estate was settled; what decides is in the inbox, what cannot be read in the dead letters."""
    if not history.rested:
        yield "it never came to rest: something waits on the bus, or is owed, or has a deadline"
    settled = {one.delivery.key: one for one in history.ledger.settled}
    for publication in history.ledger.sent:
        one = settled.get(publication.key)
        if one is None:
            yield f"{publication.key} was confirmed and never settled"
        elif not one.rejected and message_key(publication.body) not in history.stored.inbox:
            wrong = _not_recorded(one.delivery, history)
            if wrong is not None:
                yield f"{publication.key} {wrong}"
        elif one.rejected and not any(letter.body == publication.body for letter in history.dead_on_bus):
            yield f"{publication.key} was rejected and is not among the dead letters"


def an_effect_is_carried_out_once(history: History) -> Iterator[str]:
    """2: one key means one thing, however often it is sent; the inventory is changed no more often than was owed."""
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


def no_acknowledgement_precedes_its_commit(history: History) -> Iterator[str]:
    """3: by the time a message was acknowledged, a transaction that took it for seen was committed."""
    first: dict[MessageKey, int] = {}
    for number, commit in enumerate(history.ledger.commits, start=1):
        for key in commit.fresh:
            first.setdefault(key, number)
    for one in history.ledger.settled:
        key = message_key(one.delivery.body)
        committed = min((first[each] for each in (key, MessageKey(f"{key}#dead")) if each in first), default=None)
        early = committed is not None and not one.rejected and one.commits < committed
        if early and _must_be_recorded(one.delivery):  # a copy of what concerned nothing may concern something later
            yield f"{one.delivery.key} was acknowledged after {one.commits} commits, and committed as number {committed}"


def the_inventory_is_the_fold_of_its_history(history: History) -> Iterator[str]:
    """4: every write compares and sets, nobody's change is lost, and what we settled last holds until somebody else writes."""
    for call in history.ledger.written:
        may = call.expected is None or call.before in (call.expected, call.joined)
        if call.conflict is may or call.after is not (call.joined if may else call.before):
            yield f"setting {call.pair} to {call.joined} (expected {call.expected}) made {call.after} of {call.before}"
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

    What is contradicted may also be that an attempt came to nothing; that is gone with its answer.
    """
    for committed in history.ledger.told:
        for decided in committed.decisions:
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


def a_deadline_fires_once_and_never_early(history: History) -> Iterator[str]:
    """7: by the sidecar's clock. What has fired is held no longer, and at rest nothing has a deadline."""
    fired: Counter[str] = Counter()
    for commit in history.ledger.commits:
        after = {} if commit.changes is None else {attempt.key: attempt for attempt in commit.changes.attempts}
        for passed in commit.due:
            fired[f"{passed.key} {passed.deadline.purpose} due {passed.deadline.due_at} armed in {passed.deadline.armed_in}"] += 1
            if passed.deadline.due_at > commit.at:
                yield f"{passed.key}: {passed.deadline.purpose} was due {passed.deadline.due_at} and fired {commit.at}"
            if passed.key not in after or passed.deadline in after[passed.key].deadlines:
                yield f"{passed.key}: {passed.deadline.purpose} fired and is still held"
    yield from (f"{deadline} fired {times} times" for deadline, times in fired.items() if times > 1)
    for attempt in history.attempts.values():
        if attempt.deadlines or attempt.state in OPEN - _unsent(attempt.submitted_at is None):
            yield f"at rest {attempt.key} is {attempt.state} with {len(attempt.deadlines)} deadlines"


def a_late_answer_never_silently_reopens(history: History) -> Iterator[str]:
    """8: every change of an attempt is one that is documented, or several at once; what is over stays over, but for two known reasons."""
    for record in history.audit:
        if record.kind != "attempt.changed" or record.body["from"] is None:
            continue
        before, after = AttemptState(str(record.body["from"])), AttemptState(str(record.body["to"]))
        if before in _FINAL:
            yield f"{record.subject} was {before}, which is final, and became {after}"
        elif before not in OPEN and after in OPEN and (before, after) not in _MAY_REOPEN and not _by_way_of(before, after):
            yield f"{record.subject} was {before} and is open again: {after}"
        elif (before, after) not in REACHABLE:
            yield f"{record.subject} went from {before} to {after}, which is not documented"
    if history.truth is None:
        return
    answered = {attempt.request_id for attempt in history.attempts.values() if attempt.state in _FINAL}
    for told in history.truth.attempts.values():
        if told.answer_code == 0 and told.answered_at is not None and told.request_id not in answered:
            yield f"{told.request_id} was answered with success, and that was read, and yet it is not recorded as answered"


def retries_and_probes_are_bounded(history: History) -> Iterator[str]:
    """9: by the policy, for each attempt; and what is sent is no more than what is recorded."""
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


def a_dead_letter_says_what_happened(history: History) -> Iterator[str]:
    """10: reason, attempts, first and last seen, route; in the store and on the bus."""
    for key, (reason, attempts, first_seen, last_seen, route) in history.stored.dead.items():
        if not reason or attempts < 1 or not route or first_seen > last_seen:
            yield f"dead letter {key}: {reason!r}, {attempts} attempts, {first_seen} to {last_seen}, route {route!r}"
    for letter in history.dead_on_bus:
        if not letter.reason or letter.attempts < 1 or not letter.route or letter.first_seen > letter.last_seen:
            yield f"dead letter on the bus: {letter.reason!r}, {letter.attempts} attempts, route {letter.route!r}"
        if letter.reason.startswith("internal error"):
            yield f"a message was too much for us: {letter.reason}"


def the_audit_chain_is_whole(history: History) -> Iterator[str]:
    """11: it verifies, holds exactly what was committed, and ends where the records stand."""
    stored = history.stored
    try:
        verify(stored.audit, stored.head)
    except AuditError as error:
        yield str(error)
    recorded = [(record.kind, record.subject, canonical(record.body)) for record in history.audit]
    if [(entry.kind, entry.subject, entry.body) for entry in stored.audit] != recorded:
        yield f"{len(recorded)} records were committed, and the chain's {len(stored.audit)} entries are not those"
    last = {
        (entry.kind, entry.subject): body_of(entry)["to"] for entry in stored.audit if entry.kind in ("attempt.changed", "pair.changed")
    }
    for attempt in history.attempts.values():
        if last.get(("attempt.changed", str(attempt.key))) != attempt.state:
            yield f"{attempt.key} is {attempt.state}, and the chain does not say so"
    for pair, record in history.pairs.items():
        if last.get(("pair.changed", str(pair)), record.state) != record.state:
            yield f"{pair} is {record.state}, and the chain does not say so"


def the_counts_are_those_of_the_history(history: History) -> Iterator[str]:
    """12: the store is what its commits come to, and every message was counted as what became of it."""
    for key, attempt in history.attempts.items():
        if history.stored.attempts.get((str(key.request_id), key.intent)) != (attempt.state, attempt.version + 1):
            yield f"{key} is not stored as it was committed"
    for pair, record in history.pairs.items():
        if history.stored.pairs.get((pair.target, pair.other)) != (record.state, record.version + 1):
            yield f"{pair} is not stored as it was committed"
    if len(history.attempts) != len(history.stored.attempts) or len(history.pairs) != len(history.stored.pairs):
        yield "there are attempts or pairs that nobody committed"
    inbox = Counter(key for commit in history.ledger.commits for key, new in commit.fresh.items() if new)
    yield from (f"message {key} was new {times} times" for key, times in inbox.items() if times > 1)
    if inbox.keys() != history.stored.inbox:
        yield f"{len(inbox)} messages were committed as new, {len(history.stored.inbox)} are in the inbox"
    counted = sum(taken.judged + taken.passed_by + taken.duplicates + taken.dead for taken in history.ledger.taken)
    if counted < len(history.ledger.settled):
        yield f"{len(history.ledger.settled)} messages were settled, and {counted} counted"
    yield from history.ledger.errors


def nothing_is_inferred_that_is_not_so(history: History) -> Iterator[str]:
    """13: no pair is inferred that the truth says is not joined, neither when it was said nor at rest."""
    if history.truth is None or history.score is None or history.ended_at is None:
        return
    if history.score.false_inferences:
        yield f"{history.score.false_inferences} false inferences were announced"
    for pair, record in history.pairs.items():
        # Of what left the home, or was forgotten by its device, nobody can know until something tells.
        unknowable = record.expired_at is not None or history.truth.left_home(pair) or pair in history.truth.forgotten
        if record.state is PairState.INFERRED_SUCCESS and not unknowable and not history.truth.joined_at(pair, history.ended_at):
            yield f"{pair} is inferred at rest, and is not joined"


INVARIANTS: Mapping[int, Invariant] = dict(
    enumerate(
        (
            every_message_is_applied_or_dead,
            an_effect_is_carried_out_once,
            no_acknowledgement_precedes_its_commit,
            the_inventory_is_the_fold_of_its_history,
            what_is_inferred_has_its_evidence,
            a_contradiction_disputes_at_once,
            a_deadline_fires_once_and_never_early,
            a_late_answer_never_silently_reopens,
            retries_and_probes_are_bounded,
            a_dead_letter_says_what_happened,
            the_audit_chain_is_whole,
            the_counts_are_those_of_the_history,
            nothing_is_inferred_that_is_not_so,
        ),
        start=1,
    )
)
"""All of them, by their numbers."""


def violations(history: History) -> Sequence[str]:
    """Return all that is wrong with `history`, each with the number of what it breaks."""
    return [f"{number}: {wrong}" for number, holds in INVARIANTS.items() for wrong in holds(history)]


def _must_be_recorded(delivery: Delivery) -> bool:
    told = read(delivery, _READING)
    return told.letter is not None or any(isinstance(fact, DECISIVE) for fact in told.facts)


def _not_recorded(delivery: Delivery, history: History) -> str | None:
    """Return what is wrong with an acknowledged message that is not in the inbox under its own name; None if it may be so."""
    told: Read = read(delivery, _READING)
    if told.letter is not None:
        return None if told.letter.key in history.stored.dead else "cannot be read and is not among the dead letters"
    if any(isinstance(fact, DECISIVE) for fact in told.facts):
        return f"says {[type(fact).__name__ for fact in told.facts]} and was never recorded"
    return None  # nothing that was open was concerned


def _closure() -> frozenset[tuple[AttemptState, AttemptState]]:
    """Return every change that one or several documented transitions come to: one decision may make several."""
    reach = set(transitions())
    while True:
        more = {(a, d) for a, b in reach for c, d in reach if b is c and a is not d} - reach
        if not more:
            return frozenset(reach)
        reach |= more


REACHABLE = _closure()


def _by_way_of(before: AttemptState, after: AttemptState) -> bool:
    """Whether one of the known reasons opened it again, and what follows from that came with it in the same decision."""
    return any(before is start and (opened is after or (opened, after) in REACHABLE) for start, opened in _MAY_REOPEN)


def _unsent(unsent: bool) -> frozenset[AttemptState]:
    """Return in which state an attempt may rest without a deadline: one of which nothing was ever sent."""
    return frozenset({AttemptState.REQUESTED}) if unsent else frozenset()
