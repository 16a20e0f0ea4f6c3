"""What goes into the log of the Azure SDKs, and of an error that nobody foresaw."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from shared.standards.trace_context import TraceContext
from shared.telemetry import recording


def silence_sdk_logs() -> None:
    """Leave out what the Azure SDKs log of every request, unless level DEBUG is set.

    At level INFO they write a dozen lines for a message, which costs more than it is worth.
    """
    if logging.getLogger().getEffectiveLevel() > logging.DEBUG:
        logging.getLogger("azure").setLevel(logging.WARNING)


def of_message(
    message_id: str, attempt: int | None = None, trace: TraceContext | None = None
) -> dict[str, object]:
    """Return the fields of a line about one message, for `extra`: by them one id can be followed.

    `attempt` counts those at the partner, `trace` is the message's unless a span is under way.
    """
    found = recording.current(trace)
    about = {"message_id": message_id, "attempt": attempt, "trace": found and found.trace_id}
    return {name: value for name, value in about.items() if value is not None}


def location(error: BaseException) -> str:
    """Return the type of an error and the line that raised it, like `KeyError at webhook.py:80`.

    For an error that nobody foresaw: its text may repeat a secret or a payload, and is left out.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
