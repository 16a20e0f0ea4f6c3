from __future__ import annotations

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus._pyamqp.error import TokenAuthFailure
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
)

from local.cli.output import printable
from ops.causes import cause


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grün", "grün"),
        ("\x1b[2J\r\n", "\\x1b[2J\\r\\n"),
        ("\u202e\u2028\x9b", "\\u202e\\u2028\\x9b"),
    ],
)
def test_nothing_gets_at_the_terminal(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServiceBusAuthorizationError(message="no"), "rights of an operator"),
        (
            ServiceBusAuthenticationError(error=TokenAuthFailure(404, "gone")),
            "no such queue",
        ),
        (MessagingEntityNotFoundError(message="gone"), "no such queue"),
        (ClientAuthenticationError("no"), "az login"),
        (ServiceBusConnectionError(message="away\nmore"), "does not answer"),
    ],
)
def test_a_cause_is_one_line(error: Exception, said: str) -> None:
    assert said in cause(error)
    assert "\n" not in cause(error)
