"""What the local cloud's services were asked for, by the counts of its audit log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Counters:
    """How often each operation was done on each object, `("encrypt", "payload")` for example."""

    uses: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def from_used(cls, used: Iterable[Mapping[str, object]]) -> Counters:
        """Read what `GET /grants/used` lists."""
        uses: dict[tuple[str, str], int] = {}
        for one in used:
            key = str(one["operation"]), str(one["object"])
            uses[key] = uses.get(key, 0) + int(str(one["count"]))
        return cls(uses)

    def since(self, before: Counters) -> Counters:
        """Return what was done after `before` was read."""
        grown = {key: count - before.uses.get(key, 0) for key, count in self.uses.items()}
        return Counters({key: count for key, count in grown.items() if count})

    def of(self, operation: str) -> int:
        """Return how often an operation was done, on whatever object."""
        return sum(count for (name, _), count in self.uses.items() if name == operation)

    @property
    def vault_operations(self) -> int:
        """Encrypts and decrypts."""
        return self.of("encrypt") + self.of("decrypt")

    @property
    def bus_operations(self) -> int:
        """Sends, receives, and a settlement for each receive, a message of the bus each."""
        return self.of("send") + 2 * self.of("receive")

    def __str__(self) -> str:
        listed = sorted(self.uses.items(), key=lambda item: -item[1])
        return ", ".join(f"{operation} {name} {count:,}" for (operation, name), count in listed)
