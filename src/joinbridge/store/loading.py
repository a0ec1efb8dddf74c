"""Reading a case: the records of some devices and their partners, decoded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, Row

from joinbridge.core.attempt import AttemptKey, JoinAttempt
from joinbridge.core.case import Case, DeadlinePassed
from joinbridge.core.facts import Authenticity, DeviceDescription, Sighting
from joinbridge.core.ids import DeviceId, JoinPair, MessageKey
from joinbridge.core.pair import PairRecord
from joinbridge.store import codec
from joinbridge.store.dialects import texts
from joinbridge.store.statements import Statements

Versions = Mapping[DeviceId, int]
"""How often anything about each device was changed by the time it was read."""


def load_case(connection: Connection, statements: Statements, devices: Collection[DeviceId]) -> tuple[Case, Versions]:
    """Return all that is recorded about `devices` and their pairs' partners, and the version of each of them; two statements."""
    attempts: list[JoinAttempt] = []
    pairs: dict[JoinPair, PairRecord] = {}
    described: dict[DeviceId, DeviceDescription] = {}
    versions: dict[DeviceId, int] = {}
    for part, text in connection.execute(statements.involved, {"devices": texts(devices)}):
        match part:
            case "attempt":
                attempts.append(codec.decode(JoinAttempt, text))
            case "pair":
                pair = codec.decode(PairRecord, text)
                pairs[pair.pair] = pair
            case "description":
                description = codec.decode(DeviceDescription, text)
                described[description.device] = description
            case "version":
                device, _, version = text.partition(" ")
                versions[DeviceId(device)] = int(version)
            case _:
                versions.setdefault(DeviceId(text), 0)
    case = Case(
        attempts={attempt.key: attempt for attempt in sorted(attempts, key=_age)},
        pairs=dict(sorted(pairs.items())),
        ledger=_ledger(connection, statements, versions),
        devices=described,
    )
    return case, versions


def due_deadlines(connection: Connection, statements: Statements, now: datetime, limit: int) -> list[DeadlinePassed]:
    """Return at most `limit` deadlines due at `now`, oldest first.

    The `limit` oldest deadlines belong to attempts that are among the first `limit` by their earliest deadline.
    """
    found: list[DeadlinePassed] = []
    for (text,) in connection.execute(statements.due, {"now": now, "limit": limit}):
        attempt = codec.decode(JoinAttempt, text)
        found.extend(DeadlinePassed(key=attempt.key, deadline=d) for d in attempt.deadlines if d.due_at <= now)
    return sorted(found, key=lambda passed: (passed.deadline, *key_columns(passed.key)))[:limit]


def sighting(row: Row[*tuple[object, ...]]) -> Sighting:
    """Return the sighting that a row of the ledger holds."""
    return Sighting(
        fact=codec.decode_fact(row.kind, row.record),
        key=MessageKey(row.key),
        at=row.at,
        source=row.source,
        region=row.region,
        authenticity=Authenticity(row.authenticity),
    )


def key_columns(key: AttemptKey) -> tuple[str, str]:
    """Return the values of the two columns that an attempt is found by."""
    return str(key.request_id), key.intent.value


def _ledger(connection: Connection, statements: Statements, devices: Collection[str]) -> dict[DeviceId, tuple[Sighting, ...]]:
    kept: dict[DeviceId, list[Sighting]] = {}
    for row in connection.execute(statements.ledger, {"devices": texts(devices)}):
        kept.setdefault(DeviceId(row.device), []).append(sighting(row))
    return {device: tuple(sightings) for device, sightings in kept.items()}


def _age(attempt: JoinAttempt) -> tuple[datetime, str, str]:
    return attempt.requested_at, *key_columns(attempt.key)
