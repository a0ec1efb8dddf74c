"""The run in one sentence, and in one short paragraph."""

from __future__ import annotations

from joinbridge.ops.account import DemoReport
from joinbridge.ops.funnel import Funnel
from joinbridge.ops.wording import counted, number, stretch


def headline(report: DemoReport, funnel: Funnel) -> str:
    """Return what a person has to know who reads nothing else."""
    lost, found, when = funnel.lost.count, funnel.found.count, stretch(report.run.began, report.run.ended)
    joins = report.totals.joins
    if not lost:
        ending = "so there was nothing to find" if not report.totals.false_inferences else f"yet joinbridge made {_false(report)}"
        return f"No answer to {_each(joins)} was lost in {when}, {ending}."
    were = "was" if lost == 1 else "were"
    saved = report.ledger.saved_gbp
    spared = f", and spared GBP {number(saved)} of manual corrections" if saved else ""
    made = f"but made {_false(report)}" if report.totals.false_inferences else "with 0 false inferences"
    return (
        f"{number(lost)} of {counted(joins, 'join answer')} {were} lost in {when}; "
        f"joinbridge found the truth of {_how_many(found, lost)}, {made}{spared}."
    )


def rest(funnel: Funnel) -> str:
    """Return what became of the lost answers whose truth was not found; empty when there are none."""
    parts = [f"{number(part.count)} {part.label}" for stage in (funnel.evidence, funnel.found) for part in stage.rest]
    return f"The rest: {'; '.join(parts)}." if parts else ""


def _each(joins: int) -> str:
    return "the only join" if joins == 1 else f"any of {number(joins)} joins"


def _how_many(found: int, lost: int) -> str:
    if found < lost:
        return number(found) if found else "none of them"
    return "it" if lost == 1 else "both" if lost == 2 else f"all {number(lost)}"


def _false(report: DemoReport) -> str:
    return counted(report.totals.false_inferences, "false inference")
