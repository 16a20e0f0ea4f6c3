"""Calling a function as the Functions host and its Python worker do."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from datetime import timedelta
from uuid import uuid4

from local.host.bindings import BoundFunction


class Invoker:
    """Calls functions, async ones on the loop and others on a thread, each within `timeout`."""

    def __init__(self, timeout: timedelta | None) -> None:
        self._seconds = timeout.total_seconds() if timeout else None

    async def call(self, function: BoundFunction, argument: object) -> object:
        """Return what the function returns; what it raises is logged, then raised."""
        log, invocation, started = _logger(function), uuid4(), time.perf_counter()
        log.info("Executing 'Functions.%s' (Id=%s)", function.name, invocation)
        outcome = "Failed"
        try:
            async with asyncio.timeout(self._seconds):
                result = await _run(function, argument)
            outcome = "Succeeded"
            return result
        except Exception:
            log.exception("Exception in 'Functions.%s' (Id=%s)", function.name, invocation)
            raise
        finally:
            log.info(
                "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)",
                function.name,
                outcome,
                invocation,
                (time.perf_counter() - started) * 1000,
            )


async def _run(function: BoundFunction, argument: object) -> object:
    given = {function.parameter: argument}
    if inspect.iscoroutinefunction(function.code):
        result: object = await function.code(**given)
        return result
    return await asyncio.to_thread(function.code, **given)


def _logger(function: BoundFunction) -> logging.Logger:
    return logging.getLogger(f"Function.{function.name}")
