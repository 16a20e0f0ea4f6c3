"""Where spans, metrics and log lines go: Application Insights, any OTLP endpoint, both or nowhere.

Each is imported only where its setting is there, since importing takes longer than the rest of an
app's start, and an app that exports nothing must not pay for it.
"""

from __future__ import annotations

import atexit
import logging
import os
import uuid
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from shared.telemetry import recording
from shared.telemetry.collector_watch import CollectorWatch, silence_exporters
from shared.telemetry.metrics import METRICS

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from shared.telemetry.histograms import Histograms

APPLICATION_INSIGHTS = "APPLICATIONINSIGHTS_CONNECTION_STRING"
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL = "http/protobuf"
_PROTOCOLS = (
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    *(f"OTEL_EXPORTER_OTLP_{kind}_PROTOCOL" for kind in ("TRACES", "METRICS", "LOGS")),
)
_log = logging.getLogger(__name__)
_WATCH = CollectorWatch(_log)
# The lines of this project alone: what the SDKs log of a message costs more than the message.
_LOGGED = "shared"
# What the distribution would record by itself; all of it, since this project records its own.
_INSTRUMENTED = (
    *("azure_sdk", "django", "fastapi", "flask", "httpx", "psycopg2"),
    *("requests", "urllib", "urllib3"),
)


def start(environ: MutableMapping[str, str] = os.environ) -> None:
    """Record from now on, if the environment names something to export to."""
    to_insights, to_otlp = bool(environ.get(APPLICATION_INSIGHTS)), bool(environ.get(OTLP))
    to_otlp = to_otlp and _is_served(environ)
    if not (to_insights or to_otlp) or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    from azure.core.settings import settings

    # The SDKs' own spans would be of the same calls, and would replace a message's trace.
    settings.tracing_enabled = False
    histograms = None
    if to_insights:
        _start_insights(environ, to_otlp=to_otlp)
    else:
        histograms = _start_otlp(environ)
    from opentelemetry import metrics, trace

    from shared.telemetry.open_telemetry import OpenTelemetryRecorder

    recording.record_to(
        OpenTelemetryRecorder(trace.get_tracer_provider(), metrics.get_meter_provider(), histograms)
    )
    # Last, so that it comes first: the providers' own ends export what is left.
    atexit.register(_WATCH.give_up)


def _start_insights(environ: MutableMapping[str, str], *, to_otlp: bool) -> None:
    # Before it is imported: it would report its own use to Microsoft, and ask there what to change.
    environ.setdefault("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "true")
    environ.setdefault("APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED", "true")
    from azure.identity import ManagedIdentityCredential
    from azure.monitor.opentelemetry import configure_azure_monitor

    spans, readers = _otlp() if to_otlp else ([], [])
    configure_azure_monitor(
        connection_string=environ[APPLICATION_INSIGHTS],
        # The app's own identity, which has the right to send telemetry and no right to messages,
        # keys or secrets: none of the identities that have those may do this as well.
        credential=ManagedIdentityCredential(),
        resource=_resource(environ),
        logger_name=_LOGGED,
        span_processors=spans,
        metric_readers=readers,
        # The handler is that of Azure Monitor's distribution, for both.
        log_record_processors=[_otlp_logs()] if to_otlp else [],
        # Nothing of what was not sent stays on a disk.
        disable_offline_storage=True,
        enable_live_metrics=False,
        enable_performance_counters=False,
        instrumentation_options={name: {"enabled": False} for name in _INSTRUMENTED},
    )


def _start_otlp(environ: Mapping[str, str]) -> Histograms | None:
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import DEFAULT_ON

    from shared.telemetry.histograms import Histograms, are_as_usual

    resource = _resource(environ)
    # There is a reader for each exporter; of Azure Monitor's nothing is known here.
    of_each = [one for one in METRICS if one.is_of_each]
    histograms = Histograms(of_each) if are_as_usual(environ) else None
    spans, readers = _otlp(histograms)
    # Those of Azure Monitor are known to its own exporter alone.
    is_known = not environ.get("OTEL_TRACES_SAMPLER", "").startswith("microsoft.")
    sampler = None if is_known else DEFAULT_ON
    traces = TracerProvider(sampler, resource)
    for processor in spans:
        traces.add_span_processor(processor)
    trace.set_tracer_provider(traces)
    metrics.set_meter_provider(MeterProvider(readers, resource))
    logging.getLogger(_LOGGED).addHandler(_lines(environ, resource))
    return histograms


def _lines(environ: Mapping[str, str], resource: Resource) -> logging.Handler:
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    from shared.telemetry.log_lines import LineExporter, LineHandler
    from shared.telemetry.otlp import LogExporter

    # The variables count lines, and the processor groups of them.
    size = _positive(environ, "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 512)
    groups = max(1, _positive(environ, "OTEL_BLRP_MAX_QUEUE_SIZE", 2048) // size)
    processor = BatchLogRecordProcessor(
        LineExporter(LogExporter(_WATCH), resource),
        max_export_batch_size=groups,
        max_queue_size=groups,
    )
    atexit.register(processor.shutdown)
    return LineHandler(processor, size)


def _positive(environ: Mapping[str, str], name: str, default: int) -> int:
    """Return a number; as in the SDK, what is none counts as absent."""
    text = environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) else default


def _otlp(
    histograms: Histograms | None = None,
) -> tuple[list[SpanProcessor], list[MetricReader]]:
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from shared.telemetry.otlp import MetricExporter, SpanExporter

    silence_exporters()
    return (
        [BatchSpanProcessor(SpanExporter(_WATCH))],
        [PeriodicExportingMetricReader(MetricExporter(_WATCH, histograms))],
    )


def _otlp_logs() -> LogRecordProcessor:
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    from shared.telemetry.otlp import LogExporter

    return BatchLogRecordProcessor(LogExporter(_WATCH))


def _is_served(environ: Mapping[str, str]) -> bool:
    """Return whether the protocol is the one that is served: gRPC is another large package.

    Another one is refused, since a collector would find protobuf where it expects something else.
    """
    for name in _PROTOCOLS:
        if (given := environ.get(name, _PROTOCOL)) not in ("", _PROTOCOL):
            text = "nothing is exported to %s: %s is %r, and only %s is served"
            _log.error(text, OTLP, name, given, _PROTOCOL)
            return False
    return True


def _resource(environ: Mapping[str, str]) -> Resource:
    from opentelemetry.sdk.resources import Resource

    class HashedOnce(Resource):
        """The exporters group by it, and ask for its hash for each span and line."""

        def __init__(self, found: Resource) -> None:
            super().__init__(found.attributes, found.schema_url)
            self._hash = super().__hash__()

        def __hash__(self) -> int:
            return self._hash

        def __eq__(self, other: object) -> bool:
            return self is other or super().__eq__(other)

    about: dict[str, Any] = {"service.instance.id": str(uuid.uuid4())}
    if not environ.get("OTEL_SERVICE_NAME"):
        about["service.name"] = f"relay-{environ.get('RELAY_APP', 'app')}"
    return HashedOnce(Resource.create(about))
