"""The id of a message: as callers and the partner see it, and as the bus has it on each way."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from shared.standards.base64url import encode

_ID = r"[A-Za-z0-9_-]{1,80}"  # with all that the bus adds, the 128 characters that it takes
_DIGEST_BYTES = 12
_DIGEST = rf"~[A-Za-z0-9_-]{{{_DIGEST_BYTES * 4 // 3}}}"
_ALONE = re.compile(_ID, re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ON_THE_BUS = re.compile(
    rf"(?P<id>{_ID})(?:\.r(?P<replay>\d{{1,18}}))?(?:\.(?P<hop>\d{{1,9}}))?(?:{_DIGEST})?", re.ASCII
)


def is_message_id(text: str) -> bool:
    """Return whether `text` can be the id of a message of Sealed Relay."""
    return bool(_ALONE.fullmatch(text))


def spellings(text: str) -> tuple[str, ...]:
    """Return the ids that somebody may mean who wrote `text`; none if it can be no id.

    Ids that we make are UUIDs in small letters, and RFC 9562 section 4 has a reader take capitals
    for the same. Any other id is only what it is: `a` and `A` are two.
    """
    if not is_message_id(text):
        return ()
    small = text.lower()
    return (text, small) if small != text and _UUID.fullmatch(small) else (text,)


@dataclass(frozen=True)
class MessageId:
    """The id of a message on the bus: `<id>[~<digest>]`, later `<id>[.r<replay>][.<hop>]~<digest>`.

    The queue of messages takes each id once. So every way has its own, and always the same: a
    crash between two steps repeats an id, and the repeat is dropped.
    """

    id: str
    replay: int | None = None
    hop: int = 0

    @classmethod
    def parse(cls, text: str | None) -> MessageId | None:
        """Read the id of a Service Bus message; None if it is not one of this relay's."""
        found = _ON_THE_BUS.fullmatch(text or "")
        if not found:
            return None
        replay = None if found["replay"] is None else int(found["replay"])
        return cls(found["id"], replay, int(found["hop"] or 0))

    def next_bus_id(self, body: bytes) -> str:
        """Return the id for the next way through the queue of a message with this body."""
        replayed = "" if self.replay is None else f".r{self.replay}"
        return f"{self.id}{replayed}.{self.hop + 1}{digest_suffix(body)}"


def initial_bus_id(message_id: str, fingerprint: bytes | None) -> str:
    """Return the id for the first way of a message, the same for each try to send it.

    A random id is its own; one that a caller's key leads to is told apart by its fingerprint.
    """
    return message_id if fingerprint is None else f"{message_id}{digest_suffix(fingerprint)}"


def digest_suffix(content: bytes) -> str:
    """Return how an id tells a message from every other: by a digest of its content, `~` first.

    An id that can be foreseen could be used up by anybody who may send, and the queue would then
    drop the message that needs it as a repeat. What is sealed cannot be foreseen.
    """
    return f"~{encode(hashlib.sha256(content).digest()[:_DIGEST_BYTES])}"
