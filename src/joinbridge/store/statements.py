"""Every statement that a unit of work runs, built once for each database."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Integer, Select, Table, Text, case, cast, delete, literal_column, select, union, union_all, update
from sqlalchemy import bindparam as parameter
from sqlalchemy.sql.dml import Delete, ReturningInsert
from sqlalchemy.sql.selectable import CompoundSelect

from joinbridge.ports import DeadLetterStatus
from joinbridge.store import tables
from joinbridge.store.columns import UtcTime
from joinbridge.store.dialects import Upsert, each_of, insert_into, insert_rows


class Statements:
    """The statements of one dialect, ready for their parameters.

    Those that insert take what `dialects.rows_for` makes of the rows, except for dead letters: few, and binary, they are sent one
    parameter set for each.
    """

    def __init__(self, dialect: str) -> None:
        self.record_messages = insert_rows(dialect, tables.inbox).on_conflict_do_nothing().returning(tables.inbox.c.key)
        self.involved = _involved(dialect)
        self.ledger = _ledger(dialect)
        self.due = _due()
        self.save_attempts = _compare_and_set(dialect, tables.attempts)
        self.save_pairs = _compare_and_set(dialect, tables.pairs)
        self.save_versions = _compare_and_set(dialect, tables.device_versions)
        self.keep_sightings = insert_rows(dialect, tables.ledger).on_conflict_do_nothing(index_elements=["device", "key"])
        self.save_evidence = _replace(dialect, tables.evidence)
        self.save_devices = _replace(dialect, tables.devices)
        self.owe_effects = _owe_effects(dialect)
        self.count_contradictions = insert_rows(dialect, tables.contradictions)
        self.discount_contradictions = _discount_contradictions()
        self.save_dead_letters = _add_dead_letter(dialect)
        self.audit_head = select(tables.audit_head.c.sequence, tables.audit_head.c.digest).with_for_update()
        self.append_audit = insert_rows(dialect, tables.audit)
        self.move_audit_head = update(tables.audit_head).values(sequence=parameter("to_sequence"), digest=parameter("to_digest"))


def _discount_contradictions() -> Delete:
    """The audit chain keeps them; what the policy counts are those that nothing explains."""
    c = tables.contradictions.c
    return delete(tables.contradictions).where(
        c.rule == parameter("of_rule", type_=Text),
        c.target == parameter("of_target", type_=Text),
        c.other == parameter("of_other", type_=Text),
        c.at >= parameter("since", type_=UtcTime),
    )


def _involved(dialect: str) -> CompoundSelect[str, str]:
    """Everything but the ledger about the devices named and their pairs' partners, as (which table, what it holds)."""
    attempts, pairs, devices, versions = tables.attempts.c, tables.pairs.c, tables.devices.c, tables.device_versions.c
    named = each_of(dialect, "devices").cte("named")
    names = select(named.c.value)
    involved = union(
        names,
        select(attempts.other).where(attempts.target.in_(names), attempts.other.is_not(None)),
        select(attempts.target).where(attempts.other.in_(names)),
        select(pairs.other).where(pairs.target.in_(names)),
        select(pairs.target).where(pairs.other.in_(names)),
    ).cte("involved")
    all_of_them = select(involved.c.value)
    return union_all(
        select(_word("involved"), involved.c.value),
        select(_word("attempt"), attempts.record).where(attempts.target.in_(all_of_them)),
        select(_word("pair"), pairs.record).where(pairs.target.in_(all_of_them)),
        select(_word("description"), devices.record).where(devices.device.in_(all_of_them)),
        select(_word("version"), versions.device + " " + cast(versions.version, Text)).where(versions.device.in_(all_of_them)),
    )


def _word(word: str) -> ColumnElement[str]:
    return literal_column(f"'{word}'", Text).label("part")


def _ledger(dialect: str) -> Select[*tuple[object, ...]]:
    """What was kept about the devices named, oldest first, in the order of arrival where times are equal."""
    names = select(each_of(dialect, "devices").cte("named").c.value)
    ledger = tables.ledger.c
    return (
        select(
            ledger.device,
            ledger.key,
            ledger.at,
            ledger.source,
            ledger.region,
            ledger.authenticity,
            ledger.kind,
            ledger.record,
        )
        .where(ledger.device.in_(names))
        .order_by(ledger.at, ledger.id)
    )


def _due() -> Select[str]:
    """The attempts whose earliest deadline is due. Rows that another instance works on are left to it."""
    attempts = tables.attempts.c
    return (
        select(attempts.record)
        .where(attempts.due_at <= parameter("now", type_=UtcTime))
        .order_by(attempts.due_at, attempts.request_id, attempts.intent)
        .limit(parameter("limit", type_=Integer))
        .with_for_update(skip_locked=True)
    )


def _compare_and_set(dialect: str, table: Table) -> ReturningInsert[*tuple[object, ...]]:
    """Insert rows of version 1, replace rows of the version before; return the keys of those that were written."""
    insert = insert_rows(dialect, table)
    key = [column.name for column in table.primary_key]
    return insert.on_conflict_do_update(
        index_elements=key,
        set_={column.name: insert.excluded[column.name] for column in table.c if column.name not in key},
        where=table.c.version == insert.excluded.version - 1,
    ).returning(*table.primary_key)


def _replace(dialect: str, table: Table) -> Upsert:
    """Insert rows, or replace those whose record differs."""
    insert = insert_rows(dialect, table)
    key = [column.name for column in table.primary_key]
    return insert.on_conflict_do_update(
        index_elements=key,
        set_={column.name: insert.excluded[column.name] for column in table.c if column.name not in key},
        where=table.c.record != insert.excluded.record,
    )


def _owe_effects(dialect: str) -> Upsert:
    insert = insert_rows(dialect, tables.outbox, without=("settled_at", "last_error"))
    return insert.on_conflict_do_nothing(index_elements=["key"])


def _add_dead_letter(dialect: str) -> Upsert:
    """Insert a dead letter, or add to what is known of it: how often it failed, from when to when, and why the last time.

    One that was settled, or is being sent again, is open again: it has come back.
    """
    insert = insert_into(dialect, tables.dead_letters)
    known, new = tables.dead_letters.c, insert.excluded
    return insert.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "reason": new.reason,
            "at_byte": new.at_byte,
            "attempts": known.attempts + new.attempts,
            "first_seen": case((new.first_seen < known.first_seen, new.first_seen), else_=known.first_seen),
            "last_seen": case((new.last_seen > known.last_seen, new.last_seen), else_=known.last_seen),
            "status": DeadLetterStatus.OPEN,
            "settled_at": None,
        },
    )
