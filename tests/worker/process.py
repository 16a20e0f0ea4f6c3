"""A worker without a host: Azure's library over one app's folder, controlled by lines of JSON.

`python process.py FOLDER`. It knows nothing of this project: what it does is what Azure's proxy
worker does with the library. The first line out is what was indexed, or why nothing was; then each
line in is a call, and a line out its outcome. Bytes are `{"base64": text}`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import uuid
from types import SimpleNamespace
from typing import Any


class BindingInfo(SimpleNamespace):
    out, inout, undefined = 1, 2, 0


class StatusResult(SimpleNamespace):
    Failure, Success = 0, 1


def protos() -> SimpleNamespace:
    """Stand in for the modules that gRPC's compiler makes of FunctionRpc.proto."""
    names = (
        *("FunctionLoadResponse", "FunctionMetadataResponse", "RpcException"),
        *("RpcFunctionMetadata", "RpcRetryOptions", "WorkerInitResponse", "WorkerMetadata"),
    )
    plain = dict.fromkeys(names, SimpleNamespace)
    return SimpleNamespace(BindingInfo=BindingInfo, StatusResult=StatusResult, **plain)


def request(name: str, **content: Any) -> SimpleNamespace:
    inner = SimpleNamespace(**{name: SimpleNamespace(**content)})
    return SimpleNamespace(request=inner, properties={"host": "127.0.0.1", "protos": protos()})


def read(value: Any) -> Any:
    """Make a Datum, or what is in one, of a line's JSON."""
    from azure_functions_runtime.bindings.datumdef import Datum

    kind, given = value
    if kind == "bytes":
        return Datum(base64.b64decode(given), kind)
    if kind == "collection_bytes":
        return Datum(SimpleNamespace(bytes=[base64.b64decode(one) for one in given]), kind)
    if kind.startswith("collection_"):
        return Datum(SimpleNamespace(**{kind.removeprefix("collection_"): given}), kind)
    if kind == "http":
        texts = {name: Datum(given[name], "string") for name in ("method", "url")}
        for name in ("headers", "params", "query"):
            texts[name] = {key: Datum(text, "string") for key, text in given[name].items()}
        return Datum({**texts, "body": read(given["body"])}, kind)
    return Datum(given, kind)


def shown(datum: Any) -> Any:
    """Make JSON of what a function returned."""
    if datum is None or datum.type is None:
        return None
    if datum.type != "http":
        return [datum.type, datum.value]
    value = datum.value
    return {
        "status": int(value["status_code"].value),
        "headers": {name.lower(): one.value for name, one in value["headers"].items()},
        "body": base64.b64encode(value["body"].value).decode(),
    }


async def index(folder: str) -> dict[str, Any]:
    import azure_functions_runtime as runtime

    runtime.start_threadpool_executor()
    init = request("worker_init_request", capabilities={}, function_app_directory=folder)
    answer = await runtime.worker_init_request(init)
    if answer.result.status != StatusResult.Success:
        return {"refused": answer.result.exception.message}
    listed = await runtime.functions_metadata_request(request("functions_metadata_request"))
    functions = listed.function_metadata_results or []
    for one in functions:
        load = request("function_load_request", function_id=one.function_id)
        loaded = await runtime.function_load_request(load)
        assert loaded.result.status == StatusResult.Success
    return {
        "library": runtime.__file__,
        "app": sys.modules["function_app"].__file__,
        "modules": sorted(_files()),
        "functions": {
            one.name: {
                "raw": [json.loads(text) for text in one.raw_bindings],
                "bindings": {name: vars(info) for name, info in one.bindings.items()},
                "script": one.script_file,
                "language": one.language,
            }
            for one in functions
        },
    }


def _files() -> set[str]:
    """Return where the packages are from that the app imported, those of Python left out."""
    ours = {"__main__", "azure_functions_runtime", "azurefunctions"}
    names = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names - ours
    files = {getattr(sys.modules.get(name), "__file__", None) for name in names}
    return {file for file in files if file}


async def call(line: str) -> dict[str, Any]:
    from azure_functions_runtime import native_invocation

    given = json.loads(line)
    succeeded, returned, outputs, error, _ = await native_invocation.invocation_request_native(
        str(uuid.uuid4()),
        str(uuid.uuid5(uuid.NAMESPACE_OID, given["function"])),
        [(name, read(value)) for name, value in given["inputs"].items()],
        {name: read(value) for name, value in given["metadata"].items()},
    )
    return {"ok": succeeded, "returned": shown(returned), "outputs": outputs, "error": error}


async def main() -> None:
    folder = sys.argv[1]
    os.chdir(folder)
    # Where a package has its dependencies in Azure; they come before the worker's own.
    sys.path[:0] = [folder, f"{folder}/.python_packages/lib/site-packages"]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the app prints is not an answer
    loop = asyncio.get_running_loop()

    def say(answer: dict[str, Any]) -> None:
        out.write(json.dumps(answer) + "\n")
        out.flush()

    say(await index(folder))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        say(await call(line))


if __name__ == "__main__":
    asyncio.run(main())
