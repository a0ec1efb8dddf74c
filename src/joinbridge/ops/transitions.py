"""The transitions of attempts and pairs, found by running the functions that make them, never written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from joinbridge.core import attempt as attempts
from joinbridge.core.attempt import AttemptState, JoinAttempt, LossTrigger
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.ids import CommandKey, JoinPair, MessageKey, RequestId, parse_eui64
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.rules import PairContext
from joinbridge.core.standing import stand
from joinbridge.core.verdict import Verdict
from joinbridge.core.vocabulary import Intent

_SUPPLIER = parse_eui64("90-B3-D5-1F-30-01-00-00")
_TARGET = parse_eui64("00-11-22-33-44-55-66-01")
_OTHER = parse_eui64("00-11-22-33-44-55-66-02")
_PAIR = JoinPair(_TARGET, _OTHER)
_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def transitions_markdown(note: str) -> str:
    """Return docs/transitions.md: how each thing that can happen moves an attempt or a pair, from every state; `note` comes first."""
    lines = [
        note,
        "# Transitions",
        "",
        "Found by running `core/attempt.py` and `core/standing.py` from every state. A dash means that nothing changes.",
        "",
        "## Attempts",
        "",
        *_table(("from", *(title for title, _ in _HAPPENINGS)), _attempt_rows()),
        "",
        "`(twice)`: the command was issued more than once, so that a refusal may be the answer to either issue. `(in time)`: it was never",
        "given up for lost, although something else may have been proven before it came.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> requested",
        *_arrows(),
        "```",
        "",
        "## Pairs",
        "",
        "What a verdict makes of a pair, and whether it contradicts what was recorded (`!`). Nothing is open on the pair, and no Unjoin",
        "was sent.",
        "",
        *_table(("from", *(title for title, _ in _VERDICTS)), _pair_rows()),
        "",
    ]
    return "\n".join(lines)


def _attempt(state: AttemptState) -> JoinAttempt:
    lost_at = None if state in attempts.AWAITING | {AttemptState.SUCCEEDED, AttemptState.REJECTED, AttemptState.NOT_SENT} else _AT
    return JoinAttempt(
        request_id=RequestId(_SUPPLIER, _TARGET, 1),
        intent=Intent.JOIN,
        requested_at=_AT,
        submitted_at=_AT,
        other=_OTHER,
        state=state,
        lost_at=lost_at,
    )


_Move = Callable[[JoinAttempt], JoinAttempt]
_LATER = _AT + timedelta(minutes=1)

_HAPPENINGS: Sequence[tuple[str, _Move]] = (
    ("I99", lambda a: attempts.accepted(a, _LATER)),
    ("refused by the DSP", lambda a: attempts.refused(a, "E5")),
    ("answer 0", lambda a: attempts.answered(a, 0, _LATER)),
    ("answer 0 (in time)", lambda a: attempts.answered(a if a.state in attempts.LOST else replace(a, lost_at=None), 0, _LATER)),
    ("answer, other code", lambda a: attempts.answered(a, 5, _LATER)),
    ("answer, other code (twice)", lambda a: attempts.answered(replace(a, retries=1), 5, _LATER)),
    ("answer lost", lambda a: attempts.lost(a, LossTrigger.DEADLINE, _LATER)),
    ("answer dropped (8F2C)", lambda a: attempts.lost(a, LossTrigger.DISCARDED, _LATER)),
    ("proven", attempts.proven),
    ("disproved", attempts.disproved),
    ("proven later", attempts.carried_out_late),
    ("given up", attempts.given_up),
    ("proof no longer stands", attempts.reopened),
)


def _attempt_rows() -> Iterator[Sequence[str]]:
    for state in AttemptState:
        before = _attempt(state)
        yield (f"`{state}`", *(_to(state, move(before).state) for _, move in _HAPPENINGS))


def transitions() -> Mapping[tuple[AttemptState, AttemptState], Sequence[str]]:
    """Return every change of an attempt's state that one happening can bring about, and which those are."""
    found: dict[tuple[AttemptState, AttemptState], list[str]] = {}
    for state in AttemptState:
        for title, move in _HAPPENINGS:
            after = move(_attempt(state)).state
            if after is not state:
                found.setdefault((state, after), []).append(title)
    found[AttemptState.RESPONSE_LOST, AttemptState.RETRIED] = ["issued again"]
    found[AttemptState.RESPONSE_LOST, AttemptState.PROBED] = ["Device Log asked for"]
    found[AttemptState.RETRIED, AttemptState.PROBED] = ["Device Log asked for"]
    return found


def _arrows() -> Iterator[str]:
    for (before, after), titles in transitions().items():
        yield f"    {before} --> {after}: {', '.join(titles)}"


def _evidence(polarity: Polarity, *, answer: bool, at: datetime) -> Evidence:
    return Evidence(
        pair=_PAIR,
        row=1 if answer else 5,
        rule="join-answered-success" if answer else "device-log-lists",
        version=1,
        polarity=polarity,
        grade=Grade.CONCLUSIVE,
        at=at,
        earliest=at,
        message=MessageKey("0"),
        family="reference",
        says="",
        attempt=CommandKey(_SUPPLIER, _TARGET, 1) if answer else None,
        answer=answer,
    )


_NEW = _AT + timedelta(hours=2)
_VERDICTS: Sequence[tuple[str, Verdict]] = (
    ("joined, by the answer", Verdict(joined=True, basis=(_evidence(Polarity.JOINED, answer=True, at=_NEW),))),
    ("joined, by inference", Verdict(joined=True, basis=(_evidence(Polarity.JOINED, answer=False, at=_NEW),))),
    ("not joined, by the answer", Verdict(joined=False, basis=(_evidence(Polarity.NOT_JOINED, answer=True, at=_NEW),))),
    ("not joined, by inference", Verdict(joined=False, basis=(_evidence(Polarity.NOT_JOINED, answer=False, at=_NEW),))),
    ("nothing proven", Verdict()),
)


def _pair_rows() -> Iterator[Sequence[str]]:
    context = PairContext(pair=_PAIR, attempts=(_attempt(AttemptState.SUCCEEDED),), devices={}, policy=Policy())
    for state in PairState:
        held = state in (PairState.JOINED, PairState.INFERRED_SUCCESS, PairState.DISPUTED)
        record = PairRecord(
            pair=_PAIR,
            state=state,
            since=_AT,
            basis=(_evidence(Polarity.JOINED, answer=state is PairState.JOINED, at=_AT),) if held else (),
            disputed_at=_AT if state is PairState.DISPUTED else None,
        )
        cells = [f"`{state}`"]
        for _, verdict in _VERDICTS:
            standing = stand(record, verdict, verdict.basis, context)
            cells.append(_to(state, standing.state) + (" !" if standing.contradicted else ""))
        yield cells


def _to(before: object, after: object) -> str:
    return "-" if before == after else f"`{after}`"


def _table(header: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield f"| {' | '.join(row)} |"
