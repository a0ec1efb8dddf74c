"""The audit chain as the database holds it: whatever is changed behind joinbridge's back is found."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from joinbridge.errors import AuditError, StoreError
from joinbridge.ports import Changes
from joinbridge.store import audit_log
from joinbridge.store.audit import ChainHead, from_line, to_line, verify
from support.records import NOON, audit_record, later
from support.store import Instance, one_instance


@pytest.fixture
async def one() -> AsyncIterator[Instance]:
    async with one_instance() as instance:
        await instance.save(Changes(audit=[audit_record(f"s{n % 2}", at=later(seconds=n), body={"n": n}) for n in range(1, 8)]))
        yield instance


async def tamper(instance: Instance, *statements: str) -> None:
    def run(connection: Connection) -> None:
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount == 1

    await instance.database.write(run)


async def test_the_chain_of_the_database_verifies(one: Instance) -> None:
    head = await one.audit.verify()

    assert head == await one.audit.head()
    assert head.sequence == 7


async def test_entries_are_read_page_by_page(one: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "PAGE", 3)

    assert [entry.sequence async for entry in one.audit.entries()] == [1, 2, 3, 4, 5, 6, 7]
    assert [entry.sequence async for entry in one.audit.entries(after=2, until=5)] == [3, 4, 5]
    assert (await one.audit.verify()).sequence == 7


async def test_an_export_verifies_on_its_own(one: Instance) -> None:
    lines = [to_line(entry) async for entry in one.audit.entries()]

    entries = [from_line(line, sequence=n) for n, line in enumerate(lines, start=1)]

    assert verify(entries, await one.audit.head()).sequence == 7
    assert [entry.at for entry in entries] == [later(seconds=n) for n in range(1, 8)]
    assert entries[0].at > NOON


async def test_the_history_of_one_subject_can_be_read(one: Instance) -> None:
    assert [entry.sequence for entry in await one.audit.of("s1")] == [1, 3, 5, 7]


async def test_a_new_database_has_an_empty_chain() -> None:
    async with one_instance() as instance:
        assert await instance.audit.head() == await instance.audit.verify() == ChainHead()
        assert [entry async for entry in instance.audit.entries()] == []


@pytest.mark.parametrize(
    ("statements", "sequence"),
    [
        (["UPDATE audit SET body = '{\"n\":9}' WHERE sequence = 3"], 3),
        (["UPDATE audit SET body = '{\"n\": 3}' WHERE sequence = 3"], 3),  # a space is a change, too
        (["UPDATE audit SET at = '2026-03-01T12:00:03.123457+00:00' WHERE sequence = 3"], 3),
        (["UPDATE audit SET kind = 'pair.unchanged' WHERE sequence = 3"], 3),
        (["UPDATE audit SET digest = previous WHERE sequence = 3"], 3),
        (["DELETE FROM audit WHERE sequence = 1"], 1),
        (["DELETE FROM audit WHERE sequence = 4"], 4),
        (["DELETE FROM audit WHERE sequence = 7"], 7),
        (
            [
                "UPDATE audit SET sequence = 99 WHERE sequence = 2",
                "UPDATE audit SET sequence = 2 WHERE sequence = 3",
                "UPDATE audit SET sequence = 3 WHERE sequence = 99",
            ],
            2,
        ),
        (["UPDATE audit_head SET sequence = 6"], 6),
        (["UPDATE audit_head SET digest = 'x'"], 7),
    ],
)
async def test_whatever_is_changed_is_found(one: Instance, statements: list[str], sequence: int) -> None:
    await tamper(one, *statements)

    with pytest.raises(AuditError) as caught:
        await one.audit.verify()

    assert caught.value.sequence == sequence


async def test_a_chain_without_a_head_is_not_written_on(one: Instance) -> None:
    await tamper(one, "DELETE FROM audit_head")

    with pytest.raises(AuditError):
        await one.audit.verify()
    with pytest.raises(StoreError, match="no head"):
        await one.save(Changes(audit=[audit_record()]))
