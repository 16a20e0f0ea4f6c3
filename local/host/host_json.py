"""host.json, as far as it changes what happens on one machine."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from local.host.errors import AppRefusedError

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
_DURATION = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,7}))?")
# These sections concern Azure's side of a host, which one machine does not have.
_WITHOUT_EFFECT = {
    "aggregator", "customhandler", "extensionbundle", "healthmonitor", "manageddependency",
    "telemetrymode", "version", "watchdirectories", "watchfiles",
}  # fmt: skip
_OVERRIDE = "azurefunctionsjobhost"
_HONOURED = {"extensions", "functiontimeout", "logging"}


@dataclass(frozen=True)
class ServiceBusOptions:
    """`extensions.serviceBus`; the defaults are those of the Service Bus extension.

    Two that the section may have never reach a Python function, because each trigger has its own:
    autoCompleteMessages and maxMessageBatchSize. See `QueueFunction`.
    """

    max_concurrent_calls: int = 16 * (os.cpu_count() or 1)
    prefetch_count: int = 0
    max_auto_lock_renewal: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class HostJson:
    """A host.json. `log_levels` maps a category to a level of `logging`."""

    route_prefix: str = "api"
    function_timeout: timedelta | None = timedelta(minutes=30)
    log_levels: Mapping[str, int] = field(default_factory=dict)
    service_bus: ServiceBusOptions = field(default_factory=ServiceBusOptions)

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
        top = _Section("", document)
        if top.get("version") != "2.0":
            raise AppRefusedError("version must be '2.0'")
        top.refuse_others(_WITHOUT_EFFECT | _HONOURED)
        extensions = top.section("extensions")
        extensions.refuse_others({"http", "servicebus"})
        return cls(
            route_prefix=_route_prefix(extensions.section("http")),
            function_timeout=_function_timeout(top),
            log_levels=_log_levels(top.section("logging").section("logLevel")),
            service_bus=_service_bus(extensions.section("serviceBus")),
        )


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


class _Section:
    """One object of the document. Names are compared without regard to case, as the host does."""

    def __init__(self, path: str, value: object) -> None:
        if not isinstance(value, dict):
            raise AppRefusedError(f"{path or 'the document'} must be an object")
        self.path = path
        self._values = {str(name).lower(): (str(name), given) for name, given in value.items()}

    def __iter__(self) -> Iterator[tuple[str, object]]:
        return iter(self._values.values())

    def place(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> object:
        return self._values.get(name.lower(), (name, None))[1]

    def section(self, name: str) -> _Section:
        value = self.get(name)
        return _Section(self.place(name), {} if value is None else value)

    def refuse_others(self, known: set[str]) -> None:
        for name, (written, _) in self._values.items():
            if name not in known:
                raise AppRefusedError(f"{self.place(written)} is not supported by this host")

    def number(self, name: str, default: int, at_least: int) -> int:
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
            raise AppRefusedError(f"{self.place(name)} must be a number of at least {at_least}")
        return value

    def duration(self, name: str, default: timedelta) -> timedelta:
        value = self.get(name)
        if value is None:
            return default
        parsed = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if parsed is None:
            raise AppRefusedError(f"{self.place(name)} must be a duration such as '00:05:00'")
        days, hours, minutes, seconds = (int(part or 0) for part in parsed.groups()[:4])
        fraction = int((parsed[5] or "").ljust(6, "0")[:6])
        return timedelta(days, seconds, fraction, minutes=minutes, hours=hours)


def _route_prefix(http: _Section) -> str:
    http.refuse_others({"routeprefix"})
    prefix = http.get("routePrefix")
    if prefix is None:
        return "api"
    if not isinstance(prefix, str):
        raise AppRefusedError("extensions.http.routePrefix must be text")
    return prefix.strip("/")


def _function_timeout(top: _Section) -> timedelta | None:
    if top.get("functionTimeout") == "-1":
        return None
    return top.duration("functionTimeout", timedelta(minutes=30))


def _log_levels(levels: _Section) -> Mapping[str, int]:
    found = {}
    for category, level in levels:
        if not isinstance(level, str) or level.lower() not in _LEVELS:
            raise AppRefusedError(f"{levels.place(category)} must be one of {', '.join(_LEVELS)}")
        found[category] = _LEVELS[level.lower()]
    return found


def _service_bus(section: _Section) -> ServiceBusOptions:
    section.refuse_others(
        {
            "maxconcurrentcalls",
            "prefetchcount",
            "maxautolockrenewalduration",
            "autocompletemessages",
            "maxmessagebatchsize",
        }
    )
    default = ServiceBusOptions()
    return ServiceBusOptions(
        section.number("maxConcurrentCalls", default.max_concurrent_calls, at_least=1),
        section.number("prefetchCount", default.prefetch_count, at_least=0),
        section.duration("maxAutoLockRenewalDuration", default.max_auto_lock_renewal),
    )
