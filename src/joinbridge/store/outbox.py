"""The outbox: the effects that are owed, leased to a relay, settled or postponed.

Effects on one target device are a lane: each waits until the one before it is done. A pair belongs to its target, so effects on one pair
keep their order, and so does a notice that names only a request of that target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, Integer, Select, Text, Update, and_, func, select, update
from sqlalchemy import bindparam as parameter
from sqlalchemy.sql.dml import ReturningUpdate

from joinbridge.core.effects import Effect, PublishEvent, UpdateInventory
from joinbridge.core.ids import RequestId
from joinbridge.core.pair import PairRecord
from joinbridge.ports import FailedTry, OwedEffect
from joinbridge.store import codec
from joinbridge.store.columns import UtcTime
from joinbridge.store.database import Database
from joinbridge.store.dialects import each_of, texts
from joinbridge.store.tables import outbox, pairs

# MIN passes over NULL by itself; only with the condition can the index be used, which has no settled rows.
_NEXT_DUE = select(func.min(outbox.c.due_at)).where(outbox.c.due_at.is_not(None))


class EffectStatus(StrEnum):
    """What became of an effect."""

    OWED = "owed"
    LEASED = "leased"
    DONE = "done"
    WITHHELD = "withheld"  # decided in shadow mode: never carried out
    OVERTAKEN = "overtaken"  # an update of the inventory that waited until a newer word on its pair came: never carried out


# A lease is known by its end: whoever leases the same later leases it for longer.
_LEASED = and_(outbox.c.status == EffectStatus.LEASED, outbox.c.due_at == parameter("leased", type_=UtcTime))


class SqlOutbox:
    """The Outbox port on a database; any number of relays may lease from it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lease = _lease()
        self._settle = _settle(database.dialect, EffectStatus.DONE)
        self._overtake = _settle(database.dialect, EffectStatus.OVERTAKEN)
        self._pairs_of = _pairs_of(database.dialect)
        self._postpone = _postpone()

    async def lease(self, now: datetime, limit: int, lease: timedelta) -> Sequence[OwedEffect]:
        """Return up to `limit` effects that are owed now, oldest first, and keep them from other relays for `lease`.

        At most one of each lane: the next is owed when that one is done. An update of the inventory that waited until a newer word on its
        pair came, as when the devices were unjoined meanwhile, is not owed any more.

        Raises: StoreError when the database cannot be reached.
        """

        def leased(connection: Connection) -> list[OwedEffect]:
            rows = connection.execute(self._lease, {"now": now, "limit": limit, "until": now + lease}).all()
            owed = [
                OwedEffect(effect=codec.decode_effect(kind, record), since=since, tries=tries - 1)
                for _, kind, record, since, tries in sorted(rows, key=lambda row: row[0])
            ]
            overtaken = self._overtaken(connection, [one.effect for one in owed if isinstance(one.effect, UpdateInventory)])
            if overtaken:
                connection.execute(self._overtake, {"keys": texts(overtaken), "now": now, "leased": now + lease})
            return [one for one in owed if one.effect.key not in overtaken]

        return await self._database.write(leased)

    def _overtaken(self, connection: Connection, updates: Sequence[UpdateInventory]) -> set[str]:
        """Return the keys of those whose pair is believed to be held otherwise by now: that word is newer than theirs."""
        if not updates:
            return set()
        records = connection.execute(self._pairs_of, {"targets": texts({update.pair.target for update in updates})}).scalars()
        held = {record.pair: record.held for record in (codec.decode(PairRecord, text) for text in records)}
        return {update.key for update in updates if held.get(update.pair) not in (None, update.joined)}

    async def settle(self, keys: Sequence[str], now: datetime, leased_until: datetime) -> None:
        """Record that the effects were carried out by whoever has leased them until `leased_until`.

        Keys that are unknown, settled already, or leased by another relay since, are passed by: that one may be in the middle of it, and
        the next of the lane waits until it has ended.

        Raises: StoreError when the database cannot be reached.
        """
        if keys:
            await self._write(self._settle, {"keys": texts(keys), "now": now, "leased": leased_until})

    async def postpone(self, failures: Sequence[FailedTry], leased_until: datetime) -> None:
        """Record failed tries; each effect, and later ones of its lane, wait until then. What `settle` passes by is passed by here.

        Raises: StoreError when the database cannot be reached.
        """
        if failures:
            tries = [{"failed": one.key, "until": one.until, "error": one.error, "leased": leased_until} for one in failures]
            await self._write(self._postpone, tries)

    async def next_due(self) -> datetime | None:
        """Return from when on the next effect may be leased; None when nothing is owed.

        Raises: StoreError when the database cannot be reached.
        """
        return await self._database.read(lambda connection: connection.execute(_NEXT_DUE).scalar_one())

    async def _write(self, statement: Update, values: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
        await self._database.write(lambda connection: connection.execute(statement, values))


def effect_row(effect: Effect, created_at: datetime, *, withheld: bool) -> Mapping[str, object]:
    """Return the row that keeps `effect`."""
    request_id = request_of(effect)
    return {
        "key": effect.key,
        "kind": codec.effect_kind(effect),
        "lane": lane_of(effect),
        "request_id": None if request_id is None else str(request_id),
        "status": EffectStatus.WITHHELD if withheld else EffectStatus.OWED,
        "created_at": created_at,
        "due_at": None if withheld else created_at,
        "tries": 0,
        "record": codec.encode(effect),
    }


def lane_of(effect: Effect) -> str:
    """Return the target device of `effect`; an event about no device is a lane of its own."""
    if isinstance(effect, UpdateInventory | PublishEvent) and effect.pair is not None:
        return effect.pair.target
    request_id = request_of(effect)
    return effect.key if request_id is None else request_id.device


def request_of(effect: Effect) -> RequestId | None:
    """Return the request that `effect` is about, if it names one."""
    return None if isinstance(effect, UpdateInventory) else effect.request_id


def _lease() -> ReturningUpdate[int, str, str, datetime, int]:
    older = outbox.alias("older")
    before = select(older.c.id).where(older.c.lane == outbox.c.lane, older.c.id < outbox.c.id, older.c.due_at.is_not(None))
    # A common table expression, since PostgreSQL may run a subquery in WHERE more than once, and lease more than `limit`.
    heads = (
        select(outbox.c.id)
        .where(outbox.c.due_at <= parameter("now", type_=UtcTime), ~before.exists())
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(parameter("limit", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("heads")
    )
    return (
        update(outbox)
        .where(outbox.c.id.in_(select(heads.c.id)))
        .values(status=EffectStatus.LEASED, due_at=parameter("until", type_=UtcTime), tries=outbox.c.tries + 1)
        .returning(outbox.c.id, outbox.c.kind, outbox.c.record, outbox.c.created_at, outbox.c.tries)
    )


def _pairs_of(dialect: str) -> Select[str]:
    return select(pairs.c.record).where(pairs.c.target.in_(each_of(dialect, "targets")))


def _settle(dialect: str, status: EffectStatus) -> Update:
    return (
        update(outbox)
        .where(outbox.c.key.in_(each_of(dialect, "keys")), _LEASED)
        .values(status=status, due_at=None, settled_at=parameter("now", type_=UtcTime))
    )


def _postpone() -> Update:
    return (
        update(outbox)
        .where(outbox.c.key == parameter("failed", type_=Text), _LEASED)
        .values(status=EffectStatus.OWED, due_at=parameter("until", type_=UtcTime), last_error=parameter("error"))
    )
