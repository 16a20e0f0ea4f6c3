"""Printing a list of messages, or its beginning, whatever the messages are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from local.cli.output import notify

_Message = TypeVar("_Message")


@dataclass(frozen=True)
class MessageList(Generic[_Message]):
    """How messages of a kind are listed.

    `listed` returns one for scripts, `show_table` prints them for people, `nothing` is printed
    where there are none, and `further` says how to see those after the last one shown.
    """

    listed: Callable[[_Message, datetime], Mapping[str, object]]
    show_table: Callable[[Sequence[_Message], datetime], None]
    nothing: str
    further: Callable[[_Message], str]

    def show(self, found: Sequence[_Message], limit: int, now: datetime, *, as_json: bool) -> None:
        """Print at most `limit` of what was found; one that is more shows that there are more."""
        shown, more = found[:limit], len(found) > limit
        if as_json:
            messages = [self.listed(one, now) for one in shown]
            print(json.dumps({"messages": messages, "more": more}))
            return
        if shown:
            self.show_table(shown, now)
        else:
            print(self.nothing)
        if more:
            notify(f"these are the first {limit}; {self.further(shown[-1])}")
