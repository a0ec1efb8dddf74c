"""`joinbridge explain`: why a join has the state it has."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from joinbridge.cli.listing import attempt_row, every, pair_row
from joinbridge.cli.options import AsJson, ConfigFile
from joinbridge.cli.output import FOUND_WRONG, complain, console, moment, print_json, state, table
from joinbridge.cli.records import Database, with_records
from joinbridge.config import load
from joinbridge.core.attempt import JoinAttempt
from joinbridge.core.case import Case
from joinbridge.core.evidence import Evidence
from joinbridge.core.explain import Explanation
from joinbridge.core.explain import explain as explained
from joinbridge.core.ids import DeviceId, RequestId, parse_request_id
from joinbridge.core.policy import Policy
from joinbridge.errors import DecodeError
from joinbridge.store.records import Records


def explain(
    request_id: Annotated[str, typer.Argument(help="originator:target:counter, as `joinbridge joins` shows it.")],
    database: Database = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Explain a join: its evidence in order, the rule that decided, what was missing, what would change the answer."""
    try:
        wanted = parse_request_id(request_id)
    except DecodeError as error:
        raise typer.BadParameter(error.reason, param_hint="REQUEST_ID") from error
    policy = load(config).policy()

    async def found(records: Records) -> list[Explanation]:
        return await _explanations(records, wanted, policy)

    explanations = with_records(config, database, found)
    if not explanations:
        complain(f"there is no join or unjoin {wanted}; `joinbridge joins` lists those there are")
        raise typer.Exit(FOUND_WRONG)
    if as_json:
        print_json([_plain(one) for one in explanations])
        return
    for one in explanations:
        _show(one)


async def _explanations(records: Records, wanted: RequestId, policy: Policy) -> list[Explanation]:
    asked = await records.of_request(wanted)
    if not asked:
        return []
    case = await _case(records, wanted.device)
    found = (explained(case, attempt.key, policy) for attempt in asked)
    return [one for one in found if one is not None]


async def _case(records: Records, target: DeviceId) -> Case:
    """Return all that is recorded about one target."""

    async def attempts_on_target(*, after: JoinAttempt | None = None) -> list[JoinAttempt]:
        return list(await records.attempts(target=target, after=after))

    attempts = {a.key: a async for a in every(attempts_on_target)}
    pairs = {p.pair: p for p in await records.pairs(target=target)}
    devices = {target, *(pair.other for pair in pairs)}
    described = {device: await records.device(device) for device in sorted(devices)}
    return Case(
        attempts=attempts,
        pairs=pairs,
        ledger={target: tuple(await records.ledger(target))},
        devices={device: description for device, description in described.items() if description is not None},
    )


def _show(one: Explanation) -> None:
    out = console()
    attempt, record = one.attempt, one.record
    out.print(Text(f"{attempt.intent} {attempt.request_id}", style="bold"))
    out.print("  attempt ", state(attempt.state), f"  asked {moment(attempt.requested_at)}", sep="")
    if attempt.lost_because is not None:
        out.print(f"  answer lost at {moment(attempt.lost_at)}, known by {attempt.lost_because}")
    if record is not None:
        out.print(f"  pair {record.pair} ", state(record.state), f" since {moment(record.since)}", sep="")
    if one.next_deadline is not None:
        out.print(f"  next: {one.next_deadline.purpose} at {moment(one.next_deadline.due_at)}")
    out.print()
    rows = ([*_evidence_row(e), "yes" if e in one.decided_by else ""] for e in one.evidence)
    out.print(table("Evidence, oldest first", ("at", "row", "rule", "grade", "polarity", "says", "decided"), rows))
    for title, lines in (("Missing", one.missing), ("What would change the answer", one.would_change)):
        if lines:
            out.print()
            out.print(Text(title, style="bold"))
            for line in lines:
                out.print(f"  · {line}")
    out.print()


def _evidence_row(found: Evidence) -> list[object]:
    grade = found.grade.name.lower() + (" (shadow)" if found.shadow else "")
    return [moment(found.at), found.row or None, f"{found.rule} v{found.version}", grade, found.polarity, found.says]


def _plain(one: Explanation) -> dict[str, object]:
    deadline = one.next_deadline
    return {
        "attempt": attempt_row(one.attempt),
        "pair": None if one.record is None else pair_row(one.record),
        "evidence": [_evidence(e) for e in one.evidence],
        "decided_by": [_evidence(e) for e in one.decided_by],
        "missing": list(one.missing),
        "would_change": list(one.would_change),
        "next_deadline": None if deadline is None else {"purpose": deadline.purpose, "due_at": deadline.due_at},
    }


def _evidence(found: Evidence) -> dict[str, object]:
    return {
        "row": found.row or None,
        "rule": found.rule,
        "version": found.version,
        "polarity": found.polarity,
        "grade": found.grade.name.lower(),
        "at": found.at,
        "says": found.says,
        "message": found.message,
        "shadow": found.shadow,
    }
