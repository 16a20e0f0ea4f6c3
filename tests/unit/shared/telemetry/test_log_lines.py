"""Lines of the log on their way to an OTLP endpoint: none is lost, and each is as by the SDK."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.sdk._logs import (
    LoggerProvider,
    LogRecordDroppedAttributesWarning,
    LogRecordProcessor,
    ReadableLogRecord,
    ReadWriteLogRecord,
)
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from shared.standards.trace_context import TraceContext
from shared.telemetry import recording
from shared.telemetry.log_lines import LineExporter, LineHandler
from tests.unit.shared.telemetry.recorded import recording_in_memory

RESOURCE = Resource({"service.name": "relay-sender"})
SPAN = SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(1))


class Exporter:
    """Keeps what is exported, and how much at once; refuses where it should."""

    def __init__(self) -> None:
        self.requests: list[ExportLogsServiceRequest] = []
        self.refuses = False

    def export_request(self, request: ExportLogsServiceRequest) -> LogRecordExportResult:
        # As an endpoint reads it.
        self.requests.append(ExportLogsServiceRequest.FromString(request.SerializeToString()))
        return LogRecordExportResult.FAILURE if self.refuses else LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        pass

    @property
    def sizes(self) -> list[int]:
        return [len(lines_of(one)) for one in self.requests]

    @property
    def lines(self) -> list[LogRecord]:
        return [line for one in self.requests for line in lines_of(one)]

    @property
    def texts(self) -> list[str]:
        return [one.body.string_value for one in self.lines]


def lines_of(request: ExportLogsServiceRequest) -> list[LogRecord]:
    (resource,) = request.resource_logs
    return [line for scope in resource.scope_logs for line in scope.log_records]


class Waiting(LogRecordProcessor):
    """Exports when it is asked to."""

    def __init__(self, exporter: LineExporter) -> None:
        self.groups: list[ReadableLogRecord] = []
        self._exporter = exporter

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.groups.append(ReadableLogRecord(log_record.log_record, RESOURCE))

    def export(self) -> LogRecordExportResult:
        groups, self.groups = self.groups, []
        return self._exporter.export(groups)

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.export()
        return self._exporter.force_flush(timeout_millis)


class Setup:
    """A logger, and what its lines are exported to."""

    def __init__(self, size: int = 10) -> None:
        self.exporter = Exporter()
        self.processor = Waiting(LineExporter(self.exporter, RESOURCE))
        self.log = logger_of(LineHandler(self.processor, size))


def logger_of(handler: logging.Handler) -> logging.Logger:
    """Return a logger with this handler and no other, of all levels."""
    log = logging.getLogger("test_log_lines")
    log.handlers, log.propagate = [handler], False
    log.setLevel(1)
    return log


def by_the_sdk(write: Callable[[logging.Logger], None]) -> list[Any]:
    exporter, provider = InMemoryLogRecordExporter(), LoggerProvider(RESOURCE)  # type: ignore[no-untyped-call] # so it is in the SDK
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    write(logger_of(LoggingHandler(logger_provider=provider)))
    provider.shutdown()
    return comparable(encode_logs(exporter.get_finished_logs()))


def by_groups(write: Callable[[logging.Logger], None]) -> list[Any]:
    setup = Setup()
    write(setup.log)
    setup.processor.export()
    (request,) = setup.exporter.requests
    return comparable(request)


def comparable(request: ExportLogsServiceRequest) -> list[Any]:
    """Return what is sent of each line, without what differs from one run to the next."""
    (resource,) = request.resource_logs
    found = [(resource.resource, resource.schema_url)]
    for scope in resource.scope_logs:
        for line in scope.log_records:
            line.time_unix_nano = line.observed_time_unix_nano = 0
            for pair in line.attributes:
                if pair.key == "exception.stacktrace":
                    pair.value.string_value = pair.value.string_value.splitlines()[-1]
            found.append((scope.scope, line))
    return found


def fail(error: Exception) -> None:
    raise error


def failing(error: Exception) -> Callable[[logging.Logger], None]:
    def write(log: logging.Logger) -> None:
        try:
            fail(error)
        except Exception:
            log.exception("failed", extra={"message_id": "m"})

    return write


WRITTEN: list[Callable[[logging.Logger], None]] = [
    lambda log: log.info("queued %s: %d bytes", "m", 3, extra={"message_id": "m", "attempt": 2}),
    lambda log: log.debug("none of it"),
    lambda log: log.warning("a"),
    lambda log: log.critical("100 %"),
    lambda log: log.log(3, "below debug"),
    lambda log: log.log(99, "above critical"),
    lambda log: log.info("b", extra={"a": 1.5, "b": True, "c": ["d"], "e": b"f"}),
    lambda log: log.info("c", extra={"a": 2**63, "b": -(2**63), "c": "d"}),
    lambda log: log.info("d", extra={"a": None, "b": ""}),
    lambda log: log.info("ä €"),
    lambda log: log.info("no error", exc_info=(None, None, None)),
    lambda log: log.error("never raised", exc_info=ValueError("a")),
    failing(ValueError("a", 1)),
    failing(KeyError()),
]


@pytest.mark.parametrize("write", WRITTEN)
@pytest.mark.parametrize("span", [None, SPAN])
def test_a_line_is_exported_as_the_handler_of_the_sdk_does(
    write: Callable[[logging.Logger], None], span: SpanContext | None
) -> None:
    inside = trace.set_span_in_context(NonRecordingSpan(span), Context()) if span else Context()
    token = attach(inside)
    try:
        assert by_groups(write) == by_the_sdk(write)
    finally:
        detach(token)


@pytest.mark.parametrize(
    "name", ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"]
)
def test_the_limits_of_the_environment_are_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(log: logging.Logger) -> None:
        log.info("a", extra={"one": "12345", "two": "1", "three": "12"})

    unlimited = by_groups(write)
    monkeypatch.setenv(name, "2")
    with warnings.catch_warnings(action="ignore", category=LogRecordDroppedAttributesWarning):
        by_the_handler_of_the_sdk = by_the_sdk(write)
    assert by_groups(write) == by_the_handler_of_the_sdk != unlimited


def test_a_line_has_the_time_and_the_trace_of_its_writing_and_not_of_its_export() -> None:
    setup = Setup()
    token = attach(trace.set_span_in_context(NonRecordingSpan(SPAN), Context()))
    setup.log.info("a")
    detach(token)
    setup.processor.export()
    (line,) = setup.exporter.lines
    assert (int.from_bytes(line.trace_id), int.from_bytes(line.span_id)) == (0xA, 0xB)
    assert line.time_unix_nano == line.observed_time_unix_nano > 0


@pytest.mark.parametrize(
    "parent", [None, *(TraceContext(f"00-{'a' * 32}-{'b' * 16}-{flags}") for flags in ("00", "01"))]
)
def test_a_line_of_a_call_is_below_what_the_call_is_below(parent: TraceContext | None) -> None:
    def write(log: logging.Logger) -> None:
        with recording.attached(parent):
            log.info("queued")

    with recording_in_memory():
        assert by_groups(write) == by_the_sdk(write)


def test_lines_are_exported_in_groups_in_their_order() -> None:
    setup = Setup(size=4)
    for number in range(10):
        setup.log.info("%d", number)
    assert len(setup.processor.groups) == 3
    assert setup.processor.export() is LogRecordExportResult.SUCCESS
    assert setup.exporter.sizes == [4, 4, 2]
    assert setup.exporter.texts == [str(number) for number in range(10)]


def test_a_line_after_an_export_is_in_the_next() -> None:
    setup = Setup()
    for number in range(3):
        setup.log.info("%d", number)
        setup.processor.export()
    assert setup.exporter.sizes == [1, 1, 1]
    assert setup.exporter.texts == ["0", "1", "2"]


def test_lines_that_are_written_while_others_are_exported_are_exported_once() -> None:
    setup, each, threads = Setup(size=7), 500, 4

    def write(thread: int) -> None:
        for number in range(each):
            setup.log.info("%d", thread * each + number)

    with ThreadPoolExecutor(threads) as pool:
        writing = [pool.submit(write, thread) for thread in range(threads)]
        while not all(one.done() for one in writing):
            setup.processor.export()
    setup.processor.export()
    texts = setup.exporter.texts
    assert sorted(texts, key=str) == sorted(map(str, range(each * threads)))


def test_a_line_that_cannot_be_formatted_costs_none_of_the_others() -> None:
    setup = Setup()
    setup.log.info("first")
    setup.log.info("%d bytes", "no number")
    setup.log.info("last")
    setup.processor.export()
    assert setup.exporter.texts == ["first", "%d bytes", "last"]


@pytest.mark.parametrize("field", ["a", 2**64, "\udc80"])
def test_a_line_that_cannot_be_encoded_costs_none_of_the_others(field: object) -> None:
    setup = Setup()
    setup.log.info("first")
    setup.log.info("%s", "ä\udc80", extra={"field": field, "message_id": "m"})
    setup.log.info("last")
    setup.processor.export()
    assert setup.exporter.texts == ["first", "ä\\udc80", "last"]
    assert "m" in {pair.value.string_value for pair in setup.exporter.lines[1].attributes}


def test_lines_of_each_logger_are_together() -> None:
    setup = Setup()
    for name in ("a", "b", "a"):
        setup.log.handlers[0].handle(logging.makeLogRecord({"name": name, "levelno": 20}))
    setup.processor.export()
    (resource,) = setup.exporter.requests[0].resource_logs
    found = [(one.scope.name, len(one.log_records)) for one in resource.scope_logs]
    assert found == [("a", 2), ("b", 1)]


def test_a_failed_export_of_one_group_is_that_of_all_and_the_others_are_tried() -> None:
    setup = Setup(size=1)
    setup.exporter.refuses = True
    setup.log.info("a")
    setup.log.info("b")
    assert setup.processor.export() is LogRecordExportResult.FAILURE
    assert setup.exporter.sizes == [1, 1]
