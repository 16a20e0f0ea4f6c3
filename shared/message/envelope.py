"""The sealed message: JWE in compact serialization (RFC 7516). Pure: no I/O, no clock."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import RelayError
from shared.message.formats import FIRST_FORMAT, KNOWN_FORMATS, Formats
from shared.message.protected_header import (
    USUAL_END_BYTES,
    USUAL_END_CHARS,
    HeaderFields,
    MessageHeader,
    RetiredFormatError,
    fields_of_beginning,
    id_at_end,
    read_header,
    write_header,
)
from shared.standards.base64url import (
    decode_groups,
    decode_unpadded,
    encode,
    encode_ascii,
    encode_groups,
    refuse_base64,
)

MEDIA_TYPE = "application/jose"

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
# Of nonce and tag in base64url. The nonce's are whole groups, so both can be encoded as one.
_NONCE_CHARS = 16
_TAG_CHARS = 22
_DOT = ord(".")
_SHORT_BYTES = USUAL_END_BYTES + _NONCE_BYTES
# By how many characters a text ends that are no group of four: what makes them one, of zeros.
_ZEROS = (b"", b"", b"AA", b"A")
_TWO_ZEROS = bytes(2)
_REMEMBERED = 128  # wrapped keys of messages, and beginnings of headers
_MAX_REMEMBERED_CHARS = 1024  # an RSA key of 4096 bits makes 683

# glibc gives large blocks back to the system when they are freed, and has each mapped and cleared
# anew: for 190 KB that takes longer than all the rest. Once a larger block was freed, it keeps
# as much (mallopt(3), M_MMAP_THRESHOLD).
_freed = bytes(8 * 1024 * 1024)
del _freed

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

    @cached_property
    def encoded(self) -> bytes:
        """`ciphertext` in base64url, as all messages of the data key have it."""
        return encode_ascii(self.ciphertext)


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


@dataclass(eq=False, slots=True)
class SealedMessage:
    """A parsed sealed message, not yet opened: nothing in it is to be trusted."""

    message_id: str
    fields: HeaderFields
    wrapped: WrappedKey
    _associated: bytes = field(repr=False)
    _nonce: bytes = field(repr=False)
    _ciphertext: bytes = field(repr=False)

    @classmethod
    def from_token(cls, token: bytes | str, accepted: Formats = KNOWN_FORMATS) -> SealedMessage:
        """Parse a compact JWE of a format that is accepted.

        Raises `NewerFormatError` for a later one, of which nothing else is looked at, and
        `DecryptionError` (`malformed`, `retired-format`) on anything else.
        """
        try:
            encoded = token.encode() if isinstance(token, str) else token
            return cls._parse_usual(encoded, accepted) or cls._parse(encoded, accepted)
        except RetiredFormatError as error:
            raise DecryptionError("retired-format", str(error)) from None
        except ValueError as error:
            raise DecryptionError("malformed", str(error)) from None

    @classmethod
    def _parse_usual(cls, token: bytes, accepted: Formats) -> SealedMessage | None:
        """Do as `_parse`, in half of its time, with what `seal` makes under a key that was met.

        None for anything else, and for all that is malformed: `_parse` says what it is.
        """
        first = token.find(b".")
        beginning = _beginning(token[: first - USUAL_END_CHARS])
        if beginning is None or beginning.fields.format not in accepted.numbers:
            return None
        of_key, wrapped = beginning.of_key
        nonce = first + len(of_key)
        tag = len(token) - _TAG_CHARS
        begin, end = nonce + _NONCE_CHARS + 1, tag - 1
        are_parts = begin <= end and token[begin - 1] == _DOT == token[end]
        if not are_parts or not token.startswith(of_key, first):
            return None
        spare = (end - begin) % 4
        # All that is short as one text. Zeros fill up its groups, and what they decode to must be
        # zero: then no character has stray bits.
        short = b"".join(
            (
                token[first - USUAL_END_CHARS : first],
                token[nonce : begin - 1],
                token[end - spare : end],
                _ZEROS[spare],
                token[tag:],
                b"AA",
            )
        )
        try:
            refuse_base64(token)
            decoded = decode_groups(short)
            ciphertext = decode_groups(memoryview(token)[begin : end - spare])
        except ValueError:  # also where there are more than five parts
            return None
        message_id, rest = id_at_end(decoded), decoded[_SHORT_BYTES : -2 - _TAG_BYTES]
        if message_id is None or not decoded.endswith(_TWO_ZEROS):
            return None
        last = decoded[-2 - _TAG_BYTES : -2]
        if rest:
            if not rest.endswith(_TWO_ZEROS[spare - 2 :]):
                return None
            last = rest[: spare - 1] + last
        return cls(
            message_id,
            beginning.fields,
            wrapped,
            token[:first],
            decoded[USUAL_END_BYTES:_SHORT_BYTES],
            ciphertext + last,
        )

    @classmethod
    def _parse(cls, token: bytes, accepted: Formats) -> SealedMessage:
        # Not `split`, which looks at a large ciphertext byte by byte.
        first = token.find(b".")
        second = token.find(b".", first + 1)
        third = token.find(b".", second + 1)
        fourth = token.find(b".", third + 1)
        five = 0 <= first < second < third < fourth
        if not five or token.find(b".", fourth + 1) > 0:
            raise ValueError("a sealed message has five parts")
        associated = token[:first]
        message_id, fields = read_header(associated, accepted)
        if third - second - 1 != _NONCE_CHARS:
            raise ValueError("the nonce is not 96 bits long")
        # A shorter tag would be easier to guess; GCM itself would accept it.
        if len(token) - fourth - 1 != _TAG_CHARS:
            raise ValueError("the tag is not 128 bits long")
        refuse_base64(token)
        nonce_and_tag = decode_unpadded(token[second + 1 : third] + token[fourth + 1 :])
        message = cls(
            message_id,
            fields,
            WrappedKey(fields.key_id, decode_unpadded(token[first + 1 : second])),
            associated,
            nonce_and_tag[:_NONCE_BYTES],
            decode_unpadded(memoryview(token)[third + 1 : fourth]) + nonce_and_tag[_NONCE_BYTES:],
        )
        beginning = _beginning(associated[:-USUAL_END_CHARS])
        # Others can put anything there: what is too long for a key takes no place in memory.
        if beginning and second - first <= _MAX_REMEMBERED_CHARS:
            beginning.of_key = token[first : second + 1], message.wrapped
        return message

    @property
    def header(self) -> MessageHeader:
        """What it is bound to."""
        return MessageHeader(self.message_id, self.fields.content_type)

    def open(self, key: DataKey) -> bytes:
        """Return the payload. Raises `DecryptionError` for another key or a changed bit."""
        # Both are public, in the headers of messages: the time of a comparison reveals nothing.
        if key.commitment != self.fields.commitment:
            raise DecryptionError("tampered", "the key commitment does not match the data key")
        return key.decrypt(self._nonce, self._ciphertext, self._associated)


def seal(
    payload: bytes,
    header: MessageHeader,
    key: DataKey,
    wrapped: WrappedKey,
    emitted: int = FIRST_FORMAT,
) -> bytes:
    """Seal `payload` as a compact JWE, in ASCII. `wrapped` is `key` as Key Vault encrypted it.

    `emitted` is the number of the format, one that this code knows.

    The protected header is the associated data (RFC 7516 section 5.1), so the id, the content
    type, the key's version and the format cannot be exchanged between messages.
    """
    protected = write_header(header, wrapped.key_id, key.commitment, emitted)
    nonce, ciphertext = key.encrypt(payload, protected)
    size = len(payload)
    nonce_and_tag = encode_groups(nonce + ciphertext[size:] + _TWO_ZEROS)
    of_ciphertext = encode_groups(memoryview(ciphertext)[:size])
    return b".".join(
        (
            protected,
            wrapped.encoded,
            nonce_and_tag[:_NONCE_CHARS],
            of_ciphertext[: size % 3 - 3] if size % 3 else of_ciphertext,
            nonce_and_tag[_NONCE_CHARS : _NONCE_CHARS + _TAG_CHARS],
        )
    )


class _Beginning:
    """What the tokens have in common that begin alike: of one data key and one content type.

    `of_key` is the wrapped key, with the dots around it, of the last one that was parsed. It is
    compared whole, so it only saves the time of decoding the same again.
    """

    __slots__ = ("fields", "of_key")

    def __init__(self, fields: HeaderFields) -> None:
        self.fields = fields
        self.of_key = (b"..", WrappedKey(fields.key_id, b""))


@lru_cache(_REMEMBERED)
def _beginning(encoded: bytes) -> _Beginning | None:
    fields = fields_of_beginning(encoded)
    return _Beginning(fields) if fields else None
