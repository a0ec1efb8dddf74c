"""`joins`, `dead-letters` and `audit`: what is recorded, for people and machines."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO, TypeVar

import typer

from joinbridge.cli.listing import attempt_row, pair_row
from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import FOUND_WRONG, complain, console, moment, print_json, state, table
from joinbridge.config import load
from joinbridge.core.attempt import AttemptState
from joinbridge.core.ids import DeviceId, MessageKey, parse_eui64
from joinbridge.core.pair import PairState
from joinbridge.errors import AuditError, DecodeError
from joinbridge.ports import DeadLetter
from joinbridge.store.audit import to_line
from joinbridge.store.audit_log import AuditLog
from joinbridge.store.records import Records
from joinbridge.wiring.databases import open_audit_log, open_interventions, open_records
from joinbridge.wiring.requeueing import REQUEUED, requeue_letters

T = TypeVar("T")

Database = Annotated[str | None, typer.Option("--database", help="SQLAlchemy URL; else the one of the configuration.")]
Limit = Annotated[int, typer.Option(min=1, help="Most rows to show.")]

dead_letters = typer.Typer(help="Messages that could not be processed.", no_args_is_help=True)
audit = typer.Typer(help="The hash-chained record of every decision.", no_args_is_help=True)


def joins(
    states: Annotated[list[AttemptState] | None, typer.Option("--state", help="Only attempts in this state; may be repeated.")] = None,
    target: Annotated[str | None, typer.Option(help="Only attempts on this device (EUI-64).")] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="List pairs instead of attempts.")] = False,
    pair_states: Annotated[list[PairState] | None, typer.Option("--pair-state", help="With --pairs: only pairs in this state.")] = None,
    limit: Limit = 100,
    database: Database = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List joins and unjoins, newest first, or the pairs they are about."""
    if pair_states and not pairs:
        raise typer.BadParameter("goes with --pairs", param_hint="--pair-state")
    if pairs and states:
        raise typer.BadParameter("is about attempts; with --pairs there is --pair-state", param_hint="--state")
    device = _device(target)

    async def found(records: Records) -> list[dict[str, object]]:
        if pairs:
            return [pair_row(p) for p in await records.pairs(states=pair_states or (), target=device, limit=limit)]
        attempts = await records.attempts(states=states or (), target=device, newest_first=True, limit=limit)
        return [attempt_row(a) for a in attempts]

    rows = with_records(config, database, found)
    if as_json:
        print_json(rows)
    elif pairs:
        shown = ([r["target"], r["other"], state(r["state"]), _rules(r["rules"])] for r in rows)
        console().print(table("Pairs", ("target", "other", "state", "rests on (rows of docs/rules.md)"), shown))
    else:
        columns = ("request_id", "intent", "other", "state", "join_response_code", "lost_because")
        shown_attempts = ([state(r[c]) if c == "state" else r[c] for c in columns] for r in rows)
        console().print(table("Joins and unjoins", columns, shown_attempts))


def _rules(rules: object) -> str:
    return ", ".join(f"{r['row']} {r['name']}" for r in rules) if isinstance(rules, list) else ""


def _device(text: str | None) -> DeviceId | None:
    try:
        return None if text is None else parse_eui64(text)
    except DecodeError as error:
        raise typer.BadParameter(error.reason, param_hint="--target") from error


