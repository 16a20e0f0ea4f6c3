"""A receipt: what became of one message, as receiver or operator report it to the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from shared.message.formats import FIRST_FORMAT, KNOWN_FORMATS, LAST_FORMAT, Formats
from shared.message.message_id import is_message_id
from shared.message.state import State
from shared.standards.plain_text import is_writable, writable

_LONGEST = {"detail": 250, "key_version": 64, "content_type": 255}
_LARGEST = 2**62
_YEARS = range(2000, 2100)

_REPORTED = frozenset({State.RETRYING, State.DELIVERED, State.REJECTED, State.DROPPED})


@dataclass(frozen=True)
class Receipt:
    """One step of one message. Times are in UTC; nothing of the payload but its size in bytes.

    `attempts` were made at the partner so far. `replay` is the sequence number under which the
    message was rejected before an operator replayed it, 0 before any replay: a step after a later
    replay takes precedence over all earlier ones. `key_version` is that of the vault's key.
    `is_proven` is false where the message did not open under its id: then anybody who may send to a
    queue can have caused the step, and it changes nothing of a message that is delivered. `format`
    is the number of the format that it is written in. `next_attempt_at` is when a message that is
    retried is due: a version that does not know it leaves it out.
    """

    message_id: str
    state: State
    at: datetime
    attempts: int = 0
    replay: int = 0
    detail: str | None = None
    key_version: str | None = None
    content_type: str | None = None
    size: int | None = None
    is_proven: bool = True
    format: int = FIRST_FORMAT
    next_attempt_at: datetime | None = None

    def until(self, now: datetime) -> Receipt:
        """Return it with its time, or `now` if that is earlier: nothing has happened later.

        Lists are ordered by time. What is dated ahead would be the first of them for years.
        """
        return self if self.at <= now else replace(self, at=now)

    def to_json(self) -> str:
        """Write the body of a message for the queue of receipts."""
        return self._json

    @cached_property
    def _json(self) -> str:
        # Once: it is what the receipt's MAC is of, and what is sent.
        members = {
            "id": self.message_id,
            "state": self.state,
            "at": self.at.astimezone(UTC).isoformat(),
            "attempts": self.attempts,
            "replay": self.replay,
            "detail": self.detail and writable(self.detail)[: _LONGEST["detail"]],
            "key_version": self.key_version,
            "content_type": self.content_type,
            "size": self.size,
            "proven": None if self.is_proven else False,
            "format": None if self.format == FIRST_FORMAT else self.format,
            "next_attempt_at": self.next_attempt_at
            and self.next_attempt_at.astimezone(UTC).isoformat(),
        }
        return json.dumps({name: value for name, value in members.items() if value is not None})

    @classmethod
    def from_json(cls, text: str | bytes, accepted: Formats = KNOWN_FORMATS) -> Receipt:
        """Read such a body of a format that is accepted.

        Raises `NewerFormatError` for a later one, of which nothing else is looked at, and
        `ValueError` otherwise, which names what is wrong and repeats nothing.
        """
        try:
            members = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("a receipt must be JSON") from None
        if not isinstance(members, dict):
            raise ValueError("a receipt must be a JSON object")  # noqa: TRY004 - one kind of error
        number = _later_format(members["format"]) if "format" in members else FIRST_FORMAT
        accepted.check(number)
        return cls(
            _id(members.get("id")),
            _state(members.get("state")),
            _time("at", members.get("at")),
            _number("attempts", members.get("attempts", 0)),
            _number("replay", members.get("replay", 0)),
            _text("detail", members.get("detail")),
            _text("key_version", members.get("key_version")),
            _text("content_type", members.get("content_type")),
            None if members.get("size") is None else _number("size", members["size"]),
            _boolean("proven", members.get("proven", True)),
            number,
            None
            if members.get("next_attempt_at") is None
            else _time("next_attempt_at", members["next_attempt_at"]),
        )


def _id(value: Any) -> str:
    if not isinstance(value, str) or not is_message_id(value):
        raise ValueError("id must be the id of a message")
    return value


def _state(value: Any) -> State:
    if not isinstance(value, str) or value not in _REPORTED:
        raise ValueError("state must be retrying, rejected, dropped or delivered")
    return State(value)


def _time(name: str, value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is not None and found.astimezone(UTC).year in _YEARS:
            return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{name} must be a time of this century with its offset (ISO 8601)")


def _number(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError(f"{name} must be a whole number")
    return value


def _later_format(value: Any) -> int:
    # Never written for format 1: a pending receipt has one text, which its MAC is of.
    if type(value) is not int or not FIRST_FORMAT < value <= LAST_FORMAT:
        raise ValueError(f"format must be a whole number from 2 to {LAST_FORMAT}")
    return value


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")  # noqa: TRY004 - one kind of error
    return value


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST[name] or not is_writable(value):
        raise ValueError(f"{name} must be a text of at most {_LONGEST[name]} characters")
    return value
