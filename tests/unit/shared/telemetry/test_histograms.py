from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace import TracerProvider

from shared.telemetry.histograms import Histograms, are_as_usual
from shared.telemetry.metrics import BATCH_SIZE, METRICS, PARTNER, QUEUE_TIME, Metric
from shared.telemetry.open_telemetry import SCOPE, OpenTelemetryRecorder
from shared.telemetry.recording import Attributes

VALUES = (0, 0.001, 0.005, 0.0050001, 0.3, 10.0, 10.1, 86_400.0, 1e9)


def recorded(histograms: Histograms | None, *metrics: Metric) -> MetricsData:
    """Return what is exported after each metric got all values, in two series."""
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader])
    recorder = OpenTelemetryRecorder(TracerProvider(), meters, histograms)
    for metric in metrics:
        for value in VALUES:
            recorder.record(metric, value, {"queue": "messages", "status": 202})
            recorder.record(metric, 2 * value, {})
    data = reader.get_metrics_data()
    meters.shutdown()
    assert data
    return data


def points(data: MetricsData) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """Return what is exported of each metric, without the times of this run."""
    found = {}
    for scope in data.resource_metrics[0].scope_metrics:
        assert scope.scope.name == SCOPE
        exported: Sequence[Any] = scope.metrics
        for one in exported:
            key = (one.name, one.unit or "", one.description or "")
            assert key not in found
            found[key] = [
                {
                    "attributes": dict(point.attributes or {}),
                    "buckets": list(point.bucket_counts),
                    "bounds": list(point.explicit_bounds),
                    "temporality": one.data.aggregation_temporality,
                    **{name: getattr(point, name) for name in ("count", "sum", "min", "max")},
                }
                for point in one.data.data_points
            ]
            for point in one.data.data_points:
                assert 0 < point.start_time_unix_nano <= point.time_unix_nano
    return found


def add(own: Histograms, value: float, attributes: Attributes) -> None:
    pending = own.of(PARTNER)
    assert pending
    pending.add(value, attributes)


def test_a_histogram_is_what_the_sdk_would_have_made_of_its_values() -> None:
    own = Histograms([QUEUE_TIME, PARTNER])
    data = own.added_to(recorded(own, QUEUE_TIME, BATCH_SIZE, PARTNER), SCOPE)
    assert points(data) == points(recorded(None, QUEUE_TIME, BATCH_SIZE, PARTNER))


def test_what_was_recorded_once_is_in_each_later_export() -> None:
    own = Histograms([PARTNER])
    data = recorded(own, PARTNER, BATCH_SIZE)
    first = points(own.added_to(data, SCOPE))
    assert points(own.added_to(data, SCOPE)) == first
    add(own, 1.0, {})
    (later,) = (
        one for (name, *_), one in points(own.added_to(data, SCOPE)).items() if name == PARTNER.name
    )
    assert sum(point["count"] for point in later) == 2 * len(VALUES) + 1


def test_a_metric_that_is_not_one_of_these_is_left_to_the_sdk() -> None:
    own = Histograms([PARTNER])
    assert own.of(QUEUE_TIME) is None
    data = recorded(own, QUEUE_TIME)
    assert own.added_to(data, SCOPE) is data  # nothing to add


def test_values_of_threads_at_once_are_all_counted() -> None:
    own = Histograms([PARTNER])
    data = recorded(own, BATCH_SIZE)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: add(own, 0.01, {"of": n % 2}), range(4000)))
    (found,) = (
        one for (name, *_), one in points(own.added_to(data, SCOPE)).items() if name == PARTNER.name
    )
    assert [point["count"] for point in found] == [2000, 2000]


@pytest.mark.parametrize(
    "variable",
    [
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
    ],
)
def test_where_another_kind_is_asked_for_the_sdk_makes_it(variable: str) -> None:
    assert are_as_usual({})
    assert are_as_usual({variable: ""})
    assert not are_as_usual({variable: "delta"})


def test_what_is_recorded_of_each_message_is_a_histogram() -> None:
    of_each = [one for one in METRICS if one.is_of_each]
    assert of_each
    assert all(one.bounds for one in of_each)
