"""What is asked after every commit must not take longer the more there is."""

from __future__ import annotations

import pytest
from sqlalchemy import Select, create_engine, text

from joinbridge.store import outbox, store
from joinbridge.store.tables import metadata


@pytest.mark.parametrize(
    ("statement", "index"), [(store._NEXT_DEADLINE, "ix_attempts_due"), (outbox._NEXT_DUE, "ix_outbox_due")], ids=["deadline", "effect"]
)
def test_the_next_moment_is_read_off_an_index(statement: Select[tuple[object]], index: str) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)

    with engine.connect() as connection:
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {statement.compile(engine)}")).scalars("detail").all()

    assert [index in step for step in plan] == [True]
