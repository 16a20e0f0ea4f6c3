"""The log of an app, written by its host and its worker, with the levels of host.json."""

from __future__ import annotations

import logging
import sys

from local.host.host_json import HostJson

LEVELS = ("debug", "info", "warning", "error")


def configure(host: HostJson, requested: str | None) -> None:
    """Log to standard error; a level given by `requested` replaces those of host.json."""
    logging.basicConfig(
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        level=(requested or "info").upper(),
    )
    if requested == "debug":
        return
    # The SDKs log every request and every frame at `info`.
    logging.getLogger("azure").setLevel(logging.WARNING)
    if requested:
        return
    for category, level in host.log_levels.items():
        logging.getLogger(None if category.lower() == "default" else category).setLevel(level)
