"""The application properties of a message as the SDK gives them: names and texts as bytes."""

from __future__ import annotations

from collections.abc import Mapping

from azure.servicebus import ServiceBusMessage


def text_properties(message: ServiceBusMessage) -> Mapping[str, str]:
    """Return the application properties that are texts; any others are left out."""
    given: Mapping[str | bytes, object] = message.application_properties or {}
    return {_text(name): _text(value) for name, value in given.items() if _is_text(value)}


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
