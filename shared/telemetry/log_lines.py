"""The lines of the log on their way to an OTLP endpoint.

The handler of OpenTelemetry's distribution makes a record of each line at once, and copies its
attributes twice, while a message waits: a third of what telemetry costs a sender. Here a line is
kept as it is until it is exported, the SDK's processor gets one record for some hundred lines, and
a line of the usual kind is encoded without the SDK's objects, which takes less than half as long.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from threading import Lock
from typing import Any, Protocol, cast

from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context, get_current
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.instrumentation.log_utils import std_to_otel
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as EncodedRecord
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.sdk._logs import (
    LogRecordLimits,
    LogRecordProcessor,
    ReadableLogRecord,
    ReadWriteLogRecord,
)
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.semconv.attributes import exception_attributes as of_errors

from shared.telemetry.open_telemetry import ids_of

# What each line has; the others are the fields that were given by `extra`.
_OF_EACH = len(vars(logging.makeLogRecord({})))
_STANDARD = vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "taskName"}
# "Log Data Model", SeverityText: those of the specification where Python's differ.
_SEVERITIES = {"WARNING": "WARN", "CRITICAL": "FATAL"}
# Of the fields that lines usually have, where they are in OTLP's AnyValue.
_USUAL: dict[type, str] = {str: "string_value", int: "int_value", float: "double_value"}


class RequestExporter(Protocol):
    """An exporter to an OTLP endpoint, as `shared.telemetry.otlp.LogExporter` is."""

    def export_request(self, request: ExportLogsServiceRequest) -> LogRecordExportResult:
        """Export lines."""

    def shutdown(self) -> None:
        """Take nothing any more."""


class LineHandler(logging.Handler):
    """Collects lines in groups of at most `size`, and gives a group to a processor at its first.

    The processor exports as it is configured to, by a `LineExporter`; so a line waits no longer
    than one that had a record of its own.
    """

    def __init__(self, processor: LogRecordProcessor, size: int) -> None:
        super().__init__()
        self._processor = processor
        self._size = size
        self._group: _Group | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, with the context that it belongs to."""
        line = (record, get_current())
        if self._group is None or not self._group.add(line, self._size):
            self._group = _Group(line)
            self._processor.on_emit(ReadWriteLogRecord(LogRecord(body=cast("Any", self._group))))


class LineExporter(LogRecordExporter):
    """Exports the lines of groups by another exporter, a group at a time."""

    def __init__(self, exporter: RequestExporter, resource: Resource) -> None:
        self._exporter = exporter
        self._resource = resource
        self._limits = LogRecordLimits()

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export all of it, even if a part fails."""
        results = {self._export_group(cast("_Group", one.log_record.body)) for one in batch}
        failed = LogRecordExportResult.FAILURE
        return failed if failed in results else LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Shut down the other exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's name
        """Return that nothing is left: it is the processor that keeps anything."""
        return True

    def _export_group(self, group: _Group) -> LogRecordExportResult:
        request = ExportLogsServiceRequest()
        scopes: dict[str, ScopeLogs] = {}
        for line, context in group.take():
            if not (scope := scopes.get(line.name)):
                scope = scopes[line.name] = self._add_scope(request, line.name)
            added = _added(scope, line, context)
            fields = _limited(_fields_of(line), self._limits)
            if isinstance(fields, BoundedAttributes):
                added.dropped_attributes_count = fields.dropped
            if not _are_added(added, fields):
                encoded = self._by_the_sdk(LogRecord(attributes=fields), line.name)
                added.attributes.extend(encoded.scope_logs[0].log_records[0].attributes)
        return self._exporter.export_request(request)

    def _add_scope(self, request: ExportLogsServiceRequest, logger: str) -> ScopeLogs:
        """Add what the lines of a logger go to."""
        found = self._by_the_sdk(LogRecord(), logger)
        del found.scope_logs[0].log_records[:]
        if not request.resource_logs:
            request.resource_logs.append(found)
        else:
            request.resource_logs[0].scope_logs.extend(found.scope_logs)
        added: ScopeLogs = request.resource_logs[0].scope_logs[-1]
        return added

    def _by_the_sdk(self, record: LogRecord, logger: str) -> ResourceLogs:
        readable = ReadableLogRecord(record, self._resource, InstrumentationScope(logger))
        encoded: ResourceLogs = encode_logs([readable]).resource_logs[0]
        return encoded


class _Group:
    """Lines that are exported together."""

    __slots__ = ("_lines", "_lock")

    def __init__(self, first: tuple[logging.LogRecord, Context]) -> None:
        self._lines: list[tuple[logging.LogRecord, Context]] | None = [first]
        self._lock = Lock()  # exports have threads of their own

    def add(self, line: tuple[logging.LogRecord, Context], size: int) -> bool:
        """Return whether it was added: not to a group of `size`, and not to one that is taken."""
        with self._lock:
            if self._lines is None or len(self._lines) >= size:
                return False
            self._lines.append(line)
            return True

    def take(self) -> Sequence[tuple[logging.LogRecord, Context]]:
        """Return its lines; nothing can be added any more."""
        with self._lock:
            lines, self._lines = self._lines, None
            return lines or ()


def _added(scope: ScopeLogs, line: logging.LogRecord, context: Context) -> EncodedRecord:
    """Add to a scope what the SDK's own handler would have made of a line, but for its fields."""
    at = int(line.created * 1e9)
    trace_id, span_id, flags = ids_of(context)
    added: EncodedRecord = scope.log_records.add(
        time_unix_nano=at,
        observed_time_unix_nano=at,
        severity_text=_SEVERITIES.get(line.levelname, line.levelname),
        severity_number=_number_of(line.levelno),
        trace_id=trace_id,
        span_id=span_id,
        flags=flags,
    )
    added.body.string_value = _text_of(line)
    return added


@cache
def _number_of(level: int) -> int:
    number: int = std_to_otel(level).value
    return number


def _are_added(added: EncodedRecord, fields: Mapping[str, Any]) -> bool:
    """Add the fields to a record; where one is not of the usual kind, none, and return False."""
    attributes = added.attributes
    try:
        for name, value in fields.items():
            setattr(attributes.add(key=name).value, _USUAL[type(value)], value)
    except (KeyError, ValueError):  # another type, more than 64 bits, a text that is not Unicode
        del attributes[:]
        return False
    return True


def _text_of(line: logging.LogRecord) -> str:
    # Whatever is wrong with one line costs none of the others.
    try:
        text = line.getMessage()
    except Exception:  # noqa: BLE001 - arguments may have methods of their own
        text = str(line.msg)
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _fields_of(line: logging.LogRecord) -> dict[str, Any]:
    # A line gets its own fields after those that each has; a formatter adds some of the latter.
    given = islice(vars(line).items(), _OF_EACH, None)
    fields = {name: value for name, value in given if name not in _STANDARD}
    if line.exc_info and line.exc_info[1]:
        _, error, where = line.exc_info
        fields[of_errors.EXCEPTION_TYPE] = type(error).__name__
        if error.args:
            fields[of_errors.EXCEPTION_MESSAGE] = str(error.args[0])
        if where:
            fields[of_errors.EXCEPTION_STACKTRACE] = "".join(traceback.format_exception(error))
    return fields


def _limited(fields: dict[str, Any], limits: LogRecordLimits) -> Mapping[str, Any]:
    """Apply the limits of the environment, where there are any that a line could exceed."""
    most, length = limits.max_log_record_attributes, limits.max_log_record_attribute_length
    if length is None and (most is None or most >= len(fields)):
        return fields
    return BoundedAttributes(most, fields, max_value_len=length)
