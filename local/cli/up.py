"""Keeping a local cloud up for as long as somebody wants it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local.authorization.audit_log import USUAL_SIZE, AuditLog
from local.control.endpoint import control_app
from local.net.bearer import new_key
from local.net.folder import KEY_FILE, lock
from local.net.serving import serve
from local.partner.inbox import PartnerInbox
from local.partner.keys import PartnerKeys
from local.partner.webhook import PartnerWebhook
from local.runtime.cloud import Cloud
from local.runtime.redeployment import FILE as DEPLOYED_FILE
from local.runtime.redeployment import Redeployment, over, read

_CONTROL_PORT = 7099
# More than the connections of all ports together; many systems give 1,024, or 256, unasked.
_OPEN_FILES = 8192
_DATABASE = "RELAY_DATABASE_URL"  # of another database than the file in the folder


@dataclass(frozen=True)
class Start:
    """What to start, and where; `decisions` is how many of them are kept on record.

    With `free_ports` a new folder's cloud leaves the usual ports to others. Without `keys` its apps
    ask nobody for an access key.
    """

    folder: Path
    snapshot: Path
    log_level: str | None
    decisions: int = USUAL_SIZE
    free_ports: bool = False
    keys: bool = True


def run(start: Start, during: Callable[[Cloud], Awaitable[int]]) -> int:
    """Start a cloud, do something while it is up, and stop all of it again.

    SIGINT and SIGTERM end it at any time. Returns what `during` returns, or 130 if ended.
    """
    # All that is made from here on, by the apps too, is for this user alone.
    os.umask(0o077)
    _allow_open_files()
    try:
        return asyncio.run(_run(start, during))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


async def until_told(_: Cloud) -> int:
    """Stay up until SIGINT or SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()
    return 0


async def _run(start: Start, during: Callable[[Cloud], Awaitable[int]]) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run made one
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    async with _up(start) as cloud:
        result = await during(cloud)
        # A second signal must not cut the stopping short and leave an app running.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        notify("Stopping ...")
    return result


@asynccontextmanager
async def _up(start: Start) -> AsyncIterator[Cloud]:
    content = read(start.snapshot)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(lock(start.folder))
        redeployment = over(folder.path, content, start.snapshot)
        tell_staying(redeployment)
        partner_keys = PartnerKeys.kept_in(folder)
        decisions = AuditLog(size=start.decisions)
        database = os.environ.get(_DATABASE)
        cloud = Cloud(
            redeployment.deployment,
            folder,
            notify,
            start.log_level,
            database,
            free_ports=start.free_ports,
            keys=start.keys,
            partner=PartnerWebhook(secret=partner_keys.signing),
            inbox=PartnerInbox(key=partner_keys.queue),
            audit_log=decisions,
            rewritten=redeployment.rewritten,
        )
        await stack.enter_async_context(cloud)
        folder.write_private(DEPLOYED_FILE, redeployment.record)
        key = new_key()
        folder.write_private(KEY_FILE, key)
        control = control_app(cloud, key)
        listening = cloud.ports.bind("control", _CONTROL_PORT)
        cloud.endpoints["control"] = await serve(stack, control, listening)
        folder.publish_endpoints(cloud.endpoints)
        stack.callback(folder.withdraw_endpoints)
        yield cloud


def tell_staying(redeployment: Redeployment) -> None:
    """Say what the deployment no longer has and is there all the same."""
    if redeployment.staying:
        kinds = Counter(redeployment.staying.values())
        listed = ", ".join(f"{name} ({count})" for name, count in kinds.items())
        notify(
            "note: an earlier deployment made what this one no longer has. It stays, rights among "
            f"it, as in Azure, which deletes nothing by deploying: {listed}. To start anew, name "
            "another folder (--folder)."
        )


def _allow_open_files() -> None:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(_OPEN_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def notify(text: str) -> None:
    """Say something that is not a command's result."""
    print(text, file=sys.stderr, flush=True)
