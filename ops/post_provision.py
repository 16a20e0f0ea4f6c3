"""What is left once the infrastructure is deployed: the ledger's tables, the partner's secret."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping

from local.cli.output import notify
from ops.migrate import migrate
from ops.partner_secret import (
    SECRET,
    NotSetError,
    prompt_secret,
    retry_while_forbidden,
    set_partner,
)
from ops.secret_target import SecretTarget
from shared.standards.secret_text import secret_text

_DATABASE = "database-connection"
_PATIENCE = 900.0  # seconds: what Azure says a new role may take, and some more
_DAYS = 365
_LATER = "later, where the deployment can be reached: python -m ops post-provision"


def post_provision(environ: Mapping[str, str]) -> int:
    """Do it for the deployment in the environment of `azd`; 1 if something is left to do.

    Raises `TargetNotGivenError` where there is none. A private deployment is not reached from
    outside, so there it only says what is left.
    """
    ledger = SecretTarget.in_azure(_DATABASE, None, environ)
    partner = SecretTarget.in_azure(SECRET, None, environ)
    if environ.get("DEPLOYED_NETWORK") == "private" and not environ.get("RELAY_INSIDE"):
        notify(f"the network is private; {_LATER}, with RELAY_INSIDE=1")
        return 0
    # The second even without the first: neither needs the other.
    left = [*make_tables(ledger), *set_secret(partner)]
    for what in left:
        notify(f"left to do: {what}")
    if left:
        notify(_LATER)
    return 1 if left else 0


def make_tables(ledger: SecretTarget) -> Iterator[str]:
    """Migrate the database of a secret; yield what is left to do."""
    try:
        # The URL goes from the vault to the migration in memory, and nowhere else.
        url = asyncio.run(_value(ledger))
    except NotSetError as error:
        yield f"the ledger's tables ({error})"
        return
    if migrate(url, as_json=False):
        yield "the ledger's tables: is this machine's address among RELAY_ALLOWED_ADDRESSES?"


def set_secret(partner: SecretTarget) -> Iterator[str]:
    """Ask for the partner's secret where it is unset; yield what is left to do."""
    try:
        asyncio.run(set_partner(partner, _DAYS, replace=False, patience=_PATIENCE, read=_prompted))
    except NotSetError as error:
        yield f"the partner's secret ({error})"


def _prompted() -> str:
    # A hook's standard input may never end.
    if not sys.stdin.isatty():
        raise NotSetError("no terminal to ask on: python -m ops secrets")
    return prompt_secret()


async def _value(target: SecretTarget) -> str:
    async with target.client() as client:
        secret = await retry_while_forbidden(
            lambda: client.get_secret(target.secret.name), _PATIENCE
        )
    return secret_text(secret.value or "")
