"""The brokers' side of the metrics: read when somebody asks, from the counters that the connections keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

GAUGES: Mapping[str, tuple[str, str]] = {
    "connection_up": ("connection", "Whether a connection to a broker stands."),
    "consumers": ("broker", "Consumers that are registered."),
    "consumers_expected": ("broker", "Consumers that should be registered."),
    "unsettled_messages": ("broker", "Messages handed over and not settled yet."),
    "oldest_unsettled_seconds": ("broker", "How long the oldest of them has been held."),
    "oldest_publish_seconds": ("broker", "How long the oldest publication has waited for its confirmation."),
}
"""Each gauge with its label and its meaning."""

COUNTERS: Mapping[str, tuple[str, str]] = {
    "connection_losses": ("broker", "Connections that ended without being asked to."),
    "consumer_losses": ("broker", "Consumers that ended without being asked to, or that the broker cancelled."),
    "deliveries": ("broker", "Messages that the broker sent."),
    "redeliveries": ("broker", "Those of them that it had sent before."),
    "acknowledgements_failed": ("broker", "Settlements that came too late or failed: the messages come again."),
    "sessions_lost": ("broker", "Sessions that the broker forgot: what came meanwhile may be lost."),
    "publications": ("outcome", "Publications by what the broker said."),
}

HISTOGRAMS: Mapping[str, str] = {"publish_confirm_seconds": "Publication to the broker's confirmation."}
"""Each histogram with its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How many took as long as each bound or shorter, the last of which is infinite, and how long all together took, in seconds."""

    cumulative: Sequence[tuple[float, int]]
    total_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """What there is to say of the brokers at this moment: values by metric and label."""

    gauges: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    counters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    histograms: Mapping[str, Durations] = field(default_factory=dict)


class TransportCollector(Collector):
    """Exports what `look` sees. Every metric is there, whatever `look` has to say of it."""

    def __init__(self, look: Callable[[], Transport]) -> None:
        self._look = look

    def describe(self) -> Iterable[Metric]:
        """Return the metrics without values, so that registering looks at nothing."""
        return _families(Transport())

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as of now."""
        return _families(self._look())


def _families(seen: Transport) -> Iterable[Metric]:
    for name, (label, help_) in GAUGES.items():
        gauge = GaugeMetricFamily(f"joinbridge_{name}", help_, labels=[label])
        for value, number in seen.gauges.get(name, {}).items():
            gauge.add_metric([value], number)
        yield gauge
    for name, (label, help_) in COUNTERS.items():
        counter = CounterMetricFamily(f"joinbridge_{name}", help_, labels=[label])
        for value, number in seen.counters.get(name, {}).items():
            counter.add_metric([value], number)
        yield counter
    for name, help_ in HISTOGRAMS.items():
        histogram = HistogramMetricFamily(f"joinbridge_{name}", help_)
        if (durations := seen.histograms.get(name)) is not None:
            # The library has not annotated it.
            buckets = [(floatToGoString(bound), count) for bound, count in durations.cumulative]  # type: ignore[no-untyped-call]
            histogram.add_metric([], buckets, durations.total_s)
        yield histogram
