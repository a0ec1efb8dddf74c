"""A database and its transactions: one way to use SQLite and PostgreSQL.

Work is a plain function over `sqlalchemy.Connection`, written once. A `Line` carries it to the database: in SQLAlchemy's greenlet for a
driver that is asynchronous, in a thread for SQLite (`lines` has both, docs/decisions/0004-storage.md the reason).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from joinbridge.errors import StoreError
from joinbridge.store.failures import database_errors

T = TypeVar("T")


class Run(Protocol):
    """Carries work to one connection and brings back what it returns or raises."""

    async def __call__(self, work: Callable[[Connection], T], /) -> T:
        """Return what `work` returns."""
        ...


class Line(Protocol):
    """Lends a connection, to one transaction at a time."""

    def borrow(self) -> AbstractAsyncContextManager[Run]:
        """Lend the connection for the length of the context. What is not committed by then is rolled back."""
        ...


class Transaction:
    """One transaction: it begins with its first work and ends with its context."""

    def __init__(self, run: Run) -> None:
        self._run: Run | None = run

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, having run it on the connection of this transaction.

        Raises: StoreError when the database could not be reached, or did not do what was asked of it, or the transaction is over;
        anything else that `work` raises.
        """
        if self._run is None:
            raise StoreError("the transaction is over")
        with database_errors():
            return await self._run(work)

    def end(self) -> None:
        """Let nothing more run in it."""
        self._run = None


class Database:
    """Where transactions are opened. Made by `opening.open_database`."""

    def __init__(self, dialect: str, *, writer: Line, reader: Line) -> None:
        self.dialect = dialect
        self._writer = writer
        self._reader = reader

    def writing(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that may write; leaving it by an exception rolls everything back.

        Not from within another transaction of the same task: SQLite has one writer, and would wait for itself.
        """
        return _transaction(self._writer)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, having run it as a transaction of its own, in one crossing to the database.

        Who cancels it cannot know whether it was committed.

        Raises: StoreError as `Transaction.run` does.
        """
        return await _alone(self._writer, work, Connection.commit)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, having run it as a transaction of its own that only reads.

        Raises: StoreError as `Transaction.run` does.
        """
        return await _alone(self._reader, work, Connection.rollback)


@asynccontextmanager
async def _transaction(line: Line) -> AsyncIterator[Transaction]:
    async with line.borrow() as run:
        transaction = Transaction(run)
        try:
            yield transaction
            await transaction.run(Connection.commit)
        except BaseException:
            transaction.end()
            # A connection that cannot roll back is lost, and the database itself undoes what a lost connection had begun.
            with suppress(StoreError), database_errors():
                await run(Connection.rollback)
            raise
        finally:
            transaction.end()


async def _alone(line: Line, work: Callable[[Connection], T], end: Callable[[Connection], None]) -> T:
    def whole(connection: Connection) -> T:
        try:
            result = work(connection)
            end(connection)
        except BaseException:
            connection.rollback()
            raise
        return result

    async with line.borrow() as run:
        with database_errors():
            return await run(whole)
