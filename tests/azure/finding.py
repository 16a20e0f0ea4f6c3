"""What a step has found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class NotRunError(Exception):
    """A step was not run, because something that it needs is not available; the text says what."""


@dataclass(frozen=True)
class Finding:
    """`problems` is what was wrong, nothing where it passed; `facts` are worth keeping."""

    problems: Sequence[str] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
