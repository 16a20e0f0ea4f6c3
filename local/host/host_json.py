"""host.json, as far as it changes what happens on one machine."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from local.host.errors import AppRefusedError
from local.strict_json import DocumentPath, Location, StrictObject

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
_DURATION = re.compile(r"(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,7}))?")
# These sections concern Azure's side of a host, which one machine does not have.
_WITHOUT_EFFECT = (
    "aggregator",
    "customHandler",
    "extensionBundle",
    "healthMonitor",
    "managedDependency",
    "watchDirectories",
    "watchFiles",
)
_LONGEST_BATCH_WAIT = timedelta(seconds=150)  # ServiceBusHostBuilderExtensions refuses more
_OVERRIDE = "azurefunctionsjobhost"


@dataclass(frozen=True)
class ServiceBusOptions:
    """`extensions.serviceBus`; the defaults are those of the Service Bus extension.

    Two that the section may have never reach a Python function, because each trigger has its own:
    autoCompleteMessages and maxMessageBatchSize. See `QueueFunction`.
    """

    max_concurrent_calls: int = 16 * (os.cpu_count() or 1)
    prefetch_count: int = 0
    max_auto_lock_renewal: timedelta = timedelta(minutes=5)
    min_batch: int = 1
    max_batch_wait: timedelta = timedelta(seconds=30)


@dataclass(frozen=True)
class HostJson:
    """A host.json. `log_levels` maps a category to a level of `logging`.

    `is_open_telemetry`: its telemetryMode is OpenTelemetry.
    """

    route_prefix: str = "api"
    function_timeout: timedelta | None = timedelta(minutes=30)
    log_levels: Mapping[str, int] = field(default_factory=dict)
    service_bus: ServiceBusOptions = field(default_factory=ServiceBusOptions)
    is_open_telemetry: bool = False

    @classmethod
    def load(cls, path: Path, settings: Mapping[str, str] | None = None) -> HostJson:
        """Read a host.json; AppRefusedError names what is malformed or cannot be honoured.

        Settings such as `AzureFunctionsJobHost__functionTimeout` come before what it says
        (Microsoft Learn, "host.json reference", "Override host.json values").
        """
        try:
            document = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise AppRefusedError(f"{path.name} cannot be read: {error}") from None
        try:
            return cls.parse(_overridden(document, settings or {}))
        except AppRefusedError as refusal:
            raise AppRefusedError(f"{path.name}: {refusal}") from None

    @classmethod
    def parse(cls, document: object) -> HostJson:
        """Read the parsed document."""
        top = _Section(document, DocumentPath(AppRefusedError))
        if top.raw("version", "absent") != "2.0":
            raise AppRefusedError("version must be '2.0'")
        top.ignore(*_WITHOUT_EFFECT)
        extensions = top.body("extensions")
        host_json = cls(
            route_prefix=_route_prefix(extensions.body("http")),
            function_timeout=_function_timeout(top),
            log_levels=_log_levels(top.body("logging").body("logLevel")),
            service_bus=_service_bus(extensions.body("serviceBus")),
            is_open_telemetry=_is_open_telemetry(top),
        )
        extensions.reject_unread()
        top.reject_unread()
        return host_json


def _overridden(document: object, settings: Mapping[str, str]) -> object:
    """Return the document with what settings say instead of it; numbers are texts in them."""
    for name, text in settings.items():
        first, *path = name.split("__")
        if first.lower() != _OVERRIDE or not path or not isinstance(document, dict):
            continue
        document = _with(document, path, int(text) if text.isdecimal() else text)
    return document


def _with(values: Mapping[str, object], path: Sequence[str], value: object) -> dict[str, object]:
    """Return `values` with another value at a path, whose names may be written in other cases."""
    first, *rest = path
    found = next((name for name in values if name.lower() == first.lower()), first)
    inner = values.get(found)
    inside = inner if isinstance(inner, dict) else {}
    return {**values, found: _with(inside, rest, value) if rest else value}


class _Section(StrictObject):
    """One object of the document. Names are compared without regard to case, as the host does."""

    unread = "is not supported by this host"
    any_case = True


def _route_prefix(http: _Section) -> str:
    prefix = http.text("routePrefix", "api")
    http.reject_unread()
    return prefix.strip("/")


def _is_open_telemetry(top: _Section) -> bool:
    modes = ("ApplicationInsights", "OpenTelemetry")
    return top.choice("telemetryMode", modes, "ApplicationInsights") == "OpenTelemetry"


def _function_timeout(top: _Section) -> timedelta | None:
    value = top.raw("functionTimeout", "00:30:00")
    return None if value == "-1" else _duration(value, top.found_at / "functionTimeout")


def _duration(value: object, found_at: Location) -> timedelta:
    """Read a duration as .NET writes a TimeSpan."""
    parsed = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if parsed is None:
        raise found_at.error("must be a duration such as '00:05:00'")
    days, hours, minutes, seconds = (int(part or 0) for part in parsed.groups()[:4])
    fraction = int((parsed[5] or "").ljust(6, "0")[:6])
    return timedelta(days, seconds, fraction, minutes=minutes, hours=hours)


def _log_levels(levels: _Section) -> Mapping[str, int]:
    found = {}
    for category, level in levels.rest():
        if not isinstance(level, str) or level.lower() not in _LEVELS:
            raise (levels.found_at / category).error(f"must be one of {', '.join(_LEVELS)}")
        found[category] = _LEVELS[level.lower()]
    return found


def _service_bus(section: _Section) -> ServiceBusOptions:
    default = ServiceBusOptions()
    renewal = section.raw("maxAutoLockRenewalDuration", "00:05:00")
    wait = section.raw("maxBatchWaitTime", "00:00:30")
    options = ServiceBusOptions(
        section.number("maxConcurrentCalls", default.max_concurrent_calls, low=1),
        section.number("prefetchCount", default.prefetch_count),
        _duration(renewal, section.found_at / "maxAutoLockRenewalDuration"),
        section.number("minMessageBatchSize", default.min_batch, low=1),
        _duration(wait, section.found_at / "maxBatchWaitTime"),
    )
    if options.max_batch_wait > _LONGEST_BATCH_WAIT:
        raise (section.found_at / "maxBatchWaitTime").error("must be at most '00:02:30'")
    section.ignore("autoCompleteMessages", "maxMessageBatchSize")
    section.reject_unread()
    return options
