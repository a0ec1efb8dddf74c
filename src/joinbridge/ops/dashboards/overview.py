"""Overview: whether answers are being lost, what was saved, and whether anything was ever inferred wrongly."""

from __future__ import annotations

from joinbridge.ops.dashboards.panels import Dashboard, Row, Unit, held, increase, lines, number

OVERVIEW = Dashboard(
    uid="joinbridge-overview",
    title="joinbridge: overview",
    says="Whether answers to Joins are being lost, what joinbridge did about it, and whether it can be relied on.",
    rows=(
        Row(
            title="At a glance",
            panels=(
                number(
                    "Answers lost",
                    "Attempts whose answer was found to be lost in the time shown: by a deadline, E21, N13 or 8F2C. "
                    "Where they were lost is on the dashboard of lost responses.",
                    "sum(increase(joinbridge_responses_lost_total[$__range]))",
                    runbook="joinbridgelostratiorising",
                ),
                number(
                    "Share of answers lost",
                    "Lost answers among all that were lost or received in the last six hours. A little is lost every day; what matters is "
                    "that it rises.",
                    "joinbridge:response_loss:ratio6h",
                    runbook="joinbridgelostratiorising",
                    unit=Unit.RATIO,
                    warn=0.02,
                    bad=0.05,
                ),
                number(
                    "Corrections avoided",
                    "Times that joinbridge found the inventory wrong and made it right, in the time shown. Each would have been a manual "
                    "correction of the database.",
                    "sum(increase(joinbridge_corrections_avoided_total[$__range]))",
                    runbook="reading-the-dashboards",
                ),
                number(
                    "Saved",
                    "Corrections avoided in the time shown, at the price of one manual correction (setting `money.correction_gbp`).",
                    "sum(increase(joinbridge_corrections_avoided_gbp_total[$__range]))",
                    runbook="reading-the-dashboards",
                    unit=Unit.GBP,
                ),
                number(
                    "Contradictions",
                    "Times that newer proof contradicted an inference, in the time shown. It has to be 0: a false inference tells the "
                    "inventory that a device is authorised when it is not.",
                    "sum(increase(joinbridge_contradictions_total[$__range]))",
                    runbook="joinbridgecontradiction",
                    bad=1,
                ),
                number(
                    "Alerts firing",
                    "Alerts of joinbridge that fire now, as Prometheus has them.",
                    'count(ALERTS{alertname=~"Joinbridge.*", alertstate="firing"}) or vector(0)',
                    runbook="reading-the-dashboards",
                    warn=1,
                ),
            ),
        ),
        Row(
            title="What became of requests",
            panels=(
                lines(
                    "Answers",
                    "Answers received in time, and answers found to be lost, in each interval.",
                    increase("joinbridge_responses_received_total", legend="received"),
                    increase("joinbridge_responses_lost_total", legend="lost"),
                    runbook="joinbridgelostratiorising",
                ),
                lines(
                    "Attempts by the state they came to",
                    "Every change of state of a Join or Unjoin. `inferred_success` and `confirmed_late` are what joinbridge is for; "
                    "`unresolved` is what a person has to decide.",
                    increase("joinbridge_attempt_transitions_total", by="state"),
                    runbook="joinbridgeunresolved",
                ),
                lines(
                    "Pairs on record",
                    "What is known now of each target and other device. `disputed` means that records and devices disagree.",
                    held("joinbridge_pairs", by="state"),
                    runbook="joinbridgedisputed",
                ),
                lines(
                    "What joinbridge did about it",
                    "Effects decided: retries and probes sent, notices to Suppliers, corrections of the inventory, events. In shadow mode "
                    "all of them are withheld.",
                    increase("joinbridge_effects_total", by="effect, fate", legend="{{effect}} {{fate}}"),
                    runbook="reading-the-dashboards",
                ),
                lines(
                    "What waits for a person",
                    "Attempts that ended without proof, pairs in dispute and dead letters that are not settled. Nothing of this "
                    "mends itself.",
                    held("joinbridge_attempts", where='{state="unresolved"}', legend="unresolved attempts"),
                    held("joinbridge_pairs", where='{state="disputed"}', legend="disputed pairs"),
                    held("joinbridge_dead_letters", where='{status="open"}', legend="dead letters"),
                    runbook="joinbridgeunresolved",
                ),
                lines(
                    "Open attempts by age",
                    "Attempts without an end, by the time since their request. Many that are older than a day mean that answers do "
                    "not come and proof does not either.",
                    held("joinbridge_attempts_open", by="age"),
                    runbook="joinbridgedeadlinesoverdue",
                ),
            ),
        ),
    ),
)
