"""Loads many small apps with one loader: a line of JSON in, a line out, a process for each app.

`python loading.py library|own`. In: `{"root": folder, "calls": [[name, inputs, metadata], ...]}`.
Out: `{"refused": reason}`, `{"ended": code}`, or what was indexed and the outcome of each call.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from local.host.errors import AppRefusedError
from local.host.worker.loader import Loader, load
from local.host.worker.messages import Decoder, Invocation, Outcome, encode


async def answer(loader: Loader, root: str, calls: list[Any]) -> dict[str, Any]:
    sys.path.insert(0, root)
    try:
        functions = await loader.index(Path(root))
    except AppRefusedError as refusal:
        return {"refused": str(refusal)}
    outcomes = []
    for number, (name, inputs, metadata) in enumerate(calls):
        # Through the protocol, as it goes in a worker.
        packed = encode(Invocation(str(number), name, inputs, metadata, "00-a-b-01", "x=1"))
        (invocation,) = Decoder().feed(packed)
        assert isinstance(invocation, Invocation)
        outcome = await loader.invoke(invocation)
        (outcome,) = Decoder().feed(encode(outcome))  # type: ignore[assignment]
        assert isinstance(outcome, Outcome)
        outcomes.append([outcome.error, outcome.returned])
    return {"functions": functions, "outcomes": outcomes}


def main() -> None:
    loader = load(sys.argv[1])
    for line in sys.stdin:
        given = json.loads(line)
        read, write = os.pipe()
        if not (child := os.fork()):
            found = asyncio.run(answer(loader, given["root"], given["calls"]))
            os.write(write, json.dumps(found, default=repr).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            printed = pipe.read().decode()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(printed or json.dumps({"ended": code}), flush=True)


if __name__ == "__main__":
    main()
