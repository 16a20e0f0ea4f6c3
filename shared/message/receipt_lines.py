"""Several receipts in one bus message: a line of JSON each.

Source: JSON Lines (jsonlines.org). A body of one line is a receipt alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.message.formats import KNOWN_FORMATS, Formats, NewerFormatError
from shared.message.receipt import Receipt

# Service Bus counts an operation for each 64 KB; a receipt has 200 to 3,500 bytes.
MAX_BYTES = 60_000
# One more line of garbage is one more message for an operator.
MAX_LINES = 100


@dataclass(frozen=True)
class ReceiptLine:
    """One receipt as it came, still encoded: `receipt` is the receipt, or why it is not read."""

    body: bytes = field(repr=False)
    receipt: Receipt | NewerFormatError | ValueError

    @classmethod
    def of(cls, body: bytes, accepted: Formats) -> ReceiptLine:
        """Read one receipt, whatever is in it."""
        try:
            return cls(body, Receipt.from_json(body, accepted))
        except (NewerFormatError, ValueError) as error:
            return cls(body, error)


def read_lines(body: bytes, accepted: Formats = KNOWN_FORMATS) -> Sequence[ReceiptLine]:
    """Read the receipts in the body of a message, each apart, so that a bad one costs no other.

    What has no receipt in any line, or is larger or longer than what this relay writes, is one
    bad line as a whole.
    """
    texts = body.split(b"\n", MAX_LINES)
    if len(texts) <= MAX_LINES and len(body) <= MAX_BYTES:
        lines = [ReceiptLine.of(text, accepted) for text in texts]
        if not all(isinstance(line.receipt, ValueError) for line in lines):
            return lines
    return [ReceiptLine.of(body, accepted)]


class LinesInOne:
    """Collects lines as long as they fit into one message."""

    def __init__(self) -> None:
        self._lines = 0
        self._bytes = 0

    def fits(self, line: str) -> bool:
        """Return whether one more line fits, and count it if it does; the first always does."""
        size = len(line.encode()) + 1
        if self._lines and (self._lines >= MAX_LINES or self._bytes + size > MAX_BYTES):
            return False
        self._lines += 1
        self._bytes += size
        return True
