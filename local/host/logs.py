"""The log of an app, written by its host and its worker, with the levels of host.json."""

from __future__ import annotations

import logging
import sys

from local.host.host_json import HostJson

LEVELS = ("debug", "info", "warning", "error")


class _Lines(logging.Formatter):
    """Ends a line about a message with its attempt and its trace, where it has them."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging has it
        """Write a line."""
        fields = ((name, getattr(record, name, None)) for name in ("attempt", "trace"))
        about = " ".join(f"{name}={value}" for name, value in fields if value is not None)
        return super().formatMessage(record) + (f" [{about}]" if about else "")


def configure(host: HostJson, requested: str | None) -> None:
    """Log to standard error; a level given by `requested` replaces those of host.json."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(_Lines("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[lines], level=(requested or "info").upper())
    if requested == "debug":
        return
    # The SDKs log every request and every frame at `info`.
    logging.getLogger("azure").setLevel(logging.WARNING)
    if requested:
        return
    for category, level in host.log_levels.items():
        logging.getLogger(None if category.lower() == "default" else category).setLevel(level)
