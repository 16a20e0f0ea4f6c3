"""The formats of what the apps send one another: which this code knows, accepts and emits.

A sealed message, a receipt and a pending receipt have one number together. Format 1 has none in it;
every later one says it: a sealed message in the member `fmt` of its protected header, a receipt in
its member `format`. Whatever else a later format changes, this stays, since it is all that older
code reads of it: where that number is, and the message's id on the bus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.errors import RelayError

FIRST_FORMAT = 1
LAST_FORMAT = 9999
_LIST = re.compile(r"[1-9]\d{0,3}( *, *[1-9]\d{0,3}){0,99}", re.ASCII)


class NewerFormatError(RelayError):
    """It has a format newer than all that this app accepts: it is for a newer version to read."""

    def __init__(self, number: int) -> None:
        super().__init__(f"it has format {number}, which is newer than this app accepts")
        self.number = number


@dataclass(frozen=True)
class Formats:
    """The numbers of formats, at least one."""

    numbers: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Formats:
        """Read `1, 2`; each from 1 to 9999. Raises `ValueError`."""
        if not _LIST.fullmatch(text):
            raise ValueError("must be numbers of formats with commas between, like 1,2")
        return cls(frozenset(int(number) for number in text.split(",")))

    def __str__(self) -> str:
        """Write them in the form that `parse` reads."""
        return ",".join(map(str, sorted(self.numbers)))

    def check(self, number: int) -> None:
        """Raise `NewerFormatError` above all of them, `ValueError` for any other that is missing.

        Whoever may send can write any number: a newer one makes their own message wait, and no
        other, for as long as a message waits at most.
        """
        if number > max(self.numbers):
            raise NewerFormatError(number)
        if number not in self.numbers:
            raise ValueError(f"format {number} is not accepted any more")


KNOWN_FORMATS = Formats(frozenset({FIRST_FORMAT}))
"""Those that this code can read and write."""
EMITTED_FORMAT = FIRST_FORMAT
"""The one that it writes unless a deployment says another: the version before knows it, too."""
