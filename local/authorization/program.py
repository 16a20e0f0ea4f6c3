"""Which program asks, as far as it says so itself: good for telling, never for deciding."""

from __future__ import annotations

# The proving function of the apps names itself so to vault and bus.
_PROBE = "relay-access/"


def is_probe(user_agent: object) -> bool:
    """Return whether a User-Agent header, or AMQP's property, is that of the apps' own proof."""
    return isinstance(user_agent, str) and _PROBE in user_agent
