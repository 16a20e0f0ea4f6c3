"""What nobody foresaw: warnings and errors in a log, exceptions that nobody awaits."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Said for the user, of a request that is handled as in Azure.
_FORESEEN = ("A chunked request: the Functions host does not pass its body",)


class Unforeseen(logging.Handler):
    """Collects it; `take` returns what there is since it was last asked."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._found: list[str] = []

    @classmethod
    @contextmanager
    def watching(cls, loop: asyncio.AbstractEventLoop) -> Iterator[Unforeseen]:
        """Collect what is logged, and what the loop has no other place for."""
        gc.collect()  # what other tests left must not be reported here
        found, root = cls(), logging.getLogger()
        root.addHandler(found)
        loop.set_exception_handler(found._on_exception)
        try:
            yield found
        finally:
            loop.set_exception_handler(None)
            root.removeHandler(found)

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in _FORESEEN:
            raised = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            self._found.append(f"{record.name}: {text}\n{raised}")

    def _on_exception(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._found.append(f"in the loop: {context['message']}: {context.get('exception')!r}")

    def take(self) -> list[str]:
        found, self._found = self._found, []
        return found
