"""How large the queues have to be, for a load and an outage: a reckoning, which documents show.

`python -m checks.queue_sizes RATE PAYLOAD HOURS`: the sizes for that many messages a second, with
payloads of so many bytes on average, and an outage of so many hours.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.apps.admission import waiting_bytes

# In MB, without partitions: Standard has those up to 5,120. Source: Microsoft Learn, "Service Bus
# quotas and limits".
SIZES = (1024, 2048, 3072, 4096, 5120, 10240, 20480, 40960, 81920)
FULL_PERCENT = 80
"""At how much of a queue the sender refuses callers; the rest is for what is sent meanwhile."""
_MIB = 1024 * 1024
_RECEIPT_BYTES = 1024  # as JSON with a detail, and the properties of its message
_DEAD_LETTER_HOURS = 2


@dataclass(frozen=True)
class Load:
    """Messages a second, bytes of a payload on average, hours that something is away."""

    rate: float = 10.0
    payload_bytes: int = 2048
    hours: float = 24.0


@dataclass(frozen=True)
class Need:
    """What a queue has to hold: `share` of it may be filled before callers are refused."""

    queue: str
    filled_while: str
    messages: int
    bytes_each: int
    share: float = 1.0

    @property
    def megabytes(self) -> int:
        """The size that the queue needs."""
        return math.ceil(self.messages * self.bytes_each / _MIB / self.share)

    @property
    def size(self) -> int:
        """The smallest size in MB that a queue can have for it. Raises `ValueError` for none."""
        for size in SIZES:
            if size >= self.megabytes:
                return size
        raise ValueError(f"no queue can be as large as {self.queue} would have to be")


def needs(load: Load) -> Sequence[Need]:
    """Return what each queue has to hold during an outage."""
    count = math.ceil(load.rate * load.hours * 3600)
    message = waiting_bytes(1, load.payload_bytes)
    given_up = math.ceil(load.rate * min(load.hours, _DEAD_LETTER_HOURS) * 3600)
    full = FULL_PERCENT / 100
    return (
        Need("messages", "the receiver or the vault is away", count, message, full),
        Need("retries", "the partner is away", count, message, full),
        Need("receipts", "the tracker or the database is away", 2 * count, _RECEIPT_BYTES),
        Need("rejected", "all is rejected, and no operator looks", count, message),
        Need("dead-letters", "the bus gives up all of two hours at once", given_up, message),
    )


DEFAULTS: Mapping[str, int] = {need.queue: need.size for need in needs(Load())}
"""The size in MB of each queue, where a deployment gives none."""
OTHER_DEFAULT = SIZES[0]
"""The same of a queue that an extension adds; what the Bicep has is compared with it."""


def max_waiting_mb(sizes: Mapping[str, int]) -> int:
    """Return how much may be under way: it is on either of two queues, or all on one of them."""
    return min(sizes["messages"], sizes["retries"]) * FULL_PERCENT // 100


def table(load: Load) -> str:
    """Return the reckoning as a table."""
    lines = [
        "| queue | is filled while | messages | bytes each | MB needed | size in MB |",
        "|---|---|---|---|---|---|",
    ]
    for one in needs(load):
        needed = f"{one.megabytes:,}"
        if one.share < 1:
            needed += f" (with {one.share:.0%} filled)"
        lines.append(
            f"| `{one.queue}` | {one.filled_while} | {one.messages:,} | {one.bytes_each:,} "
            f"| {needed} | {one.size:,} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the reckoning for a load of one's own."""
    try:
        rate, payload, hours = map(float, arguments)
        print(table(Load(rate, int(payload), hours)))
    except ValueError as error:
        print(f"{error}; usage: python -m checks.queue_sizes RATE PAYLOAD HOURS", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
