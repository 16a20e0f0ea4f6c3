"""The exporters to an OTLP endpoint, over HTTP. Imported only where there is one.

Endpoint, headers, time limits and intervals are those of the environment: see "OpenTelemetry
Environment Variable Specification".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from shared.telemetry.collector_watch import CollectorWatch
from shared.telemetry.histograms import Histograms
from shared.telemetry.open_telemetry import SCOPE


class SpanExporter(OTLPSpanExporter):
    """Exports spans, and reports to the watch whether they are taken."""

    def __init__(self, watch: CollectorWatch) -> None:
        super().__init__()
        self._watch = watch
        watch.add("traces", self)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans."""
        result = super().export(spans)
        self._watch.exported("traces", is_taken=result is SpanExportResult.SUCCESS)
        return result


class MetricExporter(OTLPMetricExporter):
    """Exports metrics, and reports to the watch whether they are taken.

    With what a reader brings go the histograms that it does not know; see `histograms`.
    """

    def __init__(self, watch: CollectorWatch, histograms: Histograms | None = None) -> None:
        super().__init__()
        self._watch = watch
        self._histograms = histograms
        watch.add("metrics", self)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **options: Any
    ) -> MetricExportResult:
        """Export metrics."""
        if self._histograms:
            metrics_data = self._histograms.added_to(metrics_data, SCOPE)
        result = super().export(metrics_data, timeout_millis, **options)
        self._watch.exported("metrics", is_taken=result is MetricExportResult.SUCCESS)
        return result


class LogExporter(OTLPLogExporter):
    """Exports lines of the log, and reports to the watch whether they are taken."""

    def __init__(self, watch: CollectorWatch) -> None:
        super().__init__()
        self._watch = watch
        watch.add("logs", self)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export lines."""
        return self._reported(is_taken=super().export(batch) is LogRecordExportResult.SUCCESS)

    def export_request(self, request: ExportLogsServiceRequest) -> LogRecordExportResult:
        """Export lines that are encoded already.

        The SDK's exporter encodes whatever it exports, and only its client takes a request; tests
        say so if that changes.
        """
        if self._shutdown:
            return LogRecordExportResult.FAILURE
        return self._reported(is_taken=self._client.export(request.SerializeToString()).success)

    def _reported(self, *, is_taken: bool) -> LogRecordExportResult:
        self._watch.exported("logs", is_taken=is_taken)
        return LogRecordExportResult.SUCCESS if is_taken else LogRecordExportResult.FAILURE
