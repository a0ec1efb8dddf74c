"""`joinbridge deadlines`: what is waited for, and a person's word on it."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import FOUND_WRONG, complain, console, moment, print_json, table
from joinbridge.cli.records import Database, Limit, database_url, with_records
from joinbridge.core.attempt import AttemptKey, Deadline, JoinAttempt, Purpose
from joinbridge.core.ids import parse_request_id
from joinbridge.core.vocabulary import Intent
from joinbridge.errors import DecodeError
from joinbridge.store.records import Records
from joinbridge.wiring.databases import open_interventions

app = typer.Typer(help="What joinbridge waits for, and until when.", no_args_is_help=True)

Request = Annotated[str, typer.Argument(help="The RequestID that `deadlines list` shows.")]
Of = Annotated[Intent, typer.Option("--intent", help="A RequestID may stand for a Join and an Unjoin.")]
For = Annotated[Purpose, typer.Option("--purpose", help="What the deadline is for, as `deadlines list` shows.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; an auditor will read it.")]
By = Annotated[str | None, typer.Option("--by", help="Who; your login if not given.")]


@app.command("list")
def list_deadlines(limit: Limit = 100, database: Database = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List what is waited for, soonest first."""

    async def found(records: Records) -> list[dict[str, object]]:
        attempts = await records.waiting(limit=limit)
        rows = [_row(attempt, deadline) for attempt in attempts for deadline in attempt.deadlines]
        return sorted(rows, key=lambda row: str(row["due_at"]))[:limit]

    rows = with_records(config, database, found)
    if as_json:
        print_json(rows)
        return
    columns = ("due_at", "purpose", "request_id", "intent", "other", "state")
    console().print(table("Deadlines", ("due (UTC)", *columns[1:]), ([row[column] for column in columns] for row in rows)))


@app.command("move")
def move(
    request_id: Request,
    purpose: For,
    to: Annotated[str, typer.Option("--to", help="The new moment, RFC 3339, such as 2026-03-09T12:00:00Z.")],
    reason: Reason,
    intent: Of = Intent.JOIN,
    by: By = None,
    database: Database = None,
    config: ConfigFile = None,
) -> None:
    """Move a deadline. The audit chain keeps who, why, and from when to when."""
    due_at = _moment(to)
    attempt, deadline = _found(config, database, request_id, intent, purpose)

    async def moved() -> None:
        async with open_interventions(database_url(config, database)) as interventions:
            await interventions.move_deadline(attempt.key, deadline, due_at, by=by or getpass.getuser(), reason=reason)

    asyncio.run(moved())
    console().print(f"{purpose} of {attempt.key}: due {moment(due_at)} instead of {moment(deadline.due_at)}")


@app.command("cancel")
def cancel(
    request_id: Request,
    purpose: For,
    reason: Reason,
    intent: Of = Intent.JOIN,
    by: By = None,
    database: Database = None,
    config: ConfigFile = None,
) -> None:
    """Cancel a deadline: what it was for will not happen. The last one of an open attempt can only be moved."""
    attempt, deadline = _found(config, database, request_id, intent, purpose)

    async def cancelled() -> None:
        async with open_interventions(database_url(config, database)) as interventions:
            await interventions.cancel_deadline(attempt.key, deadline, by=by or getpass.getuser(), reason=reason)

    asyncio.run(cancelled())
    console().print(f"{purpose} of {attempt.key}: cancelled")


def _found(config: Path | None, database: str | None, request_id: str, intent: Intent, purpose: Purpose) -> tuple[JoinAttempt, Deadline]:
    """Return the attempt and its deadline; end the command with what there is instead when there is none."""
    try:
        key = AttemptKey(parse_request_id(request_id), intent)
    except DecodeError as error:
        raise typer.BadParameter(error.reason, param_hint="REQUEST_ID") from error

    async def recorded(records: Records) -> JoinAttempt | None:
        return next((each for each in await records.of_request(key.request_id) if each.key == key), None)

    attempt = with_records(config, database, recorded)
    if attempt is None:
        complain(f"there is no {intent} with the RequestID {request_id}")
        raise typer.Exit(FOUND_WRONG)
    deadline = next((each for each in attempt.deadlines if each.purpose is purpose), None)
    if deadline is None:
        held = ", ".join(each.purpose for each in attempt.deadlines)
        complain(f"{key} has no deadline of the purpose {purpose}; it has {held or 'none at all'}")
        raise typer.Exit(FOUND_WRONG)
    return attempt, deadline


def _row(attempt: JoinAttempt, deadline: Deadline) -> dict[str, object]:
    return {
        "due_at": deadline.due_at.isoformat(),
        "purpose": deadline.purpose.value,
        "request_id": str(attempt.key.request_id),
        "intent": attempt.key.intent.value,
        "other": attempt.other,
        "state": attempt.state.value,
    }


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a moment in RFC 3339, such as 2026-03-09T12:00:00Z", param_hint="--to") from error
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
