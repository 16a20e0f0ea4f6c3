"""`python -m local.host.worker`: started by a host, with a socket to it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

from local.host import logs
from local.host.errors import AppRefusedError
from local.host.host_json import HostJson
from local.host.worker.loader import LOADERS, Loader, load
from local.host.worker.messages import (
    Decoder,
    Indexed,
    IndexingFailed,
    Invocation,
    Outcome,
    WorkerMessage,
    encode,
)
from local.host.worker.outbox import Outbox

_log = logging.getLogger("Host.Worker")


def main() -> None:
    """Work until the host stops this worker, or ends itself."""
    options = _options()
    connection = socket.socket(fileno=options.socket)
    connection.set_inheritable(False)
    threading.Thread(target=_end_with_host, args=(connection.fileno(),), daemon=True).start()
    # Ctrl-C is for the host, which ends its worker when the calls in flight are done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What functions print is in the log at once, even if this process is killed.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    root = options.root.resolve()
    os.chdir(root)
    sys.path.insert(0, str(root))
    logs.configure(HostJson.load(root / "host.json", os.environ), options.log_level)
    if options.database_latency:
        from local.host.worker.distant_database import move_away

        move_away(options.database_latency / 1000)
    asyncio.run(_work(connection, options.loader, root))
    gc.freeze()  # as in local/__main__.py


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.host.worker", description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the socket")
    parser.add_argument("--root", type=Path, required=True, help="folder of function_app.py")
    parser.add_argument("--loader", choices=LOADERS, required=True)
    parser.add_argument("--log-level", choices=logs.LEVELS)
    parser.add_argument("--database-latency", type=float)
    return parser.parse_args()


def _end_with_host(descriptor: int) -> None:
    """End at once when the host's end of the socket is closed, whatever this process is doing."""
    hangup = select.poll()
    hangup.register(descriptor, 0)  # being hung up is reported in any case
    hangup.poll()
    os._exit(1)


async def _work(connection: socket.socket, loader: str, root: Path) -> None:
    loop = asyncio.get_running_loop()
    _, worker = await loop.create_connection(_Worker, sock=connection)
    try:
        worker.loader = load(loader)
        functions = await worker.loader.index(root)
    except (AppRefusedError, ImportError) as refusal:
        worker.send(IndexingFailed(str(refusal)))
    else:
        worker.send(Indexed(functions))
    await worker.stopped.wait()


class _Worker(asyncio.Protocol):
    """The worker's end of the socket."""

    loader: Loader

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self._decoder = Decoder()
        self._in_flight: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy
        self._outbox = Outbox(transport)

    def data_received(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            if isinstance(message, Invocation):
                task = asyncio.create_task(self._invoke(message))
                self._in_flight.add(task)
                task.add_done_callback(self._in_flight.discard)
            else:
                self.stopped.set()

    def send(self, message: WorkerMessage) -> None:
        self._outbox.send(encode(message))

    async def _invoke(self, invocation: Invocation) -> None:
        try:
            answer = encode(await self.loader.invoke(invocation))
        except asyncio.CancelledError:
            # As in Azure: the library lets it pass, and the host waits for the function's timeout.
            _log.warning("'%s' was cancelled and has no outcome", invocation.function)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller must get it
            outcome = Outcome(invocation.id, error=repr(error), traceback=traceback.format_exc())
            answer = encode(outcome)
        self._outbox.send(answer)


if __name__ == "__main__":
    main()
