"""`python -m local.host`: run one app until its standard input or a signal ends it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from local.host import logs
from local.host.bindings import BoundFunction, HttpFunction, QueueFunction, bind
from local.host.dispatcher import Dispatcher
from local.host.errors import AppRefusedError
from local.host.host_json import HostJson
from local.host.http import DEFAULT_MAX_BODY, HttpOptions, http_app
from local.host.invocation import Invoker
from local.host.keys import AppKeys, KeysUnreadableError
from local.host.queue_trigger import QueueTrigger
from local.host.settings import Settings
from local.host.spans import HostSpans
from local.host.worker import loader
from local.net.loopback import listen
from local.net.serving import serve

_FINISH_SECONDS = 60.0  # seconds that requests in flight have at a stop


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app; 2 if it is refused."""
    options = _options(arguments)
    root: Path = options.root.resolve()
    try:
        host = HostJson.load(root / "host.json", os.environ)
        logs.configure(host, options.log_level)
        asyncio.run(_run(root, host, options))
    except (AppRefusedError, KeysUnreadableError) as refusal:
        print(f"local.host: {refusal}", file=sys.stderr)
        return 2
    finally:
        gc.freeze()  # as in local/__main__.py
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="HTTP port on 127.0.0.1; 0: any")
    parser.add_argument(
        "--reserved",
        action="store_true",
        help="the port is reserved by the process that starts this",
    )
    parser.add_argument(
        "--keys", type=Path, help="file of the app's access keys; without it no key is required"
    )
    parser.add_argument("--root", type=Path, default=Path(), help="folder of function_app.py")
    parser.add_argument(
        "--log-level",
        choices=logs.LEVELS,
        help="instead of logging.logLevel in host.json",
    )
    parser.add_argument(
        "--database-latency",
        type=float,
        metavar="MS",
        help="milliseconds that each round trip to a SQLite database takes more",
    )
    return parser.parse_args(arguments)


async def _run(root: Path, host: HostJson, options: argparse.Namespace) -> None:
    if not (root / "function_app.py").is_file():
        raise AppRefusedError(f"there is no function_app.py in {root}")
    # A file, not an argument and not a variable: arguments are visible in every process list, and
    # variables are inherited by whatever the app starts. Azure's host reads its keys itself, too.
    keys = AppKeys.read(options.keys) if options.keys else None
    level = ("--log-level", options.log_level) if options.log_level else ()
    latency = options.database_latency
    away = ("--database-latency", str(latency)) if latency else ()
    dispatcher = Dispatcher(
        ("--root", str(root), "--loader", loader.default_loader(), *level, *away)
    )
    functions = await dispatcher.start()
    try:
        settings = Settings(os.environ)
        spans = _host_spans(os.environ, is_open_telemetry=host.is_open_telemetry)
        invoker = Invoker(dispatcher, host.function_timeout, spans)
        names = [name for name, _ in functions]
        http_options = HttpOptions(
            host.route_prefix,
            names,
            keys,
            has_homepage=_has_homepage(settings),
            max_body=max_body(settings),
        )
        await _serve(bind(functions, settings), host, settings, http_options, invoker, options)
    finally:
        await dispatcher.stop()


def _host_spans(settings: Mapping[str, str], *, is_open_telemetry: bool) -> HostSpans:
    """Return what exports, where the host would: to the OTLP endpoint that the settings name."""
    if is_open_telemetry and settings.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from local.host.exported_spans import ExportedSpans  # only here: it takes long

        return ExportedSpans(settings)
    return HostSpans(is_open_telemetry=is_open_telemetry)


def max_body(settings: Settings) -> int:
    """Return the largest body in bytes; as in the host, what is not a number counts as absent."""
    text = settings.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") or ""
    is_number = text.isascii() and text.isdigit() and len(text) < 19
    return int(text) if is_number else DEFAULT_MAX_BODY


def _has_homepage(settings: Settings) -> bool:
    return (settings.get("AzureWebJobsDisableHomepage") or "").lower() != "true"


async def _serve(
    functions: Sequence[BoundFunction],
    host: HostJson,
    settings: Settings,
    http_options: HttpOptions,
    invoker: Invoker,
    options: argparse.Namespace,
) -> None:
    stopping = _stop_event()
    routes = [function for function in functions if isinstance(function, HttpFunction)]
    triggers = [
        QueueTrigger(function, host.service_bus, settings, invoker)
        for function in functions
        if isinstance(function, QueueFunction)
    ]
    async with AsyncExitStack() as stack:
        listening = listen(options.port, reserved=options.reserved)
        app = http_app(routes, http_options, invoker)
        url = await serve(stack, app, listening, finish=_FINISH_SECONDS)
        async with asyncio.TaskGroup() as group:
            for trigger in triggers:
                group.create_task(trigger.run())
            publication = group.create_task(_publish_when_attached(url, functions, triggers))
            await stopping.wait()
            publication.cancel()
            for trigger in triggers:
                trigger.stop()


async def _publish_when_attached(
    url: str, functions: Sequence[BoundFunction], triggers: Sequence[QueueTrigger]
) -> None:
    for trigger in triggers:
        await trigger.attached.wait()
    names = [function.name for function in functions]
    print(json.dumps({"url": url, "functions": names}), flush=True)


def _stop_event() -> asyncio.Event:
    """Return an event that is set by SIGTERM, by SIGINT, or when the parent process has ended."""
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


if __name__ == "__main__":
    sys.exit(main())
