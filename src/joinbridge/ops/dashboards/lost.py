"""Lost responses: the board that says where answers are lost, and how sure that is."""

from __future__ import annotations

from joinbridge.ops.dashboards.panels import Axes, Dashboard, Kind, Panel, Query, Row, Unit, bars, increase, lines, number, quantiles


def _device(recorded: str) -> str:
    """Return the query for a recorded ratio of devices with make, model and firmware in one label."""
    return f'label_join(joinbridge:device_loss:{recorded}, "device", " ", "make", "model", "firmware")'


_CELLS = (
    Query(expr=_device("ratio1d"), name="share lost"),
    Query(expr=_device("lost1d"), name="lost"),
    Query(expr=_device("responses1d"), name="answers"),
    Query(expr=_device("lower1d"), name="at least"),
    Query(expr=_device("upper1d"), name="at most"),
)
_SURE = (Query(expr=_device("sure1d"), name="for certain"), *_CELLS)

LOST = Dashboard(
    uid="joinbridge-lost",
    title="joinbridge: lost responses",
    says="The root cause: where answers are lost, by region, device and firmware, leg of the way and service request.",
    rows=(
        Row(
            title="How much is lost",
            panels=(
                number(
                    "Share lost, last hour",
                    "Lost answers among all answers of the last hour.",
                    "joinbridge:response_loss:ratio1h",
                    runbook="joinbridgelostratiorising",
                    unit=Unit.RATIO,
                    warn=0.02,
                    bad=0.05,
                    width=6,
                ),
                number(
                    "Share lost, last week",
                    "The same over a week: what is usual here.",
                    "joinbridge:response_loss:ratio7d",
                    runbook="joinbridgelostratiorising",
                    unit=Unit.RATIO,
                    width=6,
                ),
                number(
                    "Refused Unjoins not explained",
                    "Unjoins refused with E080801, because the inventory says not joined, whose pair is not known to be joined or not yet. "
                    "Counted over three days.",
                    "sum(increase(joinbridge_unjoin_refusals_total[3d])) - sum(increase(joinbridge_unjoin_refusals_explained_total[3d]))",
                    runbook="joinbridgeunjoinunexplained",
                    warn=1,
                    width=6,
                ),
                number(
                    "Worst cell, at least",
                    "Of all kinds of device in all regions with twenty answers or more, the largest lower bound of the loss ratio over a "
                    "day: so much is lost there even if chance was unkind (99.9 %).",
                    "max(joinbridge:device_loss:sure1d)",
                    runbook="joinbridgefirmwarelosesanswers",
                    unit=Unit.RATIO,
                    warn=0.05,
                    bad=0.1,
                    width=6,
                ),
            ),
        ),
        Row(
            title="Which devices, in which region",
            panels=(
                Panel(
                    title="Share lost by device and region",
                    says="Answers lost among all answers of a day, for each make, model and firmware in each region. A dark cell with few "
                    "answers means little: compare with the map beside it.",
                    runbook="joinbridgefirmwarelosesanswers",
                    kind=Kind.HEAT,
                    queries=_CELLS,
                    unit=Unit.RATIO,
                    width=12,
                    height=14,
                    warn=0.05,
                    bad=0.15,
                    axes=Axes(rows="device", columns="region"),
                ),
                Panel(
                    title="Share lost for certain",
                    says="The lower bound of the 99.9 % confidence interval (Wilson) of the same ratio, where there were twenty answers or "
                    "more; of dozens of cells hardly one is dark here by chance.",
                    runbook="joinbridgefirmwarelosesanswers",
                    kind=Kind.HEAT,
                    queries=_SURE,
                    unit=Unit.RATIO,
                    width=12,
                    height=14,
                    warn=0.05,
                    bad=0.15,
                    axes=Axes(rows="device", columns="region"),
                ),
                Panel(
                    title="The fifteen surest, with counts and confidence interval",
                    says="The cells of twenty answers or more that lose most for certain: share lost, between which shares the truth lies "
                    "(95 %), lost and all answers of a day.",
                    runbook="joinbridgefirmwarelosesanswers",
                    kind=Kind.TABLE,
                    queries=tuple(
                        Query(expr=f"joinbridge:device_loss:{what} and topk(15, joinbridge:device_loss:sure1d)", name=name)
                        for what, name in (
                            ("sure1d", "for certain"),
                            ("ratio1d", "share lost"),
                            ("lower1d", "at least"),
                            ("upper1d", "at most"),
                            ("lost1d", "lost"),
                            ("responses1d", "answers"),
                        )
                    ),
                    unit=Unit.RATIO,
                    width=24,
                    height=9,
                    warn=0.05,
                    bad=0.15,
                ),
            ),
        ),
        Row(
            title="Where on the way, and what joinbridge did",
            panels=(
                lines(
                    "Share lost by region",
                    "Lost answers among all answers of the last hour, by CSP region.",
                    Query(expr="joinbridge:region_loss:ratio1h", name="{{region}}"),
                    runbook="joinbridgeregionlosesanswers",
                    unit=Unit.RATIO,
                    warn=0.05,
                    width=12,
                ),
                bars(
                    "Lost by leg and trigger",
                    "What told of the loss: 8F2C is the hub that dropped the message on the radio; E21 and N13 are the DSP that has "
                    "no answer; a deadline only says that nothing came.",
                    increase("joinbridge_responses_lost_total", by="leg, trigger", window="$__range", legend="{{leg}} ({{trigger}})"),
                    runbook="joinbridgelostratiorising",
                    width=6,
                ),
                bars(
                    "Lost by service request",
                    "8.7.1 and 8.7.2 are Joins, 8.8.1 and 8.8.2 Unjoins; `unknown` while only the Pre-Command was seen.",
                    increase("joinbridge_responses_lost_total", by="srv", window="$__range"),
                    runbook="joinbridgelostratiorising",
                    width=6,
                ),
                lines(
                    "How lost answers ended",
                    "The truth was found (`confirmed_late`, `inferred_success`, `disproved`), or it was not (`unresolved`).",
                    increase(
                        "joinbridge_attempt_transitions_total",
                        by="state",
                        where='{state=~"confirmed_late|inferred_success|disproved|unresolved"}',
                    ),
                    runbook="joinbridgeunresolved",
                ),
                lines(
                    "Retries, probes and notices",
                    "What was sent because answers were lost, and what was withheld in shadow mode.",
                    increase(
                        "joinbridge_effects_total", by="effect, fate", where='{effect=~"retry|probe|notice"}', legend="{{effect}} {{fate}}"
                    ),
                    runbook="joinbridgelostratiorising",
                ),
                lines(
                    "Time to an answer",
                    "From the request to its answer, late ones included. The deadline has to be longer than nearly all of them.",
                    *quantiles("joinbridge_response_delay_seconds", window="1h"),
                    runbook="joinbridgelostratiorising",
                    unit=Unit.SECONDS,
                ),
            ),
        ),
    ),
)
