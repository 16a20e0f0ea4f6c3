"""The histograms of what is measured for each message, on their way to an OTLP endpoint.

The SDK makes an object of each value, and validates, sorts and filters its attributes: four of them
are a tenth of what a message costs a receiver. Here a value is a step in its bucket, and the SDK's
exporter gets the buckets.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.export import Metric as ExportedMetric
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from shared.telemetry.metrics import Metric
from shared.telemetry.pending_values import PendingValues
from shared.telemetry.recording import Attributes

# What would have them exported otherwise: as differences, or in buckets that grow with the values.
_OTHERWISE = (
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
)


def are_as_usual(environ: Mapping[str, str]) -> bool:
    """Return whether the environment leaves histograms as they are by default, and as here."""
    return not any(environ.get(name) for name in _OTHERWISE)


@dataclass
class _Series:
    """The values with the same attributes: how many in each bucket, and what they are in all."""

    attributes: dict[str, str | int | float]
    buckets: list[int]
    count: int = 0
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")


class _Values:
    """The series of one metric."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.began = time.time_ns()
        self.series: dict[frozenset[tuple[str, str | int | float]], _Series] = {}
        self.pending = PendingValues(self._sum_up)

    def _sum_up(self, value: float, attributes: Attributes) -> None:
        key = frozenset(attributes.items())
        if not (series := self.series.get(key)):
            series = _Series(dict(attributes), [0] * (len(self.metric.bounds) + 1))
            self.series[key] = series
        # As OpenTelemetry has it, a bucket's upper bound belongs to it.
        series.buckets[bisect_left(self.metric.bounds, value)] += 1
        series.count += 1
        series.total += value
        if value < series.least:
            series.least = value
        if value > series.most:
            series.most = value

    def exported(self, now: int) -> ExportedMetric | None:
        """Return what all values so far are; None where there are none."""
        with self.pending.summed_up():
            if not self.series:
                return None
            return ExportedMetric(
                self.metric.name,
                self.metric.description,
                self.metric.unit,
                Histogram(
                    [self._point(one, now) for one in self.series.values()],
                    AggregationTemporality.CUMULATIVE,
                ),
            )

    def _point(self, series: _Series, now: int) -> HistogramDataPoint:
        return HistogramDataPoint(
            attributes=series.attributes,
            start_time_unix_nano=self.began,
            time_unix_nano=now,
            count=series.count,
            sum=series.total,
            bucket_counts=tuple(series.buckets),
            explicit_bounds=self.metric.bounds,
            min=series.least,
            max=series.most,
        )


class Histograms:
    """The values of some metrics, from its making on; any thread may add and export."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._values = {one.name: _Values(one) for one in metrics}

    def of(self, metric: Metric) -> PendingValues | None:
        """Return what takes a metric's values; None if it is not one of these."""
        values = self._values.get(metric.name)
        return values.pending if values else None

    def added_to(self, data: MetricsData, scope: str) -> MetricsData:
        """Return what is exported with these in it, as metrics of a scope."""
        own = self._exported()
        if not own or not data.resource_metrics:
            return data
        first, *others = data.resource_metrics
        scopes = [
            replace(one, metrics=[*one.metrics, *own]) if one.scope.name == scope else one
            for one in first.scope_metrics
        ]
        if not any(one.scope.name == scope for one in scopes):
            scopes.append(ScopeMetrics(InstrumentationScope(scope), own, ""))
        return MetricsData([replace(first, scope_metrics=scopes), *others])

    def _exported(self) -> Sequence[ExportedMetric]:
        now = time.time_ns()
        return [found for one in self._values.values() if (found := one.exported(now))]
