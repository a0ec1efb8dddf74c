"""The figures of many simulations, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from joinbridge.proving.faults import AMONG_SEVERAL, FaultKind
from joinbridge.proving.simulation import Outcome
from joinbridge.proving.sometimes import declared, happened

ENOUGH_SEEDS = 2000
"""From so many seeds on, what is declared must have happened, but for what is rare."""

_NAME_OCTETS = 16
_RULE_OF_THREE = 3.0
"""Of n decisions of which none was false, the rate of false ones is below 3/n with 95 % confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A seed that broke something."""

    seed: int
    trace: str
    violations: tuple[str, ...]


@dataclass(slots=True)
class Figures:
    """Sums over simulations.

    `crossed` counts in how many a kind of fault met a change of an attempt or a finding of a rule. `traces` names all traces together,
    in whatever order they came; `missed_in` the seeds in which a proof was delivered and nothing inferred from it.
    """

    seeds: int = 0
    messages: int = 0
    lived: timedelta = timedelta(0)
    attempts: int = 0
    inferences: int = 0
    false: int = 0
    provable: int = 0
    missed: int = 0
    traces: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    crossed: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    missed_in: list[int] = field(default_factory=list)

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Figures:  # Any: plain JSON
        """Return what `to_json` told, but for `crossed`, of which it told the number alone."""
        return cls(
            seeds=told["seeds"],
            messages=told["messages"],
            lived=timedelta(days=told["virtual_days"]),
            attempts=told["attempts"],
            inferences=told["inferences"],
            false=told["false_inferences"],
            provable=told["proofs_delivered_for_lost"],
            missed=told["missed_inferences"],
            traces=int(told["traces"], 16),
            faults=Counter(told["faults"]),
            happened=Counter(told["happened"]),
            missed_in=list(told.get("missed_in", ())),
            failures=[Failure(seed=one["seed"], trace=one["trace"], violations=tuple(one["violations"])) for one in told["violations"]],
        )

    def take(self, outcome: Outcome) -> None:
        """Add one simulation."""
        history, score = outcome.history, outcome.history.score
        self.seeds += 1
        self.messages += len(history.ledger.sent)
        self.lived += outcome.lived
        self.attempts += len(history.attempts)
        self.traces ^= _named(outcome.plan.seed, outcome.trace)
        if score is not None:
            self.inferences += outcome.inferences
            self.false += score.false_inferences
            self.provable += score.proofs_delivered_for_lost
            self.missed += score.missed_inferences
            if score.missed_inferences:
                self.missed_in.append(outcome.plan.seed)
        kinds = {label.split(":")[0] for label in outcome.weather.happened}
        for label, times in outcome.weather.happened.items():
            self.faults[label.split(":")[0]] += times
        what = happened(history, outcome.weather)
        self.happened.update(what)
        self.crossed.update((kind, each) for kind in kinds for each in what if each.startswith(("attempt", "rule")))
        if outcome.violations:
            self.failures.append(Failure(seed=outcome.plan.seed, trace=outcome.trace, violations=tuple(outcome.violations)))

    def add(self, other: Figures) -> None:
        """Add those of other simulations."""
        for name in ("seeds", "messages", "lived", "attempts", "inferences", "false", "provable", "missed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.traces ^= other.traces
        self.faults.update(other.faults)
        self.happened.update(other.happened)
        self.crossed.update(other.crossed)
        self.failures += other.failures
        self.missed_in += other.missed_in

    @property
    def never(self) -> list[str]:
        """What is declared for so many seeds and never happened."""
        return sorted(declared(self.seeds) - {name for name, times in self.happened.items() if times})

    @property
    def recall(self) -> float | None:
        """The share that was found of the answers whose proof was delivered; None when there was none."""
        return 1 - self.missed / self.provable if self.provable else None

    @property
    def false_rate_below(self) -> float | None:
        """The 95 % upper bound of the rate of false inferences; None when one was false, or none was made."""
        return _RULE_OF_THREE / self.inferences if self.inferences and not self.false else None

    def to_json(self) -> dict[str, object]:
        """Return them as plain JSON."""
        return {
            "seeds": self.seeds,
            "traces": f"{self.traces:0{2 * _NAME_OCTETS}x}",
            "messages": self.messages,
            "virtual_days": round(self.lived / timedelta(days=1), 1),
            "attempts": self.attempts,
            "inferences": self.inferences,
            "false_inferences": self.false,
            "false_rate_below_95": self.false_rate_below,
            "proofs_delivered_for_lost": self.provable,
            "missed_inferences": self.missed,
            "missed_in": sorted(self.missed_in),
            "recall": self.recall,
            "faults": {str(kind): self.faults[str(kind)] for kind in FaultKind if kind not in AMONG_SEVERAL or self.faults[str(kind)]},
            "happened": dict(sorted(self.happened.items())),
            "never_happened": self.never,
            "fault_meets_transition_or_rule": len(self.crossed),
            "violations": [
                {"seed": each.seed, "trace": each.trace, "violations": list(each.violations)}
                for each in sorted(self.failures, key=lambda failure: failure.seed)
            ],
        }


def _named(seed: int, trace: str) -> int:
    """Return a number for a seed with its trace: those of several come together by exclusive or, in any order."""
    return int.from_bytes(blake2b(f"{seed} {trace}".encode(), digest_size=_NAME_OCTETS).digest(), "big")
