"""What commands print beside their results, and texts that are safe to print."""

from __future__ import annotations

import sys

from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
)

from shared.azure.queues import BusDeniedError

_REFUSED = (ServiceBusAuthenticationError, ServiceBusAuthorizationError, BusDeniedError)
_NOT_FOUND = 404


def notify(text: str) -> None:
    """Print something that is not a command's result."""
    print(text, file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """Spell out control characters: a message's sender must not get at the operator's terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def cause(error: Exception) -> str:
    """Say in one line why something failed."""
    if isinstance(error, MessagingEntityNotFoundError) or _is_token_for_nothing(error):
        return "there is no such queue"
    if isinstance(error, _REFUSED):
        return "refused: this principal does not have the rights of an operator (infra/access.json)"
    if isinstance(error, ClientAuthenticationError):
        return "no token available: sign in first, for example with az login"
    first = str(error).partition("\n")[0]
    return f"the bus does not answer as it should ({type(error).__name__}: {plain(first)[:200]})"


def _is_token_for_nothing(error: Exception) -> bool:
    """Return whether Service Bus refused the token, since the queue that it is for is not there."""
    inner = getattr(error, "inner_exception", None)
    return getattr(inner, "status_code", None) == _NOT_FOUND
