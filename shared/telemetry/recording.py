"""Spans and metrics of what the apps do: nothing at all while telemetry is off.

An app that exports nothing never imports OpenTelemetry. The modules that record call this one, and
`shared.telemetry.exporters` says once, at the start, where it goes.

No attribute is ever made of a payload, a secret, a key or a token, of the text of an error, which
may repeat one, or of a URL's path, which may be one: an exporter sends them to people who may see
none of these.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
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
        """Return a span below the current one, or below `parent` where there is none."""

    def attached(
        self, parent: TraceContext | None, links: Sequence[TraceContext]
    ) -> AbstractContextManager[None]:
        """Let spans be below `parent`; the first of them links to `links`."""

    def current(self) -> TraceContext | None:
        """Return the current span."""

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """Add to a metric that counts, or put one value into a histogram."""


class _NoSpan:
    context: TraceContext | None = None

    def set(self, name: str, value: str | int | float) -> None:
        """Do nothing."""

    def failed(self, kind: str) -> None:
        """Do nothing."""


_NO_SPAN = _NoSpan()
_recorder: Recorder | None = None


def record_to(recorder: Recorder | None) -> None:
    """Record to it from now on; None for nothing."""
    global _recorder  # noqa: PLW0603 - one for a process, as of the standard library's logging
    _recorder = recorder


def is_on() -> bool:
    """Return whether anything is recorded."""
    return _recorder is not None


@contextmanager
def span(
    name: str,
    kind: Kind = Kind.INTERNAL,
    attributes: Attributes = _NONE,
    *,
    parent: TraceContext | None = None,
) -> Iterator[Span]:
    """Record what is done in it as a span below the current one, or `parent` where there is none.

    One that ends by an error says of which type, and nothing of its text.
    """
    if _recorder is None:
        yield _NO_SPAN
        return
    with _recorder.span(name, kind, attributes, parent) as found:
        try:
            yield found
        except BaseException as error:
            found.failed(type(error).__name__)
            raise


@contextmanager
def attached(parent: TraceContext | None, links: Sequence[TraceContext] = ()) -> Iterator[None]:
    """Let the spans in it be below `parent`, for what a caller or a message belongs to.

    The first of them links to `links`: the other messages that it is of.
    """
    if _recorder is None:
        yield
        return
    with _recorder.attached(parent, links):
        yield


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


@contextmanager
def timed(metric: Metric, attributes: Attributes = _NONE) -> Iterator[dict[str, str | int | float]]:
    """Measure how long what is done in it takes; more attributes may be added until its end."""
    if _recorder is None:
        yield {}
        return
    began, measured = time.perf_counter(), dict(attributes)
    try:
        yield measured
    except BaseException as error:
        measured.setdefault("error.type", type(error).__name__)
        raise
    finally:
        measure(metric, time.perf_counter() - began, measured)
