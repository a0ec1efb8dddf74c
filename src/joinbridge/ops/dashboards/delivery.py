"""Delivery: whether messages come in, are settled, and go out."""

from __future__ import annotations

from joinbridge.ops.dashboards.panels import Dashboard, Query, Row, Unit, held, increase, lines, number

DELIVERY = Dashboard(
    uid="joinbridge-delivery",
    title="joinbridge: delivery",
    says="Brokers, consumers, messages in and out, and messages that could not be processed.",
    rows=(
        Row(
            title="Is joinbridge listening?",
            panels=(
                number(
                    "Connections",
                    "Connections to brokers that stand, among those there should be.",
                    "sum(joinbridge_connection_up) / count(joinbridge_connection_up)",
                    runbook="joinbridgeconnectiondown",
                    unit=Unit.RATIO,
                    warn=1,
                    bad=0.5,
                    low_is_bad=True,
                ),
                number(
                    "Consumers",
                    "Consumers that are registered, among those there should be. One too few means that a queue waits.",
                    "sum(joinbridge_consumers) / sum(joinbridge_consumers_expected)",
                    runbook="joinbridgenoconsumers",
                    unit=Unit.RATIO,
                    warn=1,
                    bad=0.5,
                    low_is_bad=True,
                ),
                number(
                    "Oldest message held",
                    "How long the oldest message that is handed over and not settled has been held.",
                    "max(joinbridge_oldest_unsettled_seconds)",
                    runbook="joinbridgemessageheld",
                    unit=Unit.SECONDS,
                    warn=30,
                    bad=120,
                ),
                number(
                    "Oldest publication",
                    "How long the oldest publication has waited for the broker to confirm it.",
                    "max(joinbridge_oldest_publish_seconds)",
                    runbook="joinbridgeconfirmslow",
                    unit=Unit.SECONDS,
                    warn=5,
                    bad=10,
                ),
                number(
                    "Dead letters",
                    "Messages that could not be processed and that nobody has settled.",
                    'max(joinbridge_dead_letters{status="open"})',
                    runbook="joinbridgedeadlettersnew",
                    warn=1,
                ),
                number(
                    "Oldest dead letter",
                    "How long the oldest of them has waited.",
                    "max(joinbridge_dead_letters_oldest_seconds)",
                    runbook="joinbridgedeadlettersold",
                    unit=Unit.SECONDS,
                    warn=3600,
                    bad=86400,
                ),
            ),
        ),
        Row(
            title="In",
            panels=(
                lines(
                    "Received by source",
                    "Messages handed over, copies included.",
                    increase("joinbridge_messages_received_total", by="source"),
                    runbook="joinbridgesilence",
                ),
                lines(
                    "Settled by outcome",
                    "Judged, passed by because they concern nothing open, seen before, or dead.",
                    increase("joinbridge_messages_settled_total", by="outcome"),
                    runbook="joinbridgesilence",
                ),
                lines(
                    "Age of the oldest message of a batch",
                    "From the bus to the commit. It grows when a queue does.",
                    Query(expr="joinbridge:message_age_seconds:p50", name="median"),
                    Query(expr="joinbridge:message_age_seconds:p99", name="p99"),
                    runbook="joinbridgemessagesold",
                    unit=Unit.SECONDS,
                    warn=60,
                ),
                lines(
                    "Waiting in the queues",
                    "Messages that are ready in joinbridge's queues, as the broker counts them.",
                    Query(expr='max by (queue) (rabbitmq_detailed_queue_messages_ready{queue=~"joinbridge.*"})', name="{{queue}}"),
                    runbook="joinbridgequeuegrowing",
                ),
                lines(
                    "Redelivered",
                    "Share of messages that the broker says were handed over before.",
                    Query(expr="joinbridge:redelivery:ratio10m", name="redelivered"),
                    runbook="joinbridgeredeliveries",
                    unit=Unit.RATIO,
                    warn=0.1,
                ),
                lines(
                    "Handed back, and settled too late",
                    "Messages that could not be committed and come again, and acknowledgements that came too late.",
                    increase("joinbridge_messages_handed_back_total", legend="handed back"),
                    increase("joinbridge_acknowledgements_failed_total", by="broker", legend="settled too late ({{broker}})"),
                    runbook="joinbridgehandedback",
                ),
                lines(
                    "New dead letters by source",
                    "Messages that became dead letters for the first time.",
                    increase("joinbridge_messages_dead_lettered_total", by="source"),
                    runbook="joinbridgedeadlettersnew",
                ),
                lines(
                    "Dead letters on record",
                    "By what became of them.",
                    held("joinbridge_dead_letters", by="status"),
                    runbook="joinbridgedeadlettersold",
                ),
                lines(
                    "Freshness budget burnt",
                    "How fast the budget of the objective (99.5 % of batches within a minute) is spent: at 1 it lasts for the month.",
                    Query(expr="joinbridge:message_age_slo:error_ratio5m / 0.005", name="5 minutes"),
                    Query(expr="joinbridge:message_age_slo:error_ratio1h / 0.005", name="1 hour"),
                    Query(expr="joinbridge:message_age_slo:error_ratio6h / 0.005", name="6 hours"),
                    runbook="joinbridgefreshnessburnsfast",
                ),
            ),
        ),
        Row(
            title="Out, and the connections",
            panels=(
                lines(
                    "Publications by outcome",
                    "What the broker said of what joinbridge published.",
                    increase("joinbridge_publications_total", by="outcome"),
                    runbook="joinbridgeconfirmslow",
                ),
                lines(
                    "Held and not settled",
                    "Messages handed over and not settled yet.",
                    Query(expr="sum by (broker) (joinbridge_unsettled_messages)", name="{{broker}}"),
                    runbook="joinbridgemessageheld",
                ),
                lines(
                    "Deliveries",
                    "Messages that each broker sent, and those of them that it had sent before.",
                    increase("joinbridge_deliveries_total", by="broker"),
                    increase("joinbridge_redeliveries_total", by="broker", legend="{{broker}}, again"),
                    runbook="joinbridgeredeliveries",
                ),
                lines(
                    "Losses",
                    "Connections, consumers and sessions that ended without being asked to.",
                    increase("joinbridge_connection_losses_total", by="broker", legend="connections ({{broker}})"),
                    increase("joinbridge_consumer_losses_total", by="broker", legend="consumers ({{broker}})"),
                    increase("joinbridge_sessions_lost_total", by="broker", legend="sessions ({{broker}})"),
                    runbook="joinbridgeconnectionunsteady",
                    width=12,
                ),
                lines(
                    "Connections",
                    "1 while a connection stands.",
                    Query(expr="min by (connection) (joinbridge_connection_up)", name="{{connection}}"),
                    runbook="joinbridgeconnectiondown",
                    width=12,
                ),
            ),
        ),
    ),
)
