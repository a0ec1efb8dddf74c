"""Store and runtime: whether joinbridge keeps up with its own work."""

from __future__ import annotations

from joinbridge.ops.dashboards.panels import Dashboard, Kind, Panel, Query, Row, Unit, held, increase, lines, number, quantiles

RUNTIME = Dashboard(
    uid="joinbridge-runtime",
    title="joinbridge: store and runtime",
    says="Deadlines, outbox, database and event loop.",
    rows=(
        Row(
            title="Now",
            panels=(
                number(
                    "Instances",
                    "Instances that Prometheus hears from.",
                    "count(joinbridge_build_info)",
                    runbook="joinbridgedown",
                    bad=1,
                    low_is_bad=True,
                ),
                number(
                    "Last sweep of deadlines",
                    "How long ago. It happens every few seconds.",
                    "time() - max(joinbridge_deadlines_swept_timestamp_seconds > 0)",
                    runbook="joinbridgesweeplate",
                    unit=Unit.SECONDS,
                    warn=15,
                    bad=60,
                ),
                number(
                    "Deadlines overdue",
                    "Deadlines that are due and have not fired.",
                    "max(joinbridge_deadlines_overdue)",
                    runbook="joinbridgedeadlinesoverdue",
                    warn=1,
                ),
                number(
                    "Oldest effect owed",
                    "How long the oldest effect has waited in the outbox.",
                    "max(joinbridge_outbox_oldest_seconds)",
                    runbook="joinbridgeoutboxbacklog",
                    unit=Unit.SECONDS,
                    warn=60,
                    bad=900,
                ),
                number(
                    "Last census",
                    "How long ago the store was counted. Until then its gauges are what they were.",
                    "time() - max(joinbridge_census_timestamp_seconds > 0)",
                    runbook="joinbridgestoreaway",
                    unit=Unit.SECONDS,
                    warn=90,
                    bad=180,
                ),
                number(
                    "Clock",
                    "How far the sidecar's clock is from Prometheus's. A rehearsal with a fast clock is far off.",
                    "max(abs(joinbridge_clock_timestamp_seconds - timestamp(joinbridge_clock_timestamp_seconds)))",
                    runbook="joinbridgeclockskew",
                    unit=Unit.SECONDS,
                    warn=2,
                    bad=5,
                ),
            ),
        ),
        Row(
            title="Store",
            panels=(
                lines(
                    "One transaction",
                    "How long a transaction takes, decisions included.",
                    *quantiles("joinbridge_commit_duration_seconds"),
                    runbook="joinbridgestoreslow",
                    unit=Unit.SECONDS,
                    warn=1,
                ),
                lines(
                    "Messages in a batch",
                    "Few when it is quiet, many when it is busy: one transaction for each batch.",
                    *quantiles("joinbridge_batch_messages"),
                    runbook="joinbridgestoreslow",
                ),
                lines(
                    "Outbox",
                    "Effects that are owed.",
                    held("joinbridge_outbox_backlog", by="effect"),
                    runbook="joinbridgeoutboxbacklog",
                ),
                lines(
                    "Effects carried out, and failed tries",
                    "What left the outbox, and what stayed in it to be tried again.",
                    increase("joinbridge_effects_carried_out_total", by="effect"),
                    increase("joinbridge_effects_postponed_total", by="effect", legend="{{effect}}, failed"),
                    runbook="joinbridgeoutboxbacklog",
                ),
                lines(
                    "Attempts on record",
                    "Joins and Unjoins on record, by where they stand now.",
                    held("joinbridge_attempts", by="state"),
                    runbook="joinbridgeunresolved",
                ),
                lines(
                    "Audit chain",
                    "Entries of the hash chain.",
                    held("joinbridge_audit_height", legend="entries"),
                    runbook="joinbridgeauditshrank",
                ),
            ),
        ),
        Row(
            title="Runtime",
            panels=(
                lines(
                    "Lateness of deadlines",
                    "From due to fired. Never negative: no deadline fires early.",
                    *quantiles("joinbridge_deadline_lateness_seconds", window="1h"),
                    runbook="joinbridgedeadlinesfirelate",
                    unit=Unit.SECONDS,
                    warn=60,
                ),
                lines(
                    "Latest overdue deadline",
                    "How late the latest deadline is that has not fired.",
                    held("joinbridge_deadlines_overdue_seconds", legend="late"),
                    runbook="joinbridgedeadlinesoverdue",
                    unit=Unit.SECONDS,
                    warn=60,
                ),
                lines(
                    "Event loop",
                    "How late the event loop comes to what is due at once.",
                    *quantiles("joinbridge_event_loop_lag_seconds"),
                    runbook="joinbridgelooplag",
                    unit=Unit.SECONDS,
                    warn=0.5,
                ),
                lines(
                    "Failed turns",
                    "Turns of intake, deadlines, relay, upkeep and census that failed and are tried again.",
                    increase("joinbridge_turn_failures_total", by="task"),
                    runbook="joinbridgeturnsfail",
                ),
                lines(
                    "Bus clock ahead",
                    "How far the newest message was ahead of this machine's clock.",
                    Query(expr="max(joinbridge_bus_clock_ahead_seconds)", name="ahead"),
                    Query(expr="sum(increase(joinbridge_observer_errors_total[$__rate_interval]))", name="errors of observers"),
                    runbook="joinbridgeclockskew",
                ),
                Panel(
                    title="Instances",
                    says="Version and mode of each instance.",
                    runbook="joinbridgedown",
                    kind=Kind.TABLE,
                    queries=(Query(expr="count by (version, mode) (joinbridge_build_info)", name="instances"),),
                ),
            ),
        ),
    ),
)
