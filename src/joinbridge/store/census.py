"""The census: what the store holds, counted, for gauges. The number of statements is constant; groups and partial indexes do the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Column, Connection, case, func, select

from joinbridge.core.attempt import OPEN, AttemptState
from joinbridge.core.pair import PairState
from joinbridge.ports import UNSETTLED, DeadLetterStatus
from joinbridge.store.database import Database
from joinbridge.store.tables import attempts, audit_head, dead_letters, outbox, pairs

AGES = (timedelta(hours=1), timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""The bounds between which open attempts are counted by age; the deadline `final` ends most before the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """How many there are of everything, at one moment.

    `open_by_age` counts open attempts by the time since their request, one number for each span between `AGES`, youngest first; `owed`
    counts effects by the kind they are stored under. Moments are None where there is nothing. `overdue` are deadlines that are due and
    stand.
    """

    attempts: Mapping[AttemptState, int]
    open_by_age: Sequence[int]
    pairs: Mapping[PairState, int]
    owed: Mapping[str, int]
    oldest_owed_at: datetime | None
    dead_letters: Mapping[DeadLetterStatus, int]
    oldest_letter_at: datetime | None
    overdue: int
    earliest_due_at: datetime | None
    audit_height: int


async def census(database: Database, now: datetime) -> Census:
    """Return what `database` holds at `now`, as one transaction sees it.

    Raises: StoreError when the database cannot be reached.
    """
    return await database.read(lambda connection: _count(connection, now))


async def prove_writable(database: Database) -> None:
    """Return when the database took a write that changes nothing.

    Raises: StoreError when it cannot be reached, or takes no writes, as a replica does. One that is full may take this one, which needs no
    room; batches that cannot be committed show in how long ago deadlines were looked at.
    """
    nothing = audit_head.update().where(audit_head.c.id < 0).values(sequence=audit_head.c.sequence)
    await database.write(lambda connection: connection.execute(nothing))


def _count(connection: Connection, now: datetime) -> Census:
    a, o, d = attempts.c, outbox.c, dead_letters.c
    owed = connection.execute(
        select(o.kind, func.count(), func.min(o.created_at)).where(o.due_at.is_not(None)).group_by(o.kind).order_by(o.kind)
    ).all()
    letters = connection.execute(select(d.status, func.count(), func.min(d.first_seen)).group_by(d.status).order_by(d.status)).all()
    overdue, earliest = connection.execute(select(func.count(), func.min(a.due_at)).where(a.due_at.is_not(None), a.due_at <= now)).one()
    return Census(
        attempts={AttemptState(state): times for state, times in _by(connection, a.state)},
        open_by_age=_open_by_age(connection, now),
        pairs={PairState(state): times for state, times in _by(connection, pairs.c.state)},
        owed={kind: times for kind, times, _ in owed},
        oldest_owed_at=min((at for _, _, at in owed), default=None),
        dead_letters={DeadLetterStatus(status): times for status, times, _ in letters},
        oldest_letter_at=min((at for status, _, at in letters if status in UNSETTLED), default=None),
        overdue=overdue,
        earliest_due_at=earliest,
        audit_height=connection.execute(select(func.max(audit_head.c.sequence))).scalar_one() or 0,
    )


def _by(connection: Connection, column: Column[str]) -> list[tuple[str, int]]:
    counted = select(column, func.count()).group_by(column).order_by(column)
    return [(value, times) for value, times in connection.execute(counted)]


def _open_by_age(connection: Connection, now: datetime) -> list[int]:
    c = attempts.c
    older = [func.coalesce(func.sum(case((c.requested_at <= now - age, 1), else_=0)), 0) for age in AGES]
    # Every open attempt is watched, and those have an index of their own.
    wanted = select(func.count(), *older).where(c.watched, c.state.in_([str(state) for state in sorted(OPEN)]))
    counts = [*connection.execute(wanted).one(), 0]
    return [int(here) - int(beyond) for here, beyond in pairwise(counts)]
