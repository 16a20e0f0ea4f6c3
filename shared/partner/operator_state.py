"""What an operator has said of the partner: open, or paused since when and why.

A JSON document in the secret `partner-state`: `{"state": "paused", "since": ..., "reason": ...}` or
`{"state": "open", "since": ...}`, with `since` in UTC as ISO 8601. Without the secret, or while it
has the value that a deployment makes it with (`{"kind": "unset"}`), the partner is open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.errors import RelayError
from shared.standards.plain_text import writable

SECRET = "partner-state"  # noqa: S105 - the name of a secret
LONGEST_REASON = 200
_LONGEST = 2000
_YEARS = range(2000, 2100)


class PartnerStateError(RelayError):
    """The document is not one of these: nobody can say what an operator wanted."""

    transient = True
    is_denial = True


@dataclass(frozen=True)
class PartnerState:
    """Whether an operator has paused the partner; `since` is None where that is not known."""

    is_paused: bool
    since: datetime | None = None
    reason: str = ""

    @classmethod
    def from_json(cls, text: str) -> PartnerState:
        """Read the value of the secret. Raises `PartnerStateError`."""
        try:
            document = json.loads(text) if len(text) <= _LONGEST else None
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise PartnerStateError(f"{SECRET} is not a JSON object of at most {_LONGEST} letters")
        if "state" not in document and document.get("kind") == "unset":
            return cls(is_paused=False)
        if document.get("state") not in ("open", "paused"):
            raise PartnerStateError(f'{SECRET} has no `state` that is "open" or "paused"')
        reason = document.get("reason", "")
        if not isinstance(reason, str):
            raise PartnerStateError(f"{SECRET} has a `reason` that is not a text")
        return cls(document["state"] == "paused", _since(document), _one_line(reason))

    def to_json(self) -> str:
        """Return the value of the secret."""
        at = self.since
        members: dict[str, str | None] = {
            "state": "paused" if self.is_paused else "open",
            "since": at.astimezone(UTC).isoformat(timespec="seconds") if at else None,
            "reason": _one_line(self.reason) if self.is_paused else None,
        }
        return json.dumps({name: text for name, text in members.items() if text})


OPEN = PartnerState(is_paused=False)


def _since(document: dict[str, object]) -> datetime | None:
    since = document.get("since")
    if since is None:
        return None
    try:
        read = datetime.fromisoformat(since) if isinstance(since, str) else None
    except ValueError:
        read = None
    if read is None or read.tzinfo is None or read.year not in _YEARS:
        raise PartnerStateError(f"{SECRET} has a `since` that is not a time with its zone")
    return read.astimezone(UTC)


def _one_line(text: str) -> str:
    # It goes to logs and terminals.
    plain = "".join(c if c.isprintable() else " " for c in writable(text))
    return " ".join(plain.split())[:LONGEST_REASON]
