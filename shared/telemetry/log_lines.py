"""The lines of the log on their way to an OTLP endpoint.

The handler of OpenTelemetry's distribution makes a record of each line at once, and copies its
attributes twice, while a message waits: a third of what telemetry costs a sender. Here a line is
kept as it is until it is exported, and the SDK's processor gets one record for some hundred lines.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, cast

from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context, get_current
from opentelemetry.instrumentation.log_utils import std_to_otel
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

# What each line has; the others are the fields that were given by `extra`.
_STANDARD = vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "taskName"}
# "Log Data Model", SeverityText: those of the specification where Python's differ.
_SEVERITIES = {"WARNING": "WARN", "CRITICAL": "FATAL"}


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

    def __init__(self, exporter: LogRecordExporter, resource: Resource) -> None:
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
        self._exporter.shutdown()  # type: ignore[no-untyped-call] # so it is in the SDK

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the other exporter."""
        return self._exporter.force_flush(timeout_millis)

    def _export_group(self, group: _Group) -> LogRecordExportResult:
        return self._exporter.export(
            [
                ReadableLogRecord(
                    _record_of(line, context, self._limits), self._resource, _scope_of(line.name)
                )
                for line, context in group.take()
            ]
        )


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


def _record_of(line: logging.LogRecord, context: Context, limits: LogRecordLimits) -> LogRecord:
    """Return what the SDK's own handler would have made of it."""
    at = int(line.created * 1e9)
    return LogRecord(
        timestamp=at,
        observed_timestamp=at,
        context=context,
        severity_text=_SEVERITIES.get(line.levelname, line.levelname),
        severity_number=std_to_otel(line.levelno),
        body=_text_of(line),
        attributes=_limited(_fields_of(line), limits),
    )


def _text_of(line: logging.LogRecord) -> str:
    try:
        return line.getMessage()
    except Exception:  # noqa: BLE001 - whatever is wrong with one line costs none of the others
        return str(line.msg)


def _fields_of(line: logging.LogRecord) -> dict[str, Any]:
    fields = {name: value for name, value in vars(line).items() if name not in _STANDARD}
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


@lru_cache(maxsize=256)
def _scope_of(logger: str) -> InstrumentationScope:
    return InstrumentationScope(logger)
