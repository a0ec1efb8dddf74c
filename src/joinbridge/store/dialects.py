"""The few things that SQLite and PostgreSQL say differently."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import JSON, Select, Table, Text, bindparam, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite

POSTGRESQL = "postgresql"
SQLITE = "sqlite"

Upsert = postgresql.Insert | sqlite.Insert
"""An INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`; both dialects spell them alike."""


def insert_into(dialect: str, table: Table) -> Upsert:
    """Return the INSERT of `dialect` into `table`."""
    return postgresql.insert(table) if dialect == POSTGRESQL else sqlite.insert(table)


def each_of(dialect: str, name: str) -> Select[str]:
    """Return a SELECT of the texts in parameter `name`, which is bound to `texts(...)`.

    One parameter however many texts: the statement stays the same, so that it is prepared once, and no limit on parameters
    (32,766 on SQLite) is ever near.
    """
    parameter = bindparam(name, type_=Text)
    if dialect == POSTGRESQL:
        return select(func.json_array_elements_text(cast(parameter, JSON)).column_valued("value"))
    return select(func.json_each(parameter).table_valued("value").c.value)


def texts(values: Iterable[str]) -> str:
    """Return what `each_of` is bound to: sorted, so that rows are locked in one order everywhere."""
    return json.dumps(sorted(values))
