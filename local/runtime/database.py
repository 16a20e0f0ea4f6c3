"""The URL of the ledger's database, as the apps are given it."""

from __future__ import annotations

from contextlib import AsyncExitStack

from local.net.forwarding import forward
from local.net.loopback import LOOPBACK
from local.runtime.context import ServiceContext

_POSTGRESQL = 5432
_HERE = (LOOPBACK, "localhost", "::1")


async def database_url(
    stack: AsyncExitStack, context: ServiceContext, elsewhere: str | None
) -> str:
    """Return the URL of a file in the cloud's folder, or `elsewhere`, at the cloud's distance.

    A file is moved away in the apps' own processes, and a server that is not on this machine
    already has its distance.
    """
    if elsewhere is None:
        return f"sqlite+aiosqlite:///{context.folder.path / 'database.sqlite3'}"
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(elsewhere)
    except (ArgumentError, ValueError):
        return elsewhere  # refused by the migration, with a reason
    if not context.round_trip or url.host not in _HERE:
        return elsewhere
    port = await forward(stack, url.host, url.port or _POSTGRESQL, context.round_trip)
    return url.set(host=LOOPBACK, port=port).render_as_string(hide_password=False)
