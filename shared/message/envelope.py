"""The sealed message: JWE in compact serialization (RFC 7516). Pure: no I/O, no clock."""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

import pybase64
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import RelayError
from shared.message.formats import FIRST_FORMAT, KNOWN_FORMATS, Formats
from shared.message.message_id import is_message_id
from shared.standards.base64url import encode
from shared.standards.plain_text import is_writable

ALGORITHM = "RSA-OAEP-256"
ENCRYPTION = "A256GCM"
MEDIA_TYPE = "application/jose"

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_MAX_HEADER_CHARS = 8192
_FORMAT = "fmt"
_LATER_FORMAT = re.compile(r"[2-9]|[1-9][0-9]{1,3}", re.ASCII)
_HEADER_MEMBERS = frozenset({"alg", "enc", "kid", "mid", "cty", "dkc"})
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
# Possessive throughout: the blanks behind a `;` could also be those in front of the next one, and
# an expression that tries both takes time exponential in their number.
_CONTENT_TYPE = re.compile(
    rf"{_WORD}/{_WORD}(?:[ \t]*+;[ \t]*+(?:{_WORD}=(?:{_WORD}|{_QUOTED}))?+)*+", re.ASCII
)
_MAX_CONTENT_TYPE = 255
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)

Fault = Literal["malformed", "retired-format", "wrong-key", "tampered"]


class DecryptionError(RelayError):
    """A sealed message that can never be opened here.

    `fault` is `malformed` (not a sealed message at all), `retired-format` (of a format that is not
    accepted any more), `wrong-key` (sealed with a key that is not this receiver's) or `tampered`
    (authentication failed, or it is sealed for another message id).
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault: Fault = fault
        self.detail = detail


@dataclass(frozen=True)
class WrappedKey:
    """A data key as Key Vault encrypted it. `key_id` is the versioned URL of the vault's key."""

    key_id: str
    ciphertext: bytes

    @property
    def version(self) -> str:
        """The last part of `key_id`: which version of the vault's key it was."""
        return self.key_id.rpartition("/")[2]


