"""How a worker loads an app: the interface of both loaders, and the choice between them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from local.host.worker.messages import Invocation, Outcome

LOADERS = ("library", "own")
"""Azure's own library, which needs Python 3.13, and this project's, which follows its rules."""


class Loader(Protocol):
    """Indexes an app's functions once, and then calls them."""

    async def index(self, root: Path) -> Sequence[tuple[str, Sequence[str]]]:
        """Import function_app.py; return each function's name and bindings.

        Raises AppRefusedError for an app that Azure would not load either.
        """

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Call a function; what it raises becomes the outcome's error."""


def default_loader() -> str:
    """Return the loader for this version of Python."""
    return "library" if sys.version_info >= (3, 13) else "own"


def load(name: str) -> Loader:
    """Create a loader. Raises ImportError if a package that it needs is missing."""
    if name == "library":
        from local.host.worker.library import LibraryLoader

        return LibraryLoader()
    from local.host.worker.own import OwnLoader

    return OwnLoader()
