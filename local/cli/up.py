"""Starting a local cloud and keeping it up until it is stopped."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local.cli.logs import show_notable
from local.cli.output import notify, progress
from local.control.endpoint import control_app
from local.deployment.bicep import SUFFIXES, compiled
from local.deployment.secret_values import read_values, with_values
from local.net.bearer import new_key
from local.net.folder import KEY_FILE, PAGE_KEY_FILE, Folder, lock
from local.net.serving import serve
from local.net.tls_buffers import shrink_tls_buffers
from local.page.endpoint import page_app
from local.runtime.cloud import OWN_SECRETS, Cloud, CloudOptions, start_cloud
from local.runtime.redeployment import FILE as DEPLOYED_FILE
from local.runtime.redeployment import Redeployment, over, read

_CONTROL_PORT = 7099
_PAGE_PORT = 7070
# More than the connections of all ports together; the default of many systems is 1,024 or 256.
_OPEN_FILES = 20_000


@dataclass(frozen=True)
class Start:
    """Which deployment to start, and in which folder.

    `snapshot` may be a source of Bicep, too; `secrets` has values of its secure parameters.
    """

    folder: Path
    snapshot: Path
    options: CloudOptions
    secrets: Path | None = None


def run(start: Start, during: Callable[[Cloud], Awaitable[int]]) -> int:
    """Start a cloud, do something while it is up, and stop all of it again.

    SIGINT and SIGTERM end it at any time. Returns what `during` returns, or 130 if ended so.
    """
    # All files made from here on, by the apps too, are for this user alone.
    os.umask(0o077)
    _allow_open_files()
    shrink_tls_buffers()
    try:
        return asyncio.run(_run(start, during))
    except (KeyboardInterrupt, asyncio.CancelledError):
        notify("Stopped.")
        return 130


async def until_stopped() -> int:
    """Stay up until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    return 0


async def _run(start: Start, during: Callable[[Cloud], Awaitable[int]]) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run made one
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    async with AsyncExitStack() as stack:
        with progress("still starting; the apps' logs are in " + str(start.folder / "logs")):
            cloud = await stack.enter_async_context(_up(start))
        result = await during(cloud)
        # A second signal must not cut the stopping short and leave an app running.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        notify("Stopping ...")
        with progress("still stopping: the apps finish what they have begun, for at most 15 s"):
            await stack.aclose()
    return result


@asynccontextmanager
async def _up(start: Start) -> AsyncIterator[Cloud]:
    content = _content(start)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(lock(start.folder))
        redeployment = over(folder.path, content, start.snapshot)
        note_what_stays(redeployment)
        notify("Starting the local cloud ...")
        cloud = await start_cloud(stack, redeployment, folder, notify, start.options)
        folder.write_private(DEPLOYED_FILE, redeployment.record)
        key = new_key()
        folder.write_private(KEY_FILE, key)
        listening = cloud.context.ports.bind("control", _CONTROL_PORT)
        control = await serve(stack, control_app(cloud, key), listening)
        page = await _serve_page(stack, cloud, folder)
        folder.publish_endpoints({**cloud.endpoints.as_json(), "control": control, "page": page})
        stack.callback(folder.withdraw_endpoints)
        logs = {name: app.log for name, app in cloud.apps.items()}
        showing = asyncio.create_task(show_notable(folder.path, logs, notify))
        stack.callback(showing.cancel)
        yield cloud


async def _serve_page(stack: AsyncExitStack, cloud: Cloud, folder: Folder) -> str:
    # Another key each time: a page that is left open sends its key to whatever program listens at
    # this port after the cloud has stopped, and that key must then open nothing.
    key = new_key()
    folder.write_private(PAGE_KEY_FILE, key)
    return await serve(stack, page_app(cloud, key), cloud.context.ports.bind("page", _PAGE_PORT))


def _content(start: Start) -> bytes:
    """Read a snapshot, or compile the sources of one, and put its secure parameters in."""
    parameters: dict[str, object] = {}
    content = None
    if start.snapshot.suffix in SUFFIXES:
        found = compiled(start.snapshot)
        content = found.snapshot
        parameters |= found.secure_parameters
    if start.secrets is not None:
        parameters |= read_values(start.secrets)
    completed = with_values(read(start.snapshot, content), parameters)
    missing = {n: what for n, what in completed.missing.items() if n not in OWN_SECRETS}
    if missing:
        listed = ", ".join(f"{name} ({what})" for name, what in missing.items())
        notify(
            "note: the deployment does not say the values of these secrets, so the local cloud "
            f"makes them: {listed}. --secrets FILE gives the values of parameters."
        )
    return completed.content


def note_what_stays(redeployment: Redeployment) -> None:
    """Print what the deployment no longer has and still exists."""
    if redeployment.staying:
        kinds = Counter(redeployment.staying.values())
        listed = ", ".join(f"{name} ({count})" for name, count in kinds.items())
        notify(
            "note: an earlier deployment made resources that this one no longer has. They stay, "
            f"role assignments included, as in Azure, where a deployment deletes nothing: {listed}."
            " To start from nothing, give another folder (--folder)."
        )


def _allow_open_files() -> None:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(_OPEN_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
