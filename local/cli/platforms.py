"""Where the local cloud runs: Linux, macOS, and Windows with WSL, whose Python is one of Linux."""

from __future__ import annotations

import sys

WINDOWS = (
    "the local cloud does not run on native Windows: run this in WSL "
    "(https://learn.microsoft.com/windows/wsl/install)"
)


def unsupported() -> str | None:
    """Return why there is no local cloud on this platform; None where it runs.

    To be called before anything else of it is imported: that needs modules of POSIX.
    """
    # Not compared in place: type checkers would take what follows for unreachable.
    platform: str = sys.platform
    return WINDOWS if platform == "win32" else None
