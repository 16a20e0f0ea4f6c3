"""Functions indexed and called by `azure-functions-runtime`, the library of Azure's Python worker.

Its proxy worker, which speaks gRPC with the host, is not on PyPI. What it calls is:
the library gets the same requests here in the same order, and calls functions by
`native_invocation`, the entry point that takes plain values.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime
from azure_functions_runtime import native_invocation
from azure_functions_runtime.bindings.datumdef import Datum

from local.host.errors import AppRefusedError
from local.host.worker.datums import from_datum, to_datum
from local.host.worker.messages import Invocation, Outcome

_log = logging.getLogger("Host.Worker")


class _BindingInfo(SimpleNamespace):
    """`BindingInfo` of FunctionRpc.proto, with the numbers of its two enumerations."""

    out, inout, undefined = 1, 2, 0


class _StatusResult(SimpleNamespace):
    Failure, Success = 0, 1


_PROTOS = SimpleNamespace(
    BindingInfo=_BindingInfo,
    FunctionLoadResponse=SimpleNamespace,
    FunctionMetadataResponse=SimpleNamespace,
    RpcException=SimpleNamespace,
    RpcFunctionMetadata=SimpleNamespace,
    RpcRetryOptions=SimpleNamespace,
    StatusResult=_StatusResult,
    WorkerInitResponse=SimpleNamespace,
    WorkerMetadata=SimpleNamespace,
)
"""Stand-ins for the modules of gRPC, with which the library makes its responses."""


class LibraryLoader:
    """Sends the library the requests of Azure's worker."""

    async def index(self, root: Path) -> Sequence[tuple[str, Sequence[str]]]:
        """See `Loader`."""
        logging.getLogger("azure.functions").addFilter(_is_new)
        runtime.start_threadpool_executor()
        init = {"capabilities": {}, "function_app_directory": str(root)}
        answer = await runtime.worker_init_request(_request(worker_init_request=init))
        if answer.result.status != _StatusResult.Success:
            error = answer.result.exception
            _log.error("function_app.py cannot be loaded\n%s", error.stack_trace.rstrip())
            raise AppRefusedError(error.message)
        if "HttpUri" in answer.capabilities:
            raise AppRefusedError("HTTP streaming is not supported by this host")
        listed = await runtime.functions_metadata_request(_request(functions_metadata_request={}))
        functions = listed.function_metadata_results or ()
        for function in functions:
            load = {"function_id": function.function_id}
            await runtime.function_load_request(_request(function_load_request=load))
        return [(function.name, list(function.raw_bindings)) for function in functions]

    async def invoke(self, invocation: Invocation) -> Outcome:
        """See `Loader`."""
        function_id = _id_of(invocation.function)
        inputs = [(name, to_datum(data, Datum)) for name, data in invocation.inputs.items()]
        metadata = {name: to_datum(data, Datum) for name, data in invocation.metadata.items()}
        succeeded, returned, _, error, trace = await native_invocation.invocation_request_native(
            invocation.id,
            function_id,
            inputs,
            metadata,
            invocation.trace_parent,
            invocation.trace_state,
        )
        if not succeeded:
            return Outcome(invocation.id, error=error, traceback=trace)
        return Outcome(invocation.id, from_datum(returned))


@cache
def _id_of(function: str) -> str:
    """Return the id that the library derives from a function's name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, function))


def _request(**content: Any) -> Any:
    parts = {name: SimpleNamespace(**members) for name, members in content.items()}
    return SimpleNamespace(
        request=SimpleNamespace(**parts), properties={"host": "127.0.0.1", "protos": _PROTOS}
    )


def _is_new(record: logging.LogRecord) -> bool:
    """Leave out what is in the outcome as well, and logged by the host with the function's name."""
    return record.msg != "Native invocation failed"