@dead_letters.command("list")
def list_letters(limit: Limit = 100, database: Database = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List dead letters, oldest first."""

    async def found(records: Records) -> list[DeadLetter]:
        return list(await records.dead_letters(limit=limit))

    letters = with_records(config, database, found)
    if as_json:
        print_json([_letter(letter) for letter in letters])
        return
    rows = ([one.key, moment(one.last_seen), one.source, one.route, one.reason, one.offset] for one in letters)
    console().print(table("Dead letters", ("key", "last seen", "source", "route", "reason", "byte"), rows))


@dead_letters.command("show")
def show_letter(
    key: Annotated[str, typer.Argument(help="The key that `dead-letters list` shows.")],
    body: Annotated[bool, typer.Option("--body", help="Write the message itself to standard output, and nothing else.")] = False,
    database: Database = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter with all that is known of it."""

    async def found(records: Records) -> DeadLetter | None:
        return await records.dead_letter(MessageKey(key))

    letter = with_records(config, database, found)
    if letter is None:
        complain(f"there is no dead letter {key}; `joinbridge dead-letters list` shows those there are")
        raise typer.Exit(FOUND_WRONG)
    if body:
        sys.stdout.buffer.write(letter.body)
    elif as_json:
        print_json({**_letter(letter), "body": letter.body})
    else:
        console().print(table("", ("", ""), _letter(letter).items()))


@dead_letters.command("requeue")
def requeue(
    reason: Annotated[str, typer.Option("--reason", help="Why; an auditor will read it.")],
    keys: Annotated[list[str] | None, typer.Argument(help="The keys that `dead-letters list` shows.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open dead letter, and those whose requeue was interrupted.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who; your login if not given.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters to joinbridge's queue again, under the route they came by, and mark them once the broker has confirmed.

    What was interrupted can be called again. One that cannot be decoded now either comes back as a dead letter.
    """
    if bool(keys) == everything:
        raise typer.BadParameter("give the keys of dead letters, or --all", param_hint="KEYS")
    chosen = None if keys is None or everything else [MessageKey(key) for key in keys]
    outcomes = asyncio.run(requeue_letters(load(config), chosen, by=by or getpass.getuser(), reason=reason))
    if as_json:
        print_json(outcomes)
    else:
        for key, outcome in outcomes.items():
            console().print(f"{key}  {outcome}", soft_wrap=True)
    if any(outcome != REQUEUED for outcome in outcomes.values()):
        raise typer.Exit(FOUND_WRONG)


@dead_letters.command("dismiss")
def dismiss(
    key: Annotated[str, typer.Argument(help="The key that `dead-letters list` shows.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; an auditor will read it.")],
    by: Annotated[str | None, typer.Option("--by", help="Who; your login if not given.")] = None,
    database: Database = None,
    config: ConfigFile = None,
) -> None:
    """Settle a dead letter without sending it again."""

    async def dismissed() -> bool:
        async with open_interventions(database_url(config, database)) as interventions:
            return await interventions.dismiss(MessageKey(key), by=by or getpass.getuser(), reason=reason)

    if not asyncio.run(dismissed()):
        complain(f"there is no open dead letter {key}; `joinbridge dead-letters list` shows those there are")
        raise typer.Exit(FOUND_WRONG)
    console().print(f"{key} is settled")


def _letter(letter: DeadLetter) -> dict[str, object]:
    return {
        "key": letter.key,
        "reason": letter.reason,
        "offset": letter.offset,
        "source": letter.source,
        "route": letter.route,
        "region": letter.region,
        "content_type": letter.content_type,
        "size_bytes": len(letter.body),
        "status": letter.status.value,
        "attempts": letter.attempts,
        "first_seen": letter.first_seen,
        "last_seen": letter.last_seen,
    }


@audit.command("verify")
def verify(database: Database = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Check that no entry of the audit chain was altered, removed, added or moved."""
    try:
        head = asyncio.run(_with_audit_log(config, database, AuditLog.verify))
    except AuditError as error:
        if as_json:
            print_json({"ok": False, "sequence": error.sequence, "error": str(error)})
        else:
            complain(str(error))
        raise typer.Exit(FOUND_WRONG) from error
    if as_json:
        print_json({"ok": True, "entries": head.sequence, "head": head.digest})
    else:
        console().print(f"the audit chain is whole: {head.sequence} entries, head {head.digest}")


@audit.command("export")
def export(
    to: Annotated[Path | None, typer.Option("--to", help="File to write; standard output if not given.")] = None,
    database: Database = None,
    config: ConfigFile = None,
) -> None:
    """Write the audit chain as JSON Lines, one entry a line, from its beginning. `sequence` and hashes are in every line."""

    async def write(log: AuditLog) -> int:
        count = 0
        with _output(to) as stream:
            async for entry in log.entries():
                stream.write(to_line(entry) + "\n")
                count += 1
        return count

    count = asyncio.run(_with_audit_log(config, database, write))
    if to is not None:
        console().print(f"{count} entries written to {to}")


@contextmanager
def _output(to: Path | None) -> Iterator[TextIO]:
    if to is None:
        yield sys.stdout
        return
    try:
        stream = to.open("w", encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{to} cannot be written: {error.strerror}", param_hint="--to") from error
    with stream:
        yield stream


def with_records(config: Path | None, database: str | None, work: Callable[[Records], Awaitable[T]]) -> T:
    """Return what `work` finds in the records of the configured database."""

    async def opened() -> T:
        async with open_records(database_url(config, database)) as records:
            return await work(records)

    return asyncio.run(opened())


async def _with_audit_log(config: Path | None, database: str | None, work: Callable[[AuditLog], Awaitable[T]]) -> T:
    async with open_audit_log(database_url(config, database)) as log:
        return await work(log)


def database_url(config: Path | None, database: str | None) -> str:
    """Return the URL that was given, else the one of the configuration."""
    return database or load(config).database.url.get_secret_value()