class DataKey:
    """A 256-bit AES key in memory, with its commitment. It is in no text of itself."""

    __slots__ = ("_aead", "_secret", "commitment")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _KEY_BYTES:
            raise DecryptionError("wrong-key", f"the data key is not {_KEY_BYTES} bytes long")
        self._secret = secret
        self._aead = AESGCM(secret)
        # AES-GCM does not commit to its key: without this, one ciphertext could be made to open
        # under two keys. HMAC-SHA256 is collision resistant, so a header names exactly one key.
        self.commitment = encode(hmac.digest(secret, b"sealed-relay/1 data key", sha256))

    @classmethod
    def generate(cls) -> DataKey:
        """Make a new one from the operating system's random source."""
        return cls(os.urandom(_KEY_BYTES))

    @property
    def secret(self) -> bytes:
        """The key itself, for Key Vault to encrypt."""
        return self._secret

    def receipt_mac(self, text: str) -> str:
        """Return a MAC of `text` under this key: HMAC-SHA256, in base64url."""
        return encode(hmac.digest(self._secret, b"sealed-relay/1 text" + text.encode(), sha256))

    def encrypt(self, plaintext: bytes, associated: bytes) -> tuple[bytes, bytes]:
        """Return the nonce, and the ciphertext with its tag at the end."""
        # A key seals at most 2^20 messages, so random 96-bit nonces repeat with a chance below
        # 2^-57 and need no counter that processes would have to share.
        nonce = os.urandom(_NONCE_BYTES)
        return nonce, self._aead.encrypt(nonce, plaintext, associated)

    def decrypt(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """Return the plaintext, or raise `DecryptionError`."""
        try:
            return self._aead.decrypt(nonce, ciphertext, associated)
        except InvalidTag:
            raise DecryptionError("tampered", "the message does not authenticate") from None


@dataclass(frozen=True)
class MessageHeader:
    """What a sealed message is bound to beside its bytes: its id and its content type.

    The id is of letters, digits, `_` and `-`, at most 80; the content type is a media type as in
    RFC 9110 section 8.3.1, at most 255 characters. Raises `ValueError` on anything else.
    """

    message_id: str
    content_type: str

    def __post_init__(self) -> None:
        # Both become HTTP header fields at the partner, so neither may end one or begin another.
        if not is_message_id(self.message_id):
            raise ValueError("the message id must be 1 to 80 letters, digits, _ and -")
        short = len(self.content_type) <= _MAX_CONTENT_TYPE
        if not short or not _CONTENT_TYPE.fullmatch(self.content_type):
            raise ValueError("the content type is not a media type such as text/plain")


@dataclass(frozen=True)
class SealedMessage:
    """A parsed sealed message, not yet opened: nothing in it is to be trusted."""

    header: MessageHeader
    wrapped: WrappedKey
    commitment: str
    _associated: bytes = field(repr=False)
    _nonce: bytes = field(repr=False)
    _ciphertext: bytes = field(repr=False)

    @classmethod
    def from_token(cls, token: str, accepted: Formats = KNOWN_FORMATS) -> SealedMessage:
        """Parse a compact JWE of a format that is accepted.

        Raises `NewerFormatError` for a later one, of which nothing else is looked at, and
        `DecryptionError` (`malformed`, `retired-format`) on anything else.
        """
        parts = token.split(".", 5)
        if len(parts) != 5:
            raise DecryptionError("malformed", "a sealed message has five parts")
        protected, wrapped, nonce, ciphertext, tag = parts
        header = _header(protected, accepted)
        nonce_bytes, tag_bytes = _decode(nonce, "nonce"), _decode(tag, "tag")
        if len(nonce_bytes) != _NONCE_BYTES:
            raise DecryptionError("malformed", "the nonce is not 96 bits long")
        # A shorter tag would be easier to guess; GCM itself would accept it.
        if len(tag_bytes) != _TAG_BYTES:
            raise DecryptionError("malformed", "the tag is not 128 bits long")
        try:
            message_header = MessageHeader(header["mid"], header["cty"])
        except ValueError as error:
            raise DecryptionError("malformed", str(error)) from None
        return cls(
            message_header,
            WrappedKey(header["kid"], _decode(wrapped, "encrypted key")),
            header["dkc"],
            protected.encode("ascii"),
            nonce_bytes,
            _decode(ciphertext, "ciphertext") + tag_bytes,
        )

    def open(self, key: DataKey) -> bytes:
        """Return the payload. Raises `DecryptionError` for another key or a changed bit."""
        if not hmac.compare_digest(key.commitment.encode(), self.commitment.encode()):
            raise DecryptionError("tampered", "the key commitment does not match the data key")
        return key.decrypt(self._nonce, self._ciphertext, self._associated)


def seal(
    payload: bytes,
    header: MessageHeader,
    key: DataKey,
    wrapped: WrappedKey,
    emitted: int = FIRST_FORMAT,
) -> str:
    """Seal `payload` as a compact JWE. `wrapped` is `key` as Key Vault encrypted it.

    `emitted` is the number of the format, one that this code knows.

    The protected header is the associated data (RFC 7516 section 5.1), so the id, the content
    type, the key's version and the format cannot be exchanged between messages.
    """
    members = {
        "alg": ALGORITHM,
        "enc": ENCRYPTION,
        "kid": wrapped.key_id,
        "mid": header.message_id,
        "cty": header.content_type,
        "dkc": key.commitment,
    }
    if emitted != FIRST_FORMAT:
        members[_FORMAT] = str(emitted)
    protected = encode(json.dumps(members, separators=(",", ":")).encode())
    nonce, ciphertext = key.encrypt(payload, protected.encode())
    view = memoryview(ciphertext)
    return ".".join(
        (
            protected,
            encode(wrapped.ciphertext),
            encode(nonce),
            encode(view[:-_TAG_BYTES]),
            encode(view[-_TAG_BYTES:]),
        )
    )


def _header(protected: str, accepted: Formats) -> dict[str, str]:
    if len(protected) > _MAX_HEADER_CHARS:
        raise DecryptionError("malformed", "the protected header is too long")
    try:
        header = json.loads(_decode(protected, "protected header"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise DecryptionError("malformed", "the protected header is not JSON") from None
    if isinstance(header, dict):
        _check_format(header, accepted)
    # Only the members that `seal` writes, all of them strings: `zip`, `crit`, `jku` and whatever
    # else a header may carry have no meaning here, so nothing can be smuggled in by them.
    if not isinstance(header, dict) or header.keys() - {_FORMAT} != _HEADER_MEMBERS:
        raise DecryptionError(
            "malformed", "the protected header does not have the members of a sealed message"
        )
    if not all(isinstance(value, str) for value in header.values()):
        raise DecryptionError("malformed", "the protected header has a member that is not text")
    # JSON can say what is not a character: nothing that encodes, logs or compares it would take it.
    if not all(map(is_writable, header.values())):
        raise DecryptionError(
            "malformed", "the protected header has half a surrogate pair or a NUL in it"
        )
    if (header["alg"], header["enc"]) != (ALGORITHM, ENCRYPTION):
        raise DecryptionError("malformed", f"it is not sealed with {ALGORITHM} and {ENCRYPTION}")
    return header


def _check_format(header: Mapping[str, object], accepted: Formats) -> None:
    """Raise `NewerFormatError`, or `DecryptionError` for a format that is none or retired."""
    number = header.get(_FORMAT)
    # Written in one way only, and never for format 1: otherwise one message would have two headers.
    if _FORMAT in header and not (isinstance(number, str) and _LATER_FORMAT.fullmatch(number)):
        raise DecryptionError("malformed", "the format is not a number from 2 to 9999")
    try:
        accepted.check(int(str(number)) if number else FIRST_FORMAT)
    except ValueError as error:
        raise DecryptionError("retired-format", str(error)) from None


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member is there twice")
    return found


def _decode(text: str, what: str) -> bytes:
    # Strict: no padding, no other alphabet, and no stray bits in the last character. A value has
    # one encoding only, so that no altered token ever decodes to the same message.
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise DecryptionError("malformed", f"the {what} is not base64url")
    data = pybase64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    tail = len(data) % 3
    if tail and encode(data[-tail:]) != text[-(tail + 1) :]:
        raise DecryptionError("malformed", f"the {what} is not canonical base64url")
    return data
