"""The spans that a Functions host records of its calls.

They are exported with telemetryMode OpenTelemetry. Names and attributes are those of
azure-functions-host (OpenTelemetryConfigurationExtensions.cs) and of the .NET client of Service
Bus. Of a batch it records nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from local.host.tracing import Trace

SpanKind = Literal["SERVER", "CONSUMER"]


@dataclass
class HostCall:
    """A call that is under way: the trace that its function gets, and what is said of it later."""

    trace: Trace
    attributes: dict[str, str | int] = field(default_factory=dict)


class HostSpans:
    """The trace of each call, exported to nobody.

    `is_open_telemetry`: telemetryMode of host.json is OpenTelemetry.
    """

    def __init__(self, *, is_open_telemetry: bool = False) -> None:
        self.is_open_telemetry = is_open_telemetry

    @contextmanager
    def around(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str], parent: Trace
    ) -> Iterator[HostCall]:
        """Make a call in it, below `parent` where that is a trace."""
        del name, kind, attributes
        yield HostCall(Trace.below(parent.parent, parent.state))
