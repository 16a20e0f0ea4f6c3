"""The log of an app, to which its host and its worker write: levels are those of host.json."""

from __future__ import annotations

import logging
import sys

from local.host.host_json import HostJson

LEVELS = ("debug", "info", "warning", "error")


def configure(host: HostJson, asked: str | None) -> None:
    """Log to standard error; a level that is asked for counts instead of those of host.json."""
    logging.basicConfig(
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        level=(asked or "info").upper(),
    )
    if asked == "debug":
        return
    # The SDKs tell at `info` of every request and every frame's state.
    logging.getLogger("azure").setLevel(logging.WARNING)
    if asked:
        return
    for category, level in host.log_levels.items():
        logging.getLogger(None if category.lower() == "default" else category).setLevel(level)
