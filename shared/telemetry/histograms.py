"""The histograms of what is measured for each message, on their way to an OTLP endpoint.

The SDK makes an object of each value, and validates, sorts and filters its attributes: four of them
are a tenth of what a message costs a receiver. Here a value is a step in its bucket, and the SDK's
exporter gets the buckets.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

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


@dataclass
class _Values:
    """The series of one metric."""

    metric: Metric
    began: int = field(default_factory=time.time_ns)
    series: dict[frozenset[tuple[str, str | int | float]], _Series] = field(default_factory=dict)


class Histograms:
    """The values of some metrics, from its making on; any thread may add and export."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._values = {one.name: _Values(one) for one in metrics}
        self._lock = Lock()

    def add(self, metric: Metric, value: float, attributes: Attributes) -> bool:
        """Add a value; return whether the metric is one of these."""
        if not (values := self._values.get(metric.name)):
            return False
        key = frozenset(attributes.items())
        # As OpenTelemetry has it, a bucket's upper bound belongs to it.
        bucket = bisect_left(metric.bounds, value)
        with self._lock:
            if not (series := values.series.get(key)):
                series = _Series(dict(attributes), [0] * (len(metric.bounds) + 1))
                values.series[key] = series
            series.buckets[bucket] += 1
            series.count += 1
            series.total += value
            series.least = min(series.least, value)
            series.most = max(series.most, value)
        return True

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
        with self._lock:
            return [
                ExportedMetric(
                    values.metric.name,
                    values.metric.description,
                    values.metric.unit,
                    Histogram(
                        [_point(values, one, now) for one in values.series.values()],
                        AggregationTemporality.CUMULATIVE,
                    ),
                )
                for values in self._values.values()
                if values.series
            ]


def _point(values: _Values, series: _Series, now: int) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=series.attributes,
        start_time_unix_nano=values.began,
        time_unix_nano=now,
        count=series.count,
        sum=series.total,
        bucket_counts=tuple(series.buckets),
        explicit_bounds=values.metric.bounds,
        min=series.least,
        max=series.most,
    )
