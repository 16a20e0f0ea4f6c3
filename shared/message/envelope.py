"""The sealed message: JWE in compact serialization (RFC 7516). Pure: no I/O, no clock."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pybase64 import b64decode, b64encode

from shared.errors import RelayError
from shared.message.beginnings import Beginnings
from shared.message.formats import FIRST_FORMAT, KNOWN_FORMATS, Formats
from shared.message.protected_header import (
    AFTER_USUAL_ID,
    USUAL_ID_BYTES,
    USUAL_ID_CHARS,
    HeaderFields,
    MessageHeader,
    RetiredFormatError,
    read_header,
    write_header,
)
from shared.standards.base64url import (
    ALTERNATIVES,
    LAST_CHARACTERS,
    PLUS,
    SLASH,
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
# Of nonce and tag in base64url. The nonce's are whole groups of four.
_NONCE_CHARS = 16
_TAG_CHARS = 22
_DOT = ord(".")
_NONCE_END = USUAL_ID_BYTES + _NONCE_BYTES  # where an id and a nonce are decoded as one
_TAG_BEGIN = -_TAG_BYTES - 2  # where it is decoded with two zeros behind it, for whole groups
_LAST_OF_TAG = LAST_CHARACTERS[_TAG_CHARS % 4]
_GROUP_BYTES, _GROUP_CHARS = 3, 4
# By how many bytes a ciphertext ends that are not a group of three: what makes them one, and where
# its text then ends, in front of that of a tag.
_FILL = (b"", bytes(2), bytes(1))
_TEXT_ENDS = (-24, -26, -25)
# By how many characters its text ends that are not a group of four: the same the other way round.
_FILL_CHARS = (b"", b"", b"AA", b"A")
_ENDS = (_TAG_BEGIN, _TAG_BEGIN, _TAG_BEGIN - 2, _TAG_BEGIN - 1)
# A ciphertext up to so many bytes, or characters, is encoded and decoded as one text with all that
# is short: to copy it takes less time than another call of the library.
_SMALL = 4096
_AFTER_ID_CHARS = len(AFTER_USUAL_ID)

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
    def between_dots(self) -> bytes:
        """`ciphertext` in base64url and its dots, as all messages of the data key have it."""
        return b".%b." % encode_ascii(self.ciphertext)


class DataKey:
    """A 256-bit AES key in memory, with its commitment. It is in no text of itself."""

    __slots__ = ("_secret", "aead", "commitment")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _KEY_BYTES:
            raise DecryptionError("wrong-key", f"the data key is not {_KEY_BYTES} bytes long")
        self._secret = secret
        self.aead = AESGCM(secret)
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
        # What `seal` makes under a key that was met, in half of the time of `_parse`. Anything
        # else, and all that is malformed, is for `_parse`, which says what it is. This and `seal`
        # are done for each message, and a call of Python's own takes a tenth of what AES-GCM does.
        # So they call the library directly.
        if isinstance(token, str):
            token = token.encode(errors="replace")  # what is not ASCII is malformed in any case
        beginning = _beginnings.last
        if not token.startswith(beginning.text):
            beginning = _beginnings.of(token[: token.find(b".")])
        if not (known := beginning.known) or known.fields.format not in accepted.numbers:
            return cls._parse(token, accepted)
        fields, wrapped, of_key, id_end, nonce, begin = known
        end = len(token) - _TAG_CHARS - 1
        spare = (end - begin) % _GROUP_CHARS
        if (
            begin > end
            or not token.startswith(of_key, id_end)
            or token[begin - 1] != _DOT
            or token[end] != _DOT
            or token[-1] not in _LAST_OF_TAG
            or (spare and token[end - 1] not in LAST_CHARACTERS[spare])
            or PLUS in token
            or SLASH in token
        ):
            return cls._parse(token, accepted)
        apart = begin if end - begin <= _SMALL else end - spare
        try:
            # Without `=`, which would be padding at the end of a text only, and here that is a tag
            # or refused by `decode_groups`.
            decoded = b64decode(
                b"".join(
                    (
                        token[id_end - USUAL_ID_CHARS : id_end],
                        token[nonce : begin - 1],
                        token[apart:end],
                        _FILL_CHARS[spare],
                        token[end + 1 :],
                        b"AA",
                    )
                ),
                ALTERNATIVES,
                True,  # noqa: FBT003 - as in `decode_groups`
            )
            groups = b"" if apart == begin else decode_groups(memoryview(token)[begin:apart])
        except ValueError:  # also where there are more than five parts
            return cls._parse(token, accepted)
        message_id = decoded[:USUAL_ID_BYTES]
        if not message_id.replace(b"-", b"").isalnum():  # as a UUID is
            return cls._parse(token, accepted)
        if spare:
            rest = decoded[_NONCE_END : _ENDS[spare]] + decoded[_TAG_BEGIN:-2]
        else:
            rest = decoded[_NONCE_END:-2]
        return cls(
            message_id.decode(),
            fields,
            wrapped,
            token[: id_end + _AFTER_ID_CHARS],
            decoded[USUAL_ID_BYTES:_NONCE_END],
            groups + rest if groups else rest,
        )

    @classmethod
    def _parse(cls, token: bytes, accepted: Formats) -> SealedMessage:
        """Parse any token, part by part; raise as `from_token`."""
        try:
            return cls._parts(token, accepted)
        except RetiredFormatError as error:
            raise DecryptionError("retired-format", str(error)) from None
        except ValueError as error:
            raise DecryptionError("malformed", str(error)) from None

    @classmethod
    def _parts(cls, token: bytes, accepted: Formats) -> SealedMessage:
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
        _beginnings.of(associated).remember(token[first : second + 1], message.wrapped)
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
        try:
            return key.aead.decrypt(self._nonce, self._ciphertext, self._associated)
        except InvalidTag:
            raise DecryptionError("tampered", "the message does not authenticate") from None


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
    # Random and 96 bits long (NIST SP 800-38D section 8.2.2): a key seals at most 2^20 messages, so
    # two are alike with a chance below 2^-57, and processes need no counter that they share. Drawn
    # when it is used: of nonces in stock, a copy of the process would use the same ones.
    nonce = os.urandom(_NONCE_BYTES)
    ciphertext = key.aead.encrypt(nonce, payload, protected)
    size = len(payload)
    spare = size % _GROUP_BYTES
    apart = 0 if size <= _SMALL else size - spare
    text = b64encode(
        b"".join((nonce, ciphertext[apart:size], _FILL[spare], ciphertext[size:], b"\0\0")),
        ALTERNATIVES,
    )
    return b"".join(
        (
            protected,
            wrapped.between_dots,
            text[:_NONCE_CHARS],
            b".",
            encode_groups(memoryview(ciphertext)[:apart]) if apart else b"",
            text[_NONCE_CHARS : _TEXT_ENDS[spare]],
            b".",
            text[-2 - _TAG_CHARS : -2],
        )
    )


_beginnings: Beginnings[WrappedKey] = Beginnings()
