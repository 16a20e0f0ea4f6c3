"""Spans and metrics of what the apps do: nothing at all while telemetry is off.

An app that exports nothing never imports OpenTelemetry. The modules that record call this one, and
`shared.telemetry.exporters` says once, at the start, where it goes.

No attribute is ever made of a payload, a secret, a key or a token, of the text of an error, which
may repeat one, or of a URL's path, which may be one: an exporter sends them to people who may see
none of these.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from types import TracebackType
from typing import Protocol

from shared.standards.trace_context import TraceContext
from shared.telemetry.metrics import Metric

Attributes = Mapping[str, str | int | float]
_NONE: Attributes = {}


class Kind(Enum):
    """What a span is to the spans around it, as OpenTelemetry distinguishes them."""

    INTERNAL = "internal"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """A span that is under way."""

    @property
    def context(self) -> TraceContext | None:
        """What is below it names this as its parent; None while telemetry is off."""

    def set(self, name: str, value: str | int | float) -> None:
        """Set an attribute."""

    def failed(self, kind: str) -> None:
        """Record a failure of a kind with few values, such as a status."""


class Recorder(Protocol):
    """What spans and metrics go to."""

    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: TraceContext | None
    ) -> AbstractContextManager[Span]:
        """Return a span below the current one, or below `parent` where there is none.

        One that ends by an error says of which type, and nothing of its text.
        """

    def attached(
        self, parent: TraceContext | None, links: Sequence[TraceContext]
    ) -> AbstractContextManager[None]:
        """Let spans be below `parent`; the first of them links to `links`."""

    def current(self) -> TraceContext | None:
        """Return the current span."""

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """Add to a metric that counts, or put one value into a histogram."""


class _NoSpan:
    """What records nothing: one for all, since it keeps nothing."""

    context: TraceContext | None = None

    def set(self, name: str, value: str | int | float) -> None:
        """Do nothing."""

    def failed(self, kind: str) -> None:
        """Do nothing."""

    def __enter__(self) -> _NoSpan:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class _Timed:
    """Measures from its start to its end; not by a generator, which costs as much again."""

    __slots__ = ("_attributes", "_began", "_metric", "_recorder")

    def __init__(self, recorder: Recorder, metric: Metric, attributes: Attributes) -> None:
        self._recorder, self._metric = recorder, metric
        self._attributes = dict(attributes)
        self._began = 0.0

    def __enter__(self) -> dict[str, str | int | float]:
        self._began = time.perf_counter()
        return self._attributes

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._began
        if kind:
            self._attributes.setdefault("error.type", kind.__name__)
        self._recorder.record(self._metric, seconds, self._attributes)


_NO_SPAN = _NoSpan()
_NOTHING = nullcontext()
_recorder: Recorder | None = None


def record_to(recorder: Recorder | None) -> None:
    """Record to it from now on; None for nothing."""
    global _recorder  # noqa: PLW0603 - one for a process, as of the standard library's logging
    _recorder = recorder


def is_on() -> bool:
    """Return whether anything is recorded."""
    return _recorder is not None


def span(
    name: str,
    kind: Kind = Kind.INTERNAL,
    attributes: Attributes = _NONE,
    *,
    parent: TraceContext | None = None,
) -> AbstractContextManager[Span]:
    """Record what is done in it as a span below the current one, or `parent` where there is none.

    One that ends by an error says of which type, and nothing of its text.
    """
    return _recorder.span(name, kind, attributes, parent) if _recorder else _NO_SPAN


def attached(
    parent: TraceContext | None, links: Sequence[TraceContext] = ()
) -> AbstractContextManager[None]:
    """Let the spans in it be below `parent`, for what a caller or a message belongs to.

    The first of them links to `links`: the other messages that it is of.
    """
    return _recorder.attached(parent, links) if _recorder else _NOTHING


def current(otherwise: TraceContext | None = None) -> TraceContext | None:
    """Return what a message or request that is sent now belongs to: `otherwise` without a span."""
    return (_recorder.current() if _recorder else None) or otherwise


def count(metric: Metric, value: float = 1, attributes: Attributes = _NONE) -> None:
    """Add to a metric that counts."""
    if _recorder:
        _recorder.record(metric, value, attributes)


def measure(metric: Metric, value: float, attributes: Attributes = _NONE) -> None:
    """Put one value into a histogram."""
    if _recorder:
        _recorder.record(metric, value, attributes)


def timed(
    metric: Metric, attributes: Attributes = _NONE
) -> AbstractContextManager[dict[str, str | int | float]]:
    """Measure how long what is done in it takes; more attributes may be added until its end."""
    return _Timed(_recorder, metric, attributes) if _recorder else nullcontext({})
