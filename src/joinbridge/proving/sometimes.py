"""Sometimes: what must happen at least once in many simulations. A workload that never brings something about proves nothing of it.

What is declared is derived from the code: a rule or a transition that is added is declared with it. What simulation cannot reach is named
here, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from joinbridge.core.attempt import AttemptState
from joinbridge.core.evidence import Mode
from joinbridge.core.pair import PairState
from joinbridge.core.rules import RULES
from joinbridge.ops.transitions import transitions
from joinbridge.proving.faults import AMONG_SEVERAL, CRASHES, HALFWAY, UNMADE, FaultKind
from joinbridge.proving.history import History
from joinbridge.proving.points import DIVISIBLE, WRITES
from joinbridge.proving.weather import Weather
from joinbridge.simulator.truth import Happening

FORGOTTEN = "log entry lost by the device itself"
IN_SHADOW = "sidecar in shadow mode"

_TAKEN_AFTER_ALL = "the simulated DSP never takes, nor a device answers, what was refused before it was sent"
_ASKED_AT_ONCE = "the same decision asks for the Device Log, so that it is told as a change from disproved to probed, which is declared too"
_ISSUED_TWICE = "what was issued again is not over by one refusal: nothing says which of the two was refused"
_JUST_BEFORE = "a log must be read, under somebody else's counter, just before the command is carried out: not once in 7,000 simulations"
_NOT_SAID = "nobody in the simulated estate sends the message that the rule reads"

OUT_OF_REACH: Mapping[str, str] = {
    "attempt disproved to response_lost": _ASKED_AT_ONCE,
    "attempt disproved to succeeded": _JUST_BEFORE,
    "attempt not_sent to accepted": _TAKEN_AFTER_ALL,
    "attempt not_sent to succeeded": _TAKEN_AFTER_ALL,
    "attempt not_sent to rejected": _TAKEN_AFTER_ALL,
    "attempt rejected to confirmed_late": "a device that refused a Join once is never heard to have carried out the same one later",
    "attempt retried to rejected": _ISSUED_TWICE,
    "rule answer-handed-in": _NOT_SAID,
    "rule hub-heard-device": _NOT_SAID,
    "rule join-outcome-alerted": _NOT_SAID,
    "rule person-decided": "no person decides while a simulation runs",
    "rule something-rejected": "alerts of that kind come by chance here, and would have to come within minutes of a repeated Join",
}
"""What is declared by the code and never comes about in a simulation, and why."""


RARE = frozenset(
    {
        "attempt disproved to probed",
        "attempt response_lost to rejected",
        "attempt response_lost to unresolved",
        "attempt retried to disproved",
        "attempt retried to unresolved",
        "attempt unresolved to confirmed_late",
        "attempt unresolved to disproved",
        "attempt unresolved to rejected",
        "rule nothing-logged",
    }
)
"""What comes about once in some thousand simulations."""

MANY_SEEDS = 20_000
"""From so many seeds on, also what is rare must have happened."""


def declared(seeds: int = MANY_SEEDS) -> frozenset[str]:
    """Return everything that must happen in a run of so many seeds."""
    return frozenset(_all()) - OUT_OF_REACH.keys() - (frozenset() if seeds >= MANY_SEEDS else RARE)


def happened(history: History, weather: Weather) -> Counter[str]:
    """Return what happened in one simulation, and how often; more than is declared."""
    found: Counter[str] = Counter({f"fault {label}": times for label, times in weather.happened.items()})
    for record in history.audit:
        if record.kind == "attempt.changed" and record.body["from"] is not None:
            found[f"attempt {record.body['from']} to {record.body['to']}"] += 1
        elif record.kind == "pair.changed":
            found[f"pair {record.body['to']}"] += 1
    found.update(f"rule {rule}" for rule in _found(history))
    found[IN_SHADOW] += not history.live
    if history.truth is not None:
        found.update({f"estate {each}": times for each, times in history.truth.happened.items()})
        found[f"estate {FORGOTTEN}"] += len(history.truth.forgotten)
    return found


def _found(history: History) -> Iterator[str]:
    """Name the rule of each finding, once for each message."""
    findings = {
        (found.rule, found.message) for commit in history.ledger.commits if commit.changes is not None for found in commit.changes.evidence
    }
    yield from (rule for rule, _ in findings)


def _all() -> Iterator[str]:
    for kind in FaultKind:
        if kind in AMONG_SEVERAL:
            continue  # a campaign has one sidecar in each simulation, if nobody asks for more
        if kind in HALFWAY:
            yield from (f"fault {kind}: {call}" for call in DIVISIBLE)
        elif kind in CRASHES or kind in (FaultKind.FAIL_BEFORE, FaultKind.FAIL_AFTER):
            yield from (f"fault {kind}: {call}" for call in WRITES - UNMADE)
        else:
            yield f"fault {kind}"
    yield from (f"attempt {before} to {after}" for before, after in transitions())
    yield f"attempt {AttemptState.DISPROVED} to {AttemptState.PROBED}"
    yield from (f"pair {state}" for state in PairState if state is not PairState.UNKNOWN)
    yield from (f"rule {rule.name}" for rule in RULES if rule.default_mode is Mode.LIVE)
    yield from (f"estate {each}" for each in (*Happening, FORGOTTEN))
    yield IN_SHADOW
