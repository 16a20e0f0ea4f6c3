"""Standard Webhooks signatures, as the receiver of a webhook verifies them.

The reference library, `standardwebhooks`, verifies only bodies of UTF-8 and by its own clock, so it
is the judge in the tests and not the partner here.

Source: the Standard Webhooks specification, https://github.com/standard-webhooks/standard-webhooks,
sections "Signature scheme" and "Verifying webhook authenticity".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

TOLERANCE = 300  # seconds that a timestamp may be before or after the clock
_PREFIX = "whsec_"
_TIMESTAMP = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class SigningSecret:
    """A secret shared by both sides; `text` is its form `whsec_<base64>`."""

    key: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> SigningSecret:
        """Make a fresh one of 32 random bytes."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def parse(cls, text: str) -> SigningSecret:
        """Read `whsec_<base64>` of 24 to 64 bytes; ValueError, without the secret, if it is not."""
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("a signing secret must be whsec_ and base64") from None
        if not text.startswith(_PREFIX) or not 24 <= len(key) <= 64:
            raise ValueError("a signing secret must be whsec_ and base64 of 24 to 64 bytes")
        return cls(key)

    @property
    def text(self) -> str:
        """The form in which both sides exchange it."""
        return _PREFIX + base64.b64encode(self.key).decode()

    def sign(self, message_id: str, timestamp: str, body: bytes) -> bytes:
        """Return the base64 of HMAC-SHA256 over `id.timestamp.body`."""
        # Bytes of a header that are not UTF-8 arrive as surrogates, and are signed as they were.
        signed = f"{message_id}.{timestamp}.".encode(errors="surrogateescape") + body
        return base64.b64encode(hmac.digest(self.key, signed, hashlib.sha256))


def verify(
    secrets_in_force: Iterable[SigningSecret], headers: Mapping[str, str], body: bytes, now: float
) -> bool:
    """Return whether one signature of the headers is by one of the secrets, and timely.

    `headers` must look names up without regard to case; `body` is the raw body as received.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not _TIMESTAMP.fullmatch(timestamp):
        return False
    # An old request that was intercepted must not be accepted again.
    if abs(now - int(timestamp)) > TOLERANCE:
        return False
    given = _signatures(headers.get("webhook-signature", ""))
    right = [secret.sign(message_id, timestamp, body) for secret in secrets_in_force]
    # Compared in constant time, so that nobody can find a signature byte by byte.
    return any(hmac.compare_digest(one, other) for one in given for other in right)


def _signatures(header: str) -> list[bytes]:
    """Return the `v1` signatures of a space-separated list; other versions are ignored."""
    versioned = [part.partition(",") for part in header.split(" ")]
    return [
        text.encode(errors="surrogateescape") for version, _, text in versioned if version == "v1"
    ]
