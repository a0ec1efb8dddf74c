"""The reference that is made from the code: rules.md, transitions.md, settings.md and asyncapi.yaml in docs/.

`make docs` writes them, and a test holds them. The transitions are found by running the functions that make them, never written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from joinbridge.config import Settings
from joinbridge.core import attempt as attempts
from joinbridge.core.attempt import AttemptState, JoinAttempt, LossTrigger
from joinbridge.core.evidence import Evidence, Grade, Polarity
from joinbridge.core.ids import CommandKey, JoinPair, MessageKey, RequestId, parse_eui64
from joinbridge.core.pair import PairRecord, PairState
from joinbridge.core.policy import Policy
from joinbridge.core.rules import RECORDED_ONLY, RULES, PairContext
from joinbridge.core.standing import stand
from joinbridge.core.verdict import Verdict
from joinbridge.core.vocabulary import Intent
from joinbridge.ops.asyncapi import asyncapi_yaml
from joinbridge.ops.settings_reference import settings_markdown

_NOTE = "<!-- Made from the code by `make docs`. Changes made here are lost. -->"

_SUPPLIER = parse_eui64("90-B3-D5-1F-30-01-00-00")
_TARGET = parse_eui64("00-11-22-33-44-55-66-01")
_OTHER = parse_eui64("00-11-22-33-44-55-66-02")
_PAIR = JoinPair(_TARGET, _OTHER)
_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def rules_markdown() -> str:
    """Return docs/rules.md: what each row of the evidence table does, rule by rule."""
    lines = [
        _NOTE,
        "# Rules of evidence",
        "",
        'Each row of the evidence table in [domain.md](domain.md), "Evidence", is a rule here or is recorded only, with the reason. A rule',
        "is data and one small pure function in `src/joinbridge/core/rules/`. Its grade is the most it can find; a message that could not",
        "be authenticated and whose producer is not trusted is graded one step down. Modes are tuned in the configuration (`[rules]`),",
        "and `joinbridge rules` lists those in force.",
        "",
        "| row | rule | grade | speaks for | mode | version | what it reads | what it finds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for rule in RULES:
        reads = ", ".join(f"`{fact.__name__}`" for fact in rule.reads)
        cells = (
            str(rule.row) if rule.row else "-",
            f"`{rule.name}`",
            rule.grade.name.lower(),
            rule.polarity.value.replace("_", " "),
            rule.default_mode.value,
            str(rule.version),
            reads,
            rule.summary,
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Rows that find nothing", "", "| row | why |", "|---|---|"]
    lines += [f"| {row} | {reason} |" for row, reason in sorted(RECORDED_ONLY.items())]
    lines += ["", "## What a verdict needs", "", *_WHAT_A_VERDICT_NEEDS, ""]
    return "\n".join(lines)


_WHAT_A_VERDICT_NEEDS = (
    "- **Joined**: one conclusive finding, or two strong ones of different families and messages. Each must be newer than the question,",
    "  newer than every conclusive finding against it (of two strong ones: than every strong one too), and certainly from after every",
    "  Unjoin that may have been carried out. One that was not answered may still be, until the network has forgotten it.",
    "- Whatever producers say that are not trusted, and whatever a User hands in unverified, is one witness.",
    "- **Not joined**: a conclusive finding that is newer than every conclusive finding for it and than every join still unproven.",
    "- Corroborating findings never decide, however many there are. Findings of rules in shadow are recorded and never count.",
    "- Counters of one originator order commands; elsewhere time does, and where the order cannot be known nothing is inferred.",
)


def transitions_markdown() -> str:
    """Return docs/transitions.md: how each thing that can happen moves an attempt or a pair, from every state."""
    lines = [
        _NOTE,
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


def write(folder: Path) -> None:
    """Write all of them into `folder`."""
    made = {
        "rules.md": rules_markdown(),
        "transitions.md": transitions_markdown(),
        "settings.md": settings_markdown(_NOTE),
        "asyncapi.yaml": asyncapi_yaml(Settings.model_construct(), _NOTE.strip("<!->").strip()),
    }
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
