"""Invariants 7 and 8: how attempts go, and when their deadlines fire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from joinbridge.core.attempt import OPEN, AttemptKey, AttemptState, Deadline
from joinbridge.core.case import DeadlinePassed, Decision
from joinbridge.ops.transitions import transitions
from joinbridge.proving.history import History

_FINAL = frozenset({AttemptState.SUCCEEDED, AttemptState.CONFIRMED_LATE})
_MAY_REOPEN = {
    (AttemptState.NOT_SENT, AttemptState.ACCEPTED),  # it was refused, and taken after all
    (AttemptState.DISPROVED, AttemptState.RESPONSE_LOST),  # the network dropped an answer: it was carried out after all
}


def a_deadline_fires_once_and_never_early(history: History) -> Iterator[str]:
    """7: by the sidecar's clock. What fires was held, and is held no longer, until it is armed again; at rest nothing has a deadline."""
    held: dict[AttemptKey, Sequence[Deadline]] = {}
    for commit in history.ledger.commits:
        after = {} if commit.changes is None else {attempt.key: attempt for attempt in commit.changes.attempts}
        for passed in commit.due:
            if passed.deadline not in held.get(passed.key, ()):
                yield f"{passed.key}: {passed.deadline.purpose} due {passed.deadline.due_at} fired, and had done so, or was never armed"
            if passed.deadline.due_at > commit.at:
                yield f"{passed.key}: {passed.deadline.purpose} was due {passed.deadline.due_at} and fired {commit.at}"
            if passed.key not in after or passed.deadline in after[passed.key].deadlines:
                yield f"{passed.key}: {passed.deadline.purpose} fired and is still held"
        held.update((key, attempt.deadlines) for key, attempt in after.items())
    for decided in history.decided:
        event, attempts = decided.event, decided.case.attempts
        if isinstance(event, DeadlinePassed) and decided.decision != Decision():
            attempt = attempts.get(event.key)
            if attempt is None or event.deadline not in attempt.deadlines:
                yield f"{event.key}: {event.deadline.purpose} was held no longer, and something came of it"
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
