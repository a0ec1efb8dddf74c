"""The few things that SQLite and PostgreSQL say differently."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import ARRAY, JSON, Column, Select, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite

POSTGRESQL = "postgresql"
SQLITE = "sqlite"

Upsert = postgresql.Insert | sqlite.Insert
"""An INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`; both dialects spell them alike."""

Row = Mapping[str, object]


def insert_into(dialect: str, table: Table) -> Upsert:
    """Return the INSERT of `dialect` into `table`, which takes one parameter set for each row."""
    return postgresql.insert(table) if dialect == POSTGRESQL else sqlite.insert(table)


def insert_rows(dialect: str, table: Table, *, without: Collection[str] = ()) -> Upsert:
    """Return an INSERT into `table` of all rows at once, which is executed with `rows_for(dialect, ...)`.

    PostgreSQL gets each column as one array and makes the rows itself: one statement and one round trip, whose text does not depend on
    how many they are, so that it is prepared once. SQLite has no trips to save: there SQLAlchemy sends the rows as one statement when it
    returns something (up to 1,000 rows each), and in one call of the driver otherwise.

    Rows have no value for the columns `without`, nor for one that the database counts up itself.
    """
    if dialect != POSTGRESQL:
        return sqlite.insert(table)
    columns = [c for c in table.c if c.name not in without and c is not table.autoincrement_column]
    return postgresql.insert(table).from_select([c.name for c in columns], _unnested(columns))


def rows_for(dialect: str, rows: Sequence[Row]) -> Row | Sequence[Row]:
    """Return what a statement of `insert_rows` is executed with to insert `rows`, in their order; there is at least one."""
    return {name: [row[name] for row in rows] for name in rows[0]} if dialect == POSTGRESQL else rows


def _unnested(columns: Sequence[Column[object]]) -> Select[*tuple[object, ...]]:
    arrays = (bindparam(c.name, type_=ARRAY(c.type)) for c in columns)
    rows = func.unnest(*arrays).table_valued(*(column(c.name, c.type) for c in columns)).render_derived()
    return select(*(rows.c[c.name] for c in columns))


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
