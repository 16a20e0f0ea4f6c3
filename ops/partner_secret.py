"""Set the partner's secret: its value is read from a hidden prompt, and goes to the vault alone."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from getpass import getpass
from typing import TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.keyvault.secrets import SecretProperties
from azure.keyvault.secrets.aio import SecretClient

from local.cli.output import notify
from ops.secret_target import SecretTarget
from shared.partner.delivery import PartnerSecretError
from shared.partner.partner import read_secret
from shared.standards.secret_text import secret_text

SECRET = "partner-connection"  # noqa: S105 - the name of a secret
OFFICER = "secrets_officer"
UNSET = ("relay", "unset")
"""The tag of the value that a deployment makes a secret with."""

_T = TypeVar("_T")
_FORBIDDEN = 403
_PAUSE = 15.0  # seconds between attempts while a new role takes effect
_CONTENT_TYPE = "application/json"
_PROMPT = "The partner's connection, a JSON document in one line (it is not shown): "


class NotSetError(Exception):
    """The secret is as it was; the message says why, and never what was to be set."""


async def set_partner(
    target: SecretTarget, days: int, *, replace: bool, patience: float, read: Callable[[], str]
) -> None:
    """Set the secret where it is still unset, or with `replace` in any case.

    The value expires in `days`; `patience` is how many seconds a right may take to come into
    effect. Raises `NotSetError`.
    """
    async with target.client() as client:
        current = await retry_while_forbidden(lambda: _current(client), patience)
        if current and not _is_placeholder(current) and not replace:
            notify(f"{target.name} is set{_since(current)}: it stays; --replace sets another one")
            return
        # Only now, so that nobody is asked for what is not needed.
        value = checked(read())
        expires = datetime.now(UTC) + timedelta(days=days)
        await retry_while_forbidden(
            lambda: client.set_secret(
                SECRET, value, content_type=_CONTENT_TYPE, expires_on=expires
            ),
            patience,
        )
    notify(f"{target.name} is set; it is to be replaced before {expires:%Y-%m-%d}")


def checked(text: str) -> str:
    """Return a document that the receiver can read. Raises `NotSetError`."""
    text = secret_text(text)  # as the receiver will read it
    if not text:
        raise NotSetError("nothing was given: nothing is set")
    try:
        read_secret(text)
    except PartnerSecretError as error:
        raise NotSetError(f"{error}: nothing is set") from None
    return text


def prompt_secret() -> str:
    """Read a value from a hidden prompt, or from standard input where there is no terminal.

    Never from an argument: those are in the list of processes and in the shell's history.
    """
    return getpass(_PROMPT) if sys.stdin.isatty() else sys.stdin.read()


async def _current(client: SecretClient) -> SecretProperties | None:
    """Look at the newest version, without its value: whoever sets a secret need not read it."""
    versions = [one async for one in client.list_properties_of_secret_versions(SECRET)]
    oldest = datetime.min.replace(tzinfo=UTC)
    # Of two in one second the later listed counts.
    return max(reversed(versions), key=lambda one: one.created_on or oldest, default=None)


def _is_placeholder(current: SecretProperties) -> bool:
    name, value = UNSET
    return (current.tags or {}).get(name) == value


def _since(current: SecretProperties) -> str:
    return f" since {current.created_on:%Y-%m-%d}" if current.created_on else ""


async def retry_while_forbidden(attempt: Callable[[], Awaitable[_T]], patience: float) -> _T:
    """Try again while the vault answers 403: a new role takes minutes to be known everywhere."""
    until = time.monotonic() + patience
    notified = False
    while True:
        try:
            return await attempt()
        except AzureError as error:
            refused = isinstance(error, HttpResponseError) and error.status_code == _FORBIDDEN
            if not refused or time.monotonic() >= until:
                raise NotSetError(why(error)) from error
        if not notified:
            notify("the vault refuses; new rights take some minutes, waiting for them")
            notified = True
        await asyncio.sleep(min(_PAUSE, max(0.0, until - time.monotonic())))


def why(error: AzureError) -> str:
    """Say in one line why a vault did not do it."""
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status in (401, 403):
        return "refused: this principal does not have the right (infra/access.json), or not yet"
    if isinstance(error, ClientAuthenticationError):
        return "no token available: sign in first, for example with az login"
    # The type only: an answer could repeat what was asked.
    return f"the vault does not answer as it should ({status or type(error).__name__})"
