"""The HTTP functions that docs/http.md has of each app; a check compares them with the code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.pipeline.cloud_process import ROOT

_CELLS = 6


@dataclass(frozen=True)
class HttpRoute:
    """A row of the document: a function, where it is, and the key that it asks for."""

    function: str
    methods: Sequence[str]
    path: str
    level: str


def documented(*apps: str) -> Iterator[HttpRoute]:
    """Return the functions of some apps, those that all apps have included."""
    for line in (ROOT / "docs" / "http.md").read_text().splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        if len(cells) == _CELLS and cells[0] in ("all", *apps):
            _, function, methods, path, level, _ = cells
            yield HttpRoute(function, methods.split(", "), path, level)
