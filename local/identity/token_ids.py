"""The ids of tokens (`uti`): random text, from which only the issuer can read the caller."""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

_NUMBER = 4  # bytes
_BLOCK = 16


class TokenIds:
    """Makes ids of tokens and reads them again, with a key that lives as long as this object.

    In Azure an id is 16 random bytes that only Microsoft's logs can make sense of. Likewise here:
    an app cannot come to rely on them, and nothing has to be kept for each token.
    """

    def __init__(self) -> None:
        # A single block of random bytes and a number: what makes ECB weak, equal blocks in one or
        # several messages, does not occur.
        self._cipher = Cipher(AES(secrets.token_bytes(_BLOCK)), ECB())  # noqa: S305 - as said above
        self._names: list[str] = []

    def make(self, name: str) -> str:
        """Make an id of a token for somebody of that name."""
        if name not in self._names:
            self._names.append(name)
        number = self._names.index(name).to_bytes(_NUMBER, "big")
        encryptor = self._cipher.encryptor()
        block = encryptor.update(secrets.token_bytes(_BLOCK - _NUMBER) + number)
        return base64.urlsafe_b64encode(block).rstrip(b"=").decode()

    def read(self, token_id: object) -> str | None:
        """Return the name that a token was made for; None for an id that was not made here."""
        if not isinstance(token_id, str):
            return None
        try:
            block = base64.urlsafe_b64decode(token_id + "==")
        except (binascii.Error, ValueError):
            return None
        if len(block) != _BLOCK:
            return None
        number = int.from_bytes(self._cipher.decryptor().update(block)[-_NUMBER:], "big")
        return self._names[number] if number < len(self._names) else None
