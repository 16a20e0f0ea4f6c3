"""The id of a message: as callers and the partner see it, and on the bus, a new one per hop."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.standards.base64url import encode

_ID = r"[A-Za-z0-9_-]{1,80}"  # with all that is added on the bus, the 128 characters that it allows
_DIGEST_BYTES = 12
_KEY_BYTES = 32
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
    """Return the ids that `text` may stand for, the most likely first; none if it cannot be an id.

    The relay's own ids are UUIDs in lower case, and RFC 9562 section 4 has a reader accept upper
    case for the same. Any other id is case-sensitive: `a` and `A` are two.
    """
    if not is_message_id(text):
        return ()
    small = text.lower()
    return (text, small) if small != text and _UUID.fullmatch(small) else (text,)


@dataclass(frozen=True)
class MessageId:
    """The id of a message on the bus: `<id>[~<digest>]`, later `<id>[.r<replay>][.<hop>]~<digest>`.

    The queue of messages accepts each id once. So every hop through it has an id of its own, and
    always the same: a crash between two steps repeats an id, and the duplicate is dropped.
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
        """Return the id for the next hop through the queue of a message with this body."""
        replayed = "" if self.replay is None else f".r{self.replay}"
        return f"{self.id}{replayed}.{self.hop + 1}{digest_suffix(body)}"


def bus_id_key(secret: str) -> bytes:
    """Return the key of `initial_bus_id`, derived by HKDF (RFC 5869) from the database's secret.

    Sender and tracker have that secret; whoever sees ids (an operator, a reader of logs) has not.
    """
    derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"sealed-relay/1 bus id")
    return derived.derive(secret.encode())


def initial_bus_id(message_id: str, fingerprint: bytes | None, key: bytes) -> str:
    """Return the id for the first hop of a message, the same for each attempt to send it.

    `fingerprint` is that of a request with an Idempotency-Key, None for a random id. It follows
    from what a caller may have made guessable. So the id has an HMAC of it under `key`: nobody
    without that key can compute the id beforehand, or test guesses of payloads against it.
    """
    if fingerprint is None:
        return message_id
    return f"{message_id}{_suffix(hmac.digest(key, fingerprint, hashlib.sha256))}"


def digest_suffix(content: bytes) -> str:
    """Return the end of an id that depends on the message's content: `~` and a digest of it.

    An id that can be predicted could be used up by anybody who may send, and the queue would then
    drop the message that needs it as a duplicate. Sealed content cannot be predicted, since its
    data key and nonce are random, and for the same reason its digest says nothing of the payload.
    """
    return _suffix(hashlib.sha256(content).digest())


def _suffix(digest: bytes) -> str:
    return f"~{encode(digest[:_DIGEST_BYTES])}"
