"""Names of Service Bus queues."""

from __future__ import annotations

import re

_FORM = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?")


def is_queue_name(text: str) -> bool:
    """Return whether a queue can have this name: up to 260 characters (Azure's naming rules)."""
    return bool(_FORM.fullmatch(text))
