"""Functions indexed and called on Python 3.11 and 3.12, which Azure's library does not support.

The worker of those versions, azure_functions_worker, is not on PyPI; it and the library have the
same rules, and a test compares this loader with the library.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from azure.functions import FunctionRegister
from azure.functions.meta import Datum

from local.host.errors import AppRefusedError
from local.host.worker.datums import from_datum, to_datum
from local.host.worker.messages import Invocation, Outcome
from local.host.worker.rules import LoadableFunction, check

_log = logging.getLogger("Host.Worker")
_THREADS = "PYTHON_THREADPOOL_THREAD_COUNT"
_thread = threading.local()


@dataclass(frozen=True)
class _Context:
    """What a parameter `context` gets: `azure.functions.Context`, which has no constructor."""

    invocation_id: str
    function_name: str
    function_directory: str
    trace_context: SimpleNamespace
    retry_context: SimpleNamespace
    thread_local_storage: threading.local


class OwnLoader:
    """Follows Registry and Dispatcher of azure-functions-python-worker."""

    def __init__(self) -> None:
        self._functions: dict[str, LoadableFunction] = {}
        count = os.environ.get(_THREADS, "")
        self._threads = ThreadPoolExecutor(int(count) if count.isdecimal() and int(count) else None)

    async def index(self, root: Path) -> Sequence[tuple[str, Sequence[str]]]:
        """See `Loader`."""
        del root  # it is on the path
        try:
            functions = _app().get_functions()
            checked = [check(function) for function in functions]
        except Exception as error:  # noqa: BLE001 - an app may raise anything, too
            _log.exception("function_app.py cannot be loaded")
            raise AppRefusedError(f"{type(error).__name__}: {error}") from None
        self._functions = {function.name: function for function in checked}
        return [
            (str(function.get_function_name()), function.get_raw_bindings())
            for function in functions
        ]

    async def invoke(self, invocation: Invocation) -> Outcome:
        """See `Loader`."""
        try:
            function = self._functions[invocation.function]
            result = await self._call(function, invocation)
            if function.encode is None:
                if result is not None:
                    raise RuntimeError(  # noqa: TRY301 - as any other error of the function
                        f"function {function.name!r} without a $return binding returned "
                        "a non-None value"
                    )
                return Outcome(invocation.id)
            return Outcome(invocation.id, from_datum(function.encode(result)))
        except Exception as error:  # noqa: BLE001 - a function may raise anything
            return Outcome(invocation.id, error=repr(error), traceback=traceback.format_exc())

    async def _call(self, function: LoadableFunction, invocation: Invocation) -> object:
        metadata = {name: to_datum(data, Datum) for name, data in invocation.metadata.items()}
        arguments = {
            name: function.decoders[name](to_datum(data, Datum), trigger_metadata=metadata)
            for name, data in invocation.inputs.items()
        }
        if function.wants_context:
            arguments["context"] = _context(function, invocation)
        _thread.invocation_id = invocation.id
        if inspect.iscoroutinefunction(function.code):
            return await function.code(**arguments)

        def call() -> object:
            _thread.invocation_id = invocation.id
            return function.code(**arguments)

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _app() -> FunctionRegister:
    module = importlib.import_module("function_app")
    found = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if not found:
        raise ValueError("Could not find top level function app instances in function_app.py.")
    if len(found) > 1:
        raise ValueError(
            f"More than one {type(found[0]).__name__} or other top level function app instances "
            "are defined."
        )
    return found[0]


def _context(function: LoadableFunction, invocation: Invocation) -> _Context:
    trace = SimpleNamespace(
        trace_parent=invocation.trace_parent, trace_state=invocation.trace_state, attributes={}
    )
    retries = SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)
    return _Context(invocation.id, function.name, function.folder, trace, retries, _thread)
