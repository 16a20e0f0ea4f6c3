"""`python -m local.host`: run one app until its standard input or a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import os
import signal
import stat
import sys
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import azure.functions as func

from local.host.bindings import BoundFunction, HttpFunction, QueueFunction, bind
from local.host.errors import AppRefused
from local.host.host_json import HostJson
from local.host.http import Front, http_app
from local.host.invocation import Invoker
from local.host.keys import AppKeys, KeysUnreadable
from local.host.servicebus import QueueTrigger
from local.host.settings import Settings
from local.loopback import listen
from local.serving import serve

_FINISH = 60.0  # seconds that requests under way have when it is told to stop
_LAST_RESORT = 5.0  # seconds; threads of synchronous functions cannot be stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app; 2 if it is refused."""
    options = _options(arguments)
    root: Path = options.root.resolve()
    logging.basicConfig(
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        level=(options.log_level or "info").upper(),
    )
    try:
        host = HostJson.load(root / "host.json")
        _set_levels(host, options.log_level)
        settings = Settings(os.environ)
        functions = bind(_load(root).get_functions(), settings)
        front = _front(options, host, settings, [function.name for function in functions])
    except (AppRefused, KeysUnreadable) as refusal:
        print(f"local.host: {refusal}", file=sys.stderr)
        return 2
    asyncio.run(_serve(functions, host, settings, front, options))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="HTTP port on 127.0.0.1; 0: any")
    parser.add_argument("--reserved", action="store_true", help="it is kept by who starts this")
    parser.add_argument(
        "--keys", type=Path, help="file of the app's access keys; without it none is asked for"
    )
    parser.add_argument("--root", type=Path, default=Path(), help="folder of function_app.py")
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        help="instead of logging.logLevel in host.json",
    )
    return parser.parse_args(arguments)


def _load(root: Path) -> func.FunctionApp:
    sys.path.insert(0, str(root))
    if not (root / "function_app.py").is_file():
        raise AppRefused(f"there is no function_app.py in {root}")
    module = importlib.import_module("function_app")
    for value in vars(module).values():
        if isinstance(value, func.FunctionApp):
            return value
    raise AppRefused("function_app.py has no FunctionApp")


def _set_levels(host: HostJson, asked: str | None) -> None:
    if asked == "debug":
        return
    # The SDKs tell at `info` of every request and every frame's state.
    logging.getLogger("azure").setLevel(logging.WARNING)
    if asked:
        return
    for category, level in host.log_levels.items():
        logging.getLogger(None if category.lower() == "default" else category).setLevel(level)


def _front(
    options: argparse.Namespace, host: HostJson, settings: Settings, names: Sequence[str]
) -> Front:
    # A file, not an argument and not a variable: an argument is for every process list to see, and
    # variables are inherited by whatever the app starts. Azure's host reads its keys itself, too.
    keys = AppKeys.read(options.keys) if options.keys else None
    is_disabled = (settings.get("AzureWebJobsDisableHomepage") or "").lower() == "true"
    return Front(host.route_prefix, names, keys, has_homepage=not is_disabled)


async def _serve(
    functions: Sequence[BoundFunction],
    host: HostJson,
    settings: Settings,
    front: Front,
    options: argparse.Namespace,
) -> None:
    stopping = _stop_requests()
    invoker = Invoker(host.function_timeout)
    routes = [function for function in functions if isinstance(function, HttpFunction)]
    triggers = [
        QueueTrigger(function, host.service_bus, settings, invoker)
        for function in functions
        if isinstance(function, QueueFunction)
    ]
    async with AsyncExitStack() as stack:
        listening = listen(options.port, reserved=options.reserved)
        app = http_app(routes, front, invoker)
        url = await serve(stack, app, listening, finish=_FINISH)
        async with asyncio.TaskGroup() as group:
            for trigger in triggers:
                group.create_task(trigger.run())
            announcement = group.create_task(_announce(url, functions, triggers))
            await stopping.wait()
            announcement.cancel()
            for trigger in triggers:
                trigger.stop()
    _end_in_any_case()


async def _announce(
    url: str, functions: Sequence[BoundFunction], triggers: Sequence[QueueTrigger]
) -> None:
    for trigger in triggers:
        await trigger.attached.wait()
    names = [function.name for function in functions]
    print(json.dumps({"url": url, "functions": names}), flush=True)


def _stop_requests() -> asyncio.Event:
    """Give an event that is set by SIGTERM, by SIGINT, or when whoever started us is gone."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        threading.Thread(target=_watch_stdin, args=(loop, stopping), daemon=True).start()
    return stopping


def _watch_stdin(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stopping.set)


def _end_in_any_case() -> None:
    timer = threading.Timer(_LAST_RESORT, os._exit, (1,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    sys.exit(main())
