"""The Idempotency-Key of a request: the same key again is the same message.

Source: draft-ietf-httpapi-idempotency-key-header, section 2.
"""

from __future__ import annotations

import hmac
import re
import uuid
from dataclasses import dataclass, field
from hashlib import sha256

_FORM = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){16,255})"', re.ASCII)


@dataclass(frozen=True)
class IdempotencyKey:
    """What a caller chose to identify one message by, however often it is sent."""

    _key: bytes = field(repr=False)

    @classmethod
    def parse(cls, header: str) -> IdempotencyKey:
        """Read the header: a structured field string of 16 to 255 characters, in quotes.

        Raises `ValueError`, which does not repeat the key.
        """
        found = _FORM.fullmatch(header.strip())
        if not found:
            raise ValueError(
                "must be a string of 16 to 255 characters in double quotes, best a random UUID"
            )
        return cls(re.sub(r"\\(.)", r"\1", found[1]).encode())

    def of_caller(self, caller: str) -> IdempotencyKey:
        """Return the key of one caller, by which no other caller's request is the same message.

        `caller` identifies who sent the request, as the platform authenticated them.
        """
        return IdempotencyKey(self._digest(b"sealed-relay/1 caller" + caller.encode()))

    def message_id(self) -> str:
        """Return the id of the message under this key, a UUID of version 8 (RFC 9562).

        The id shows in logs, and nobody can work back from it to a key that is hard to guess.
        """
        digest = bytearray(self._digest(b"sealed-relay/1 id")[:16])
        digest[6] = digest[6] & 0x0F | 0x80
        digest[8] = digest[8] & 0x3F | 0x80
        return str(uuid.UUID(bytes=bytes(digest)))

    def fingerprint(self, payload: bytes, content_type: str) -> bytes:
        """Return what differs for any other message under the same key, 32 bytes.

        The ledger keeps it, so it is not a plain hash: no payload can be tested against it
        without the caller's key, which nobody keeps.
        """
        described = sha256(content_type.encode()).digest() + sha256(payload).digest()
        return self._digest(b"sealed-relay/1 fingerprint" + described)

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, sha256)
