"""Reading the store for people: listings, one record and what belongs to it, counts. Nothing here writes.

Listings come in pages: pass the last item of a page as `after` to get the next. A page is one short transaction, so that a listing of
millions of records holds up nobody. Every method raises StoreError when the database cannot be reached.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_

from joinbridge.core.attempt import AttemptState, JoinAttempt
from joinbridge.core.case import Contradiction
from joinbridge.core.effects import Effect
from joinbridge.core.evidence import Evidence
from joinbridge.core.facts import DeviceDescription, Sighting
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey, RequestId
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.ports import UNSETTLED, DeadLetter, DeadLetterStatus
from joinbridge.store import codec
from joinbridge.store.database import Database
from joinbridge.store.loading import key_columns, sighting
from joinbridge.store.outbox import EffectStatus
from joinbridge.store.tables import attempts, contradictions, dead_letters, devices, evidence, ledger, outbox, pairs

PAGE = 1000
"""How many items a page has where the caller does not say: some milliseconds, about a megabyte."""

# Any: the columns of a row are known where its statement is made, not to the helpers that pass it on.
Rows = Sequence[Row[*tuple[Any, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRecord:
    """An effect and what became of it; `number` is its place in the outbox, `due_at` from when on it may be tried (again)."""

    number: int
    effect: Effect
    status: EffectStatus
    created_at: datetime
    due_at: datetime | None
    settled_at: datetime | None
    tries: int
    last_error: str | None


class Records:
    """What a database holds, for whoever asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def attempts(
        self,
        *,
        states: Collection[AttemptState] = (),
        target: DeviceId | None = None,
        other: DeviceId | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
        after: JoinAttempt | None = None,
        limit: int = PAGE,
    ) -> Sequence[JoinAttempt]:
        """Return attempts by the time of their request: in any of `states`, for a pair, requested from `since` to before `until`."""
        c = attempts.c
        place = tuple_(c.requested_at, c.request_id, c.intent)
        order = [column.desc() if newest_first else column for column in (c.requested_at, c.request_id, c.intent)]
        found = select(c.record).where(*_given(c.state, states), *_is(c.target, target), *_is(c.other, other))
        if since is not None:
            found = found.where(c.requested_at >= since)
        if until is not None:
            found = found.where(c.requested_at < until)
        if after is not None:
            last = (after.requested_at, *key_columns(after.key))
            found = found.where(place < last if newest_first else place > last)
        return [codec.decode(JoinAttempt, row.record) for row in await self._rows(found.order_by(*order).limit(limit))]

    async def of_request(self, request_id: RequestId) -> Sequence[JoinAttempt]:
        """Return the attempts of a RequestID: none, one, or a Join and an Unjoin."""
        c = attempts.c
        found = select(c.record).where(c.request_id == str(request_id)).order_by(c.intent)
        return [codec.decode(JoinAttempt, row.record) for row in await self._rows(found)]

    async def waiting(self, *, after: JoinAttempt | None = None, limit: int = PAGE) -> Sequence[JoinAttempt]:
        """Return the attempts that have deadlines, by their earliest."""
        c = attempts.c
        found = select(c.record).where(c.due_at.is_not(None)).order_by(c.due_at, c.request_id, c.intent).limit(limit)
        if after is not None:
            earliest = min(deadline.due_at for deadline in after.deadlines)
            found = found.where(tuple_(c.due_at, c.request_id, c.intent) > (earliest, *key_columns(after.key)))
        return [codec.decode(JoinAttempt, row.record) for row in await self._rows(found)]

    async def pairs(
        self,
        *,
        states: Collection[PairState] = (),
        target: DeviceId | None = None,
        other: DeviceId | None = None,
        after: PairRecord | None = None,
        limit: int = PAGE,
    ) -> Sequence[PairRecord]:
        """Return pairs by their devices."""
        c = pairs.c
        found = select(c.record).where(*_given(c.state, states), *_is(c.target, target), *_is(c.other, other))
        if after is not None:
            found = found.where(tuple_(c.target, c.other) > (after.pair.target, after.pair.other))
        found = found.order_by(c.target, c.other).limit(limit)
        return [codec.decode(PairRecord, row.record) for row in await self._rows(found)]

    async def pair(self, pair: JoinPair) -> PairRecord | None:
        """Return what is recorded about a pair."""
        return next(iter(await self.pairs(target=pair.target, other=pair.other)), None)

    async def evidence(self, pair: JoinPair, *, attempt: RequestId | None = None) -> Sequence[Evidence]:
        """Return what was found about a pair, oldest first; with `attempt`, only what speaks of that attempt."""
        c = evidence.c
        found = (
            select(c.record)
            .where(c.target == pair.target, c.other == pair.other, *_is(c.attempt, attempt))
            .order_by(c.at, c.rule, c.message, c.attempt)
        )
        return [codec.decode(Evidence, row.record) for row in await self._rows(found)]

    async def ledger(self, device: DeviceId) -> Sequence[Sighting]:
        """Return the sightings kept about a device, oldest first."""
        found = select(ledger).where(ledger.c.device == device).order_by(ledger.c.at, ledger.c.id)
        return [sighting(row) for row in await self._rows(found)]

    async def device(self, device: DeviceId) -> DeviceDescription | None:
        """Return what is known of a device."""
        rows = await self._rows(select(devices.c.record).where(devices.c.device == device))
        return codec.decode(DeviceDescription, rows[0].record) if rows else None

    async def contradictions(self, pair: JoinPair) -> Sequence[Contradiction]:
        """Return how what was recorded about a pair was contradicted, oldest first."""
        c = contradictions.c
        found = select(contradictions).where(c.target == pair.target, c.other == pair.other).order_by(c.at, c.id)
        return [Contradiction(rule=r.rule, pair=pair, at=r.at, says=r.says) for r in await self._rows(found)]

    async def effects(
        self,
        *,
        target: DeviceId | None = None,
        request_id: RequestId | None = None,
        statuses: Collection[EffectStatus] = (),
        after: EffectRecord | None = None,
        limit: int = PAGE,
    ) -> Sequence[EffectRecord]:
        """Return effects in the order they were owed: on a target, for a request, in any of `statuses`."""
        c = outbox.c
        wanted = (*_is(c.lane, target), *_is(c.request_id, request_id), *_given(c.status, statuses))
        found = select(outbox).where(c.id > (after.number if after else 0), *wanted).order_by(c.id).limit(limit)
        return [_effect_record(row) for row in await self._rows(found)]

    async def dead_letters(
        self, *, statuses: Collection[DeadLetterStatus] = UNSETTLED, after: DeadLetter | None = None, limit: int = PAGE
    ) -> Sequence[DeadLetter]:
        """Return dead letters by when they were last seen: in any of `statuses`, those that are not settled if nothing is said."""
        c = dead_letters.c
        found = select(dead_letters).where(*_given(c.status, statuses)).order_by(c.last_seen, c.key).limit(limit)
        if after is not None:
            found = found.where(tuple_(c.last_seen, c.key) > (after.last_seen, after.key))
        return [dead_letter_of(row) for row in await self._rows(found)]

    async def dead_letter(self, key: MessageKey) -> DeadLetter | None:
        """Return one dead letter."""
        rows = await self._rows(select(dead_letters).where(dead_letters.c.key == key))
        return dead_letter_of(rows[0]) if rows else None

    async def attempt_counts(self) -> Mapping[AttemptState, int]:
        """Return how many attempts are in each state that any is in."""
        return {AttemptState(state): count for state, count in (await self._counts(attempts.c.state)).items()}

    async def pair_counts(self) -> Mapping[PairState, int]:
        """Return how many pairs are in each state that any is in."""
        return {PairState(state): count for state, count in (await self._counts(pairs.c.state)).items()}

    async def effect_counts(self) -> Mapping[EffectStatus, int]:
        """Return how many effects have each status that any has."""
        return {EffectStatus(status): count for status, count in (await self._counts(outbox.c.status)).items()}

    async def dead_letter_count(self) -> int:
        """Return how many messages are dead letters that are not settled."""
        rows = await self._rows(select(func.count().label("times")).where(*_given(dead_letters.c.status, UNSETTLED)))
        count: int = rows[0].times
        return count

    async def _counts(self, column: ColumnElement[str]) -> Mapping[str, int]:
        counted = select(column.label("value"), func.count().label("times")).group_by(column).order_by(column)
        return {row.value: row.times for row in await self._rows(counted)}

    async def _rows(self, statement: Select[*tuple[Any, ...]]) -> Rows:
        return await self._database.read(lambda connection: connection.execute(statement).all())


def _given(column: ColumnElement[str], values: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that `column` is one of `values`; none when nothing is given."""
    return (column.in_([str(value) for value in values]),) if values else ()


def _is(column: ColumnElement[str], value: object | None) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that `column` is `value`; none when nothing is given."""
    return () if value is None else (column == str(value),)


def _effect_record(row: Row[*tuple[Any, ...]]) -> EffectRecord:
    return EffectRecord(
        number=row.id,
        effect=codec.decode_effect(row.kind, row.record),
        status=EffectStatus(row.status),
        created_at=row.created_at,
        due_at=row.due_at,
        settled_at=row.settled_at,
        tries=row.tries,
        last_error=row.last_error,
    )


def dead_letter_of(row: Row[*tuple[Any, ...]]) -> DeadLetter:
    """Return the dead letter that a row of its table holds."""
    return DeadLetter(
        key=MessageKey(row.key),
        body=bytes(row.body),
        content_type=row.content_type,
        source=row.source,
        route=row.route,
        region=row.region,
        reason=row.reason,
        offset=row.at_byte,
        attempts=row.attempts,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        status=DeadLetterStatus(row.status),
        requeue_at=row.requeue_at,
        settled_at=row.settled_at,
    )
