"""Inference quality: on what proof pairs were inferred to be joined, and whether any of it was ever contradicted."""

from __future__ import annotations

from joinbridge.ops.dashboards.panels import Axes, Dashboard, Kind, Panel, Query, Row, Unit, bars, held, increase, lines, number, quantiles

INFERENCE = Dashboard(
    uid="joinbridge-inference",
    title="joinbridge: inference quality",
    says="Which rules of evidence pairs were inferred on, how long proof took, and whether any inference was contradicted.",
    rows=(
        Row(
            title="Was anything inferred wrongly?",
            panels=(
                number(
                    "Contradictions",
                    "Newer proof contradicted an inference, in the time shown. It has to be 0.",
                    "sum(increase(joinbridge_contradictions_total[$__range]))",
                    runbook="joinbridgecontradiction",
                    bad=1,
                ),
                number(
                    "Disputed pairs",
                    "Pairs whose records and devices disagree now.",
                    'max(joinbridge_pairs{state="disputed"})',
                    runbook="joinbridgedisputed",
                    warn=1,
                ),
                number(
                    "Inferred now",
                    "Pairs that are held to be joined by inference, without an answer.",
                    'max(joinbridge_pairs{state="inferred_success"})',
                    runbook="reading-the-dashboards",
                ),
                number(
                    "Inventory conflicts",
                    "Corrections that found the inventory neither as expected nor as it should be, in the time shown. Each is tried again.",
                    'sum(increase(joinbridge_inventory_updates_total{outcome="conflict"}[$__range]))',
                    runbook="joinbridgeinventoryconflict",
                    bad=1,
                ),
                number(
                    "Surprises",
                    "Legal messages that nobody expected in that state, in the time shown. A few are the estate's daily life.",
                    "sum(increase(joinbridge_surprises_total[$__range]))",
                    runbook="reading-the-dashboards",
                ),
                number(
                    "Audit entries",
                    "Length of the hash chain of decisions. It only grows.",
                    "max(joinbridge_audit_height)",
                    runbook="joinbridgeauditshrank",
                ),
            ),
        ),
        Row(
            title="On what proof",
            panels=(
                bars(
                    "Inferences by rule",
                    "Times that a pair was inferred to be joined on a rule (live), or would have been on its word alone (shadow), in "
                    "the time shown.",
                    Query(
                        expr="sum by (rule, mode) (increase(joinbridge_inferences_total[$__range])) > 0 or "
                        "topk(1, sum by (rule, mode) (increase(joinbridge_inferences_total[$__range])))",
                        name="{{rule}} ({{mode}})",
                    ),
                    runbook="reading-the-dashboards",
                ),
                bars(
                    "Contradictions by rule",
                    "The five rules whose inferences were contradicted most, in the time shown. Three within a week return a rule to "
                    "shadow.",
                    Query(expr="topk(5, sum by (rule) (increase(joinbridge_contradictions_total[$__range])))", name="{{rule}}"),
                    runbook="joinbridgecontradiction",
                ),
                lines(
                    "From loss to proof",
                    "How long it took from noticing a lost answer to inferring success.",
                    *quantiles("joinbridge_inference_delay_seconds", window="1d"),
                    runbook="reading-the-dashboards",
                    unit=Unit.SECONDS,
                ),
                lines(
                    "From decision to inventory",
                    "How long it took until the inventory was right after a correction was decided.",
                    *quantiles("joinbridge_correction_delay_seconds", window="1h"),
                    runbook="joinbridgeinventoryunreachable",
                    unit=Unit.SECONDS,
                ),
                lines(
                    "Corrections by outcome",
                    "Tries to correct the inventory: it was changed, it was right already, it held something else, or it could not be "
                    "reached.",
                    increase("joinbridge_inventory_updates_total", by="outcome"),
                    runbook="joinbridgeinventoryconflict",
                ),
                lines(
                    "Pairs by the state they came to",
                    "Changes of what is known of pairs.",
                    increase("joinbridge_pair_transitions_total", by="state"),
                    runbook="joinbridgedisputed",
                ),
            ),
        ),
        Row(
            title="Modes of the rules",
            panels=(
                Panel(
                    title="Which rules count",
                    says="The mode that each rule is in now: live counts, shadow only records, off is not asked.",
                    runbook="joinbridgerulereturnedtoshadow",
                    kind=Kind.HEAT,
                    queries=(held("joinbridge_rule_mode", by="rule, mode", legend="mode"),),
                    unit=Unit.COUNT,
                    axes=Axes(rows="rule", columns="mode"),
                    height=24,
                    width=12,
                ),
            ),
        ),
    ),
)
