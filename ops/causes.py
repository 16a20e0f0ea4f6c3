"""Why something on the bus failed, for an operator."""

from __future__ import annotations

from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
)

from local.cli.output import printable
from shared.azure.queues import BusDeniedError

_REFUSED = (ServiceBusAuthenticationError, ServiceBusAuthorizationError, BusDeniedError)
_NOT_FOUND = 404


def cause(error: Exception) -> str:
    """Say in one line why something failed."""
    if isinstance(error, MessagingEntityNotFoundError) or _is_token_for_nothing(error):
        return "there is no such queue"
    if isinstance(error, _REFUSED):
        return "refused: this principal does not have the rights of an operator (infra/access.json)"
    if isinstance(error, ClientAuthenticationError):
        return "no token available: sign in first, for example with az login"
    first = printable(str(error).partition("\n")[0])[:200]
    return f"the bus does not answer as it should ({type(error).__name__}: {first})"


def _is_token_for_nothing(error: Exception) -> bool:
    """Return whether Service Bus refused the token, since the queue that it is for is not there."""
    inner = getattr(error, "inner_exception", None)
    return getattr(inner, "status_code", None) == _NOT_FOUND
