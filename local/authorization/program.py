"""Which program makes a request, by its own account: good for a log, never for a decision."""

from __future__ import annotations

# The access probe of the apps names itself so to vault and bus.
_PROBE = "relay-access/"


def is_probe(user_agent: object) -> bool:
    """Return whether a User-Agent header, or AMQP's property, is that of an access probe."""
    return isinstance(user_agent, str) and _PROBE in user_agent
