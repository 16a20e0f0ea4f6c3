"""Calls of functions: their log entries and their timeout."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

from local.host.bindings import BoundFunction
from local.host.channel import WorkerLostError
from local.host.dispatcher import Dispatcher
from local.host.spans import HostSpans
from local.host.tracing import Trace
from local.host.worker.messages import Data, Invocation


class FunctionError(Exception):
    """The call failed: the function raised, ran for too long, or lost its worker."""


class Invoker:
    """Calls functions by a dispatcher, each within `timeout`; `spans` are those of the calls."""

    def __init__(
        self, dispatcher: Dispatcher, timeout: timedelta | None, spans: HostSpans | None = None
    ) -> None:
        self.spans = spans or HostSpans()
        self._dispatcher = dispatcher
        self._seconds = timeout.total_seconds() if timeout else None

    async def call(
        self, function: BoundFunction, given: Data, metadata: Mapping[str, Data], trace: Trace
    ) -> Data:
        """Return what the function returns. Raises FunctionError, which is logged already."""
        log, name, began = _logger(function), function.name, time.perf_counter()
        inputs = {function.parameter: given}
        invocation = Invocation(str(uuid4()), name, inputs, metadata, trace.parent, trace.state)
        log.info("Executing 'Functions.%s' (Id=%s)", name, invocation.id)
        outcome = "Failed"
        try:
            returned = await self._returned(invocation)
            outcome = "Succeeded"
            return returned
        except FunctionError as error:
            # Its traceback is the worker's, and in its text.
            log.error("Exception in 'Functions.%s' (Id=%s): %s", name, invocation.id, error)  # noqa: TRY400
            raise
        finally:
            log.info(
                "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)",
                name,
                outcome,
                invocation.id,
                (time.perf_counter() - began) * 1000,
            )

    async def _returned(self, invocation: Invocation) -> Data:
        try:
            outcome = await self._dispatcher.invoke(invocation, self._seconds)
        except TimeoutError:
            raise FunctionError(
                f"it ran for more than {self._seconds:g} s, so its worker was ended"
            ) from None
        except WorkerLostError as error:
            raise FunctionError(str(error)) from None
        if outcome.error is not None:
            raise FunctionError(f"{outcome.error}\n{outcome.traceback.rstrip()}")
        return outcome.returned


def _logger(function: BoundFunction) -> logging.Logger:
    return logging.getLogger(f"Function.{function.name}")
