"""What the Azure SDKs write to the log."""

from __future__ import annotations

import logging


def silence_sdk_logs() -> None:
    """Leave out what the Azure SDKs log of every request, unless level DEBUG is set.

    At level INFO they write a dozen lines for a message, which costs more than it is worth.
    """
    if logging.getLogger().getEffectiveLevel() > logging.DEBUG:
        logging.getLogger("azure").setLevel(logging.WARNING)
