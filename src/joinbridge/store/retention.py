"""Deleting what is older than anybody needs, a portion at a time. Never the audit chain, an attempt or the record of a pair.

A pair is judged from *all* that is kept about its target, each time anew. To delete a part of that could take the proof from under a join,
or the proof against one that is gone; so the ledger of a target goes as a whole, and only when nothing of it may be needed
(docs/decisions/0008-retention.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Delete,
    Table,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    union,
)
from sqlalchemy import bindparam as parameter

from joinbridge.config import Retention
from joinbridge.core.ids import DeviceId
from joinbridge.core.pair import PairState
from joinbridge.ports import UNSETTLED, Pruned
from joinbridge.store.columns import UtcTime
from joinbridge.store.database import Database
from joinbridge.store.dialects import each_of, texts
from joinbridge.store.outbox import EffectStatus
from joinbridge.store.tables import attempts, dead_letters, device_versions, evidence, inbox, ledger, outbox, pairs

PORTION = 500
"""Rows, or devices, in one transaction: less than a tenth of a second on a small machine, whatever the size of the tables."""

LATENESS = timedelta(days=30)
"""The longest that a message may have been on its way, or lain in a queue, before it died: proof about that time is kept with it."""

AT_REST = (PairState.UNKNOWN, PairState.NOT_JOINED)
"""States that need no evidence kept: nothing is claimed that would have to be proven again."""


class SqlHousekeeping:
    """The Housekeeping port on a database: a walk through the devices that have a ledger, which goes on where it was left."""

    def __init__(self, database: Database, *, portion: int = PORTION) -> None:
        self._database = database
        self._portion = portion
        self._last: DeviceId | None = None

    async def prune(self, now: datetime, retention: Retention) -> Pruned:
        """Delete a portion of what is older than `retention` says; call it again until it is `done`.

        Raises: StoreError when the database cannot be reached; what was deleted until then stays deleted.
        """
        messages = await self._delete(_old_messages(now - retention.inbox, self._portion))
        effects = await self._delete(_old_effects(now - retention.effects, self._portion))
        letters = await self._delete(_old_letters(now - retention.dead_letters, self._portion))
        devices, sightings, findings = await self._prune_ledger(now - retention.evidence)
        full = self._portion in (messages, effects, letters, devices)
        return Pruned(inbox=messages, ledger=sightings, evidence=findings, outbox=effects, dead_letters=letters, done=not full)

    async def _prune_ledger(self, before: datetime) -> tuple[int, int, int]:
        """Look at the next devices of the walk; return how many they were, and how many sightings and findings were deleted."""
        last, dialect = self._last or "", self._database.dialect

        def work(connection: Connection) -> tuple[Sequence[DeviceId], int, int]:
            devices = _next_devices(connection, last, self._portion)
            values = {"devices": texts(devices), "before": _before(connection, before)}
            # The findings first: whether they may go depends on the sightings.
            findings = _deleted(connection, _of_resting(dialect, evidence, evidence.c.target), values)
            sightings = _deleted(connection, _of_resting(dialect, ledger, ledger.c.device), values)
            sightings += _deleted(connection, _of_strangers(dialect), values)
            connection.execute(_versions_of_strangers(dialect), values)
            return devices, sightings, findings

        devices, sightings, findings = await self._database.write(work)
        self._last = devices[-1] if len(devices) == self._portion else None
        return len(devices), sightings, findings

    async def _delete(self, statement: Delete) -> int:
        return await self._database.write(lambda connection: _deleted(connection, statement, {}))


def _deleted(connection: Connection, statement: Delete, values: Mapping[str, object]) -> int:
    # Counted by what comes back: SQLite's driver does not count what a statement that begins with WITH has deleted.
    return len(connection.execute(statement.returning(literal(1)), values).all())


def _old_messages(before: datetime, portion: int) -> Delete:
    return _oldest(inbox, inbox.c.key, inbox.c.at < before, inbox.c.at, portion)


def _old_effects(before: datetime, portion: int) -> Delete:
    c = outbox.c
    # An attempt that is open may owe again what it owed before, under the same key: as long as that is here it is not carried out again.
    watched = select(attempts.c.target).where(attempts.c.watched, or_(attempts.c.target == c.lane, attempts.c.other == c.lane))
    over = or_(c.status == EffectStatus.WITHHELD, c.settled_at < before)
    return _oldest(outbox, c.id, and_(c.due_at.is_(None), c.created_at < before, over, ~watched.exists()), c.created_at, portion)


def _old_letters(before: datetime, portion: int) -> Delete:
    c = dead_letters.c
    return _oldest(dead_letters, c.key, and_(c.settled_at.is_not(None), c.settled_at < before), c.settled_at, portion)


def _oldest(table: Table, key: ColumnElement[str | int], which: ColumnElement[bool], age: ColumnElement[datetime], portion: int) -> Delete:
    chosen = select(key).where(which).order_by(age, key).limit(portion).with_for_update(skip_locked=True).cte("chosen")
    return delete(table).where(key.in_(select(chosen.c[key.name])))


def _before(connection: Connection, before: datetime) -> datetime:
    """Return before when sightings may go: a dead letter that can be sent again may speak of what was then."""
    c = dead_letters.c
    oldest = connection.execute(select(func.min(c.first_seen)).where(c.status.in_(UNSETTLED))).scalar_one()
    return before if oldest is None else min(before, oldest - LATENESS)


def _next_devices(connection: Connection, last: str, portion: int) -> Sequence[DeviceId]:
    c = ledger.c
    found = select(c.device).where(c.device > last).group_by(c.device).order_by(c.device).limit(portion)
    return [DeviceId(device) for device in connection.execute(found).scalars()]


def _of_resting(dialect: str, table: Table, device: ColumnElement[str]) -> Delete:
    """Delete what `table` has about those of the devices of which everything is old and at rest."""
    return delete(table).where(device.in_(each_of(dialect, "devices")), device.not_in(_needed(dialect)))


def _of_strangers(dialect: str) -> Delete:
    """Delete what is old about those of the devices that no request has ever named: what comes will be asked about itself only."""
    c = ledger.c
    return delete(ledger).where(c.device.in_(each_of(dialect, "devices")), c.at < _BEFORE, _unnamed(c.device))


def _versions_of_strangers(dialect: str) -> Delete:
    """Delete how often those of the devices were changed of which nothing is left."""
    c = device_versions.c
    kept = select(ledger.c.device).where(ledger.c.device == c.device)
    return delete(device_versions).where(c.device.in_(each_of(dialect, "devices")), ~kept.exists(), _unnamed(c.device))


def _unnamed(device: ColumnElement[str]) -> ColumnElement[bool]:
    asked = select(attempts.c.target).where(or_(attempts.c.target == device, attempts.c.other == device))
    paired = select(pairs.c.target).where(or_(pairs.c.target == device, pairs.c.other == device))
    return and_(~asked.exists(), ~paired.exists())


def _needed(dialect: str) -> CompoundSelect[str]:
    """Those of the devices whose ledger may be needed.

    That is where something is recent, an attempt is open or waits, an effect is owed, or a pair is more than at rest: a joined pair rests
    on its evidence for as long as it is joined.
    """
    names = select(each_of(dialect, "devices").cte("named").c.value)
    a, p = attempts.c, pairs.c
    return union(
        select(ledger.c.device).where(ledger.c.device.in_(names), ledger.c.at >= _BEFORE),
        select(a.target).where(a.target.in_(names), or_(a.watched, a.requested_at >= _BEFORE)),
        select(a.other).where(a.other.in_(names), a.watched),
        select(p.target).where(p.target.in_(names), or_(p.state.not_in([*AT_REST]), p.since >= _BEFORE)),
        select(outbox.c.lane).where(outbox.c.lane.in_(names), outbox.c.due_at.is_not(None)),
    )


_BEFORE = parameter("before", type_=UtcTime)
