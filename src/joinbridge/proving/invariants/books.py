"""Invariants 11 and 12: the audit chain, the records and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from joinbridge.errors import AuditError
from joinbridge.proving.history import History, body_of
from joinbridge.store.audit import canonical, verify


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
