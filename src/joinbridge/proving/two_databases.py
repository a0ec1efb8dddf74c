"""Two databases: a seed is simulated on SQLite and on PostgreSQL, and what it leaves behind must be the same, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from joinbridge.proving.plan import Plan, draw_plan
from joinbridge.proving.scratch import Scratch
from joinbridge.proving.simulation import simulate
from joinbridge.store.tables import metadata

Rows = Sequence[tuple[Any, ...]]
"""The rows of a table. Any: columns hold anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A seed that did not come to the same on both, and in what."""

    seed: int
    wrong: tuple[str, ...]


@dataclass(slots=True)
class Compared:
    """How many seeds were simulated on both, and what there was to compare."""

    seeds: int = 0
    messages: int = 0
    rows: int = 0
    different: list[Difference] = field(default_factory=list)

    def add(self, other: Compared) -> None:
        """Add those of other seeds."""
        self.seeds += other.seeds
        self.messages += other.messages
        self.rows += other.rows
        self.different += other.different

    def to_json(self) -> dict[str, object]:
        """Return them as plain JSON."""
        return {
            "seeds": self.seeds,
            "messages": self.messages,
            "rows_compared": self.rows,
            "different": [
                {"seed": one.seed, "wrong": list(one.wrong)} for one in sorted(self.different, key=lambda difference: difference.seed)
            ],
        }


def compared(seeds: Sequence[int], one: Scratch, other: Scratch) -> Compared:
    """Simulate each of `seeds` on both."""
    figures = Compared()
    for seed in seeds:
        figures.add(on_both(draw_plan(seed), one, other))
    return figures


def on_both(plan: Plan, one: Scratch, other: Scratch) -> Compared:
    """Simulate `plan` on both: the same must happen in the same order, break nothing, and leave the same rows behind."""
    here, there = simulate(plan, one), simulate(plan, other)
    wrong = [*here.violations, *there.violations]
    if here.trace != there.trace:
        wrong.append("not the same happened")
    left = left_behind(one)
    wrong += differences(left, left_behind(other))
    return Compared(
        seeds=1,
        messages=len(here.history.ledger.sent),
        rows=sum(len(rows) for rows in left.values()),
        different=[Difference(seed=plan.seed, wrong=tuple(wrong))] if wrong else [],
    )


def left_behind(scratch: Scratch) -> Mapping[str, Rows]:
    """Return every row of every table, without what the database has numbered, whose order is kept."""
    return scratch.look(_contents)


def differences(one: Mapping[str, Rows], other: Mapping[str, Rows]) -> Sequence[str]:
    """Return what is not the same, at most the first row of each table."""
    return [found for table in one if (found := _difference(table, one[table], other[table])) is not None]


def _difference(table: str, one: Rows, other: Rows) -> str | None:
    for mine, yours in zip(one, other, strict=False):
        if mine != yours:
            return f"{table}: {mine} here is {yours} there"
    return None if len(one) == len(other) else f"{table}: {len(one)} rows here, {len(other)} there"


def _contents(connection: Connection) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for table in metadata.sorted_tables:
        number = table.autoincrement_column
        asked = select(*(column for column in table.c if column is not number)).order_by(number)
        rows = [tuple(row) for row in connection.execute(asked)]
        # Which text comes before which is for each database to say.
        found[table.name] = sorted(rows, key=repr) if number is None else rows
    return found
