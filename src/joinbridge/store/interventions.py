"""What a person changes by hand: deadlines, and what becomes of dead letters. Each change is compared, set and audited at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from joinbridge.core.attempt import AttemptKey, Deadline, JoinAttempt
from joinbridge.core.ids import MessageKey
from joinbridge.errors import StaleVersionError, StoreRefusedError
from joinbridge.ports import UNSETTLED, AuditRecord, Changes, Clock, DeadLetter, DeadLetterStatus
from joinbridge.store import codec
from joinbridge.store.database import Database
from joinbridge.store.loading import key_columns
from joinbridge.store.records import dead_letter_of
from joinbridge.store.saving import save_changes
from joinbridge.store.statements import Statements
from joinbridge.store.tables import attempts, dead_letters, inbox


class SqlInterventions:
    """The Interventions port on a database. The clock dates what was done."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._statements = Statements(database.dialect)

    async def move_deadline(self, key: AttemptKey, deadline: Deadline, due_at: datetime, *, by: str, reason: str) -> JoinAttempt:
        """Let `deadline` be due at another moment; return the attempt as it is then.

        Raises: StaleVersionError when the attempt does not hold that very deadline any more; StoreError.
        """
        moved = replace(deadline, due_at=due_at)

        def work(connection: Connection) -> JoinAttempt:
            attempt = _holding(connection, key, deadline)
            deadlines = tuple(sorted((*(d for d in attempt.deadlines if d != deadline), moved)))
            body = {**_told(deadline), "to": due_at.isoformat(), "by": by, "reason": reason}
            return self._save(connection, replace(attempt, deadlines=deadlines), "deadline.moved", body)

        return await self._database.write(work)

    async def cancel_deadline(self, key: AttemptKey, deadline: Deadline, *, by: str, reason: str) -> JoinAttempt:
        """Let `deadline` never be due; return the attempt as it is then.

        Raises: StaleVersionError when the attempt does not hold that very deadline any more; StoreRefusedError when it is the last one of
        an open attempt; StoreError.
        """

        def work(connection: Connection) -> JoinAttempt:
            attempt = _holding(connection, key, deadline)
            left = tuple(d for d in attempt.deadlines if d != deadline)
            if attempt.is_open and not left:
                raise StoreRefusedError(f"{key} is open, and would stay so for ever without a deadline: move it instead")
            body = {**_told(deadline), "by": by, "reason": reason}
            return self._save(connection, replace(attempt, deadlines=left), "deadline.cancelled", body)

        return await self._database.write(work)

    async def begin_requeue(self, key: MessageKey, *, by: str, reason: str) -> DeadLetter | None:
        """Record that a dead letter is to be sent again, and let its message count as never seen; return the letter to be sent.

        One that is `requeueing` already is returned as it is: whoever began did not finish. None when there is no such letter.

        Raises: StaleVersionError when it is settled; StoreError.
        """
        now = self._clock.now()

        def work(connection: Connection) -> DeadLetter | None:
            letter = _letter(connection, key)
            if letter is None or letter.status is DeadLetterStatus.REQUEUEING:
                return letter
            if letter.settled_at is not None:
                raise StaleVersionError(f"dead letter {key} was {letter.status} at {letter.settled_at.isoformat()}")
            # Its key is in the inbox since it died: what is sent again would be taken for a second copy of that.
            connection.execute(delete(inbox).where(inbox.c.key == key))
            return self._settle(connection, letter, "letter.requeue-begun", {"by": by, "reason": reason}, DeadLetterStatus.REQUEUEING, now)

        return await self._database.write(work)

    async def finish_requeue(self, letter: DeadLetter) -> bool:
        """Record that `letter`, which `begin_requeue` returned, was sent again.

        Return False, and change nothing, when the letter is not the same any more: its message has come back by then, or somebody else
        has finished.

        Raises: StoreError.
        """
        now = self._clock.now()

        def work(connection: Connection) -> bool:
            held = _letter(connection, letter.key)
            if held is None or (held.status, held.requeue_at) != (DeadLetterStatus.REQUEUEING, letter.requeue_at):
                return False
            self._settle(connection, held, "letter.requeued", {}, DeadLetterStatus.REQUEUED, now)
            return True

        return await self._database.write(work)

    async def dismiss(self, key: MessageKey, *, by: str, reason: str) -> bool:
        """Settle a dead letter without sending it again; return whether there was an open one.

        Raises: StoreError.
        """
        now = self._clock.now()

        def work(connection: Connection) -> bool:
            letter = _letter(connection, key)
            if letter is None or letter.status not in UNSETTLED:
                return False
            self._settle(connection, letter, "letter.dismissed", {"by": by, "reason": reason}, DeadLetterStatus.DISMISSED, now)
            return True

        return await self._database.write(work)

    def _save(self, connection: Connection, attempt: JoinAttempt, kind: str, body: Mapping[str, object]) -> JoinAttempt:
        now = self._clock.now()
        audit = AuditRecord(at=now, kind=kind, subject=str(attempt.key), body=body)
        save_changes(connection, self._statements, Changes(attempts=[attempt], audit=[audit]), now)
        return replace(attempt, version=attempt.version + 1)

    def _settle(
        self, connection: Connection, letter: DeadLetter, kind: str, body: Mapping[str, object], status: DeadLetterStatus, now: datetime
    ) -> DeadLetter:
        settled = replace(
            letter,
            status=status,
            requeue_at=now if status is DeadLetterStatus.REQUEUEING else letter.requeue_at,
            settled_at=None if status in UNSETTLED else now,
        )
        values = {"status": settled.status, "requeue_at": settled.requeue_at, "settled_at": settled.settled_at}
        connection.execute(update(dead_letters).where(dead_letters.c.key == letter.key).values(values))
        audit = AuditRecord(at=now, kind=kind, subject=letter.key, body={"route": letter.route, **body})
        save_changes(connection, self._statements, Changes(audit=[audit]), now)
        return settled


def _holding(connection: Connection, key: AttemptKey, deadline: Deadline) -> JoinAttempt:
    """Return the attempt, its row locked.

    Raises: StaleVersionError when it does not hold `deadline`.
    """
    request_id, intent = key_columns(key)
    wanted = select(attempts.c.record).where(attempts.c.request_id == request_id, attempts.c.intent == intent).with_for_update()
    text = connection.execute(wanted).scalar_one_or_none()
    attempt = None if text is None else codec.decode(JoinAttempt, text)
    if attempt is None or deadline not in attempt.deadlines:
        raise StaleVersionError(f"{key} has no {deadline.purpose} deadline due at {deadline.due_at.isoformat()} (any more)")
    return attempt


def _letter(connection: Connection, key: MessageKey) -> DeadLetter | None:
    """Return the dead letter, its row locked."""
    row = connection.execute(select(dead_letters).where(dead_letters.c.key == key).with_for_update()).one_or_none()
    return None if row is None else dead_letter_of(row)


def _told(deadline: Deadline) -> Mapping[str, object]:
    return {"purpose": deadline.purpose, "from": deadline.due_at.isoformat()}
