"""The rules of evidence: docs/domain.md, "Evidence", as data plus one small pure function for each row."""

from __future__ import annotations

from collections.abc import Mapping

from joinbridge.core.facts import Fact
from joinbridge.core.rules import answers, delivery, home, logs, reads
from joinbridge.core.rules.context import Finding, PairContext, Rule

__all__ = ["BY_FACT", "RECORDED_ONLY", "RULES", "Finding", "PairContext", "Rule"]

RULES: tuple[Rule, ...] = tuple(
    sorted((*answers.RULES, *reads.RULES, *logs.RULES, *delivery.RULES, *home.RULES), key=lambda rule: rule.row or 99)
)
"""Every rule, in the order of the table's rows."""

RECORDED_ONLY: Mapping[int, str] = {
    17: "A responder's own success needs no partner: it says nothing about the reverse direction, and there is nothing to find.",
    29: "A hub's list without the other device cannot be tied to a pair unless the home's hub is known, the entry in the target's "
    "Device Log survives removal from the hub, and the grade could never decide.",
    37: "Inventory answers, HAN log updates, commissioning and firmware alerts hold no join relation. Inventory answers teach device "
    "types, which choose deadlines and expected types.",
    39: "Not evidence about a join: the engine itself expires the pairs of a device that left, or moves them to the new GPF.",
}
"""Rows of the table that find nothing, and why."""

BY_FACT: Mapping[type[Fact], tuple[Rule, ...]] = {
    fact_type: tuple(rule for rule in RULES if fact_type in rule.reads) for fact_type in {reads for rule in RULES for reads in rule.reads}
}
"""The rules that read each kind of fact."""
