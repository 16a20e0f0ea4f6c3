"""What is worth telling in the log."""

from __future__ import annotations

import logging


def silence_sdk_logs() -> None:
    """Leave out what the Azure SDKs tell of every request, unless all is asked for.

    At level INFO they write a dozen lines for a message, which costs more than it tells.
    """
    if logging.getLogger().getEffectiveLevel() > logging.DEBUG:
        logging.getLogger("azure").setLevel(logging.WARNING)
