"""What the listings show of attempts and pairs, and how they go through all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.pair import PairRecord

T = TypeVar("T")


class Page(Protocol[T]):
    """A query that answers page by page."""

    async def __call__(self, *, after: T | None = None) -> Sequence[T]:
        """Return what comes after `after`, or the first page."""
        ...


async def every(page: Page[T]) -> AsyncIterator[T]:
    """Return all that `page` finds, from its first page to its last."""
    last: T | None = None
    while rows := await page(after=last):
        for row in rows:
            yield row
        last = rows[-1]


def attempt_row(attempt: JoinAttempt) -> dict[str, object]:
    """Return an attempt as the listings give it."""
    return {
        "request_id": str(attempt.request_id),
        "intent": attempt.intent,
        "target": attempt.target,
        "other": attempt.other,
        "service_reference_variant": attempt.srv,
        "state": attempt.state,
        "join_response_code": attempt.response_code,
        "refusal": attempt.refusal,
        "requested_at": attempt.requested_at,
        "lost_because": attempt.lost_because,
        "retries": attempt.retries,
        "probes": attempt.probes,
    }


def pair_row(record: PairRecord) -> dict[str, object]:
    """Return a pair as the listings give it, with the rules of the evidence it rests on."""
    rules = {(e.row, e.rule) for e in record.basis}
    return {
        "target": record.pair.target,
        "other": record.pair.other,
        "state": record.state,
        "rules": [{"row": row, "name": name} for row, name in sorted(rules)],
        "since": record.since,
    }
