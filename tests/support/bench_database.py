"""A database with very many open attempts, for benchmarks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from joinbridge.core.attempt import AttemptState, Deadline, Purpose
from joinbridge.store import codec
from support.records import attempt


async def fill(url: str, count: int) -> None:
    """Put `count` open attempts into the database at `url`, each on a target of its own, none due for a month."""
    due_at = datetime.now(UTC) + timedelta(days=30)
    deadline = Deadline(due_at=due_at, purpose=Purpose.ANSWER, armed_in=AttemptState.ACCEPTED)
    one = replace(attempt(), state=AttemptState.ACCEPTED, deadlines=(deadline,))
    engine = create_async_engine(url)
    target = "'00-EE-00-00-' || upper(regexp_replace(lpad(to_hex(n), 8, '0'), '(..)(..)(..)(..)', '\\1-\\2-\\3-\\4'))"
    other = target.replace("00-EE", "00-EF")
    request = f"'90-B3-D5-1F-30-01-00-00:' || {target} || ':' || n"
    record = f"replace(replace(replace(cast(:record AS text), :request, {request}), :target, {target}), :other, {other})"
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO attempts (request_id, intent, target, other, state, requested_at, watched, due_at, version, record) "  # noqa: S608
                f"SELECT {request}, 'join', {target}, {other}, 'accepted', :due_at, true, :due_at, 1, {record} "
                "FROM generate_series(1, :count) AS n"
            ),
            {
                "due_at": due_at,
                "count": count,
                "record": codec.encode(one),
                "request": str(one.key.request_id),
                "target": one.target,
                "other": one.other,
            },
        )
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE attempts"))
    await engine.dispose()
