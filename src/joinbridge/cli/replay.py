"""`joinbridge replay`: let recorded traffic happen again, and give a verdict on every join in it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from joinbridge.cli.listing import attempt_row, every, pair_row
from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import STANDARD_INPUT, console, errors, print_json, state, table
from joinbridge.config import Settings, load
from joinbridge.core.ids import message_key
from joinbridge.errors import DecodeError
from joinbridge.inventory.memory import MemoryInventory
from joinbridge.ports import Publication
from joinbridge.service.clock import ManualClock
from joinbridge.wire.capture import CaptureLine, parse_line
from joinbridge.wiring.embedded import Embedded, embedded

IN_MEMORY = "sqlite://"
GROUP_LIMIT = 200
GROUP_SPAN = timedelta(seconds=5)
"""Messages this close together go through in one batch, as they would have on a busy bus."""


def replay(
    captures: Annotated[list[str], typer.Argument(metavar="CAPTURE…", help="JSON Lines, one message a line; - is standard input.")],
    until: Annotated[str | None, typer.Option(help="RFC 3339 moment to let the clock run on to, so that deadlines pass.")] = None,
    database: Annotated[str | None, typer.Option(help="Keep the records here (SQLAlchemy URL), for `explain` and others.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Replay captures: every decision is made as it would have been, on a clock that follows the messages.

    Several captures are one history: their messages come in the order of their times. Nothing is sent and no inventory is written. Lines
    that are not capture lines, and messages that cannot be decoded, are counted and reported as dead letters; the rest is replayed.
    """
    settings = load(config)
    end = None if until is None else _moment(until)
    outcome = asyncio.run(_replay(settings, captures, end, database or IN_MEMORY))
    if as_json:
        print_json(outcome)
    else:
        _show(outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """A line of a capture: where it stands, and when it arrived, which is never before the lines above it did."""

    where: str
    arrived_at: datetime
    line: CaptureLine
    body: bytes


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(f"{text!r} is not an RFC 3339 moment with a time zone, such as 2026-11-22T10:00:00Z", param_hint="--until")


async def _replay(settings: Settings, captures: list[str], end: datetime | None, database: str) -> dict[str, object]:
    messages: list[_Recorded] = []
    unreadable: list[dict[str, str]] = []
    for capture in captures:
        messages += _read(capture, unreadable)
    messages.sort(key=lambda message: message.arrived_at)
    start = messages[0].arrived_at if messages else end or datetime.now(UTC)
    clock = ManualClock(start)
    async with embedded(settings, clock=clock, inventory=MemoryInventory(), database_url=database, live=True) as bridge:
        await _play(bridge, clock, settings, messages)
        if end is not None:
            await _let_time_pass(bridge, clock, end)
        return await _outcome(bridge, messages, unreadable)


def _read(capture: str, unreadable: list[dict[str, str]]) -> Iterator[_Recorded]:
    """Return the messages of `capture`; add the lines that are none to `unreadable`."""
    arrived_at = datetime.min.replace(tzinfo=UTC)
    for number, text in enumerate(_lines(capture), start=1):
        where = f"{capture}:{number}"
        try:
            line = parse_line(text)
            arrived_at = max(arrived_at, line.at)
            yield _Recorded(where=where, arrived_at=arrived_at, line=line, body=line.octets())
        except DecodeError as error:
            if text.strip():
                unreadable.append({"where": where, "reason": error.reason})


def _lines(capture: str) -> Iterator[bytes]:
    if capture == STANDARD_INPUT:
        yield from sys.stdin.buffer
        return
    try:
        with Path(capture).open("rb") as stream:
            yield from stream
    except OSError as error:
        raise typer.BadParameter(f"{capture}: cannot be read: {error.strerror}", param_hint="CAPTURE") from error


async def _play(bridge: Embedded, clock: ManualClock, settings: Settings, messages: Sequence[_Recorded]) -> None:
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    group: list[Publication] = []
    with Progress(*columns, console=errors(), transient=True, disable=not errors().is_terminal) as progress:
        task = progress.add_task("replaying", total=len(messages))
        next_due: datetime | None = None
        group_end = clock.now() + GROUP_SPAN
        for number, message in enumerate(messages):
            passes_deadline = next_due is not None and message.arrived_at >= next_due
            if len(group) >= GROUP_LIMIT or message.arrived_at > group_end or passes_deadline:
                await _feed(bridge, group)
                await _let_time_pass(bridge, clock, message.arrived_at)
                next_due = await bridge.sidecar.next_due()
                group_end = clock.now() + GROUP_SPAN
                progress.update(task, completed=number)
            group.append(_publication(message, settings))
        await _feed(bridge, group)
        if messages:
            await _let_time_pass(bridge, clock, messages[-1].arrived_at)


async def _feed(bridge: Embedded, group: list[Publication]) -> None:
    if group:
        await bridge.bus.publish(group)
        group.clear()
    await bridge.sidecar.settle()


async def _let_time_pass(bridge: Embedded, clock: ManualClock, to: datetime) -> None:
    """Let every deadline up to and including `to` pass at its own moment."""
    while (due := await bridge.sidecar.next_due()) is not None and due <= to:
        clock.jump(max(due, clock.now()))
        await bridge.sidecar.settle()
    clock.jump(max(to, clock.now()))


def _publication(message: _Recorded, settings: Settings) -> Publication:
    line = message.line
    # The content says what a message is; the route only has to lead to the intake and to say the source and region again.
    routes = {
        "sr.request": (settings.bus.service_requests, "request.replayed"),
        "sr.response": (settings.bus.service_requests, "response.replayed"),
        "csp.alert": (settings.bus.alerts, f"{(line.region or 'unknown').replace('.', '_')}.replayed"),
    }
    exchange, route = routes[line.source]
    return Publication(
        key=f"replay:{message.where}", exchange=exchange, route=route, body=message.body, content_type=line.content_type, at=line.at
    )


async def _outcome(bridge: Embedded, messages: Sequence[_Recorded], unreadable: list[dict[str, str]]) -> dict[str, object]:
    places = {message_key(message.body): message.where for message in reversed(messages)}
    # Those that cannot be decoded are in the records, those that could not be processed were rejected to the bus.
    dead = [*[letter async for letter in every(bridge.records.dead_letters)], *bridge.bus.dead_letters()]
    letters = [{"where": places.get(letter.key, letter.route), "reason": letter.reason} for letter in dead]
    return {
        "messages": len(messages) + len(unreadable),
        "dead_letters": len(letters) + len(unreadable),
        "attempts": [attempt_row(a) async for a in every(bridge.records.attempts)],
        "pairs": [pair_row(p) async for p in every(bridge.records.pairs)],
        "dead_letter_reasons": [*unreadable, *letters],
    }


def _show(outcome: Mapping[str, object]) -> None:
    out = console()
    out.print(f"{outcome['messages']} messages, {outcome['dead_letters']} dead letters\n")
    attempts, pairs, reasons = outcome["attempts"], outcome["pairs"], outcome["dead_letter_reasons"]
    if not (isinstance(attempts, list) and isinstance(pairs, list) and isinstance(reasons, list)):
        return
    columns = ("request_id", "intent", "other", "state", "join_response_code")
    out.print(table("Attempts", columns, ([state(a[c]) if c == "state" else a[c] for c in columns] for a in attempts)))
    out.print()
    rows = ([p["target"], p["other"], state(p["state"]), ", ".join(f"{r['row']} {r['name']}" for r in p["rules"])] for p in pairs)
    out.print(table("Pairs", ("target", "other", "state", "rests on (rows of docs/rules.md)"), rows))
    if reasons:
        out.print()
        out.print(table("Dead letters", ("where", "reason"), ([r["where"], r["reason"]] for r in reasons)))
