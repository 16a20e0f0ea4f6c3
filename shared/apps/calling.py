"""A function's call as a part of a trace: below what the Functions host has recorded of it.

The host records a request, and the handling of a single message; so the apps record no span of
their own for these. Of a batch it records nothing, as seen on the host: there the span is this
project's, with a link to what each message belongs to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC
from functools import cache
from types import TracebackType

import azure.functions as func

from shared.standards.trace_context import TraceContext
from shared.telemetry import recording
from shared.telemetry.metrics import PROCESSING, QUEUE_TIME
from shared.telemetry.recording import Kind

_NOTHING = nullcontext()
_MAX_LINKS = 128  # of a span: OTEL_SPAN_LINK_COUNT_LIMIT, "OpenTelemetry SDK environment variables"


def calling(
    context: func.Context, otherwise: Callable[[], TraceContext | None]
) -> AbstractContextManager[None]:
    """Do in it what a call is for. `otherwise` gives its trace where the host names none."""
    if not recording.is_on():
        return _NOTHING
    given = context.trace_context
    parent = TraceContext.parse(given.trace_parent, given.trace_state)
    return recording.attached(parent or otherwise())


def handling(
    message: func.ServiceBusMessage, context: func.Context, queue: str
) -> AbstractContextManager[None]:
    """Handle a message of a queue in it."""
    return _Handling(message, context, queue) if recording.is_on() else _NOTHING


class _Handling:
    """Measures how long a message waited and is handled, and lets its trace go on.

    Not by a generator, which costs as much again.
    """

    __slots__ = ("_calling", "_timed")

    def __init__(self, message: func.ServiceBusMessage, context: func.Context, queue: str) -> None:
        _measure_wait(message, queue)
        self._calling = calling(context, lambda: _trace_of(message))
        self._timed = recording.timed(PROCESSING, _about(queue))

    def __enter__(self) -> None:
        self._calling.__enter__()
        self._timed.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timed.__exit__(kind, error, traceback)
        self._calling.__exit__(kind, error, traceback)


@contextmanager
def handling_batch(messages: Sequence[func.ServiceBusMessage], queue: str) -> Iterator[None]:
    """Handle the messages of a batch in it."""
    if not recording.is_on():
        yield
        return
    for message in messages:
        _measure_wait(message, queue)
    links = list(dict.fromkeys(one for one in map(_trace_of, messages) if one))[:_MAX_LINKS]
    about = {
        **_about(queue),
        "messaging.operation.type": "process",
        "messaging.batch.message_count": len(messages),
    }
    with (
        recording.attached(None, links),
        recording.span(f"process {queue}", Kind.CONSUMER, about),
        recording.timed(PROCESSING, _about(queue)),
    ):
        yield


def _trace_of(message: func.ServiceBusMessage) -> TraceContext | None:
    return TraceContext.from_properties(message.application_properties or {})


@cache
def _about(queue: str) -> recording.Attributes:
    return {
        "messaging.system": "servicebus",
        "messaging.operation.name": "process",
        "messaging.destination.name": queue,
    }


def _measure_wait(message: func.ServiceBusMessage, queue: str) -> None:
    enqueued = message.enqueued_time_utc
    if enqueued is None:
        return
    # The worker's library gives a time without a zone, which is in UTC.
    at = enqueued if enqueued.tzinfo else enqueued.replace(tzinfo=UTC)
    recording.measure(QUEUE_TIME, max(0.0, time.time() - at.timestamp()), _waiting_on(queue))


@cache
def _waiting_on(queue: str) -> recording.Attributes:
    return {"messaging.destination.name": queue}
